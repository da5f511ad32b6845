//! A mail on its way into a ticket: what is known of it, where its parts go, and all that one commit writes.

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    AttachmentRef, Author, Comment, Content, Desk, Error, MailOrigin, Party, Priority, Said, Status, Ticket, new_ulid, store,
    thread::{self, Known},
    unprocessed::{self, DELIVERY_REMEMBERED, Delivery},
};
use crate::{
    audit,
    ids::{CommentId, Kind, RecordId, TenantId, TicketId, partition},
    keys::TenantKeys,
    mail::{Address, Mail, MailKind},
    ports::{Document, Etag, Fault, NewDocument, Write},
    tenants::Mailbox,
};

/// Attachments of one mail that are sealed and stored at once.
const PARTS_AT_ONCE: usize = 8;

/// What is remembered of a message id. The document of the mail that came with it carries the delivery as its `k1`.
#[derive(Serialize, Deserialize)]
struct MessageRef {
    ticket: TicketId,
    number: u64,
    /// The mail that came with this id; none has come yet if only others refer to it.
    content: Option<String>,
}

/// What is remembered of a mail that has no message id, or one that another mail came with. Carries the delivery too.
#[derive(Serialize, Deserialize)]
struct ContentRef {
    number: u64,
}

/// A mail on its way, with all that does not change from try to try.
pub(super) struct Arrival<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) keys: &'a TenantKeys,
    pub(super) mailbox: &'a Mailbox,
    pub(super) blob: &'a str,
    pub(super) mail: Mail,
    pub(super) altered: bool,
    /// Names the mail in this mailbox: of its bytes as they came.
    pub(super) content: String,
    pub(super) now: OffsetDateTime,
}

