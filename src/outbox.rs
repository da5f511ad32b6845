//! What must leave the house: a row for each recipient of a mail, written in the commit of its change, delivered later, at least once.
//!
//! Before the commit a wake-up goes into a queue that comes back in a minute, so that a process killed right after the commit is made good; after
//! the commit another comes at once; a sweep finds the rest.
//! A mail whose sending was cut off is sent again and marked `possibly_duplicate`: SMTP cannot tell. Its Message-ID stays the same.

mod blob;
pub mod delivery;
pub mod given_up;
pub mod held;
mod settle;

use std::{collections::BTreeSet, fmt::Display, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use ulid::Ulid;

pub use blob::CONTAINER;
use delivery::Delivery;
use settle::{readable, settle};

use crate::{
    ids::{Kind, RecordId, TenantId, partition, tenant_of},
    keys::{self, Keyring, Place, TenantKeys},
    ports::{
        DUE, Document, Etag, Fault, MessageTooLarge, NewDocument, OutgoingMail, Ports, Scan, Slot, Undelivered, Write, due_end, due_key, encode_text,
        object,
    },
};

/// The queue that wakes the delivery for one tenant.
pub const QUEUE: &str = "outbox";
pub const POISON_QUEUE: &str = "outbox-poison";
/// An announced wake-up comes after this long.
const WAKE_DELAY: Duration = Duration::from_secs(60);
/// Rows that one call delivers.
const BATCH_MAX: usize = 50;
/// After this long a call claims no further row, so that with a server that is silent over each mail it still answers before its deadline.
const CLAIMING_MAX: time::Duration = time::Duration::minutes(1);
/// Rows that a sweep looks at in one page, its pages, and how long it turns them: well below the deadline of a function.
const SWEEP_PAGE: usize = 200;
const SWEEP_PAGES_MAX: usize = 500;
const SWEEPING_MAX: time::Duration = time::Duration::minutes(2);
/// While a row is being sent nobody else takes it; a process that dies over it holds it up this long.
const CLAIM: time::Duration = time::Duration::minutes(5);
/// How long a mail is tried at least before it is given up, unless it is refused for good.
const PATIENCE: time::Duration = time::Duration::days(2);
/// Tries before a mail is given up; the pauses in between add up to [`PATIENCE`], and to less than one pause more.
const TRIES_MAX: u32 = 14;
/// The first pause; each is twice the one before, up to the longest.
const PAUSE_FIRST: time::Duration = time::Duration::minutes(1);
const PAUSE_LONGEST: time::Duration = time::Duration::hours(12);
/// How long a delivered row is kept.
const DELIVERED_KEPT: time::Duration = time::Duration::days(7);
/// A mail over this many bytes is kept in a sealed blob: as base64 and with its addresses it would make a body of more than 16 KiB.
const MAIL_HERE_BYTES_MAX: usize = 11 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Keys(#[from] keys::Error),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    MessageTooLarge(#[from] MessageTooLarge),
    #[error(transparent)]
    Undelivered(#[from] Undelivered),
}

/// A mail that is to leave.
pub struct Leaving<'a> {
    /// Names it, and with it the row of its first recipient; the same one each time that the story is tried.
    pub record: RecordId,
    /// What it is about, in its caller's words: ASCII, and no personal data. Its deliveries are found by it.
    pub about: &'a str,
    pub from: &'a str,
    /// Each of them once.
    pub to: &'a [String],
    /// RFC 5322, CRLF line ends.
    pub raw: &'a [u8],
}

/// What a delivery did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    pub sent: usize,
    /// Not taken by the other side; due again later.
    pub delayed: usize,
    /// Tried to the end, or refused for good.
    pub given_up: usize,
    /// How it went could not be stored; to be called again.
    pub failed: usize,
}

#[derive(Serialize, Deserialize)]
struct Row {
    from: String,
    to: String,
    raw: Raw,
    tries: u32,
    state: State,
    /// An earlier sending was cut off, or its answer: the other side may have the mail already.
    possibly_duplicate: bool,
    /// The document that says how the delivery goes.
    delivery: String,
}

