//! What must leave the house: a row written in the commit of its change, delivered later, at least once.
//!
//! Before the commit a queue message goes out that comes back in a minute, so that a process killed right after the commit is made good; a sweep finds the rest.
//! A mail whose sending was cut off is sent again and marked `possibly_duplicate`: SMTP cannot tell. Its Message-ID stays the same.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    ids::{Kind, RecordId, TenantId, partition, tenant_of},
    keys::{self, Keyring, Place, TenantKeys},
    ports::{Document, Etag, Fault, MessageTooLarge, NewDocument, OutgoingMail, Ports, Scan, Slot, Write, due_key, encode_text},
};

/// The queue that wakes the delivery for one tenant.
pub const QUEUE: &str = "outbox";
/// A wake-up comes back after this long.
const WAKE_DELAY: Duration = Duration::from_secs(60);
/// Rows that one call delivers.
const BATCH_MAX: usize = 50;
/// Tenants that one sweep wakes.
const SWEEP_MAX: usize = 200;
/// While a row is being sent nobody else takes it; a process that dies over it holds it up this long.
const CLAIM: time::Duration = time::Duration::minutes(5);
/// Tries before a mail is given up; the pauses in between add up to about two days.
const TRIES_MAX: u32 = 12;
/// The first pause; each is twice the one before, up to the longest.
const PAUSE_FIRST: time::Duration = time::Duration::minutes(1);
const PAUSE_LONGEST: time::Duration = time::Duration::hours(12);
/// How long a delivered row is kept.
const DELIVERED_KEPT: time::Duration = time::Duration::days(7);
/// A mail over this many bytes is kept in a sealed blob.
const BODY_HERE_BYTES_MAX: usize = 16 * 1024;
const CONTAINER: &str = "outbox";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Keys(#[from] keys::Error),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    MessageTooLarge(#[from] MessageTooLarge),
}

/// What a delivery did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    pub sent: usize,
    /// Not taken by the other side; due again later.
    pub delayed: usize,
    /// Tried to the end.
    pub given_up: usize,
}

