//! What is remembered of mails: which message id stands in which ticket, and that a mail and its delivery were dealt with.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    Desk, Error, Ticket, Why, address,
    arrival::Arrival,
    rates, store,
    thread::{self, Known},
    unprocessed::{self, DELIVERY_REMEMBERED, Delivery},
};
use crate::{
    ids::{Kind, TicketId, partition},
    keys::TenantKeys,
    mail::Mail,
    ports::{Document, Etag, Fault, NewDocument, Write},
    tenants::Mailbox,
};

/// How far the date of a mail may be from the day on which it comes, if what it says is to be compared.
const DATE_OFF_MAX: Duration = Duration::days(7);

/// What is remembered of a message id. The document of the mail that came with it carries the delivery as its `k1`, and what limits count as `k2` and `k3`.
#[derive(Serialize, Deserialize)]
struct MessageRef {
    ticket: TicketId,
    number: u64,
    /// The mail that came with this id; none has come yet if only others refer to it.
    content: Option<String>,
    /// What it says, whatever way it came.
    words: Option<String>,
    /// The tickets of the same mail in other mailboxes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    elsewhere: Vec<Elsewhere>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Elsewhere {
    mailbox: Mailbox,
    ticket: TicketId,
}

impl MessageRef {
    /// The ticket that the id stands in for mail to this mailbox.
    fn ticket_for(&self, mailbox: &Mailbox) -> TicketId {
        self.elsewhere.iter().find(|elsewhere| elsewhere.mailbox == *mailbox).map_or(self.ticket, |elsewhere| elsewhere.ticket)
    }
}

/// What is remembered of a mail that has no message id, or one that another mail came with. Carries the same keys.
#[derive(Serialize, Deserialize)]
struct ContentRef {
    number: u64,
}

pub(super) enum Loaded {
    /// This mail is in this ticket already; `untold` is to be remembered if this one came by another way.
    Seen {
        number: u64,
        untold: Option<Box<Untold>>,
    },
    Known(Box<(Known, Refs)>),
}

/// A delivery of which it is not remembered that its mail is in a ticket.
pub(super) struct Untold {
    document: String,
    /// That it became a record, if it did.
    before: Option<Document>,
}

/// References of the mail that are not stored yet, and its own.
pub(super) struct Refs {
    unknown: Vec<String>,
    /// Its own, unless a mail has come with it.
    own: Option<(String, Option<Etag>)>,
    /// Its own, if another mail has come with it.
    shared: Option<(Document, MessageRef)>,
    /// The delivery's own document, if it has one.
    delivered: Option<Document>,
}

