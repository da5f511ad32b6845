//! Bytes of a mail to what it means, and back. All pure: no port, no clock, no randomness.

pub mod parse;
mod wire;
mod charset;
mod attachment;
mod plain;
pub mod clean;
pub mod redact;
pub mod kind;
pub mod compose;

use time::OffsetDateTime;

/// What a mail means to a help desk.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    pub kind: MailKind,
    pub from: Option<Address>,
    pub reply_to: Option<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    /// Decoded, on one line; empty if there was none.
    pub subject: String,
    /// Without angle brackets.
    pub message_id: Option<String>,
    pub in_reply_to: Vec<String>,
    /// Oldest first, as in the header.
    pub references: Vec<String>,
    pub date: Option<OffsetDateTime>,
    /// The words: the text part, or the HTML part as text.
    pub text: String,
    /// The HTML part, cleaned: safe to show in a sandboxed page.
    pub html: Option<String>,
    pub attachments: Vec<Attachment>,
    /// Card numbers that were cut out of subject, text, HTML and attachment names.
    pub redactions: usize,
}

/// An address and the name beside it. Addresses are lower-case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub address: String,
    pub name: Option<String>,
}

/// A part that is not the message's own words.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// Safe as a file name: no path, no control characters, at most 200 bytes.
    pub name: String,
    /// As the sender declared it, lower-case, without parameters.
    pub media_type: String,
    pub bytes: Vec<u8>,
    /// Shown inside the HTML by its `content_id`.
    pub inline: bool,
    /// Without angle brackets.
    pub content_id: Option<String>,
}

/// Who or what speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    Person,
    /// An out-of-office note or another automatic answer (RFC 3834).
    AutoReply,
    /// A machine's own mail.
    Automatic,
    /// A list or newsletter.
    Bulk,
    /// A delivery failed for good.
    Bounce,
    /// A delivery is late.
    Delayed,
    /// A feedback report (RFC 5965).
    Complaint,
    /// An answer to an invitation.
    Calendar,
}

/// Why a mail has no meaning that could be kept as a ticket. The mail itself is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the mail is empty")]
    Empty,
    #[error("the mail has {bytes} bytes, over the limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the mail has more than {limit} parts")]
    TooManyParts { limit: usize },
    #[error("what came is no mail: it has no header that names a sender, a subject or a date")]
    NoHeaders,
}