impl Arrival<'_> {
    pub(super) fn sender_address(&self) -> Option<String> {
        self.mail.from.as_ref().map(|from| from.address.clone())
    }

    /// Remembers a delivery of a mail that had come before, so that its blob may go.
    pub(super) async fn remember(&self, desk: &Desk, number: u64, delivery: Option<String>) -> Result<(), Error> {
        let Some(delivery) = delivery else { return Ok(()) };
        let document = self.mail_ref(delivery, None, &Delivery::Ticket { number })?;
        match desk.ports.documents.commit(&partition(self.tenant, Kind::MailRef), vec![Write::Create(document)]).await {
            // Somebody else remembered it.
            Ok(_) | Err(Fault::Conflict) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    fn mail_ref<T: Serialize>(&self, id: String, delivery: Option<String>, body: &T) -> Result<NewDocument, Error> {
        let place = partition(self.tenant, Kind::MailRef);
        let expires_at = Some(self.now + DELIVERY_REMEMBERED);
        Ok(self.keys.seal_document(&place, id, Kind::MailRef, [delivery, None, None, None], expires_at, body)?)
    }

    fn content_document(&self) -> String {
        format!("mail:{}", self.content)
    }

    fn delivery(&self) -> unprocessed::Name {
        unprocessed::delivery_name(self.keys, self.mailbox.as_str(), self.blob, "")
    }
}

/// The sealed parts of a mail.
pub(super) struct Parts {
    author: Author,
    content: Content,
    origin: MailOrigin,
}

pub(super) enum Loaded {
    /// This mail is in this ticket already; `delivery` is to be remembered if this one came by another way.
    Seen {
        number: u64,
        delivery: Option<String>,
    },
    Known(Box<(Known, Refs)>),
}

/// References of the mail that are not stored yet, and its own unless a mail has come with it.
pub(super) struct Refs {
    unknown: Vec<String>,
    own: Option<(String, Option<Etag>)>,
    /// The version of the delivery's own document, if it has one.
    delivered: Option<Etag>,
}

pub(super) async fn look_up(desk: &Desk, arrival: &Arrival<'_>) -> Result<Loaded, Error> {
    let (keys, documents) = (arrival.keys, desk.ports.documents.as_ref());
    let place = partition(arrival.tenant, Kind::MailRef);
    let delivery = arrival.delivery();
    let references = thread::references(&arrival.mail);
    let own = arrival.mail.message_id.as_deref().map(|id| message_document(keys, id));
    let content = arrival.content_document();
    let ids: Vec<String> = references.iter().map(|id| message_document(keys, id)).collect();
    let wanted = [&content, &delivery.document].into_iter().chain(own.as_ref()).chain(&ids);
    let mut found = futures::future::try_join_all(wanted.map(|id| documents.get(&place, id))).await?.into_iter();
    let (content, delivered) = (found.next().flatten(), found.next().flatten().map(|document| document.etag));
    let seen = |document: &Document, number| {
        let told = delivered.is_some() || document.keys[0].as_ref() == Some(&delivery.key);
        Loaded::Seen { number, delivery: (!told).then(|| delivery.document.clone()) }
    };
    if let Some(document) = content {
        return Ok(seen(&document, keys.open_document::<ContentRef>(&document)?.number));
    }
    let mut known = Known { own: references.iter().find_map(|id| thread::own_ticket(keys, id)), ..Known::default() };
    let own = match own {
        Some(id) => {
            let stored = found.next().flatten();
            let before: Option<MessageRef> = stored.as_ref().map(|document| keys.open_document(document)).transpose()?;
            if let (Some(document), Some(MessageRef { number, content: Some(content), .. })) = (&stored, &before)
                && *content == arrival.content
            {
                return Ok(seen(document, *number));
            }
            known.itself = before.as_ref().map(|before| (before.ticket, before.content.is_some()));
            // One that a mail has come with stays as it is.
            before.is_none_or(|before| before.content.is_none()).then_some((id, stored.map(|document| document.etag)))
        }
        None => None,
    };
    let mut unknown = Vec::new();
    for (id, document) in ids.into_iter().zip(found) {
        match document {
            Some(document) => known.referenced.push(keys.open_document::<MessageRef>(&document)?.ticket),
            None => unknown.push(id),
        }
    }
    Ok(Loaded::Known(Box::new((known, Refs { unknown, own, delivered }))))
}

pub(super) async fn store_parts(desk: &Desk, arrival: &Arrival<'_>, raw: &[u8]) -> Result<Parts, Error> {
    let (keys, blobs, mail) = (arrival.keys, desk.ports.blobs.as_ref(), &arrival.mail);
    let folder = format!("{}/{}", arrival.tenant, arrival.content);
    let (raw_blob, said_blob) = (format!("{folder}/raw"), format!("{folder}/said"));
    let attachments = mail.attachments.iter().enumerate().map(|(at, attachment)| AttachmentRef {
        name: attachment.name.clone(),
        media_type: attachment.media_type.clone(),
        bytes: attachment.bytes.len() as u64,
        inline: attachment.inline,
        content_id: attachment.content_id.clone(),
        held: attachment.held,
        blob: format!("{folder}/{at}"),
    });
    let reply = (mail.reply != mail.text).then(|| mail.reply.clone());
    let said = Said { text: mail.text.clone(), reply, html: mail.html.clone(), attachments: attachments.collect() };
    let names: Vec<String> = said.attachments.iter().map(|kept| kept.blob.clone()).collect();
    let author = Author::Sender(sender(mail));
    let origin = MailOrigin {
        kind: mail.kind.name().to_owned(),
        message_id: mail.message_id.clone(),
        subject: mail.subject.clone(),
        raw_blob,
        altered: arrival.altered,
        message_id_reused: false,
        proven_by: mail.sender.by.map(str::to_owned),
        forwarded_from: mail.forwarded_from.as_ref().map(party),
        warnings: mail.warnings.iter().map(|warning| warning.name().to_owned()).collect(),
    };
    let (content, long) = store::placed(said, &author, Some(&origin), said_blob.clone())?;
    let attached = names.iter().zip(&mail.attachments).map(|(name, attachment)| (name.as_str(), attachment.bytes.as_slice()));
    let sealed = attached.chain([(origin.raw_blob.as_str(), raw)]).chain(long.as_deref().map(|bytes| (said_blob.as_str(), bytes)));
    let jobs: Vec<_> = sealed.map(|(name, bytes)| store::seal_blob(blobs, keys, name, bytes)).collect();
    stream::iter(jobs).buffer_unordered(PARTS_AT_ONCE).try_for_each(|_| futures::future::ready(Ok(()))).await?;
    Ok(Parts { author, content, origin })
}

pub(super) fn opened(desk: &Desk, arrival: &Arrival<'_>, number: u64) -> Ticket {
    Ticket {
        id: TicketId::new(new_ulid(desk.ports.entropy.as_ref(), arrival.now)),
        number,
        subject: arrival.mail.subject.clone(),
        mailbox: arrival.mailbox.clone(),
        requester: sender(&arrival.mail),
        requester_proven: arrival.mail.sender.by.is_some(),
        cc: Vec::new(),
        status: Status::New,
        priority: Priority::default(),
        assignee: None,
        category: None,
        tags: Vec::new(),
        due_at: None,
        links: Vec::new(),
        merged_into: None,
        created_at: arrival.now,
        updated_at: arrival.now,
        solved_at: None,
        comments: 1,
        last_message_id: arrival.mail.message_id.clone(),
    }
}

pub(super) fn continued(mut ticket: Ticket, arrival: &Arrival<'_>) -> Ticket {
    ticket.updated_at = ticket.updated_at.max(arrival.now);
    ticket.comments += 1;
    if matches!(arrival.mail.kind, MailKind::Person | MailKind::Bulk) {
        // A person answered: what rested is open again. A machine's answer changes nothing.
        if matches!(ticket.status, Status::Pending | Status::Solved) {
            ticket.status = Status::InProgress;
        }
        ticket.last_message_id = arrival.mail.message_id.clone().or(ticket.last_message_id);
    }
    ticket
}

pub(super) fn writes(
    desk: &Desk,
    arrival: &Arrival<'_>,
    ticket: &Ticket,
    read: Option<Etag>,
    parts: &Parts,
    message_id_reused: bool,
    refs: &Refs,
) -> Result<Vec<Write>, Error> {
    let Arrival { tenant, keys, now, .. } = arrival;
    let entropy = desk.ports.entropy.as_ref();
    let action = if read.is_none() { audit::Action::TicketOpened } else { audit::Action::CommentAdded };
    let comment = Comment {
        id: CommentId::new(new_ulid(entropy, *now)),
        ticket: ticket.id,
        at: *now,
        public: true,
        author: parts.author.clone(),
        content: parts.content.clone(),
        mail: Some(MailOrigin { message_id_reused, ..parts.origin.clone() }),
    };
    let mut writes = vec![store::ticket_write(keys, tenant, ticket, read)?, store::comment_write(keys, tenant, &comment)?];
    let delivery = arrival.delivery();
    let message_ref = |content| MessageRef { ticket: ticket.id, number: ticket.number, content };
    // One document remembers the mail and its delivery: by its message id where that is its own, else by its content.
    writes.push(match &refs.own {
        Some((id, before)) => {
            let own = arrival.mail_ref(id.clone(), Some(delivery.key), &message_ref(Some(arrival.content.clone())))?;
            create_or_replace(own, before.clone())
        }
        None => Write::Create(arrival.mail_ref(arrival.content_document(), Some(delivery.key), &ContentRef { number: ticket.number })?),
    });
    // It became a record before.
    if refs.delivered.is_some() {
        let delivered = arrival.mail_ref(delivery.document, None, &Delivery::Ticket { number: ticket.number })?;
        writes.push(create_or_replace(delivered, refs.delivered.clone()));
    }
    for id in &refs.unknown {
        writes.push(Write::Create(arrival.mail_ref(id.clone(), None, &message_ref(None))?));
    }
    writes.push(store::usage_write(keys, tenant, comment.id, *now)?);
    let event = audit::Event { at: *now, actor: "intake".to_owned(), action, target: comment.id.to_string() };
    writes.push(audit::record(keys, tenant, RecordId::new(new_ulid(entropy, *now)), &event)?);
    Ok(writes)
}

fn create_or_replace(document: NewDocument, before: Option<Etag>) -> Write {
    match before {
        Some(etag) => Write::Replace { document, etag },
        None => Write::Create(document),
    }
}

fn message_document(keys: &TenantKeys, message_id: &str) -> String {
    format!("mail:{}", keys.index("message-id", &[message_id.as_bytes()]))
}

fn sender(mail: &Mail) -> Party {
    mail.from.as_ref().map_or(Party { address: None, name: None }, party)
}

fn party(address: &Address) -> Party {
    Party { address: Some(address.address.clone()), name: address.name.clone() }
}

/// Whether a mail of this kind opens a ticket. Alerts and lists do: help desks live from the former, and a mailbox behind a list would lose
/// people with the latter.
pub(super) fn opens_ticket(kind: MailKind) -> bool {
    match kind {
        MailKind::Person | MailKind::Automatic | MailKind::Bulk => true,
        MailKind::AutoReply | MailKind::Bounce | MailKind::Delayed | MailKind::Complaint | MailKind::Calendar => false,
    }
}
