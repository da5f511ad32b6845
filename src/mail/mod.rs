//! Bytes of a mail to what it means, and back. All pure: no port, no clock, no randomness.

pub mod parse;
pub mod limits;
mod wire;
mod mime;
mod part;
mod transfer;
mod tnef;
mod charset;
mod header;
mod date;
mod encoded_word;
pub mod address;
pub mod line;
mod parameters;
mod sent;
mod attachment;
mod plain;
mod phrase_set;
pub mod clean;
pub mod redact;
mod seen;
pub mod kind;
pub mod bounce;
pub mod reply;
pub mod sender;
pub mod compose;

use time::OffsetDateTime;

pub use attachment::{Held, one as attachment};

/// The header by which a help desk knows its own mail when it comes back.
pub const LOOP_HEADER: &str = "x-helpdesk-loop";

/// What a mail means to a help desk.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    pub kind: MailKind,
    pub from: Option<Address>,
    /// Who wrote it, where `from` names a website's form or a group that only passes it on. Nothing proves him.
    pub written_by: Option<Address>,
    /// Where the sender wants answers to go: the first address of the header.
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
    /// What [`LOOP_HEADER`] says.
    pub loop_mark: Option<String>,
    /// No program may answer it, even where a person wrote it.
    pub no_automatic_answer: bool,
    pub date: Option<OffsetDateTime>,
    /// The words: the text part, or the HTML part as text.
    pub text: String,
    /// The new words alone: without quoted mail and signature.
    pub reply: String,
    /// Who wrote the mail that a person passes on in this one, says what he passes on. It proves nothing: anybody can write it.
    pub forwarded_from: Option<Address>,
    /// The HTML part, cleaned: safe to show in a sandboxed page.
    pub html: Option<String>,
    pub attachments: Vec<Attachment>,
    /// What a bounce, a delay or a complaint reports on.
    pub bounce: Option<Bounce>,
    /// Whether the sender is who he says.
    pub sender: Proof,
    /// Card numbers that were cut out of subject, text, HTML and attachment names.
    pub redactions: usize,
    /// What a reader should know of how this was read.
    pub warnings: Vec<Warning>,
}

impl Mail {
    /// Whose words these are.
    pub fn author(&self) -> Option<&Address> {
        self.written_by.as_ref().or(self.from.as_ref())
    }

    /// Whether the author is who he says.
    pub fn is_proven(&self) -> bool {
        self.written_by.is_none() && self.sender.by.is_some()
    }
}

/// An address and the name beside it. Addresses are lower-case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub address: String,
    pub name: Option<String>,
}

/// A part that is not the message's own words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attachment {
    /// Safe as a file name: no path, no control characters, at most 200 bytes.
    pub name: String,
    /// By content where that is certain, else as the sender declared it; lower-case, without parameters.
    pub media_type: String,
    /// What the sender declared, where the content is something else.
    pub declared_type: Option<String>,
    pub bytes: Vec<u8>,
    /// Shown inside the HTML by its `content_id`.
    pub inline: bool,
    /// Without angle brackets.
    pub content_id: Option<String>,
    /// Why it is not handed out by itself, if it could harm.
    pub held: Option<Held>,
}

/// Who or what speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    Person,
    /// An out-of-office note or another automatic answer (RFC 3834); a receipt, and a report that a mail arrived.
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

impl MailKind {
    pub fn name(self) -> &'static str {
        match self {
            MailKind::Person => "person",
            MailKind::AutoReply => "auto_reply",
            MailKind::Automatic => "automatic",
            MailKind::Bulk => "bulk",
            MailKind::Bounce => "bounce",
            MailKind::Delayed => "delayed",
            MailKind::Complaint => "complaint",
            MailKind::Calendar => "calendar",
        }
    }
}

