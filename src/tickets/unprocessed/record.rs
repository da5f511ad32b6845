//! A record of unprocessed mail, as it is stored.

use std::fmt;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{ids::RecordId, keys::TenantKeys, mail::limits::MAIL_BYTES_MAX, tenants::without_mark};

/// Replayed mails go back into the intake under this prefix and the record's id; those that an agent lets go whatever the limits say under the other.
pub(super) const REPLAY_PREFIX: &str = "replay/";
pub(super) const LET_GO_PREFIX: &str = "let-go/";

/// What the `k1` of a record begins with whose mail is dealt with.
pub(super) const DEALT_WITH: &str = "processed+";

/// Why a mail is not a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "UnprocessedReason")]
pub enum Reason {
    /// The queue message is not what the contract says.
    BadMessage,
    /// The queue message is of a version that we do not know.
    UnknownVersion,
    /// No tenant has this mailbox.
    UnknownMailbox,
    /// The blob that the message names is not there.
    BlobMissing,
    /// The bytes are no mail, or over a limit.
    Unreadable,
    /// A machine's mail (automatic answer, bounce, delay, complaint, calendar answer) that belongs to no ticket.
    Automatic,
    /// Taking it in failed every time.
    KeptFailing,
    /// Its tenant is suspended: the mail is held until he is served again.
    TenantSuspended,
    /// Its tenant is being restored: the same.
    TenantRestoring,
    /// Its sender sent too much of late: it is held for a while.
    SenderLimit,
    /// Too much came to its mailbox of late: the same.
    MailboxLimit,
    /// Its sender said too much in one conversation of late, as machines do that answer each other: the same.
    Loop,
    /// We sent it ourselves, and it came back.
    OwnMail,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Reason::BadMessage => "bad_message",
            Reason::UnknownVersion => "unknown_version",
            Reason::UnknownMailbox => "unknown_mailbox",
            Reason::BlobMissing => "blob_missing",
            Reason::Unreadable => "unreadable",
            Reason::Automatic => "automatic",
            Reason::KeptFailing => "kept_failing",
            Reason::TenantSuspended => "tenant_suspended",
            Reason::TenantRestoring => "tenant_restoring",
            Reason::SenderLimit => "sender_limit",
            Reason::MailboxLimit => "mailbox_limit",
            Reason::Loop => "loop",
            Reason::OwnMail => "own_mail",
        }
    }
}

impl Reason {
    /// Whether the mail is held because too much came of late.
    pub fn is_a_limit(self) -> bool {
        matches!(self, Reason::SenderLimit | Reason::MailboxLimit | Reason::Loop)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A record of unprocessed mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unprocessed {
    pub id: RecordId,
    pub reason: Reason,
    /// In words, free of personal data.
    pub detail: String,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// As the message named it.
    pub mailbox: Option<String>,
    pub message: Message,
    /// Where the mail is.
    pub raw: Raw,
    pub state: State,
    /// Times that it was tried again.
    pub replays: u32,
    /// The number of the ticket that its mail is in, once it is in one; with the tenant whose mailbox it is, if the record is nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<u64>,
    /// When it was last kept; since it came, unless a replay came to nothing.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub kept_again_at: Option<OffsetDateTime>,
}

/// The queue message. A long one, as no feeder sends it, lies in a sealed blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Message {
    Here(String),
    Sealed { blob: String },
}

/// Where an unprocessed mail's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Raw {
    /// Nowhere: the message named none.
    Nowhere,
    /// Still where the feeder put it, because it was not found or is too large to seal: then with its size.
    Intake {
        blob: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
    /// Sealed by us.
    Sealed {
        blob: String,
        bytes: u64,
        /// Card numbers were cut out before it was sealed.
        altered: bool,
    },
}

/// What lies under the name of the intake blob.
#[derive(Clone, Copy)]
pub(in crate::tickets) enum IntakeBlob<'a> {
    Missing,
    /// So many bytes that nobody reads: they stay there.
    Unread(u64),
    /// To be sealed.
    Read(&'a Bytes),
}

impl<'a> IntakeBlob<'a> {
    pub(super) fn bytes(self) -> Option<&'a Bytes> {
        if let IntakeBlob::Read(bytes) = self { Some(bytes) } else { None }
    }

