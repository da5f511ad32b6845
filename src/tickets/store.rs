//! Tickets and comments as documents and sealed blobs: their ids, their clear keys, and reading them back.

use std::io;

use bytes::Bytes;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use zeroize::Zeroizing;

use super::{
    Assignee, Author, Comment, Content, Desk, Error, MailOrigin, Said, Ticket, Viewer,
    idempotency::{self, Request},
};
use crate::{
    ids::{CommentId, Kind, TenantId, TicketId, partition},
    keys::{Place, TenantKeys},
    ports::{Blobs, Etag, Fault, Put, Scan, Slot, Write, timestamp},
};

/// The container of sealed originals, attachments and long words.
pub const CONTAINER: &str = "mail";
/// Bytes of a comment's sealed body. What would make it longer goes into a blob.
pub const COMMENT_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a comment's body besides what it says, who says it and its mail: ids, an instant, the names of members, the seal.
const COMMENT_FRAME_BYTES: usize = 512;
/// Tickets in one answer.
pub const LIST_MAX: usize = 100;
/// Bytes of words after which a page of comments ends; the last comment may go over.
pub const PAGE_WORDS_BYTES: usize = 4 * 1024 * 1024;

/// The write of a ticket: new, or in place of the version that was read.
pub fn ticket_write(keys: &TenantKeys, tenant: &TenantId, ticket: &Ticket, read: Option<Etag>) -> Result<Write, Error> {
    let place = partition(tenant, Kind::Ticket);
    let (updated, public_updated) = (timestamp(ticket.updated_at), timestamp(ticket.public_updated_at));
    // With the id, because a page ends at a key: tickets that share one would be split.
    // Requesters walk along this one: its order must not tell them what they do not see.
    let requester = ticket.requester.address.as_deref().map(|address| format!("{}+{public_updated}+{}", requester_key(keys, address), ticket.id));
    let assignee = ticket.assignee.as_ref().map(|assignee| format!("{}+{updated}+{}", assignee_key(keys, assignee), ticket.id));
    let clear = [Some(format!("{}+{updated}+{}", ticket.status.name(), ticket.id)), assignee, requester, Some(number_key(ticket.number))];
    let document = keys.seal_document(&place, format!("ticket:{}", ticket.id), Kind::Ticket, clear, None, ticket)?;
    Ok(Write::put(document, read))
}

/// The write of a new comment.
pub fn comment_write(keys: &TenantKeys, tenant: &TenantId, comment: &Comment) -> Result<Write, Error> {
    let place = partition(tenant, Kind::Comment);
    let id = format!("comment:{}:{}", comment.ticket, comment.id);
    Ok(Write::Create(keys.seal_document(&place, id, Kind::Comment, Default::default(), None, comment)?))
}

/// What a comment says that does not fit into its document.
pub struct Long {
    pub blob: String,
    pub bytes: Vec<u8>,
}

/// The content of a comment by this author: in the document if all of it fits there, else in a blob, which comes along and may be named by its bytes.
pub fn placed(said: Said, author: &Author, mail: Option<&MailOrigin>, name: impl FnOnce(&[u8]) -> String) -> Result<(Content, Option<Long>), Error> {
    let rest = json_bytes(author)? + mail.map_or(Ok(0), json_bytes)?;
    if json_bytes(&said)? + rest + COMMENT_FRAME_BYTES <= COMMENT_BYTES_MAX {
        return Ok((Content::Here(said), None));
    }
    let bytes = serde_json::to_vec(&said).map_err(no_json)?;
    let blob = name(&bytes);
    Ok((Content::Blob(blob.clone()), Some(Long { blob, bytes })))
}