/// What a report on an earlier mail of ours says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounce {
    pub recipients: Vec<Recipient>,
    /// The report names nobody: the recipients are whom the header of our mail is addressed to. Where several got that mail, each with the same
    /// header, nothing says to whom of them it did not come.
    pub only_addressees: bool,
    /// Whom the mail came to, as the report says, or was handed on for, as by a list.
    pub reached: Vec<String>,
    /// Of the mail that was not delivered, without angle brackets.
    pub original_message_id: Option<String>,
}

/// One address that a report names, and what became of the mail to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipient {
    /// Lower-case.
    pub address: String,
    /// The address that the sender of the mail wrote to, where the mail was passed on from there to this one.
    pub forwarded_from: Option<String>,
    /// The mail system still tries, whatever became of the mail to others.
    pub late: bool,
    /// An enhanced status code (RFC 3463), `5.1.1`, if the report says or implies one.
    pub status: Option<String>,
    /// Whether trying again is in vain; unknown if the report does not say.
    pub permanent: Option<bool>,
}

/// Whether a sender is who he says, and what proves it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proof {
    /// `None` if nothing that we trust vouches for the sender.
    pub by: Option<&'static str>,
}

/// Something out of the ordinary in a mail. Free of personal data: names and words stand in the mail alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// The text was longer than [`limits::TEXT_BYTES_MAX`].
    TextCut,
    /// The subject was longer than [`limits::SUBJECT_CHARS_MAX`].
    SubjectCut,
    /// The name beside an address was longer than [`limits::ADDRESS_NAME_BYTES_MAX`].
    NameCut,
    /// There were more references than [`limits::REFERENCES_MAX`].
    ReferencesCut,
    /// A part of it cannot be read without a key.
    Encrypted,
    /// It is signed, and nobody has looked whether the signature holds.
    SignatureNotChecked,
    /// It holds a winmail.dat that is broken, which is kept as it came.
    WinmailNotRead,
    /// It is one piece of a mail that was sent in several (RFC 2046, section 5.2.2).
    Partial,
    /// A part of it lies elsewhere and was not fetched (RFC 2046, section 5.2.3).
    ExternalBody,
    /// Images elsewhere that the HTML names and nobody loads.
    RemoteImages { count: usize },
    /// The HTML was too large or too tangled to be cleaned: its words are shown.
    HtmlAsText,
    /// From names nobody.
    NoAuthor,
    /// From names several, or stands there several times.
    SeveralAuthors,
    /// The name beside the author's address is another address.
    AuthorNamedAsAnother,
    /// The author's address was cleaned to be read, so that a mail server may take it for another.
    AuthorOddlyWritten,
}

impl Warning {
    pub fn name(self) -> &'static str {
        match self {
            Warning::TextCut => "text_cut",
            Warning::SubjectCut => "subject_cut",
            Warning::NameCut => "name_cut",
            Warning::ReferencesCut => "references_cut",
            Warning::Encrypted => "encrypted",
            Warning::SignatureNotChecked => "signature_not_checked",
            Warning::WinmailNotRead => "winmail_not_read",
            Warning::Partial => "partial",
            Warning::ExternalBody => "external_body",
            Warning::RemoteImages { .. } => "remote_images",
            Warning::HtmlAsText => "html_as_text",
            Warning::NoAuthor => "no_author",
            Warning::SeveralAuthors => "several_authors",
            Warning::AuthorNamedAsAnother => "author_named_as_another",
            Warning::AuthorOddlyWritten => "author_oddly_written",
        }
    }
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
    #[error("a part of the mail is inside more than {limit} others")]
    TooDeep { limit: usize },
    #[error("a header of the mail has more than {limit} fields")]
    TooManyHeaders { limit: usize },
    #[error("the headers of the mail have more than {limit} bytes")]
    HeaderTooLong { limit: usize },
    #[error("the mail has more than {limit} recipients")]
    TooManyAddresses { limit: usize },
    #[error("the mail has more than {limit} attachments")]
    TooManyAttachments { limit: usize },
    #[error("the attachments of the mail have more than {limit} bytes when they are unpacked")]
    TooMuchInside { limit: usize },
    #[error("what came is no mail: it has no header that names a sender, a subject or a date")]
    NoHeaders,
}