pub(super) async fn look_up(desk: &Desk, arrival: &Arrival<'_>) -> Result<Loaded, Error> {
    let (keys, documents) = (arrival.keys, desk.ports.documents.as_ref());
    let place = partition(&arrival.tenant.id, Kind::MailRef);
    let delivery = arrival.delivery();
    let references = thread::references(&arrival.mail);
    let own = arrival.mail.message_id.as_deref().map(|id| message_document(keys, id));
    let content = content_document(arrival);
    let ids: Vec<String> = references.iter().map(|id| message_document(keys, id)).collect();
    let wanted = [&content, &delivery.document].into_iter().chain(own.as_ref()).chain(&ids);
    let mut found = futures::future::try_join_all(wanted.map(|id| documents.get(&place, id))).await?.into_iter();
    let (content, delivered) = (found.next().flatten(), found.next().flatten());
    let seen = |document: &Document, number| {
        let is_told = match &delivered {
            Some(delivered) => matches!(unprocessed::readable(keys, delivered), Some(Delivery::Ticket { .. })),
            None => document.keys[0].as_ref() == Some(&delivery.key),
        };
        let untold = (!is_told).then(|| Box::new(Untold { document: delivery.document.clone(), before: delivered.clone() }));
        Loaded::Seen { number, untold }
    };
    if let Some(document) = content {
        return Ok(seen(&document, keys.open_document::<ContentRef>(&document)?.number));
    }
    let own_address = || arrival.mail.to.iter().chain(&arrival.mail.cc).find_map(|to| address::ticket_of(keys, &to.address));
    let answered = references.iter().find_map(|id| thread::own_ticket(keys, id)).or_else(own_address);
    let mut known = Known { own: answered, ..Known::default() };
    let mut refs = Refs { unknown: Vec::new(), own: None, shared: None, delivered: None };
    if let Some(id) = own {
        let stored = found.next().flatten();
        match stored.map(|document| Ok::<_, Error>((keys.open_document::<MessageRef>(&document)?, document))).transpose()? {
            Some((before, document)) if before.content.as_ref() == Some(&arrival.content) => return Ok(seen(&document, before.number)),
            // One that a mail has come with stays as it is.
            Some((before, document)) if before.content.is_some() => {
                known.same_id = Some(before.ticket_for(arrival.mailbox));
                known.says_the_same = before.words.is_some() && before.words == arrival.words;
                refs.shared = Some((document, before));
            }
            Some((before, document)) => {
                known.awaited = Some(before.ticket);
                refs.own = Some((id, Some(document.etag)));
            }
            None => refs.own = Some((id, None)),
        }
    }
    for (id, document) in ids.into_iter().zip(found) {
        match document {
            Some(document) => {
                let reference: MessageRef = keys.open_document(&document)?;
                known.referenced.push((reference.ticket_for(arrival.mailbox), reference.content.is_some()));
            }
            None => refs.unknown.push(id),
        }
    }
    if let Some(number) = thread::number_in(&arrival.mail.subject).filter(|_| arrival.is_proven()) {
        known.numbered = store::numbered(desk, keys, &arrival.tenant.id, number).await?;
    }
    refs.delivered = delivered;
    Ok(Loaded::Known(Box::new((known, refs))))
}

impl Refs {
    /// Whether another mail has come with the mail's Message-ID.
    pub(super) fn message_id_reused(&self) -> bool {
        self.shared.is_some()
    }

    /// The delivery, if its mail is in a ticket already.
    pub(super) fn untold(self, arrival: &Arrival<'_>) -> Box<Untold> {
        Box::new(Untold { document: arrival.delivery().document, before: self.delivered })
    }

    /// The record that the delivery had become, closed.
    pub(super) async fn closing(&self, desk: &Desk, arrival: &Arrival<'_>, number: u64) -> Result<Option<Write>, Error> {
        match &self.delivered {
            Some(delivered) => unprocessed::closing(desk, arrival.keys, &arrival.tenant.id, delivered, number).await,
            None => Ok(None),
        }
    }

    /// What remembers the mail, its delivery and what it refers to, with the commit that makes it a comment of this ticket.
    pub(super) fn writes(&self, arrival: &Arrival<'_>, ticket: &Ticket, link: Option<Why>) -> Result<Vec<Write>, Error> {
        let (delivery, rates) = (arrival.delivery(), rates::keys(arrival));
        let message_ref = |content, words| MessageRef { ticket: ticket.id, number: ticket.number, content, words, elsewhere: Vec::new() };
        let clear = [Some(delivery.key), Some(rates.sender), rates.mailbox, None];
        // One document remembers the mail and its delivery: by its message id where that is its own, else by its content.
        let mut writes = vec![match &self.own {
            Some((id, before)) => {
                let own = message_ref(Some(arrival.content.clone()), arrival.words.clone());
                Write::put(mail_ref(arrival, id.clone(), clear, &own)?, before.clone())
            }
            None => Write::Create(mail_ref(arrival, content_document(arrival), clear, &ContentRef { number: ticket.number })?),
        }];
        if let (Some((document, before)), Some(Why::SameMail)) = (&self.shared, link) {
            writes.push(elsewhere(arrival, document, before, ticket)?);
        }
        // It became a record before.
        if let Some(before) = &self.delivered {
            let delivered = mail_ref(arrival, delivery.document, Default::default(), &in_ticket(arrival, ticket.number))?;
            writes.push(Write::put(delivered, Some(before.etag.clone())));
        }
        for id in &self.unknown {
            writes.push(Write::Create(mail_ref(arrival, id.clone(), Default::default(), &message_ref(None, None))?));
        }
        Ok(writes)
    }
}

