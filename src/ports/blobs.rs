//! Blobs: bytes by name, written once.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::Fault;

/// Bytes of a blob, of which a service takes at most 50,000 blocks of 4 MiB.
pub const BLOB_BYTES_MAX: u64 = 190 << 30;

/// The bytes of a blob, in pieces of any size.
pub type Pieces<'a> = BoxStream<'a, Result<Bytes, Fault>>;

/// What a put found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Created,
    /// A blob of that name was there already and stays as it is.
    Existed,
}

/// A store of blobs. Containers are known by name, 3 to 63 of `[a-z0-9-]`, and need no creation. Names are ASCII path segments of `[a-zA-Z0-9._-]`,
/// none of them `.` or `..`, joined by `/`, at most 500 bytes; anything else is [`Fault::Corrupt`]. They are seen by the platform, so they never hold
/// personal data.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Writes once: all bytes are seen from now on, or none. Durable when it returns, but for the embedded store, which may flush it with the next
    /// commit or message that it acknowledges: whoever puts a blob names it in one of these.
    async fn put(&self, container: &str, name: &str, bytes: Bytes) -> Result<Put, Fault>;

    /// The same, of what should never be in memory whole: a few MiB of it are at a time. Whatever ends it before its last piece, nothing is seen of it; a
    /// fault among the pieces is answered. Where the blob exists already, not all pieces may be asked for. [`Fault::Corrupt`] beyond [`BLOB_BYTES_MAX`].
    async fn put_pieces(&self, container: &str, name: &str, pieces: Pieces<'_>) -> Result<Put, Fault>;

    /// The whole blob, or the part of `range` that exists.
    async fn get(&self, container: &str, name: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>, Fault>;

    /// Bytes of a blob.
    async fn size(&self, container: &str, name: &str) -> Result<Option<u64>, Fault>;

    /// Names that start with `prefix` and sort after `after`, ascending.
    async fn list(&self, container: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault>;

    /// Deletes; that it is absent already is fine. The embedded store makes a delete durable no later than the next write that it acknowledges.
    async fn delete(&self, container: &str, name: &str) -> Result<(), Fault>;
}
