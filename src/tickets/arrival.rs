//! A mail on its way into a ticket: what is known of it, where its parts go, and all that one commit writes.

use std::borrow::Cow;

use futures::{StreamExt, TryStreamExt, stream};
use time::{Duration, OffsetDateTime};

use super::{
    AttachmentRef, Author, Comment, Content, Desk, Error, INTAKE, MailOrigin, Party, Said, Status, Ticket, new_ulid, store,
    thread::{self, Facts},
};
use crate::{
    audit,
    ids::{CommentId, TicketId},
    keys::TenantKeys,
    mail::{Address, Mail, MailKind},
    ports::{Etag, Write},
    tenants::{Mailbox, Tenant},
};

/// Attachments of one mail that are sealed and stored at once.
const PARTS_AT_ONCE: usize = 8;

/// Hexadecimal digits of the part of a blob's name that tells what is in it.
const PART_DIGITS: usize = 16;

/// The warning of a comment whose mail names more people than a ticket has room for in copy.
const COPIES_LEFT_OUT: &str = "copies_left_out";

/// A mail on its way, with all that does not change from try to try.
pub(super) struct Arrival<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) keys: &'a TenantKeys,
    pub(super) mailbox: &'a Mailbox,
    pub(super) blob: &'a str,
    /// Somebody looked at it: no limit holds it.
    pub(super) let_go: bool,
    pub(super) mail: Mail,
    pub(super) altered: bool,
    /// Names the mail in this mailbox: of its bytes as they are kept, without card numbers.
    pub(super) content: String,
    /// Names what it says, if that may be compared.
    pub(super) words: Option<String>,
    /// The comment that it becomes.
    pub(super) comment: CommentId,
    pub(super) now: OffsetDateTime,
}

impl Arrival<'_> {
    fn sender(&self) -> Party {
        self.mail.author().map_or(Party { address: None, name: None }, party)
    }

    pub(super) fn sender_address(&self) -> Option<String> {
        self.mail.author().map(|author| author.address.clone())
    }

    pub(super) fn is_proven(&self) -> bool {
        self.mail.is_proven()
    }

    /// Whether we sent the mail ourselves, from one of the tenant's mailboxes: it came back by a rule that passes mail on.
    pub(super) fn is_our_own(&self) -> bool {
        let mark = |mailbox: &Mailbox| thread::loop_mark(self.keys, mailbox);
        let is_marked = self.mail.loop_mark.as_ref().is_some_and(|found| self.tenant.mailboxes.iter().any(|mailbox| mark(mailbox) == *found));
        // Some gateways drop headers that they do not know.
        is_marked || self.mail.message_id.as_deref().is_some_and(|id| thread::own_ticket(self.keys, id).is_some())
    }

    /// Whether a person speaks, for himself or to a list.
    pub(super) fn is_person(&self) -> bool {
        matches!(self.mail.kind, MailKind::Person | MailKind::Bulk)
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            address: self.mail.author().map(|author| author.address.as_str()),
            proven: self.is_proven(),
            is_person: self.is_person(),
            mailbox: self.mailbox,
            now: self.now,
            reopen: Duration::days(self.tenant.settings.reopen_days.into()),
        }
    }

    /// Where else answers are to go, and whom else the mail went to, but our own mailboxes.
    fn others(&self) -> impl Iterator<Item = Party> {
        let Mail { reply_to, to, cc, .. } = &self.mail;
        reply_to.iter().chain(to).chain(cc).filter(|address| !self.tenant.has_mailbox(&address.address)).map(party)
    }
}

/// A form or a group that names one of our own mailboxes as the author speaks for itself.
pub(super) fn not_by_us(mut mail: Mail, own: &[Mailbox]) -> Mail {
    mail.written_by = mail.written_by.filter(|author| !own.iter().any(|mailbox| mailbox.is_the_one_of(&author.address)));
    mail
}

/// The parts of a mail.
pub(super) struct Parts<'a> {
    author: Author,
    content: Content,
    origin: MailOrigin,
    /// What goes into blobs, by name, until it is there.
    blobs: Vec<(String, Cow<'a, [u8]>)>,
}

pub(super) fn parts<'a>(arrival: &'a Arrival<'_>, raw: &'a [u8]) -> Result<Parts<'a>, Error> {
    let mail = &arrival.mail;
    let folder = format!("{}/{}", arrival.tenant.id, arrival.content);
    // Each by what is in it too: another version may read the same mail otherwise, and what it left there is not this.
    let named = |part: &str, bytes: &[u8]| format!("{folder}/{part}.{}", &arrival.keys.index("part", &[bytes])[..PART_DIGITS]);
    let raw_blob = format!("{folder}/raw");
    let attachments = mail.attachments.iter().enumerate().map(|(at, attachment)| AttachmentRef {
        name: attachment.name.clone(),
        media_type: attachment.media_type.clone(),
        bytes: attachment.bytes.len() as u64,
        inline: attachment.inline,
        content_id: attachment.content_id.clone(),
        held: attachment.held,
        blob: named(&at.to_string(), &attachment.bytes),
    });
    let reply = (mail.reply != mail.text).then(|| mail.reply.clone());
    let said = Said { text: mail.text.clone(), reply, html: mail.html.clone(), attachments: attachments.collect() };
    let names: Vec<String> = said.attachments.iter().map(|kept| kept.blob.clone()).collect();
    let author = Author::Sender(arrival.sender());
    let origin = MailOrigin {
        kind: mail.kind.name().to_owned(),
        message_id: mail.message_id.clone(),
        subject: mail.subject.clone(),
        raw_blob,
        altered: arrival.altered,
        message_id_reused: false,
        proven_by: mail.sender.by.filter(|_| mail.is_proven()).map(str::to_owned),
        passed_on_by: mail.written_by.as_ref().and(mail.from.as_ref()).map(party),
        forwarded_from: mail.forwarded_from.as_ref().map(party),
        warnings: mail.warnings.iter().map(|warning| warning.name().to_owned()).collect(),
    };
    let (content, long) = store::placed(said, &author, Some(&origin), |bytes| named("said", bytes))?;
    let attached = names.into_iter().zip(&mail.attachments).map(|(name, attachment)| (name, Cow::from(&attachment.bytes)));
    let whole = (origin.raw_blob.clone(), Cow::from(raw));
    let blobs = attached.chain([whole]).chain(long.map(|long| (long.blob, Cow::from(long.bytes)))).collect();
    Ok(Parts { author, content, origin, blobs })
}

