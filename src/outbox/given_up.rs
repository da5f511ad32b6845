//! Mail that was given up: kept for a while, so that somebody can see it and have it sent again, or drop it.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{
    Error, Row, State, announce, blob,
    delivery::{self, Delivery},
    document, due, name_of, row_id,
    settle::readable,
    wake,
};
use crate::{
    audit::{self, Action},
    ids::{Kind, RecordId, TenantId, partition},
    keys::{self, Keyring, TenantKeys},
    ports::{Document, Fault, Ports, Scan, Slot, Write, due_key, first_version, timestamp},
};

/// How long a mail is kept after it was given up.
pub const KEPT: Duration = Duration::days(30);
/// The `k2` of a row that was given up begins with this; the instant and the row's name follow.
pub const GIVEN_UP: &str = "given_up:";
/// The `k2` of a row that is being deleted.
const GOING: &str = "going";
/// Stands between the instant and the name.
const NAME_MARK: char = '+';
/// Rows of a tenant that are listed, or counted.
pub const LIST_MAX: usize = 1_000;

/// A mail to one recipient that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GivenUp {
    pub id: RecordId,
    pub at: String,
    /// None of a row that does not open, like what follows.
    pub to: Option<String>,
    pub tries: Option<u32>,
    /// What a server said last.
    pub status: Option<String>,
}

/// What was given up of a tenant's mail, oldest first, up to [`LIST_MAX`].
pub async fn list(ports: &Ports, keyring: &Keyring, tenant: &TenantId) -> Result<Vec<GivenUp>, Error> {
    let found = found(ports, tenant).await?;
    if found.is_empty() {
        // Nor are keys made for a tenant who has none.
        return Ok(Vec::new());
    }
    let keys = keyring.keys(tenant).await?;
    let mut given_up = Vec::with_capacity(found.len());
    for stored in found {
        let Ok(id) = name_of(&stored).parse() else { continue };
        let row = keys.open_document::<Row>(&stored).ok();
        let delivery = match &row {
            Some(row) => readable(delivery::get(ports, &keys, tenant, &row.delivery).await)?,
            None => None,
        };
        let at = stored.keys[1].as_deref().and_then(|key| key.strip_prefix(GIVEN_UP)?.split(NAME_MARK).next()).unwrap_or_default().to_owned();
        let (to, tries) = row.map(|row| (row.to, row.tries)).unzip();
        given_up.push(GivenUp { id, at, to, tries, status: delivery.and_then(|stored| stored.delivery.status) });
    }
    Ok(given_up)
}

/// How many mails of a tenant were given up, up to [`LIST_MAX`]. Needs no keys.
pub async fn count(ports: &Ports, tenant: &TenantId) -> Result<usize, Fault> {
    Ok(found(ports, tenant).await?.len())
}

async fn found(ports: &Ports, tenant: &TenantId) -> Result<Vec<Document>, Fault> {
    ports.documents.scan(&Scan::prefix(&partition(tenant, Kind::Outbox), Slot::K2, GIVEN_UP, LIST_MAX)).await
}

/// Whether a mail of this record was given up.
pub async fn is_there(ports: &Ports, tenant: &TenantId, id: RecordId) -> Result<bool, Fault> {
    Ok(get(ports, tenant, id).await?.is_some())
}

/// Sends a mail again that was given up, with as many tries as a new one has; one that may have arrived stays in doubt. False if none of this record was.
pub async fn retry(ports: &Ports, keyring: &Keyring, tenant: &TenantId, id: RecordId, actor: &str) -> Result<bool, Error> {
    let Some(stored) = get(ports, tenant, id).await? else { return Ok(false) };
    let keys = keyring.keys(tenant).await?;
    let (mut row, now) = (keys.open_document::<Row>(&stored)?, ports.clock.now());
    row.possibly_duplicate |= row.state == State::Sending;
    (row.state, row.tries) = (State::Waiting, 0);
    let document = document(&keys, tenant, id, &row, due(now, id))?;
    let mut writes = vec![Write::Replace { document, etag: stored.etag }, event(ports, &keys, tenant, actor, Action::MailRetried, id)?];
    if let Some(before) = readable(delivery::get(ports, &keys, tenant, &row.delivery).await)? {
        let begun = Delivery { state: delivery::State::Delayed, tries: 0, at: now, ..before.delivery.clone() };
        writes.push(before.rewritten(&keys, tenant, &begun)?);
    }
    announce(ports, tenant).await?;
    ports.documents.commit(&stored.partition, writes).await?;
    wake(ports, tenant).await?;
    Ok(true)
}

