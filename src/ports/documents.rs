//! Documents in partitions: small, sealed by their owners, found by id or by a few clear index keys.

use std::ops::Range;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{Fault, timestamp};

/// Writes in one commit. Cosmos DB's limit for a transactional batch.
pub const COMMIT_WRITES_MAX: usize = 100;
/// Bytes of all bodies in one commit, below Cosmos DB's 2 MB a batch because a body travels as base64.
pub const COMMIT_BYTES_MAX: usize = 1_200_000;
/// Bytes of one body. Larger content belongs into a blob.
pub const BODY_BYTES_MAX: usize = 1_000_000;

/// The version of a stored document; it changes with every write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etag(pub String);

/// Which versions of a document a change is meant for (`If-Match`, RFC 9110 section 13.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// Whichever there is.
    Any,
    OneOf(Vec<Etag>),
}

impl Versions {
    pub fn take(&self, etag: &Etag) -> bool {
        match self {
            Versions::Any => true,
            // Some stores' etags stand in quotation marks by themselves.
            Versions::OneOf(some) => some.iter().any(|one| one.0.trim_matches('"') == etag.0.trim_matches('"')),
        }
    }
}

/// A document to be written. Partitions, ids, kinds and keys are ASCII without `/ ? # \` and control characters, 1 to 250 bytes; anything else is
/// [`Fault::Corrupt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument {
    pub id: String,
    pub kind: String,
    /// Clear index keys `k1` to `k4`.
    pub keys: [Option<String>; 4],
    /// From this instant on the document reads as absent; a sweep removes it later. Kept in whole seconds, a fraction is dropped.
    pub expires_at: Option<OffsetDateTime>,
    /// Opaque here; sealed by its owner.
    pub body: Vec<u8>,
}

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub partition: String,
    pub id: String,
    pub kind: String,
    pub keys: [Option<String>; 4],
    pub expires_at: Option<OffsetDateTime>,
    pub body: Vec<u8>,
    pub etag: Etag,
}

/// One write of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Conflict if a document with this id exists and has not expired.
    Create(NewDocument),
    /// Conflict unless the stored version is this one.
    Replace { document: NewDocument, etag: Etag },
    /// Conflict unless the stored version is this one. Leaves a tombstone for 14 days, so that `changed_since` can tell.
    Delete { id: String, etag: Etag },
    /// The same without a tombstone, for what nobody asks after any more: what a partition is emptied of in this way is not walked over again.
    Purge { id: String, etag: Etag },
}

impl Document {
    /// The write that gives it other clear keys and leaves the rest as it is: it need not open.
    pub fn under(self, keys: [Option<String>; 4]) -> Write {
        let Document { id, kind, expires_at, body, etag, .. } = self;
        Write::Replace { document: NewDocument { id, kind, keys, expires_at, body }, etag }
    }
}

/// The new version of the first document of a commit.
pub fn first_version(etags: Vec<Etag>) -> Result<Etag, Fault> {
    etags.into_iter().next().ok_or_else(|| Fault::Corrupt("a commit names no version of what it wrote".to_owned()))
}

impl Write {
    /// Writes a document over the version that was read, or as a new one.
    pub fn put(document: NewDocument, read: Option<Etag>) -> Write {
        match read {
            Some(etag) => Write::Replace { document, etag },
            None => Write::Create(document),
        }
    }
}

/// What a scan runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    Id,
    K1,
    K2,
    K3,
    K4,
}

impl Slot {
    pub fn name(self) -> &'static str {
        match self {
            Slot::Id => "id",
            Slot::K1 => "k1",
            Slot::K2 => "k2",
            Slot::K3 => "k3",
            Slot::K4 => "k4",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// A range of one slot in one partition, compared byte by byte; start inclusive, end exclusive. Documents without the key are not in it.
#[derive(Debug, Clone)]
pub struct Scan<'a> {
    pub partition: &'a str,
    pub slot: Slot,
    pub range: Range<String>,
    pub order: Order,
    /// Documents at most; the caller pages by moving the range. A key that many documents share can split a page: use keys that are nearly unique.
    pub limit: usize,
}

impl<'a> Scan<'a> {
    /// All documents whose slot starts with `prefix`, in ascending order.
    pub fn prefix(partition: &'a str, slot: Slot, prefix: &str, limit: usize) -> Self {
        Scan { partition, slot, range: prefix.to_owned()..format!("{prefix}\u{7f}"), order: Order::Ascending, limit }
    }
}

/// A place in a partition's history. Opaque outside its adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark(pub String);

/// What changed in a partition since a watermark.
#[derive(Debug, Clone)]
pub struct Changes {
    /// The latest version of each document.
    pub documents: Vec<Document>,
    /// Ids that were deleted, and when.
    pub deleted: Vec<(String, OffsetDateTime)>,
    /// Where to go on.
    pub watermark: Watermark,
    /// Nothing more at this moment.
    pub caught_up: bool,
}

/// A store of documents. All reads see every commit that was acknowledged before they began.
#[async_trait]
pub trait Documents: Send + Sync {
    async fn get(&self, partition: &str, id: &str) -> Result<Option<Document>, Fault>;

    async fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Document>, Fault>;

    /// How many documents [`Self::scan`] would find, as far as its limit. It reads less than that.
    async fn count(&self, scan: &Scan<'_>) -> Result<usize, Fault>;

    /// All writes or none, durable when it returns, in the order given. The new versions come back in the same order (the old one for a delete).
    /// From 1 to [`COMMIT_WRITES_MAX`] writes of distinct ids and [`COMMIT_BYTES_MAX`] bytes; more is [`Fault::Corrupt`].
    async fn commit(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Etag>, Fault>;

    /// Changes of a partition in no particular order, each at least once; from the beginning with `None`. About `limit` at a time, and none may
    /// come though it has not caught up. What has expired is left out; that it is gone is not told.
    async fn changed_since(&self, partition: &str, watermark: Option<&Watermark>, limit: usize) -> Result<Changes, Fault>;

    /// Documents of all partitions whose `k1` is a [`due_key`] of an instant up to `before`, the most overdue first. The next page begins after the
    /// `k1` of the last one.
    async fn due(&self, after: Option<&str>, before: OffsetDateTime, limit: usize) -> Result<Vec<Document>, Fault>;
}

/// What the `k1` of a document that waits for an instant begins with.
pub const DUE: &str = "due:";

/// The `k1` of a document that waits for an instant. With a name of its own, because a page ends at a key. Nothing else begins with [`DUE`].
pub fn due_key(at: OffsetDateTime, name: &str) -> String {
    format!("{DUE}{}+{name}", timestamp(at))
}

/// Comes after every [`due_key`] of an instant and before those of the next.
pub fn due_end(at: OffsetDateTime) -> String {
    format!("{DUE}{}+\u{7f}", timestamp(at))
}
