//! Tickets and their comments: what they are, which ticket a mail belongs to, and how a mail becomes one.

pub mod intake;
mod contract;
mod arrival;
mod aside;
mod incoming;
mod refs;
mod rates;
pub mod links;
pub mod thread;
pub mod address;
pub mod clock;
mod status;
mod numbers;
pub mod unprocessed;
pub mod held;
mod comment;
mod letters;
pub mod signatures;
pub mod deliveries;
pub mod uploads;
mod change;
mod create;
pub mod list;
mod opened;
pub mod contacts;
pub mod idempotency;
pub mod history;
mod due;
pub mod fields;
pub mod store;
pub mod removal;
mod error;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::timeout,
};

/// An address that is looked for, as it would be kept.
pub use crate::mail::{Held, address::as_kept};
pub use change::{Assignee, Change, NAME_CHARACTERS_MAX, Priority, TAGS_MAX, change_ticket, name_of, tag_of};
use clock::Clocks;
pub use comment::{COMMENT_CHARACTERS_MAX, NewComment, add_comment};
pub use create::{NewTicket, create_ticket, party};
pub use error::Error;
use fields::FieldValue;
use numbers::Numbers;
pub use status::Status;

use crate::{
    ids::{CommentId, TicketId},
    keys::Keyring,
    mail::limits::ADDRESS_NAME_BYTES_MAX,
    ports::{Fault, Ports, new_ulid},
    tenants::{self, Settings},
};

/// Who takes mail in, in the audit events.
const INTAKE: &str = "intake";
/// Parties in copy of a ticket: with the requester and what else a commit writes they must fit one.
pub const CC_MAX: usize = 20;
/// Characters of a party's name: as long as a mail's may be.
const PARTY_NAME_CHARACTERS_MAX: usize = ADDRESS_NAME_BYTES_MAX;
/// Memory for files that come and go over HTTP, beside that for mails in flight.
const FILES_BESIDE_MAILS: u32 = 2;
/// Bytes of memory that a byte of a file takes for a moment: opened, and sealed.
const MEMORY_FOR_A_SEALED_BYTE: u64 = 2;
/// How long a file over HTTP waits for memory, before its caller is asked to come again after as long.
const ROOM_FOR_A_FILE_WAIT_MAX: Duration = Duration::from_secs(10);
/// Links of a ticket that people make, and as many that mails make.
pub const LINKS_MAX: usize = 50;
/// Tickets that one takes in: an outage opens many.
pub const MERGED_MAX: usize = 200;

/// What the stories of this room work with.
pub struct Desk {
    pub ports: Ports,
    pub keyring: Arc<Keyring>,
    numbers: Numbers,
    /// Bytes of raw mail in flight: one permit a byte.
    mail_in_flight: Semaphore,
    mail_in_flight_bytes: u32,
    /// The same for files that come and go over HTTP, apart from mail: who reads slowly must not keep mails waiting.
    files_in_flight: Arc<Semaphore>,
    files_in_flight_bytes: u32,
}

impl Desk {
    pub fn new(ports: Ports, keyring: Arc<Keyring>, mail_in_flight_bytes: u32) -> Self {
        let mail_in_flight = Semaphore::new(mail_in_flight_bytes as usize);
        let files_in_flight_bytes = mail_in_flight_bytes.saturating_mul(FILES_BESIDE_MAILS);
        let files_in_flight = Arc::new(Semaphore::new(files_in_flight_bytes as usize));
        Desk { ports, keyring, numbers: Numbers::default(), mail_in_flight, mail_in_flight_bytes, files_in_flight, files_in_flight_bytes }
    }

    /// Waits until there is memory for so many bytes, or for all that there may be; what is returned holds it.
    async fn room_for(&self, bytes: u64) -> Result<SemaphorePermit<'_>, Error> {
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.mail_in_flight_bytes);
        Ok(self.mail_in_flight.acquire_many(permits).await.map_err(|_| Fault::Unavailable("the intake is closing".to_owned()))?)
    }

    /// The same for a file of so many bytes over HTTP, opened and sealed, and not for long; what is returned can be handed on with it.
    async fn room_for_file(&self, file_bytes: u64) -> Result<OwnedSemaphorePermit, Error> {
        let bytes = file_bytes.saturating_mul(MEMORY_FOR_A_SEALED_BYTE);
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.files_in_flight_bytes);
        let room = timeout(ROOM_FOR_A_FILE_WAIT_MAX, self.files_in_flight.clone().acquire_many_owned(permits)).await;
        let room = room.map_err(|_| Fault::Throttled { after: ROOM_FOR_A_FILE_WAIT_MAX })?;
        Ok(room.map_err(|_| Fault::Unavailable("the desk is closing".to_owned()))?)
    }
}