#[derive(Clone, Serialize, Deserialize)]
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

/// The rows of a mail and their deliveries, for the commit of the change that causes it: two writes for each recipient, so that what one server
/// refuses keeps nobody else waiting. A long mail is sealed into a blob first, once for all.
pub async fn rows(ports: &Ports, keys: &TenantKeys, tenant: &TenantId, mail: &Leaving<'_>, now: OffsetDateTime) -> Result<Vec<Write>, Error> {
    let raw = if mail.raw.len() > MAIL_HERE_BYTES_MAX {
        let name = blob::name(tenant, mail.record, &keys.index("outgoing-mail", &[mail.raw]));
        let sealed = keys.seal(&Place::blob(CONTAINER, &name), mail.raw)?;
        ports.blobs.put(CONTAINER, &name, Bytes::from(sealed)).await?;
        Raw::Blob(name)
    } else {
        Raw::Here(STANDARD.encode(mail.raw))
    };
    let mut writes = Vec::with_capacity(2 * mail.to.len());
    for (at, to) in mail.to.iter().enumerate() {
        let id = record_at(mail.record, at);
        let delivery = delivery::id(mail.about, id);
        writes.push(delivery::waiting(keys, tenant, delivery.clone(), to, now)?);
        let (from, to) = (mail.from.to_owned(), to.clone());
        let row = Row { from, to, raw: raw.clone(), tries: 0, state: State::Waiting, possibly_duplicate: false, delivery };
        writes.push(Write::Create(document(keys, tenant, id, &row, due(now, id))?));
    }
    Ok(writes)
}

/// The record of a mail's row: the mail's own for the first recipient, the ones after it for the others.
pub fn record_at(first: RecordId, at: usize) -> RecordId {
    let first = first.ulid();
    RecordId::new(Ulid::from_parts(first.timestamp_ms(), first.random().wrapping_add(at as u128)))
}

/// Asks to be woken for this tenant, whatever happens to this process. To be called before the commit.
pub async fn announce(ports: &Ports, tenant: &TenantId) -> Result<(), Error> {
    wake_after(ports, tenant, WAKE_DELAY).await
}

/// Asks for the delivery at once. To be called after the commit; whoever changed something does not wait for a mail server.
pub async fn wake(ports: &Ports, tenant: &TenantId) -> Result<(), Error> {
    wake_after(ports, tenant, Duration::ZERO).await
}

async fn wake_after(ports: &Ports, tenant: &TenantId, delay: Duration) -> Result<(), Error> {
    let message = serde_json::json!({ "v": 1, "tenant": tenant }).to_string();
    Ok(ports.queues.send(QUEUE, &encode_text(message.as_bytes())?, delay).await?)
}

/// The tenant of a wake-up, if it is one.
pub fn woken_for(message: &str) -> Option<TenantId> {
    #[derive(Deserialize)]
    struct WakeUp {
        v: u64,
        tenant: TenantId,
    }
    object::<WakeUp>(message.as_bytes())?.ok().filter(|wake| wake.v == 1).map(|wake| wake.tenant)
}

