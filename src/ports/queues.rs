//! Queues with the semantics of Azure Storage queues: at least once, no order, a visibility timeout.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use time::OffsetDateTime;

use super::Fault;

/// Bytes of a message before base64: Azure's 64 KiB are counted after it.
pub const MESSAGE_BYTES_MAX: usize = 48 * 1024;

/// A message is over [`MESSAGE_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a queue message of {bytes} bytes is over the limit of {MESSAGE_BYTES_MAX}")]
pub struct MessageTooLarge {
    pub bytes: usize,
}

/// The text of a queue message, as the Functions host expects it: base64.
pub fn encode_text(payload: &[u8]) -> Result<String, MessageTooLarge> {
    if payload.len() > MESSAGE_BYTES_MAX {
        return Err(MessageTooLarge { bytes: payload.len() });
    }
    Ok(STANDARD.encode(payload))
}

/// What the Functions host makes of a message's text; `None` goes to the poison queue unread.
pub fn decode_text(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()
}

/// A message leased to one reader until `visible_at`.
#[derive(Debug, Clone)]
pub struct Lease {
    pub id: String,
    /// Changes with every lease and extension; an old one no longer settles the message.
    pub pop_receipt: String,
    /// As stored, base64 if its sender was right.
    pub text: String,
    pub dequeue_count: u32,
    pub inserted_at: OffsetDateTime,
    pub visible_at: OffsetDateTime,
}

/// Queues, known by name (3 to 63 of `[a-z0-9-]`), that need no creation. `lease`, `extend` and `delete` are used by the embedded host alone: in Azure the host does it.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Durable when it returns; never expires; seen by readers after `delay`.
    async fn send(&self, queue: &str, text: &str, delay: Duration) -> Result<(), Fault>;

    /// Up to `max` visible messages (32 at most), hidden from others for `visibility`; counts a dequeue for each.
    async fn lease(&self, queue: &str, max: usize, visibility: Duration) -> Result<Vec<Lease>, Fault>;

    /// Hides a leased message for `visibility` from now on (zero gives it back) and answers the new pop receipt; `None` if the lease was lost.
    async fn extend(&self, queue: &str, lease: &Lease, visibility: Duration) -> Result<Option<Lease>, Fault>;

    /// Removes a leased message; false if the lease was lost.
    async fn delete(&self, queue: &str, lease: &Lease) -> Result<bool, Fault>;

    /// Messages in the queue, hidden ones included.
    async fn depth(&self, queue: &str) -> Result<u64, Fault>;
}