#[derive(Serialize, Deserialize)]
struct Row {
    from: String,
    to: Vec<String>,
    raw: Raw,
    tries: u32,
    state: State,
    /// An earlier sending was cut off: the other side may have the mail already.
    possibly_duplicate: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Raw {
    Here(String),
    Blob(String),
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum State {
    Waiting,
    Sending,
    Sent,
    GivenUp,
}

/// The row of a mail, for the commit of the change that causes it. A long mail is sealed into a blob first.
pub async fn row(
    ports: &Ports,
    keys: &TenantKeys,
    tenant: &TenantId,
    id: RecordId,
    mail: &OutgoingMail,
    now: OffsetDateTime,
) -> Result<Write, Error> {
    let raw = if mail.raw.len() > BODY_HERE_BYTES_MAX {
        let name = format!("{tenant}/{id}");
        let sealed = keys.seal(&Place::blob(CONTAINER, &name), &mail.raw)?;
        ports.blobs.put(CONTAINER, &name, Bytes::from(sealed)).await?;
        Raw::Blob(name)
    } else {
        Raw::Here(STANDARD.encode(&mail.raw))
    };
    let row = Row { from: mail.from.clone(), to: mail.to.clone(), raw, tries: 0, state: State::Waiting, possibly_duplicate: false };
    Ok(Write::Create(document(keys, tenant, id, &row, now)?))
}

/// Asks to be woken for this tenant, whatever happens to this process. To be called before the commit.
pub async fn announce(ports: &Ports, tenant: &TenantId) -> Result<(), Error> {
    let message = serde_json::json!({ "v": 1, "tenant": tenant }).to_string();
    Ok(ports.queues.send(QUEUE, &encode_text(message.as_bytes())?, WAKE_DELAY).await?)
}

/// The tenant of a wake-up, if it is one.
pub fn woken_for(message: &str) -> Option<TenantId> {
    #[derive(Deserialize)]
    struct WakeUp {
        v: u64,
        tenant: TenantId,
    }
    serde_json::from_str::<WakeUp>(message).ok().filter(|wake| wake.v == 1).map(|wake| wake.tenant)
}

/// Sends what is due in a tenant.
pub async fn deliver(ports: &Ports, keyring: &Keyring, tenant: &TenantId) -> Result<Delivered, Error> {
    let keys = keyring.keys(tenant).await?;
    let place = partition(tenant, Kind::Outbox);
    let now = ports.clock.now();
    let mut scan = Scan::prefix(&place, Slot::K1, "due:", BATCH_MAX);
    scan.range.end = format!("{}\u{7f}", due_key(now));
    let mut delivered = Delivered::default();
    for document in ports.documents.scan(&scan).await? {
        match deliver_one(ports, &keys, tenant, document, now).await {
            Ok(Some(State::Sent)) => delivered.sent += 1,
            Ok(Some(State::GivenUp)) => delivered.given_up += 1,
            Ok(Some(State::Waiting | State::Sending)) => delivered.delayed += 1,
            // Somebody else has it.
            Ok(None) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(delivered)
}

/// Wakes every tenant with something overdue. Answers how many.
pub async fn sweep(ports: &Ports) -> Result<usize, Error> {
    let mut tenants: Vec<String> = Vec::new();
    for document in ports.documents.due(ports.clock.now(), SWEEP_MAX).await? {
        if document.kind == Kind::Outbox.name() && !tenants.contains(&document.partition) {
            tenants.push(document.partition);
        }
    }
    for place in &tenants {
        let Some(tenant) = tenant_of(place) else { continue };
        let message = serde_json::json!({ "v": 1, "tenant": tenant }).to_string();
        ports.queues.send(QUEUE, &encode_text(message.as_bytes())?, Duration::ZERO).await?;
    }
    Ok(tenants.len())
}

/// Claim, send, say how it went. `None` if the row was taken by somebody else.
async fn deliver_one(
    ports: &Ports,
    keys: &Arc<TenantKeys>,
    tenant: &TenantId,
    stored: Document,
    now: OffsetDateTime,
) -> Result<Option<State>, Error> {
    let place = partition(tenant, Kind::Outbox);
    let Some(id) = stored.id.strip_prefix("outbox:").and_then(|id| id.parse::<RecordId>().ok()) else {
        return Err(Fault::Corrupt("an outbox row has no id".to_owned()).into());
    };
    let mut row: Row = keys.open_document(&stored)?;
    // A claim that ran out: its holder died while sending.
    row.possibly_duplicate |= row.state == State::Sending;
    row.state = State::Sending;
    row.tries += 1;
    let claimed = match replace(ports, &place, document(keys, tenant, id, &row, now + CLAIM)?, stored.etag).await? {
        Some(etag) => etag,
        None => return Ok(None),
    };
    let raw = match &row.raw {
        Raw::Here(text) => STANDARD.decode(text).map_err(|_| Fault::Corrupt("an outbox row is no base64".to_owned()))?,
        Raw::Blob(name) => {
            let sealed =
                ports.blobs.get(CONTAINER, name, None).await?.ok_or_else(|| Fault::Corrupt("the blob of an outbox row is missing".to_owned()))?;
            keys.open(&Place::blob(CONTAINER, name), &sealed)?.to_vec()
        }
    };
    let mail = OutgoingMail { from: row.from.clone(), to: row.to.clone(), raw };
    let (state, due) = match ports.mailer.send(&mail).await {
        Ok(()) => (State::Sent, None),
        Err(_) if row.tries >= TRIES_MAX => (State::GivenUp, None),
        Err(fault) => {
            tracing::warn!(record = %id, tries = row.tries, %fault, "a mail could not be sent and is due again later");
            (State::Waiting, Some(now + pause(row.tries)))
        }
    };
    row.state = state;
    let mut settled = document(keys, tenant, id, &row, due.unwrap_or(now))?;
    if due.is_none() {
        settled.keys = Default::default();
        // What was given up stays until somebody has seen it.
        settled.expires_at = (state == State::Sent).then_some(now + DELIVERED_KEPT);
    }
    // If this write is lost the claim runs out and the mail goes out again, marked.
    Ok(replace(ports, &place, settled, claimed).await?.map(|_| state))
}

fn pause(tries: u32) -> time::Duration {
    (PAUSE_FIRST * 2_i32.saturating_pow(tries.saturating_sub(1))).min(PAUSE_LONGEST)
}

async fn replace(ports: &Ports, place: &str, document: NewDocument, etag: Etag) -> Result<Option<Etag>, Error> {
    match ports.documents.commit(place, vec![Write::Replace { document, etag }]).await {
        Ok(etags) => Ok(etags.into_iter().next()),
        Err(Fault::Conflict) => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

fn document(keys: &TenantKeys, tenant: &TenantId, id: RecordId, row: &Row, due: OffsetDateTime) -> Result<NewDocument, keys::Error> {
    let clear = [Some(due_key(due)), None, None, None];
    keys.seal_document(&partition(tenant, Kind::Outbox), format!("outbox:{id}"), Kind::Outbox, clear, None, row)
}