/// One question and everything said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    pub id: TicketId,
    /// What people call it; unique in the tenant, with gaps.
    pub number: u64,
    pub subject: String,
    /// The mailbox it came to and is answered from.
    pub mailbox: tenants::Mailbox,
    pub requester: Party,
    /// Whether the requester is who he says: a server that the mailbox trusts vouched for his address, or he logged in.
    #[serde(default)]
    pub requester_proven: bool,
    /// Who gets a copy of what is answered, besides the requester; at most [`CC_MAX`], each with an address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<Party>,
    pub status: Status,
    #[serde(default)]
    pub priority: Priority,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Assignee>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub due_at: Option<OffsetDateTime>,
    /// What the tenant's own fields hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldValue>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// The ticket that took this one in: what comes for this one goes there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<TicketId>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When the requester could last see a change.
    #[serde(with = "time::serde::rfc3339")]
    pub public_updated_at: OffsetDateTime,
    /// Since when it is solved.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub solved_at: Option<OffsetDateTime>,
    #[serde(default)]
    pub clocks: Clocks,
    pub comments: u32,
    /// Those of them that the requester sees.
    pub public_comments: u32,
    /// The message id that began the conversation; none if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_message_id: Option<String>,
    /// The newest message id of the conversation, which the next answer refers to.
    pub last_message_id: Option<String>,
}

impl Ticket {
    /// A new one with its first comment.
    pub(crate) fn opened(id: TicketId, number: u64, subject: String, mailbox: tenants::Mailbox, requester: Party, now: OffsetDateTime) -> Ticket {
        Ticket {
            id,
            number,
            subject,
            mailbox,
            requester,
            requester_proven: false,
            cc: Vec::new(),
            status: Status::New,
            priority: Priority::default(),
            assignee: None,
            category: None,
            tags: Vec::new(),
            due_at: None,
            fields: BTreeMap::new(),
            links: Vec::new(),
            merged_into: None,
            created_at: now,
            updated_at: now,
            public_updated_at: now,
            solved_at: None,
            clocks: Clocks::started(now),
            comments: 1,
            public_comments: 1,
            first_message_id: None,
            last_message_id: None,
        }
    }

    /// Whether the one with this address, in lower case, is the requester or in copy.
    pub fn takes_part(&self, address: &str) -> bool {
        self.parties().any(|party| party.address.as_deref() == Some(address))
    }

    /// The requester, then who is in copy.
    pub fn parties(&self) -> impl Iterator<Item = &Party> {
        std::iter::once(&self.requester).chain(&self.cc)
    }

    /// Puts parties in copy who are not in it yet, as long as there is room; whether there was room for all.
    pub(crate) fn copy_to(&mut self, parties: impl IntoIterator<Item = Party>) -> bool {
        let mut all = true;
        for party in parties {
            if party.address.as_deref().is_some_and(|address| !self.takes_part(address)) {
                all &= self.cc.len() < CC_MAX;
                if self.cc.len() < CC_MAX {
                    self.cc.push(party);
                }
            }
        }
        all
    }

    /// It has one comment more.
    pub(crate) fn grown(&mut self, is_public: bool) {
        self.comments += 1;
        self.public_comments += u32::from(is_public);
    }

    /// Notes when it was changed from `before`, and whether its requester sees that: notes and other affairs of the desk are not told him.
    pub(crate) fn changed_from(&mut self, before: &Ticket, now: OffsetDateTime) {
        self.updated_at = self.updated_at.max(now);
        if self.shown() != before.shown() {
            self.public_updated_at = self.public_updated_at.max(now);
        }
    }

    /// What a requester sees of it that can change.
    fn shown(&self) -> impl PartialEq {
        let Ticket { subject, status, requester, requester_proven, cc, public_comments, .. } = self;
        (subject, status, requester, requester_proven, cc, public_comments)
    }

    /// A mail became part of the conversation.
    pub(crate) fn heard(&mut self, message_id: Option<&str>) {
        let Some(message_id) = message_id else { return };
        if self.last_message_id.is_none() {
            self.first_message_id = Some(message_id.to_owned());
        }
        self.last_message_id = Some(message_id.to_owned());
    }

    /// Sets the status, since when it is solved, and what of the clocks runs.
    pub(crate) fn turn(&mut self, status: Status, now: OffsetDateTime, settings: &Settings) {
        self.clocks.turned(status, now, settings);
        self.solved_at = (status == Status::Solved).then(|| self.solved_at.unwrap_or(now));
        self.status = status;
    }

    /// Whether it names another for this reason.
    pub(crate) fn is_linked(&self, other: &Ticket, why: Why) -> bool {
        self.links.iter().any(|link| link.ticket == other.id && link.why == why)
    }

    /// Links it with another, once, as long as there is room.
    pub(crate) fn link(&mut self, other: &Ticket, why: Why) {
        let link = Link { ticket: other.id, number: other.number, why };
        let (share, most) = why.share();
        let alike = self.links.iter().filter(|known| known.why.share().0 == share).count();
        if alike < most && !self.links.contains(&link) {
            self.links.push(link);
        }
    }

