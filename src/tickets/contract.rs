//! The queue's contract with whoever feeds mail in: `{"v":1,"mailbox":"...","blob":"..."}`.

use serde::Deserialize;

use super::unprocessed::record::Reason;
use crate::{ids::RecordId, mail::address::as_kept, ports::object, tenants::Mailbox};

/// The version of the contract.
const VERSION: u64 = 1;
/// Where pushed mails lie in the intake.
pub(super) const PUSHED_PREFIX: &str = "pushed/";
/// Bytes of a mailbox; an address has at most 320: 64, `@` and 255 (RFC 5321 sections 4.5.3.1.1 and 4.5.3.1.2).
const MAILBOX_BYTES_MAX: usize = 320;
/// Bytes of a blob's name.
const BLOB_NAME_BYTES_MAX: usize = 500;

/// A message of version 1.
#[derive(Deserialize)]
pub(super) struct Request {
    v: u64,
    pub(super) mailbox: String,
    pub(super) blob: String,
    /// The record that a replay of ours sends again by its own message. No feeder sets it.
    #[serde(default)]
    pub(super) record: Option<String>,
    /// The mailbox that the address is of, once that is known: it may have a mark behind its local part.
    #[serde(skip)]
    pub(super) of: Option<Mailbox>,
}

impl Request {
    /// The address under which deliveries are remembered.
    pub(super) fn delivered_to(&self) -> &str {
        self.of.as_ref().map_or(&self.mailbox, Mailbox::as_str)
    }
}

/// A message of this version.
pub(super) fn message(mailbox: &str, blob: &str) -> String {
    serde_json::json!({ "v": VERSION, "mailbox": mailbox, "blob": blob }).to_string()
}

/// The same, sent again for a record.
pub(super) fn again(mailbox: &str, blob: &str, record: RecordId) -> String {
    serde_json::json!({ "v": VERSION, "mailbox": mailbox, "blob": blob, "record": record }).to_string()
}

/// Reads a message, or says why it is none.
pub(super) fn read(message: &str) -> Result<Request, (Reason, String)> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    let version: Version = object(message.as_bytes())
        .and_then(Result::ok)
        .ok_or_else(|| (Reason::BadMessage, "the queue message is no JSON object with a number `v`".to_owned()))?;
    if version.v != VERSION {
        return Err((Reason::UnknownVersion, format!("the queue message is of version {}, this intake knows {VERSION}", version.v)));
    }
    let mut request: Request = object(message.as_bytes())
        .and_then(Result::ok)
        .ok_or_else(|| (Reason::BadMessage, "the queue message lacks `mailbox` or `blob`".to_owned()))?;
    let sane = !request.blob.is_empty()
        && request.blob.len() <= BLOB_NAME_BYTES_MAX
        && request.blob.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && request.blob.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/'));
    if !sane || request.v != VERSION {
        return Err((Reason::BadMessage, "the blob's name may hold a-z, A-Z, 0-9, `.`, `_`, `-` and single slashes".to_owned()));
    }
    if request.mailbox.len() > MAILBOX_BYTES_MAX {
        return Err((Reason::BadMessage, format!("the mailbox has over {MAILBOX_BYTES_MAX} bytes, which no address has")));
    }
    // One mailbox has one spelling, wherever it is remembered.
    request.mailbox = as_kept(&request.mailbox);
    Ok(request)
}