/// The same of a comment with this id that a request makes, its blob stored if it needs one. Requests with one key store one blob, however many come at once and
/// however often one is sent again.
pub(super) async fn kept(
    desk: &Desk,
    keys: &TenantKeys,
    tenant: &TenantId,
    (id, request): (CommentId, Option<Request<'_>>),
    author: &Author,
    said: Said,
) -> Result<Content, Error> {
    let (content, long) = placed(said, author, None, |bytes| match request {
        Some(request) => format!("{tenant}/said-{}", idempotency::name(keys, request, bytes)),
        None => format!("{tenant}/{id}/said"),
    })?;
    if let Some(Long { blob, bytes }) = long {
        seal_blob(desk.ports.blobs.as_ref(), keys, &blob, &bytes).await?;
    }
    Ok(content)
}

/// How long it is as JSON, of which nothing is kept.
fn json_bytes<T: Serialize>(part: &T) -> Result<usize, Error> {
    struct Counted(usize);
    impl io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, part).map_err(no_json)?;
    Ok(counted.0)
}

fn no_json(_: serde_json::Error) -> Error {
    Fault::Corrupt("a part of a comment is no JSON".to_owned()).into()
}

/// The write that counts a comment, once, for the month that `now` is in.
pub fn usage_write(keys: &TenantKeys, tenant: &TenantId, comment: CommentId, now: OffsetDateTime) -> Result<Write, Error> {
    let place = partition(tenant, Kind::Usage);
    let month = &timestamp(now)[..7];
    let expires_at = Some(now + time::Duration::days(60));
    let id = format!("usage:{month}:{comment}");
    Ok(Write::Create(keys.seal_document(&place, id, Kind::Usage, Default::default(), expires_at, &comment)?))
}

/// A ticket and the version that was read.
pub async fn ticket(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, id: TicketId) -> Result<Option<(Ticket, Etag)>, Error> {
    let found = desk.ports.documents.get(&partition(tenant, Kind::Ticket), &format!("ticket:{id}")).await?;
    found.map(|document| Ok((keys.open_document(&document)?, document.etag))).transpose()
}

/// The ticket that people call by this number, if there is one.
pub(super) async fn numbered(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, number: u64) -> Result<Option<TicketId>, Error> {
    let place = partition(tenant, Kind::Ticket);
    let found = desk.ports.documents.scan(&Scan::prefix(&place, Slot::K4, &number_key(number), 1)).await?;
    let ticket: Option<Ticket> = found.first().map(|document| keys.open_document(document)).transpose()?;
    // The clear key leads to it, and is not sealed.
    Ok(ticket.filter(|ticket| ticket.number == number).map(|ticket| ticket.id))
}

/// A ticket that the viewer may see, and the version that was read; to him, any other does not exist.
pub async fn seen_version(desk: &Desk, tenant: &TenantId, viewer: Viewer<'_>, id: TicketId) -> Result<(Ticket, Etag), Error> {
    let keys = desk.keyring.keys(tenant).await?;
    let found = ticket(desk, &keys, tenant, id).await?;
    found.filter(|(ticket, _)| viewer.sees(ticket)).ok_or(Error::NotFound)
}

/// The same without the version.
pub async fn seen_ticket(desk: &Desk, tenant: &TenantId, viewer: Viewer<'_>, id: TicketId) -> Result<Ticket, Error> {
    Ok(seen_version(desk, tenant, viewer, id).await?.0)
}

/// A page of the comments of a ticket that the viewer may see, in their order, with what they say, and where the next page begins.
/// A page ends after `limit` comments or [`PAGE_WORDS_BYTES`], whichever is first. What the viewer may not see is passed over without a trace.
pub async fn comments(
    desk: &Desk,
    tenant: &TenantId,
    viewer: Viewer<'_>,
    id: TicketId,
    after: Option<String>,
    limit: usize,
) -> Result<(Vec<(Comment, Said)>, Option<String>), Error> {
    seen_ticket(desk, tenant, viewer, id).await?;
    let keys = desk.keyring.keys(tenant).await?;
    let place = partition(tenant, Kind::Comment);
    let prefix = format!("comment:{id}:");
    let limit = limit.min(LIST_MAX);
    // Whoever sees all of them needs no more than he asks for.
    let batch = if viewer == Viewer::Agent { limit } else { LIST_MAX };
    let mut scan = Scan::prefix(&place, Slot::Id, &prefix, batch);
    if let Some(after) = after.filter(|after| after.starts_with(&prefix)) {
        scan.range.start = format!("{after}\0");
    }
    let (mut comments, mut bytes) = (Vec::new(), 0);
    loop {
        let found = desk.ports.documents.scan(&scan).await?;
        for document in &found {
            let comment: Comment = keys.open_document(document)?;
            if !viewer.sees_comment(&comment) {
                continue;
            }
            let said = said(desk, &keys, &comment).await?;
            bytes += said.text.len() + said.new_words().len() + said.html.as_ref().map_or(0, String::len);
            comments.push((comment, said));
            if comments.len() == limit || bytes >= PAGE_WORDS_BYTES {
                return Ok((comments, Some(document.id.clone())));
            }
        }
        let Some(last) = found.last().filter(|_| found.len() == batch) else { return Ok((comments, None)) };
        scan.range.start = format!("{}\0", last.id);
    }
}

