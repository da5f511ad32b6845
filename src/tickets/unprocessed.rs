//! Mail that did not become a ticket: kept, visible, replayable. Never dropped.

pub(super) mod record;
pub mod replay;
pub mod sweep;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::Duration;

use super::{
    Desk, Error, INTAKE,
    aside::{Cut, cut},
    contract::{PUSHED_PREFIX, Request},
    new_ulid,
    opened::Opened,
    store,
};
use crate::{
    audit,
    ids::{Kind, RecordId, TenantId, partition},
    keys::TenantKeys,
    mail,
    ports::{Document, Etag, Fault, Scan, Slot, TRYING_IN_THE_QUEUE, Tries, Write, timestamp},
};

pub(super) use record::IntakeBlob;
use record::{DEALT_WITH, LET_GO_PREFIX, REPLAY_PREFIX, blob_key, mailbox_key, replay_of, replayed_name};
pub use record::{Message, Raw, Reason, State, Unprocessed};

/// The container that feeders write mails into.
pub const INTAKE_CONTAINER: &str = "mail-intake";
/// The queue that tells of them.
pub const INTAKE_QUEUE: &str = "mail-intake";
pub const INTAKE_POISON_QUEUE: &str = "mail-intake-poison";
/// Records in one list.
pub const LIST_MAX: usize = 1_000;
/// Bytes of a queue message, as JSON, that is kept in its record: a body has at most 16 KiB.
const MESSAGE_HERE_BYTES_MAX: usize = 12 * 1024;
/// How long it is remembered that a delivery was dealt with.
pub(super) const DELIVERY_REMEMBERED: Duration = Duration::days(400);

/// What there is to keep.
pub(super) struct Keep<'a> {
    pub owner: &'a TenantId,
    pub reason: Reason,
    pub detail: String,
    pub message: &'a str,
    /// The message as it was read, if it could be.
    pub request: Option<&'a Request>,
    pub found: IntakeBlob<'a>,
}

impl Keep<'_> {
    fn delivered_to(&self) -> &str {
        self.request.map_or("", Request::delivered_to)
    }

    fn mailbox(&self) -> &str {
        self.request.map_or("", |request| &request.mailbox)
    }

    fn blob(&self) -> Option<&str> {
        self.request.map(|request| request.blob.as_str())
    }

    /// What tells a mail from another that came under the same name.
    fn what_it_is(&self, raw: &Raw) -> Option<String> {
        match (raw, self.found) {
            (Raw::Sealed { blob, .. }, _) => Some(blob.clone()),
            (_, IntakeBlob::Unread(size)) => Some(size.to_string()),
            _ => None,
        }
    }
}