    /// Undoes all links with another, but for a merge.
    pub(crate) fn unlink(&mut self, other: &Ticket) {
        self.links.retain(|link| link.ticket != other.id || matches!(link.why, Why::Merged | Why::MergedInto));
    }
}

/// A ticket that has to do with another. It stands in both, unless nobody vouched for who made the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    pub ticket: TicketId,
    pub number: u64,
    pub why: Why,
}

/// Why two tickets are linked: what the other one is to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Somebody linked them.
    Related,
    /// This one goes on with the other, which had been solved for long.
    Continues,
    /// The other goes on with this one.
    ContinuedBy,
    /// The same mail came to two mailboxes.
    SameMail,
    /// This one's mail refers to the other, but nobody vouched for its sender.
    RefersTo,
    /// The other's mail refers to this one, but nobody vouched for its sender.
    ReferredToBy,
    /// This one took the other in.
    Merged,
    /// The other took this one in.
    MergedInto,
}

/// Links that count together.
#[derive(PartialEq, Eq)]
enum Share {
    OfPeople,
    OfMails,
    TakenIn,
    TakenInBy,
}

impl Why {
    /// With which others it counts, and how many these may be: whoever writes mails takes no room from the people of the desk.
    fn share(self) -> (Share, usize) {
        match self {
            Why::Related => (Share::OfPeople, LINKS_MAX),
            Why::Continues | Why::ContinuedBy | Why::SameMail | Why::RefersTo | Why::ReferredToBy => (Share::OfMails, LINKS_MAX),
            Why::Merged => (Share::TakenIn, MERGED_MAX),
            Why::MergedInto => (Share::TakenInBy, 1),
        }
    }

    /// What this ticket is to the other.
    pub fn turned(self) -> Why {
        match self {
            Why::Related => Why::Related,
            Why::Continues => Why::ContinuedBy,
            Why::ContinuedBy => Why::Continues,
            Why::SameMail => Why::SameMail,
            Why::RefersTo => Why::ReferredToBy,
            Why::ReferredToBy => Why::RefersTo,
            Why::Merged => Why::MergedInto,
            Why::MergedInto => Why::Merged,
        }
    }
}

/// Somebody outside the desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Lower-case; absent if the mail named no sender.
    pub address: Option<String>,
    pub name: Option<String>,
}

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    pub id: CommentId,
    pub ticket: TicketId,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Seen by the requester; a private one only by agents.
    pub public: bool,
    pub author: Author,
    pub content: Content,
    /// The mail that it came by.
    pub mail: Option<MailOrigin>,
}

/// Who said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// By mail; whether the address is proven, the mail's origin says.
    Sender(Party),
    /// By a token's subject.
    Agent(String),
}

/// What it says, here or, where that is much, in a sealed blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Here(Said),
    Blob(String),
}

/// What a comment says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub text: String,
    /// The new words alone, where the text holds more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// Cleaned.
    pub html: Option<String>,
    pub attachments: Vec<AttachmentRef>,
}

impl Said {
    /// Without quoted mail and signature.
    pub fn new_words(&self) -> &str {
        self.reply.as_deref().unwrap_or(&self.text)
    }
}

/// An attachment in a sealed blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentRef {
    pub name: String,
    pub media_type: String,
    pub bytes: u64,
    pub inline: bool,
    pub content_id: Option<String>,
    /// Why it is not handed out by itself, if it could harm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    pub blob: String,
}

/// Where a comment came from by mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailOrigin {
    /// person, auto_reply, ...
    pub kind: String,
    pub message_id: Option<String>,
    pub subject: String,
    /// The sealed original.
    pub raw_blob: String,
    /// Card numbers were cut out of the original before it was kept.
    pub altered: bool,
    /// Another mail with the same Message-ID came before.
    pub message_id_reused: bool,
    /// By which method a server that the mailbox trusts proved the sender: `dmarc`, `dkim`, ...; nobody proved him without one.
    #[serde(default)]
    pub proven_by: Option<String>,
    /// The sender in the header, where he only passed on what the author wrote.
    #[serde(default)]
    pub passed_on_by: Option<Party>,
    /// Whom a forwarded mail names as its sender. It proves nothing.
    #[serde(default)]
    pub forwarded_from: Option<Party>,
    /// What a reader should know of how it was read: names of [`mail::Warning`](crate::mail::Warning).
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Who looks: what he may see follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer<'a> {
    Agent,
    /// The requester with this address, or with none: he sees nothing.
    Requester(Option<&'a str>),
}

impl Viewer<'_> {
    pub fn sees(&self, ticket: &Ticket) -> bool {
        match self {
            Viewer::Agent => true,
            Viewer::Requester(address) => address.is_some() && *address == ticket.requester.address.as_deref(),
        }
    }

    pub fn sees_comment(&self, comment: &Comment) -> bool {
        comment.public || *self == Viewer::Agent
    }
}