/// One comment that the viewer may see.
pub async fn seen_comment(desk: &Desk, tenant: &TenantId, viewer: Viewer<'_>, ticket: TicketId, id: CommentId) -> Result<Comment, Error> {
    seen_ticket(desk, tenant, viewer, ticket).await?;
    let keys = desk.keyring.keys(tenant).await?;
    let found = desk.ports.documents.get(&partition(tenant, Kind::Comment), &format!("comment:{ticket}:{id}")).await?;
    let comment: Option<Comment> = found.map(|document| keys.open_document(&document)).transpose()?;
    comment.filter(|comment| viewer.sees_comment(comment)).ok_or(Error::NotFound)
}

/// What a comment says, wherever that is.
pub async fn said(desk: &Desk, keys: &TenantKeys, comment: &Comment) -> Result<Said, Error> {
    match &comment.content {
        Content::Here(said) => Ok(said.clone()),
        Content::Blob(name) => {
            let opened = open_blob(desk.ports.blobs.as_ref(), keys, name).await?;
            serde_json::from_slice(&opened).map_err(|_| crate::keys::Error::UnknownShape { kind: "said".to_owned() }.into())
        }
    }
}

/// Seals bytes into a blob of [`CONTAINER`]. One that is there already has the same content: names are made from it.
pub async fn seal_blob(blobs: &dyn Blobs, keys: &TenantKeys, name: &str, plaintext: &[u8]) -> Result<Put, Error> {
    let sealed = keys.seal(&Place::blob(CONTAINER, name), plaintext)?;
    Ok(blobs.put(CONTAINER, name, Bytes::from(sealed)).await?)
}

/// Opens a sealed blob of [`CONTAINER`].
pub async fn open_blob(blobs: &dyn Blobs, keys: &TenantKeys, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let sealed = blobs.get(CONTAINER, name, None).await?.ok_or(Error::BlobMissing)?;
    Ok(keys.open(&Place::blob(CONTAINER, name), &sealed)?)
}

/// The same for somebody outside. The memory that it takes is given back when the last of its bytes is let go: an answer may be read slowly.
pub async fn open_file(desk: &Desk, keys: &TenantKeys, name: &str) -> Result<Bytes, Error> {
    struct Opened {
        bytes: Zeroizing<Vec<u8>>,
        _room: Option<OwnedSemaphorePermit>,
    }
    impl AsRef<[u8]> for Opened {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    let blobs = desk.ports.blobs.as_ref();
    let size = blobs.size(CONTAINER, name).await?.ok_or(Error::BlobMissing)?;
    let mut room = desk.room_for_file(size).await?;
    let bytes = open_blob(blobs, keys, name).await?;
    // Only the opened half is left.
    let rest = room.split(room.num_permits() / 2);
    drop(room);
    Ok(Bytes::from_owner(Opened { bytes, _room: rest }))
}

pub(super) fn requester_key(keys: &TenantKeys, address: &str) -> String {
    keys.index("requester", &[address.as_bytes()])
}

/// A person and a group of one name are two.
pub(super) fn assignee_key(keys: &TenantKeys, assignee: &Assignee) -> String {
    match assignee {
        Assignee::Person(subject) => keys.index("assignee-person", &[subject.as_bytes()]),
        Assignee::Group(name) => keys.index("assignee-group", &[name.as_bytes()]),
    }
}

fn number_key(number: u64) -> String {
    format!("number:{number:012}")
}