/// A record, and whether it is new.
pub(super) struct Kept {
    pub record: RecordId,
    /// The record's own: a redelivery may find less than the first delivery did.
    pub reason: Reason,
    pub first: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Delivery {
    Ticket {
        number: u64,
        /// The mail, by its content; not known of deliveries of before.
        #[serde(default)]
        content: Option<String>,
    },
    Unprocessed {
        record: RecordId,
    },
}

/// The record that a delivery had become, closed, for the commit that makes its mail a ticket. One that cannot be read keeps no mail out.
pub(super) async fn closing(desk: &Desk, keys: &TenantKeys, owner: &TenantId, delivered: &Document, ticket: u64) -> Result<Option<Write>, Error> {
    let Some(Delivery::Unprocessed { record }) = readable(keys, delivered) else { return Ok(None) };
    let place = partition(owner, Kind::Unprocessed);
    let Some(document) = desk.ports.documents.get(&place, &format!("unprocessed:{record}")).await? else { return Ok(None) };
    match readable::<Unprocessed>(keys, &document) {
        // One whose bytes we sealed is replayed under a name of its own, and closed by that.
        Some(mut record) if !matches!(record.raw, Raw::Sealed { .. }) && record.raw.can_be_a_ticket() && record.state != State::Processed => {
            record.close(Some(ticket));
            Ok(Some(write(keys, owner, &record, Some(document.etag))?))
        }
        _ => Ok(None),
    }
}

/// What a document holds; none if it does not open, or has a shape that we do not know.
pub(super) fn readable<T: DeserializeOwned>(keys: &TenantKeys, document: &Document) -> Option<T> {
    match keys.open_document(document) {
        Ok(opened) => Some(opened),
        Err(error) => {
            tracing::warn!(document = document.id, %error, "what is remembered of unprocessed mail cannot be read; it stays as it is");
            None
        }
    }
}

/// What a record of a tenant names of the intake, so that it goes with the record. What he pushed goes by its prefix.
pub fn intake_blobs(keys: &TenantKeys, document: &Document) -> Vec<(&'static str, String)> {
    // One that does not open names nothing that we could know.
    let names: Vec<String> = match readable::<Unprocessed>(keys, document) {
        // Whoever replayed it may have died before he said so.
        Some(Unprocessed { id, raw: Raw::Sealed { .. }, .. }) => [REPLAY_PREFIX, LET_GO_PREFIX].map(|prefix| replayed_name(prefix, id)).to_vec(),
        // Once it is a ticket its blob is gone, and the name may be another mail's.
        Some(Unprocessed { raw: Raw::Intake { blob, .. }, state: State::Waiting | State::Replayed, .. }) if !blob.starts_with(PUSHED_PREFIX) => {
            vec![blob]
        }
        _ => Vec::new(),
    };
    names.into_iter().map(|name| (INTAKE_CONTAINER, name)).collect()
}

/// The names under which it is remembered that a delivery was dealt with.
pub(super) struct Name {
    /// The id of a document of its own: it became a record, or its mail had come before.
    pub document: String,
    /// The `k1` of what is remembered of the mail that it brought.
    pub key: String,
}

pub(super) fn delivery_name(keys: &TenantKeys, mailbox: &str, blob: &str, message: &str) -> Name {
    // A message that could not be read stands for itself.
    let parts: &[&[u8]] = if blob.is_empty() { &[message.as_bytes()] } else { &[mailbox.as_bytes(), blob.as_bytes()] };
    let name = keys.index("delivery", parts);
    Name { document: format!("mail:{name}"), key: format!("blob:{name}") }
}

/// What a delivery became, and the version of its own document, if it has one.
pub(super) async fn delivered(desk: &Desk, keys: &TenantKeys, owner: &TenantId, name: &Name) -> Result<Option<(Delivery, Option<Etag>)>, Error> {
    #[derive(Deserialize)]
    struct Brought {
        number: u64,
        content: Option<String>,
    }
    let (place, documents) = (partition(owner, Kind::MailRef), desk.ports.documents.as_ref());
    if let Some(document) = documents.get(&place, &name.document).await? {
        return Ok(Some((keys.open_document(&document)?, Some(document.etag))));
    }
    let brought = documents.scan(&Scan::prefix(&place, Slot::K1, &name.key, 1)).await?;
    let Some(document) = brought.first() else { return Ok(None) };
    let Brought { number, content } = keys.open_document(document)?;
    // What stands for a mail without a message id of its own is named by the content.
    let content = content.or_else(|| document.id.strip_prefix("mail:").map(str::to_owned));
    Ok(Some((Delivery::Ticket { number, content }, None)))
}

/// Keeps a mail as a record, once however often it is delivered, and then removes the intake blob that it sealed; one that [`cut`] gives up stays there.
pub(super) async fn keep(desk: &Desk, mut keep: Keep<'_>) -> Result<Kept, Error> {
    let keys = desk.keyring.keys(keep.owner).await?;
    let cut = if let (Some(bytes), Some(_)) = (keep.found.bytes(), keep.request) { cut(bytes).await } else { None };
    if let (IntakeBlob::Read(bytes), None) = (keep.found, &cut) {
        keep.found = IntakeBlob::Unread(bytes.len() as u64);
    }
    // Against a redelivery that stores the record too.
    let mut tries = Tries::within(TRYING_IN_THE_QUEUE);
    loop {
        match keep_once(desk, &keys, &keep, cut.as_ref()).await {
            Err(error) if error.is_conflict() && tries.again(desk.ports.entropy.as_ref()).await => {}
            Ok(kept) => {
                // Nobody's mail that somebody owns by now is kept with him.
                if let Some(request) = keep.request.filter(|_| !keep.owner.is_system()) {
                    close(desk, &TenantId::system(), request, keep.found, None).await?;
                }
                if let (Some(request), Some(_)) = (keep.request, keep.found.bytes()) {
                    desk.ports.blobs.delete(INTAKE_CONTAINER, &request.blob).await?;
                }
                return Ok(kept);
            }
            Err(error) => return Err(error),
        }
    }
}

async fn keep_once(desk: &Desk, keys: &TenantKeys, keep: &Keep<'_>, cut: Option<&Cut>) -> Result<Kept, Error> {
    let place = partition(keep.owner, Kind::Unprocessed);
    let now = desk.ports.clock.now();
    let raw = seal_raw(desk, keys, keep, cut).await?;
    let mut delivery = delivery_name(keys, keep.delivered_to(), keep.blob().unwrap_or_default(), keep.message);
    let (mut known, mut before) = delivered(desk, keys, keep.owner, &delivery).await?.unzip();
    if let (Some(Delivery::Ticket { .. }), Some(name), Some(what)) = (&known, keep.blob(), keep.what_it_is(&raw)) {
        // The blob's name was used again: what is in a ticket stays there, and this mail is remembered under what it is as well.
        delivery = delivery_name(keys, keep.delivered_to(), &format!("{name}\0{what}"), keep.message);
        (known, before) = delivered(desk, keys, keep.owner, &delivery).await?.unzip();
    }
    if let Some(id) = keep.blob().and_then(replay_of)
        && let Some((mut record, etag)) = open(desk, keys, keep.owner, id).await?
        && record.raw.may_be(&raw, keep.found.bytes().map(|bytes| bytes.len() as u64))
    {
        // It came from a record of ours and failed again. A redelivery after that finds nothing new to say.
        if matches!(record.raw, Raw::Sealed { .. }) && !matches!(raw, Raw::Sealed { .. }) {
            // But if it was replayed meanwhile under the name that was then deleted, that came to nothing.
            if record.state == State::Replayed {
                record.state = State::Waiting;
                record.kept_again_at = Some(now);
                desk.ports.documents.commit(&place, vec![write(keys, keep.owner, &record, Some(etag))?]).await?;
            }
            return Ok(Kept { record: record.id, reason: record.reason, first: false });
        }
        record.failed_again(keep.reason, &keep.detail, raw, now);
        desk.ports.documents.commit(&place, vec![write(keys, keep.owner, &record, Some(etag))?]).await?;
        return Ok(Kept { record: record.id, reason: record.reason, first: false });
    }
    let known_ticket = matches!(known, Some(Delivery::Ticket { .. }));
    if let Some(Delivery::Unprocessed { record }) = known
        && let Some((mut record, etag)) = get(desk, keep.owner, record).await?
        && record.raw.may_be(&raw, keep.found.size())
    {
        // Only what came late, its bytes, is news, or that a replay came to nothing.
        let late = matches!(raw, Raw::Sealed { .. }) && record.raw != raw;
        if late || record.state == State::Replayed {
            record.failed_again(keep.reason, &keep.detail, raw, now);
        }
        // Written in any case: whoever replays it at this moment, and has not said so yet, is not to say it after it came to nothing.
        desk.ports.documents.commit(&place, vec![write(keys, keep.owner, &record, Some(etag))?]).await?;
        return Ok(Kept { record: record.id, reason: record.reason, first: false });
    }
    let id = RecordId::new(new_ulid(desk.ports.entropy.as_ref(), now));
    let record = Unprocessed {
        id,
        reason: keep.reason,
        detail: keep.detail.clone(),
        at: now,
        mailbox: keep.request.map(|request| request.mailbox.clone()),
        message: seal_message(desk, keys, keep).await?,
        raw,
        state: State::Waiting,
        replays: 0,
        ticket: None,
        kept_again_at: None,
    };
    let expires_at = Some(now + DELIVERY_REMEMBERED);
    let mut writes = vec![write(keys, keep.owner, &record, None)?];
    // Of a mail that is in a ticket its name says so.
    if !known_ticket {
        let remembered =
            keys.seal_document(&place, delivery.document, Kind::MailRef, Default::default(), expires_at, &Delivery::Unprocessed { record: id })?;
        writes.push(Write::put(remembered, before.flatten()));
    }
    writes.push(event(desk, keys, keep.owner, INTAKE, audit::Action::MailUnprocessed, id)?);
    desk.ports.documents.commit(&place, writes).await?;
    Ok(Kept { record: id, reason: record.reason, first: true })
}

/// Where the bytes are kept. The name is made from what is kept, so that a second try, or a replay, finds the same blob.
async fn seal_raw(desk: &Desk, keys: &TenantKeys, keep: &Keep<'_>, cut: Option<&Cut>) -> Result<Raw, Error> {
    let Some(Cut { bytes, altered }) = cut else {
        return Ok(keep.blob().map_or(Raw::Nowhere, |blob| Raw::Intake { blob: blob.to_owned(), bytes: keep.found.size() }));
    };
    let blob = sealed_name(keys, keep.owner, keep.mailbox(), bytes);
    store::seal_blob(desk.ports.blobs.as_ref(), keys, &blob, bytes).await?;
    Ok(Raw::Sealed { blob, bytes: bytes.len() as u64, altered: *altered })
}

async fn seal_message(desk: &Desk, keys: &TenantKeys, keep: &Keep<'_>) -> Result<Message, Error> {
    // Where it is not of the contract's shape, anything may stand in it, and card numbers are cut too.
    let message = match keep.reason {
        Reason::BadMessage => mail::redact::redact_text(keep.message).0,
        _ => keep.message.to_owned(),
    };
    // Quotes and controls take up to six times as much in JSON.
    let json = serde_json::to_vec(&message).map_err(|_| Fault::Corrupt("a queue message is no JSON string".to_owned()))?;
    if json.len() <= MESSAGE_HERE_BYTES_MAX {
        return Ok(Message::Here(message));
    }
    let blob = format!("{}/{}/message", keep.owner, keys.index("message", &[message.as_bytes()]));
    store::seal_blob(desk.ports.blobs.as_ref(), keys, &blob, message.as_bytes()).await?;
    Ok(Message::Sealed { blob })
}

fn sealed_name(keys: &TenantKeys, owner: &TenantId, mailbox: &str, kept: &[u8]) -> String {
    format!("{owner}/{}/unprocessed", keys.index("unprocessed", &[mailbox.as_bytes(), kept]))
}

/// Records, and behind which one there may be more.
pub struct Page {
    pub records: Vec<Unprocessed>,
    pub next: Option<RecordId>,
}

/// The records of an owner, oldest first, up to [`LIST_MAX`] that come after one.
pub async fn list(desk: &Desk, owner: &TenantId, after: Option<RecordId>) -> Result<Page, Error> {
    page(desk, owner, after, LIST_MAX).await
}

/// The same, up to `limit`.
pub async fn page(desk: &Desk, owner: &TenantId, after: Option<RecordId>, limit: usize) -> Result<Page, Error> {
    let place = partition(owner, Kind::Unprocessed);
    let mut scan = Scan::prefix(&place, Slot::Id, "unprocessed:", limit);
    if let Some(after) = after {
        scan.range.start = format!("unprocessed:{after}\0");
    }
    let found = desk.ports.documents.scan(&scan).await?;
    let Some(last) = found.last() else { return Ok(Page { records: Vec::new(), next: None }) };
    let next = last.id.strip_prefix("unprocessed:").and_then(|id| id.parse().ok()).filter(|_| found.len() == limit);
    let keys = desk.keyring.keys(owner).await?;
    let mut opened = Opened::default();
    let records = found.iter().filter_map(|document| opened.one(keys.open_document(document).map_err(Error::from)).transpose());
    let records = records.collect::<Result<_, _>>()?;
    opened.check(after.is_none())?;
    Ok(Page { records, next })
}

/// One record and the version that was read.
pub async fn get(desk: &Desk, owner: &TenantId, id: RecordId) -> Result<Option<(Unprocessed, Etag)>, Error> {
    let found = desk.ports.documents.get(&partition(owner, Kind::Unprocessed), &format!("unprocessed:{id}")).await?;
    let Some(Document { etag, .. }) = &found else { return Ok(None) };
    let etag = etag.clone();
    let keys = desk.keyring.keys(owner).await?;
    found.map(|document| Ok((keys.open_document(&document)?, etag))).transpose()
}

/// The queue message, wherever it is.
pub async fn message(desk: &Desk, owner: &TenantId, record: &Unprocessed) -> Result<String, Error> {
    match &record.message {
        Message::Here(message) => Ok(message.clone()),
        Message::Sealed { blob } => {
            let keys = desk.keyring.keys(owner).await?;
            let opened = store::open_blob(desk.ports.blobs.as_ref(), &keys, blob).await?;
            Ok(String::from_utf8_lossy(&opened).into_owned())
        }
    }
}

/// The bytes of an unprocessed mail, if they are anywhere.
pub async fn raw(desk: &Desk, owner: &TenantId, record: &Unprocessed) -> Result<Option<Bytes>, Error> {
    match &record.raw {
        Raw::Nowhere => Ok(None),
        Raw::Intake { blob, .. } => Ok(desk.ports.blobs.get(INTAKE_CONTAINER, blob, None).await?),
        Raw::Sealed { blob, .. } => {
            let keys = desk.keyring.keys(owner).await?;
            Ok(Some(store::open_file(desk, &keys, blob).await?))
        }
    }
}

/// After a mail became a ticket: if it came from a record, the record says so, and which.
pub(super) async fn processed(desk: &Desk, tenant: &TenantId, request: &Request, found: IntakeBlob<'_>, ticket: u64) -> Result<(), Error> {
    // The record stands with the tenant, or, if nobody owned the mailbox then, with the house.
    for owner in [tenant, &TenantId::system()] {
        close(desk, owner, request, found, Some(ticket)).await?;
    }
    Ok(())
}

/// Closes the owner's record that a mail was replayed from, if the mail is the record's. Its bytes may be gone by now.
async fn close(desk: &Desk, owner: &TenantId, request: &Request, found: IntakeBlob<'_>, ticket: Option<u64>) -> Result<(), Error> {
    let named = || request.record.as_ref().and_then(|id| id.parse().ok());
    let Some(id) = replay_of(&request.blob).or_else(named) else { return Ok(()) };
    let keys = desk.keyring.keys(owner).await?;
    let Some((mut record, etag)) = open(desk, &keys, owner, id).await? else { return Ok(()) };
    // Whoever sends another mail in the record's name does not close it.
    if is_of(&record, &keys, owner, request, found) {
        record.close(ticket);
        desk.ports.documents.commit(&partition(owner, Kind::Unprocessed), vec![write(&keys, owner, &record, Some(etag))?]).await?;
    }
    Ok(())
}

/// Whether this is the record's mail.
fn is_of(record: &Unprocessed, keys: &TenantKeys, owner: &TenantId, request: &Request, found: IntakeBlob<'_>) -> bool {
    match &record.raw {
        Raw::Sealed { blob, .. } => found.bytes().is_some_and(|raw| *blob == sealed_name(keys, owner, &request.mailbox, raw)),
        Raw::Intake { blob, .. } => record.raw.is_left(found.size()) && *blob == request.blob && record.mailbox.as_ref() == Some(&request.mailbox),
        Raw::Nowhere => false,
    }
}

/// A record whose mail is not dealt with.
async fn open(desk: &Desk, keys: &TenantKeys, owner: &TenantId, id: RecordId) -> Result<Option<(Unprocessed, Etag)>, Error> {
    let found = desk.ports.documents.get(&partition(owner, Kind::Unprocessed), &format!("unprocessed:{id}")).await?;
    let Some(document) = found else { return Ok(None) };
    let record: Unprocessed = keys.open_document(&document)?;
    Ok((record.state != State::Processed).then_some((record, document.etag)))
}

pub(super) fn write(keys: &TenantKeys, owner: &TenantId, record: &Unprocessed, read: Option<Etag>) -> Result<Write, Error> {
    let place = partition(owner, Kind::Unprocessed);
    // What waits is looked for by its reason, what is dealt with by its age; what was sealed for it, lest another record needs it; and nobody's by its
    // mailbox, which somebody may have by and by.
    let state = match record.state {
        State::Waiting => Some(format!("{}+{}", record.reason, timestamp(record.kept_again_at.unwrap_or(record.at)))),
        State::Replayed => None,
        State::Processed => Some(format!("{}{}", DEALT_WITH, timestamp(record.at))),
    };
    let [mail, message] = record.sealed_for().map(|blob| blob.map(blob_key));
    let mailbox = record.mailbox.as_deref().filter(|_| owner.is_system()).map(|mailbox| mailbox_key(keys, mailbox));
    let document =
        keys.seal_document(&place, format!("unprocessed:{}", record.id), Kind::Unprocessed, [state, mail, message, mailbox], None, record)?;
    Ok(Write::put(document, read))
}

fn event(desk: &Desk, keys: &TenantKeys, owner: &TenantId, actor: &str, action: audit::Action, id: RecordId) -> Result<Write, Error> {
    let event = audit::Event::new(desk.ports.clock.now(), actor, action, id);
    Ok(audit::record(keys, owner, desk.ports.entropy.as_ref(), &event)?)
}
