//! What we ask of the world. Ports know no domain type, and each is cut to what the weaker of its stores does natively. Here too:
//! how long to wait for others who write the same, how a URL names an SMTP server, and what is a JSON
//! object.
//!
//! One contract suite, `tests/ports_contract.rs`, runs against every adapter.

mod blobs;
mod clock;
mod documents;
mod entropy;
mod identity;
mod json;
mod logs;
mod mailer;
mod queues;
mod smtp;
mod tries;
mod vault;

use std::{sync::Arc, time::Duration};

pub use blobs::{BLOB_BYTES_MAX, Blobs, Pieces, Put};
pub use clock::{Clock, timestamp};
pub use documents::{
    BODY_BYTES_MAX, COMMIT_BYTES_MAX, COMMIT_WRITES_MAX, Changes, DUE, Document, Documents, Etag, NewDocument, Order, Scan, Slot, Versions,
    Watermark, Write, due_end, due_key, first_version,
};
pub use entropy::{Entropy, first_ulid, new_ulid};
pub use identity::{DIRECTORY, Identity, IssuerKey, KeyAlgorithm};
pub use json::object;
pub use logs::{LOG_LINES_MAX, LogLine, Logs};
pub use mailer::{Mailer, OutgoingMail, Undelivered};
pub use queues::{Lease, MESSAGE_BYTES_MAX, MessageTooLarge, Queues, decode_text, encode_text};
pub use smtp::{NotAnSmtpUrl, SmtpServer, SmtpTls};
pub use tries::{TRYING_FOR_A_CALLER, TRYING_IN_THE_QUEUE, Tries};
pub use vault::{Secret, Vault, WRAPPED_BYTES_MAX, Wrapped};

/// Everything the house asks of the world, chosen once in `wiring`.
#[derive(Clone)]
pub struct Ports {
    pub documents: Arc<dyn Documents>,
    pub blobs: Arc<dyn Blobs>,
    pub queues: Arc<dyn Queues>,
    pub vault: Arc<dyn Vault>,
    pub mailer: Arc<dyn Mailer>,
    pub identity: Arc<dyn Identity>,
    pub logs: Arc<dyn Logs>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// Why a port could not do what it was asked. That something is absent is no fault: it is `None`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Somebody else wrote first: load again, decide again.
    #[error("somebody else wrote first")]
    Conflict,
    /// The service asks for patience.
    #[error("the service is busy, try again in {after:?}")]
    Throttled { after: Duration },
    /// The service could not be reached or failed. The text never holds data of the request.
    #[error("the service is unavailable: {0}")]
    Unavailable(String),
    /// What was stored, or was to be stored, is not what it should be; trying again does not help.
    #[error("the stored data is not what it should be: {0}")]
    Corrupt(String),
}
