//! Why a story of this room was not done.

use std::time::Duration;

use super::{
    CC_MAX, COMMENT_CHARACTERS_MAX, LINKS_MAX, MERGED_MAX, NAME_CHARACTERS_MAX, PARTY_NAME_CHARACTERS_MAX, TAGS_MAX,
    signatures::{SIGNATURE_CHARACTERS_MAX, SIGNER_CHARACTERS_MAX},
    uploads::{ATTACHMENTS_BYTES_MAX, ATTACHMENTS_MAX, UPLOAD_BYTES_MAX, WAITING_MAX},
};
use crate::{
    keys,
    mail::limits::SUBJECT_CHARS_MAX,
    outbox,
    ports::{Fault, MessageTooLarge},
    tenants,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Keys(#[from] keys::Error),
    #[error(transparent)]
    Tenants(#[from] tenants::Error),
    #[error(transparent)]
    Outbox(#[from] outbox::Error),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    MessageTooLarge(#[from] MessageTooLarge),
    #[error("there is no such ticket, comment or attachment")]
    NotFound,
    #[error("a ticket needs a subject on one line, at most {SUBJECT_CHARS_MAX} characters, and words, at most {COMMENT_CHARACTERS_MAX}")]
    BadTicket,
    #[error("somebody has an address, and a name of 1 to {PARTY_NAME_CHARACTERS_MAX} characters on one line or none; at most {CC_MAX} are in copy")]
    BadParty,
    #[error("an agent says for whom the ticket is: name the `requester`")]
    NoRequester,
    #[error("a mailbox of the desk itself asks nothing and is in no copy")]
    OwnMailbox,
    #[error("the desk has several mailboxes, or not this one: name the one that answers come from")]
    WhichMailbox,
    #[error("{0}")]
    BadField(String),
    #[error("somebody changed the ticket: it is no longer as you read it")]
    Changed,
    #[error("the ticket was merged into {}", match into {
        Some(number) => format!("number {number}: go on there"),
        None => "another one: answer a mail about it, or open a new one, to go on".to_owned(),
    })]
    Merged {
        /// Its number, for who sees it.
        into: Option<u64>,
    },
    #[error(
        "a ticket is linked or merged with another one of the same desk that is not merged itself, and has at most {LINKS_MAX} links by people and {MERGED_MAX} that it took in"
    )]
    BadLink,
    #[error("one was merged into the other, which is not undone")]
    MergeStays,
    #[error("no limit holds this mail: replay it, when what kept it is mended")]
    NotHeld,
    #[error("together more than {CC_MAX} would be in copy: take some out first")]
    TooManyParties,
    #[error("a comment needs words, at most {COMMENT_CHARACTERS_MAX} characters")]
    BadComment,
    #[error("a signature has at most {SIGNATURE_CHARACTERS_MAX} characters, its name one line of at most {SIGNER_CHARACTERS_MAX}")]
    BadSignature,
    #[error("a file has 1 to {UPLOAD_BYTES_MAX} bytes")]
    BadUpload,
    #[error("{WAITING_MAX} files of yours wait for a comment: use them, or wait until they are removed after a day")]
    TooManyUploads {
        /// Until the oldest may be removed.
        after: Duration,
    },
    #[error(
        "a comment has at most {ATTACHMENTS_MAX} attachments of {ATTACHMENTS_BYTES_MAX} bytes together, each an upload of your own from the last day that no comment has yet"
    )]
    BadAttachments,
    #[error("an assignee, a category and a tag have 1 to {NAME_CHARACTERS_MAX} characters on one line, and a ticket has at most {TAGS_MAX} tags")]
    BadChange,
    #[error("the Idempotency-Key was used for another request in the last 24 hours")]
    KeyUsed,
    /// A sealed blob that a document names is not there.
    #[error("a blob that a document names is missing")]
    BlobMissing,
}

impl Error {
    /// Whether loading and deciding again can help. Not with used up seals: a story keeps its keys from try to try.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Error::Fault(Fault::Conflict) | Error::Keys(keys::Error::Fault(Fault::Conflict)))
    }
}