/// Sends what is due in a tenant who is served; of one who is not it is [held](held::hold). A row's trouble is its own: the others are sent.
pub async fn deliver(ports: &Ports, keyring: &Keyring, tenant: &TenantId) -> Result<Delivered, Error> {
    let place = partition(tenant, Kind::Outbox);
    let began = ports.clock.now();
    let mut delivered = Delivered::default();
    let found = due_rows(ports, tenant, began).await?;
    if found.is_empty() {
        // Nor are keys made for a tenant who is gone, or never was.
        return Ok(delivered);
    }
    let keys = match keyring.keys(tenant).await {
        Ok(keys) => keys,
        // Nothing is sent for who was removed. What else came late goes when he is removed once more.
        Err(keys::Error::Gone) => {
            let rows = found.into_iter().map(|document| Write::Delete { id: document.id, etag: document.etag }).collect();
            ports.documents.commit(&place, rows).await?;
            return Ok(delivered);
        }
        Err(error) => return Err(error.into()),
    };
    let (mut more, mut removed) = (found.len() == BATCH_MAX, 0);
    for document in found {
        // The rows before this one took their time: its claim begins now.
        let now = ports.clock.now();
        if now - began >= CLAIMING_MAX {
            // A slow server is left to the sweep, so that its tenant does not keep the queue busy.
            more = false;
            break;
        }
        if given_up::ends(&document) {
            removed += usize::from(given_up::remove(ports, tenant, document).await?);
            continue;
        }
        let record = document.id.clone();
        match deliver_one(ports, &keys, tenant, document, now).await {
            Ok(Some(State::Sent)) => delivered.sent += 1,
            Ok(Some(State::GivenUp)) => delivered.given_up += 1,
            Ok(Some(State::Waiting | State::Sending)) => delivered.delayed += 1,
            // Somebody else has it.
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(record, %error, "how the sending of a mail went could not be stored; the mail is due again later");
                delivered.failed += 1;
            }
        }
    }
    // What was sent or removed is due no more, so this comes to an end.
    if more && delivered.sent + removed > 0 {
        wake(ports, tenant).await?;
    }
    Ok(delivered)
}

/// The rows of a tenant that are due by then, the most overdue first, up to [`BATCH_MAX`].
async fn due_rows(ports: &Ports, tenant: &TenantId, by: OffsetDateTime) -> Result<Vec<Document>, Fault> {
    let place = partition(tenant, Kind::Outbox);
    let mut scan = Scan::prefix(&place, Slot::K1, DUE, BATCH_MAX);
    scan.range.end = due_end(by);
    ports.documents.scan(&scan).await
}

/// Wakes every tenant with something overdue, each once. Answers how many.
pub async fn sweep(ports: &Ports) -> Result<usize, Error> {
    let began = ports.clock.now();
    let (mut woken, mut after) = (BTreeSet::new(), None);
    for _ in 0..SWEEP_PAGES_MAX {
        let overdue = ports.documents.due(after.as_deref(), began, SWEEP_PAGE).await?;
        for document in overdue.iter().filter(|document| document.kind == Kind::Outbox.name()) {
            if let Some(tenant) = tenant_of(&document.partition).filter(|tenant| !woken.contains(tenant)) {
                wake(ports, &tenant).await?;
                woken.insert(tenant);
            }
        }
        if overdue.len() < SWEEP_PAGE {
            return Ok(woken.len());
        }
        if ports.clock.now() - began >= SWEEPING_MAX {
            break;
        }
        after = overdue.last().and_then(|document| document.keys[0].clone());
    }
    tracing::warn!(tenants = woken.len(), "more mail is overdue than one sweep looks through; the next one begins anew");
    Ok(woken.len())
}