/// Remembers a delivery of a mail that had come before, so that its blob may go.
pub(super) async fn remember(desk: &Desk, arrival: &Arrival<'_>, number: u64, untold: Box<Untold>) -> Result<(), Error> {
    let remembered = mail_ref(arrival, untold.document, Default::default(), &in_ticket(arrival, number))?;
    let mut writes = vec![Write::put(remembered, untold.before.as_ref().map(|before| before.etag.clone()))];
    if let Some(before) = &untold.before {
        writes.extend(unprocessed::closing(desk, arrival.keys, &arrival.tenant.id, before, number).await?);
    }
    match desk.ports.documents.commit(&partition(&arrival.tenant.id, Kind::MailRef), writes).await {
        // Somebody else remembered it.
        Err(Fault::Conflict) if untold.before.is_none() => Ok(()),
        done => Ok(done.map(drop)?),
    }
}

fn in_ticket(arrival: &Arrival<'_>, number: u64) -> Delivery {
    Delivery::Ticket { number, content: Some(arrival.content.clone()) }
}

/// A message id that is known, with one mailbox more.
fn elsewhere(arrival: &Arrival<'_>, document: &Document, before: &MessageRef, ticket: &Ticket) -> Result<Write, Error> {
    let mut elsewhere = before.elsewhere.clone();
    elsewhere.retain(|other| other.mailbox != *arrival.mailbox);
    elsewhere.push(Elsewhere { mailbox: arrival.mailbox.clone(), ticket: ticket.id });
    let body = MessageRef { content: before.content.clone(), words: before.words.clone(), elsewhere, ..*before };
    let changed = mail_ref(arrival, document.id.clone(), document.keys.clone(), &body)?;
    Ok(Write::Replace { document: changed, etag: document.etag.clone() })
}

fn mail_ref<T: Serialize>(arrival: &Arrival<'_>, id: String, clear: [Option<String>; 4], body: &T) -> Result<NewDocument, Error> {
    let place = partition(&arrival.tenant.id, Kind::MailRef);
    let expires_at = Some(arrival.now + DELIVERY_REMEMBERED);
    Ok(arrival.keys.seal_document(&place, id, Kind::MailRef, clear, expires_at, body)?)
}

/// What a mail says, whatever servers wrote into its header on its way, what kind it is, and whether its sender is proven. None without a date of these days:
/// machines that know no time say the same again and mean it.
pub(super) fn words(keys: &TenantKeys, mail: &Mail, now: OffsetDateTime) -> Option<String> {
    let author = mail.author().map_or("", |author| author.address.as_str());
    let date = mail.date.filter(|at| (now - *at).abs() <= DATE_OFF_MAX)?.unix_timestamp().to_string();
    let proven = if mail.is_proven() { "proven" } else { "" };
    let texts = [author, &date, &mail.subject, &mail.text, mail.html.as_deref().unwrap_or(""), mail.kind.name(), proven];
    let mut parts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    for attachment in &mail.attachments {
        parts.extend([attachment.name.as_bytes(), &attachment.bytes[..]]);
    }
    Some(keys.index("mail-words", &parts))
}

/// The name of a mail in a mailbox, by its bytes as they are kept.
pub(super) fn content(keys: &TenantKeys, mailbox: &Mailbox, kept: &[u8]) -> String {
    keys.index("mail-content", &[mailbox.as_str().as_bytes(), kept])
}

fn content_document(arrival: &Arrival<'_>) -> String {
    format!("mail:{}", arrival.content)
}

fn message_document(keys: &TenantKeys, message_id: &str) -> String {
    format!("mail:{}", keys.index("message-id", &[message_id.as_bytes()]))
}

impl Arrival<'_> {
    fn delivery(&self) -> unprocessed::Name {
        unprocessed::delivery_name(self.keys, self.mailbox.as_str(), self.blob, "")
    }
}
