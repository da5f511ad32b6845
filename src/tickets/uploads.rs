//! Files on their way into a comment: sealed when they come, the caller's own for a day, gone after it unless a comment took them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{AttachmentRef, Desk, Error, new_ulid, store};
use crate::{
    ids::{Kind, RecordId, TenantId, partition},
    keys::TenantKeys,
    mail::{self, Held, compose::Enclosure},
    ports::{Document, Scan, Slot, Write, first_version, timestamp},
};

/// Bytes of a file. Also what a request may bring at most.
pub const UPLOAD_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Files of a comment, and their bytes together: with what base64 adds, a mail that servers still take.
pub const ATTACHMENTS_MAX: usize = 20;
pub const ATTACHMENTS_BYTES_MAX: u64 = 20 * 1024 * 1024;
/// Files of one caller that wait for a comment. Counted before the next one is kept, so that several at the same moment may go over it.
pub const WAITING_MAX: usize = 100;
/// How long a file waits for its comment.
const KEPT: Duration = Duration::hours(24);
/// How long after that it is removed: no comment that found it in time is still under way.
const GRACE: Duration = Duration::hours(1);
/// Files that one sweep removes of a tenant; the next one goes on.
const SWEEP_MAX: usize = 500;
/// What the `k1` begins with. Not `due:`: the sweep of the outbox would look at each of them.
const EXPIRY: &str = "upload:";
/// What the `k2` begins with.
const OWNER: &str = "upload-of:";

/// A file that waits for its comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    pub id: RecordId,
    pub name: String,
    pub media_type: String,
    pub bytes: u64,
    /// Why it is not handed out and not sent, if it could harm.
    pub held: Option<Held>,
    /// The token's subject of the one who sent it.
    subject: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// A file as its caller sends it.
pub struct NewUpload<'a> {
    pub name: Option<&'a str>,
    pub media_type: &'a str,
    pub bytes: Bytes,
    /// The token's subject.
    pub subject: &'a str,
}

/// Keeps a file until a comment takes it. The document comes first: whoever dies before the blob leaves nothing that the sweep does not find.
pub async fn upload(desk: &Desk, tenant: &TenantId, new: NewUpload<'_>) -> Result<Upload, Error> {
    if new.bytes.is_empty() || new.bytes.len() > UPLOAD_BYTES_MAX {
        return Err(Error::BadUpload);
    }
    let _room = desk.room_for_file(new.bytes.len() as u64).await?;
    let keys = desk.keyring.keys(tenant).await?;
    let place = partition(tenant, Kind::Upload);
    let owner = format!("{OWNER}{}", keys.index("uploader", &[new.subject.as_bytes()]));
    let waiting = desk.ports.documents.scan(&Scan::prefix(&place, Slot::K2, &format!("{owner}+"), WAITING_MAX)).await?;
    if waiting.len() >= WAITING_MAX {
        // By their ids the oldest comes first.
        let oldest: Option<Upload> = waiting.first().map(|document| keys.open_document(document)).transpose()?;
        let wait = oldest.map_or(KEPT, |oldest| oldest.expires_at + GRACE - desk.ports.clock.now());
        return Err(Error::TooManyUploads { after: wait.max(Duration::ZERO).unsigned_abs() });
    }
    let named = mail::attachment(new.name, new.media_type, new.bytes.into()).ok_or(Error::BadUpload)?;
    let now = desk.ports.clock.now();
    let id = RecordId::new(new_ulid(desk.ports.entropy.as_ref(), now));
    let (bytes, expires_at) = (named.bytes.len() as u64, now + KEPT);
    let upload = Upload { id, name: named.name, media_type: named.media_type, bytes, held: named.held, subject: new.subject.to_owned(), expires_at };
    let clear = [Some(format!("{EXPIRY}{}+{id}", timestamp(expires_at))), Some(format!("{owner}+{id}")), None, None];
    let document = keys.seal_document(&place, document_id(id), Kind::Upload, clear, None, &upload)?;
    let etags = desk.ports.documents.commit(&place, vec![Write::Create(document)]).await?;
    let sealed = store::seal_blob(desk.ports.blobs.as_ref(), &keys, &blob(tenant, id), &named.bytes).await;
    if let (Err(_), Ok(etag)) = (&sealed, first_version(etags)) {
        // It does not count against its sender any more. The blob may come late: the sweep still finds both.
        let clear = [Some(format!("{EXPIRY}{}+{id}", timestamp(expires_at))), None, None, None];
        let document = keys.seal_document(&place, document_id(id), Kind::Upload, clear, None, &upload)?;
        if let Err(error) = desk.ports.documents.commit(&place, vec![Write::Replace { document, etag }]).await {
            tracing::warn!(upload = %id, %error, "an upload that could not be kept counts against its sender until it is swept");
        }
    }
    sealed.map(|_| upload)
}