impl Parts<'_> {
    /// Seals and stores what goes into blobs.
    pub(super) async fn store(&self, desk: &Desk, keys: &TenantKeys) -> Result<(), Error> {
        let jobs: Vec<_> = self.blobs.iter().map(|(name, bytes)| store::seal_blob(desk.ports.blobs.as_ref(), keys, name, bytes)).collect();
        stream::iter(jobs).buffer_unordered(PARTS_AT_ONCE).try_for_each(|_| futures::future::ready(Ok(()))).await
    }

    /// From now on they are there: another try of the commit does not store them again.
    pub(super) fn are_stored(&mut self) {
        self.blobs.clear();
    }
}

/// A ticket that the mail opens, and whether there was room for all whom it copies.
pub(super) fn opened(desk: &Desk, arrival: &Arrival<'_>, number: u64) -> (Ticket, bool) {
    let Arrival { mail, now, .. } = arrival;
    let id = TicketId::new(new_ulid(desk.ports.entropy.as_ref(), *now));
    let mut ticket = Ticket::opened(id, number, mail.subject.clone(), arrival.mailbox.clone(), arrival.sender(), *now);
    ticket.heard(mail.message_id.as_deref());
    ticket.requester_proven = arrival.is_proven();
    // Whoever is not proven names others as he likes.
    let all = !ticket.requester_proven || ticket.copy_to(arrival.others());
    (ticket, all)
}

/// A ticket that the mail joins, and whether there was room for all whom it copies. If the mail does not count it is only heard.
pub(super) fn continued(before: &Ticket, arrival: &Arrival<'_>, counts: bool) -> (Ticket, bool) {
    let (mut ticket, mut all) = (before.clone(), true);
    ticket.grown(is_for_everybody(arrival.mail.kind));
    if counts && arrival.is_person() {
        // A person answered: what rested is open again. A machine's answer changes nothing.
        if !ticket.status.is_open() {
            ticket.turn(Status::InProgress, arrival.now, &arrival.tenant.settings);
        }
        ticket.clocks.asked(arrival.now);
        ticket.heard(arrival.mail.message_id.as_deref());
        if arrival.is_proven() && arrival.sender_address().is_some_and(|address| ticket.takes_part(&address)) {
            all = ticket.copy_to(arrival.others());
        }
    }
    ticket.changed_from(before, arrival.now);
    (ticket, all)
}

/// The comment that the mail becomes.
pub(super) fn comment(arrival: &Arrival<'_>, ticket: TicketId, parts: &Parts<'_>, message_id_reused: bool, all_are_copied: bool) -> Comment {
    let mut warnings = parts.origin.warnings.clone();
    if !all_are_copied {
        warnings.push(COPIES_LEFT_OUT.to_owned());
    }
    Comment {
        id: arrival.comment,
        ticket,
        at: arrival.now,
        public: is_for_everybody(arrival.mail.kind),
        author: parts.author.clone(),
        content: parts.content.clone(),
        mail: Some(MailOrigin { message_id_reused, warnings, ..parts.origin.clone() }),
    }
}

/// All that one commit writes: the ticket, which is new or replaces what was `read`, the comment, what is remembered of the mail, and the event.
pub(super) fn writes(desk: &Desk, arrival: &Arrival<'_>, ticket: &Ticket, read: Option<Etag>, comment: &Comment) -> Result<Vec<Write>, Error> {
    let Arrival { tenant, keys, now, .. } = arrival;
    let action = if read.is_none() { audit::Action::TicketOpened } else { audit::Action::CommentAdded };
    let event = audit::Event::new(*now, INTAKE, action, comment.id);
    Ok(vec![
        store::ticket_write(keys, &tenant.id, ticket, read)?,
        store::comment_write(keys, &tenant.id, comment)?,
        store::usage_write(keys, &tenant.id, comment.id, *now)?,
        audit::record(keys, &tenant.id, desk.ports.entropy.as_ref(), &event)?,
    ])
}

fn party(address: &Address) -> Party {
    Party { address: Some(address.address.clone()), name: address.name.clone() }
}

/// Whether the requester sees what a mail of this kind says. Reports on our own mail are the desk's affair.
fn is_for_everybody(kind: MailKind) -> bool {
    match kind {
        MailKind::Person | MailKind::Automatic | MailKind::Bulk | MailKind::AutoReply | MailKind::Calendar => true,
        MailKind::Bounce | MailKind::Delayed | MailKind::Complaint => false,
    }
}

/// Whether a mail of this kind opens a ticket. Alerts and lists do: help desks live from the former, and a mailbox behind a list would lose
/// people with the latter.
pub(super) fn opens_ticket(kind: MailKind) -> bool {
    match kind {
        MailKind::Person | MailKind::Automatic | MailKind::Bulk => true,
        MailKind::AutoReply | MailKind::Bounce | MailKind::Delayed | MailKind::Complaint | MailKind::Calendar => false,
    }
}