/// Claim, send, say how it went. `None` if the row was taken by somebody else; an error if that could not be stored.
async fn deliver_one(
    ports: &Ports,
    keys: &Arc<TenantKeys>,
    tenant: &TenantId,
    stored: Document,
    now: OffsetDateTime,
) -> Result<Option<State>, Error> {
    let id = name_of(&stored).parse::<RecordId>().ok();
    let (id, mut row) = match (id, keys.open_document::<Row>(&stored)) {
        (Some(id), Ok(row)) => (id, row),
        (id, opened) => return put_off(ports, stored, id, opened.err(), now).await,
    };
    let place = partition(tenant, Kind::Outbox);
    // A claim that ran out: its holder died while sending.
    row.possibly_duplicate |= row.state == State::Sending;
    row.state = State::Sending;
    row.tries += 1;
    // Read before: a store that fails here has sent nothing, and one that fails after the sending does not make it go out again for this.
    let begun = readable(delivery::get(ports, keys, tenant, &row.delivery).await)?;
    let claim = Write::Replace { document: document(keys, tenant, id, &row, due(now + CLAIM, id))?, etag: stored.etag };
    let Some(claimed) = replace(ports, &place, claim).await? else { return Ok(None) };
    let sent = send(ports, keys, &row).await;
    // The server may have taken its time.
    let now = ports.clock.now();
    let (state, clear, expires_at) = match &sent {
        Ok(()) => (State::Sent, Default::default(), Some(now + DELIVERED_KEPT)),
        Err(error) if row.tries >= TRIES_MAX || is_permanent(error) => {
            tracing::warn!(record = %id, tries = row.tries, %error, "a mail could not be sent and is given up");
            (State::GivenUp, given_up::clear(now, &id.to_string()), None)
        }
        Err(error) => {
            tracing::warn!(record = %id, tries = row.tries, %error, "a mail could not be sent and is due again later");
            (State::Waiting, due(now.saturating_add(pause(row.tries).max(asked_for(error))), id), None)
        }
    };
    row.state = state;
    row.possibly_duplicate |= sent.as_ref().err().is_some_and(|error| matches!(error, Error::Undelivered(why) if why.perhaps_taken));
    // What has left is not kept a second time: its comment has the words.
    let mail = if state == State::Sent { std::mem::replace(&mut row.raw, Raw::Here(String::new())) } else { Raw::Here(String::new()) };
    let settled = NewDocument { expires_at, ..document(keys, tenant, id, &row, clear)? };
    let refused = sent.err();
    let delivery = became(&row, refused.as_ref().is_some_and(is_a_no), refused.as_ref().and_then(status), now);
    // If this write is lost the claim runs out and the mail goes out again, marked.
    let settled = settle(ports, keys, tenant, settled, claimed, (&row.delivery, begun), &delivery).await?;
    // A process that dies here leaves a sealed blob that nothing names.
    if let (Some(_), Raw::Blob(name)) = (&settled, mail) {
        blob::delete_unless_shared(ports, &place, &name, &row_id(id)).await?;
    }
    Ok(settled.map(|_| state))
}

/// How the delivery of a row goes after a try.
fn became(row: &Row, is_refused: bool, status: Option<String>, at: OffsetDateTime) -> Delivery {
    let state = match row.state {
        State::Sent if row.possibly_duplicate => delivery::State::PossiblyDuplicate,
        State::Sent => delivery::State::Sent,
        // It may be there all the same, unless a server said no.
        State::GivenUp if row.possibly_duplicate && !is_refused => delivery::State::PossiblyDuplicate,
        State::GivenUp => delivery::State::Failed,
        State::Waiting | State::Sending => delivery::State::Delayed,
    };
    Delivery { to: row.to.clone(), state, status, tries: row.tries, at }
}

async fn send(ports: &Ports, keys: &TenantKeys, row: &Row) -> Result<(), Error> {
    if row.tries > TRIES_MAX {
        // Only claims that ran out bring it here.
        return Err(Fault::Corrupt("whoever sent it died over it too often".to_owned()).into());
    }
    let raw = match &row.raw {
        Raw::Here(text) => STANDARD.decode(text).map_err(|_| Fault::Corrupt("an outbox row is no base64".to_owned()))?,
        Raw::Blob(name) => {
            // It may come back with a restore, so it is waited for like a server.
            let missing = || Fault::Unavailable("the blob of an outbox row is missing".to_owned());
            let sealed = ports.blobs.get(CONTAINER, name, None).await?.ok_or_else(missing)?;
            keys.open(&Place::blob(CONTAINER, name), &sealed)?.to_vec()
        }
    };
    Ok(ports.mailer.send(&OutgoingMail { from: row.from.clone(), to: vec![row.to.clone()], raw }).await?)
}