/// Deletes a mail that was given up; its delivery stays as it is. False if none of this record was.
pub async fn drop_mail(ports: &Ports, keyring: &Keyring, tenant: &TenantId, id: RecordId, actor: &str) -> Result<bool, Error> {
    let Some(stored) = get(ports, tenant, id).await? else { return Ok(false) };
    let keys = keyring.keys(tenant).await?;
    let dropped = event(ports, &keys, tenant, actor, Action::MailDropped, id)?;
    delete(ports, tenant, stored, vec![dropped]).await?;
    Ok(true)
}

/// Whether nothing but the end of this row is due: of a mail that was given up, when its time is over, or of one that is being deleted.
pub(super) fn ends(stored: &Document) -> bool {
    is_given_up(stored) || stored.keys[1].as_deref() == Some(GOING)
}

fn is_given_up(stored: &Document) -> bool {
    stored.keys[1].as_deref().is_some_and(|key| key.starts_with(GIVEN_UP))
}

/// Clear keys of a row that was given up: it is listed by them, and due to be deleted.
pub(super) fn clear(at: OffsetDateTime, name: &str) -> [Option<String>; 4] {
    [Some(due_key(at + KEPT, name)), Some(format!("{GIVEN_UP}{}{NAME_MARK}{name}", timestamp(at))), None, None]
}

/// Deletes a row, which need not open, with these writes beside. It is marked first, so that nobody sends it again meanwhile; then its blob goes, which nothing
/// else names. Whoever dies in between leaves it due, and the next one goes on.
pub(super) async fn delete(ports: &Ports, tenant: &TenantId, stored: Document, mut writes: Vec<Write>) -> Result<(), Fault> {
    let mut etag = stored.etag.clone();
    if is_given_up(&stored) {
        let keys = [Some(due_key(ports.clock.now(), name_of(&stored))), Some(GOING.to_owned()), stored.keys[2].clone(), None];
        writes.insert(0, stored.clone().under(keys));
        etag = first_version(ports.documents.commit(&stored.partition, writes).await?)?;
    }
    if let Some(name) = stored.keys[2].as_deref().and_then(|key| blob::of(tenant, key)) {
        blob::delete_unless_shared(ports, &stored.partition, &name, &stored.id).await?;
    }
    ports.documents.commit(&stored.partition, vec![Write::Delete { id: stored.id, etag }]).await.map(drop)
}

/// Deletes a row whose end is due; false if somebody else had it meanwhile.
pub(super) async fn remove(ports: &Ports, tenant: &TenantId, stored: Document) -> Result<bool, Fault> {
    match delete(ports, tenant, stored, Vec::new()).await {
        Ok(()) => Ok(true),
        Err(Fault::Conflict) => Ok(false),
        Err(fault) => Err(fault),
    }
}

async fn get(ports: &Ports, tenant: &TenantId, id: RecordId) -> Result<Option<Document>, Fault> {
    let found = ports.documents.get(&partition(tenant, Kind::Outbox), &row_id(id)).await?;
    Ok(found.filter(is_given_up))
}

fn event(ports: &Ports, keys: &TenantKeys, tenant: &TenantId, actor: &str, action: Action, id: RecordId) -> Result<Write, keys::Error> {
    audit::record(keys, tenant, ports.entropy.as_ref(), &audit::Event::new(ports.clock.now(), actor, action, id))
}