    pub(super) fn size(self) -> Option<u64> {
        match self {
            IntakeBlob::Missing => None,
            IntakeBlob::Unread(size) => Some(size),
            IntakeBlob::Read(bytes) => Some(bytes.len() as u64),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "UnprocessedState")]
pub enum State {
    /// Somebody should look.
    Waiting,
    /// On its way through the intake again.
    Replayed,
    /// A replay made it a ticket.
    Processed,
}

impl Raw {
    /// Whether what lies in the intake could be read: what is too large never becomes a ticket, whatever comes under its name.
    pub(super) fn can_be_a_ticket(&self) -> bool {
        !matches!(self, Raw::Intake { bytes: Some(bytes), .. } if *bytes > MAIL_BYTES_MAX as u64)
    }

    /// Whether a mail of which so many bytes were found in the intake, or none any more, can be the one that was left there.
    pub(super) fn is_left(&self, found: Option<u64>) -> bool {
        match (self, found) {
            (Raw::Intake { bytes: Some(kept), .. }, Some(found)) => *kept == found,
            // Gone since, as what became a ticket is.
            _ => self.can_be_a_ticket(),
        }
    }

    /// Whether these can be the bytes that came now, of which so many were found. Two different mails never share a record.
    pub(super) fn may_be(&self, now: &Raw, found: Option<u64>) -> bool {
        match (self, now, found) {
            (Raw::Sealed { blob: kept, .. }, Raw::Sealed { blob: new, .. }, _) => kept == new,
            // What was sealed once can be sealed again.
            (Raw::Sealed { .. }, Raw::Intake { .. }, Some(_)) => false,
            (Raw::Intake { bytes: Some(kept), .. }, _, Some(found)) => *kept == found,
            _ => true,
        }
    }
}

impl Unprocessed {
    /// The blobs that were sealed for it: its mail, and its queue message.
    pub(super) fn sealed_for(&self) -> [Option<&str>; 2] {
        let mail = if let Raw::Sealed { blob, .. } = &self.raw { Some(blob.as_str()) } else { None };
        let message = if let Message::Sealed { blob } = &self.message { Some(blob.as_str()) } else { None };
        [mail, message]
    }

    /// Its mail is dealt with: it is in this ticket or, without one, in the record of a tenant.
    pub(super) fn close(&mut self, ticket: Option<u64>) {
        self.state = State::Processed;
        self.ticket = ticket;
    }

    pub(super) fn failed_again(&mut self, reason: Reason, detail: &str, raw: Raw, now: OffsetDateTime) {
        self.kept_again_at = Some(now);
        self.reason = reason;
        detail.clone_into(&mut self.detail);
        self.state = State::Waiting;
        if matches!(raw, Raw::Sealed { .. }) {
            self.raw = raw;
        }
    }
}

pub(super) fn replayed_name(prefix: &str, id: RecordId) -> String {
    format!("{prefix}{id}.eml")
}

pub(super) fn replay_of(blob: &str) -> Option<RecordId> {
    blob.strip_prefix(REPLAY_PREFIX).or_else(|| blob.strip_prefix(LET_GO_PREFIX))?.strip_suffix(".eml")?.parse().ok()
}

/// A blob's name as a key has it: it tells what was sealed for a record also if that does not open.
pub(super) fn blob_key(blob: &str) -> String {
    blob.replace('/', "+")
}

pub(super) fn blob_of(key: &str) -> String {
    key.replace('+', "/")
}

/// The key of nobody's record, by its mailbox.
pub(super) fn mailbox_key(keys: &TenantKeys, mailbox: &str) -> String {
    format!("mailbox:{}", keys.index("mailbox", &[without_mark(mailbox).as_bytes()]))
}