/// A row that does not open cannot count its tries, so it waits as long as it is old, and is given up when it is old enough. Its body is kept: the
/// key may be one that this process does not have yet.
async fn put_off(
    ports: &Ports,
    stored: Document,
    id: Option<RecordId>,
    error: Option<keys::Error>,
    now: OffsetDateTime,
) -> Result<Option<State>, Error> {
    let age = id.and_then(created_at).map_or(PATIENCE, |created| now - created);
    let why = error.map_or_else(|| "its id is not one".to_owned(), |error| error.to_string());
    let (state, mut clear) = if age >= PATIENCE {
        tracing::error!(record = stored.id, why, "an outbox row cannot be read and is given up");
        (State::GivenUp, given_up::clear(now, name_of(&stored)))
    } else {
        tracing::error!(record = stored.id, why, "an outbox row cannot be read and is due again later");
        (State::Waiting, due(now + age.clamp(PAUSE_FIRST, PAUSE_LONGEST), name_of(&stored)))
    };
    clear[2] = stored.keys[2].clone();
    let place = stored.partition.clone();
    Ok(replace(ports, &place, stored.under(clear)).await?.map(|_| state))
}

fn row_id(id: RecordId) -> String {
    format!("outbox:{id}")
}

/// The record of a row, if its id is one of ours.
fn name_of(stored: &Document) -> &str {
    stored.id.strip_prefix("outbox:").unwrap_or(&stored.id)
}

fn created_at(id: RecordId) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(id.ulid().timestamp_ms()) * 1_000_000).ok()
}

fn pause(tries: u32) -> time::Duration {
    (PAUSE_FIRST * 2_i32.saturating_pow(tries.saturating_sub(1))).min(PAUSE_LONGEST)
}

fn asked_for(error: &Error) -> time::Duration {
    match fault(error) {
        Some(Fault::Throttled { after }) => (*after).try_into().unwrap_or(PAUSE_LONGEST),
        _ => time::Duration::ZERO,
    }
}

fn is_permanent(error: &Error) -> bool {
    matches!(fault(error), Some(Fault::Corrupt(_)))
}

/// Whether a server refused the mail for good.
fn is_a_no(error: &Error) -> bool {
    matches!(error, Error::Undelivered(Undelivered { fault: Fault::Corrupt(_), .. }))
}

fn fault(error: &Error) -> Option<&Fault> {
    match error {
        Error::Fault(fault) | Error::Undelivered(Undelivered { fault, .. }) => Some(fault),
        Error::Keys(_) | Error::MessageTooLarge(_) => None,
    }
}

/// What the server answered.
fn status(error: &Error) -> Option<String> {
    match error {
        Error::Undelivered(undelivered) => undelivered.status.clone(),
        Error::Keys(_) | Error::Fault(_) | Error::MessageTooLarge(_) => None,
    }
}

/// Clear keys of a row that waits.
fn due(at: OffsetDateTime, id: impl Display) -> [Option<String>; 4] {
    [Some(due_key(at, &id.to_string())), None, None, None]
}

/// The new version; none if somebody else wrote first.
async fn replace(ports: &Ports, place: &str, write: Write) -> Result<Option<Etag>, Error> {
    match ports.documents.commit(place, vec![write]).await {
        Ok(etags) => Ok(etags.into_iter().next()),
        Err(Fault::Conflict) => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

fn document(keys: &TenantKeys, tenant: &TenantId, id: RecordId, row: &Row, mut clear: [Option<String>; 4]) -> Result<NewDocument, keys::Error> {
    if let Raw::Blob(name) = &row.raw {
        clear[2] = Some(blob::shared(name));
    }
    keys.seal_document(&partition(tenant, Kind::Outbox), row_id(id), Kind::Outbox, clear, None, row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_and_add_up_to_the_patience() {
        let pauses: Vec<time::Duration> = (1..TRIES_MAX).map(pause).collect();
        assert!(pauses.is_sorted());
        assert_eq!((pauses[0], pauses[1], pauses.last().copied()), (PAUSE_FIRST, PAUSE_FIRST * 2, Some(PAUSE_LONGEST)));
        let sum: time::Duration = pauses.into_iter().sum();
        assert!((PATIENCE..PATIENCE + PAUSE_LONGEST).contains(&sum), "{sum}");
    }
}