/// Files that a comment takes.
pub(super) struct Taken {
    pub(super) attachments: Vec<AttachmentRef>,
    /// For the comment's commit: what was taken waits no more.
    pub(super) writes: Vec<Write>,
}

/// The files with these ids, if they are the caller's own and still wait.
pub(super) async fn take(
    desk: &Desk,
    keys: &TenantKeys,
    tenant: &TenantId,
    subject: &str,
    ids: &[RecordId],
    now: OffsetDateTime,
) -> Result<Taken, Error> {
    if ids.len() > ATTACHMENTS_MAX || ids.iter().enumerate().any(|(at, id)| ids[..at].contains(id)) {
        return Err(Error::BadAttachments);
    }
    let place = partition(tenant, Kind::Upload);
    let names: Vec<String> = ids.iter().map(|id| document_id(*id)).collect();
    let found = futures::future::try_join_all(names.iter().map(|id| desk.ports.documents.get(&place, id))).await?;
    let mut taken = Taken { attachments: Vec::new(), writes: Vec::new() };
    for document in found {
        let document = document.ok_or(Error::BadAttachments)?;
        let upload: Upload = keys.open_document(&document)?;
        if upload.subject != subject || upload.expires_at <= now {
            return Err(Error::BadAttachments);
        }
        let Upload { id, name, media_type, bytes, held, .. } = upload;
        // Its sender died before its bytes were there, or a power cut took them.
        if desk.ports.blobs.size(store::CONTAINER, &blob(tenant, id)).await?.is_none() {
            return Err(Error::BadAttachments);
        }
        taken.attachments.push(AttachmentRef { name, media_type, bytes, inline: false, content_id: None, held, blob: blob(tenant, id) });
        taken.writes.push(Write::Delete { id: document.id, etag: document.etag });
    }
    if taken.attachments.iter().map(|attachment| attachment.bytes).sum::<u64>() > ATTACHMENTS_BYTES_MAX {
        return Err(Error::BadAttachments);
    }
    Ok(taken)
}

/// The bytes of attachments, for a mail. What is held is not sent.
pub(super) async fn enclosures(desk: &Desk, keys: &TenantKeys, attachments: &[AttachmentRef]) -> Result<Vec<Enclosure>, Error> {
    let mut enclosures = Vec::new();
    for attachment in attachments.iter().filter(|attachment| attachment.held.is_none()) {
        let bytes = store::open_blob(desk.ports.blobs.as_ref(), keys, &attachment.blob).await?.to_vec();
        enclosures.push(Enclosure { name: attachment.name.clone(), media_type: attachment.media_type.clone(), bytes });
    }
    Ok(enclosures)
}

/// Removes what waited for too long in a tenant. The blob goes first: whoever dies in between is made good by the next sweep. Answers how many went.
pub async fn sweep(desk: &Desk, tenant: &TenantId) -> Result<usize, Error> {
    let place = partition(tenant, Kind::Upload);
    let mut scan = Scan::prefix(&place, Slot::K1, EXPIRY, SWEEP_MAX);
    scan.range.end = format!("{EXPIRY}{}", timestamp(desk.ports.clock.now() - GRACE));
    let mut removed = 0;
    for Document { id, etag, .. } in desk.ports.documents.scan(&scan).await? {
        if let Some(record) = id.strip_prefix("upload:").and_then(|record| record.parse().ok()) {
            desk.ports.blobs.delete(store::CONTAINER, &blob(tenant, record)).await?;
        }
        desk.ports.documents.commit(&place, vec![Write::Delete { id, etag }]).await?;
        removed += 1;
    }
    Ok(removed)
}

fn document_id(id: RecordId) -> String {
    format!("upload:{id}")
}

fn blob(tenant: &TenantId, id: RecordId) -> String {
    format!("{tenant}/upload-{id}")
}
