//! A ticket that is opened over HTTP: by a requester for himself, or by an agent for somebody.

use time::OffsetDateTime;

use super::{
    Author, Change, Comment, Content, Desk, Error, PARTY_NAME_CHARACTERS_MAX, Party, Said, Ticket,
    change::{self, name_within},
    comment, contacts, due, history,
    idempotency::{self, Request},
    new_ulid, store,
};
use crate::{
    audit,
    ids::{CommentId, Kind, TenantId, TicketId, partition},
    keys::TenantKeys,
    mail::{address, redact::redact_text},
    ports::{Etag, TRYING_FOR_A_CALLER, Tries, first_version},
    tenants::{self, Mailbox, Tenant},
};

/// What somebody asks for.
pub struct NewTicket<'a> {
    pub subject: &'a str,
    pub text: &'a str,
    /// Answers come from it; without it from the tenant's only one.
    pub mailbox: Option<Mailbox>,
    pub requester: Party,
    /// Whether he is who he says.
    pub requester_proven: bool,
    pub author: Author,
    /// What else is set, as a change of the new ticket.
    pub set: Change,
    /// The token's subject.
    pub actor: &'a str,
    /// If the caller may ask again.
    pub request: Option<Request<'a>>,
}

/// Opens a ticket with its first comment, once for each request that names a key.
pub async fn create_ticket(desk: &Desk, id: &TenantId, new: &NewTicket<'_>) -> Result<(Ticket, Etag), Error> {
    let subject = change::subject_of(new.subject)?;
    let text = comment::words(new.text).ok_or(Error::BadTicket)?;
    let keys = desk.keyring.keys(id).await?;
    let (tenant, _) = tenants::get(desk.ports.documents.as_ref(), &desk.keyring, id).await?.ok_or(tenants::Error::NotFound)?;
    let now = desk.ports.clock.now();
    let id = TicketId::new(new_ulid(desk.ports.entropy.as_ref(), now));
    let mut draft = Draft { id, subject, text, now, number: None, content: None };
    let mut tries = Tries::within(TRYING_FOR_A_CALLER);
    loop {
        match create_once(desk, &keys, &tenant, new, &mut draft).await {
            Err(error) if error.is_conflict() => {
                // A commit whose answer was lost, and that was sent again, meets itself.
                if let Some(made) = store::ticket(desk, &keys, &tenant.id, draft.id).await? {
                    return Ok(made);
                }
                if !tries.again(desk.ports.entropy.as_ref()).await {
                    return Err(error);
                }
            }
            done => return done,
        }
    }
}

/// What does not change from try to try.
struct Draft {
    id: TicketId,
    subject: String,
    text: String,
    now: OffsetDateTime,
    number: Option<u64>,
    content: Option<(CommentId, Content)>,
}

async fn create_once(desk: &Desk, keys: &TenantKeys, tenant: &Tenant, new: &NewTicket<'_>, draft: &mut Draft) -> Result<(Ticket, Etag), Error> {
    if let Some(request) = new.request
        && let Some(made) = idempotency::made(desk, keys, &tenant.id, request).await?
    {
        let made: TicketId = made.parse().map_err(|_| Error::NotFound)?;
        return store::ticket(desk, keys, &tenant.id, made).await?.ok_or(Error::NotFound);
    }
    let mailbox = mailbox(tenant, new.mailbox.as_ref())?;
    change::is_no_mailbox_of(tenant, std::slice::from_ref(&new.requester))?;
    change::is_no_mailbox_of(tenant, new.set.cc.as_deref().unwrap_or_default())?;
    let (now, entropy, id) = (draft.now, desk.ports.entropy.as_ref(), draft.id);
    // What is asked for is looked at before a number is taken and words are stored.
    let mut empty = Ticket::opened(id, 0, draft.subject.clone(), mailbox, new.requester.clone(), now);
    let mut ticket = change::changed(empty.clone(), &change::checked(&new.set)?, now, &tenant.settings)?;
    let number = match draft.number {
        Some(number) => number,
        None => *draft.number.insert(desk.numbers.next(desk.ports.documents.as_ref(), keys, &tenant.id).await?),
    };
    let (comment, content) = match draft.content.take() {
        Some(content) => content,
        None => content(desk, keys, tenant, new, &draft.text, now).await?,
    };
    let (comment, content) = draft.content.insert((comment, content)).clone();
    (empty.number, ticket.number) = (number, number);
    ticket.requester_proven = new.requester_proven;
    if matches!(new.author, Author::Agent(_)) {
        // The desk spoke first: nobody waits for its answer.
        ticket.clocks.answered(now, &tenant.settings);
    }
    let comment = Comment { id: comment, ticket: id, at: now, public: true, author: new.author.clone(), content, mail: None };
    let event = audit::Event::new(now, new.actor, audit::Action::TicketOpened, id);
    let mut writes = vec![
        store::ticket_write(keys, &tenant.id, &ticket, None)?,
        store::comment_write(keys, &tenant.id, &comment)?,
        store::usage_write(keys, &tenant.id, comment.id, now)?,
        audit::record(keys, &tenant.id, entropy, &event)?,
    ];
    writes.extend(history::write(desk, keys, &tenant.id, &empty, &ticket, new.actor, now)?);
    writes.extend(due::write(desk, keys, &tenant.id, &empty, &ticket).await?);
    writes.extend(contacts::first_seen(desk, keys, &tenant.id, &ticket.requester, now).await?);
    if let Some(request) = new.request {
        writes.push(idempotency::remember(keys, &tenant.id, request, id.to_string(), now)?);
    }
    let etags = desk.ports.documents.commit(&partition(&tenant.id, Kind::Ticket), writes).await?;
    Ok((ticket, first_version(etags)?))
}

/// The first comment's id and words, stored once.
async fn content(
    desk: &Desk,
    keys: &TenantKeys,
    tenant: &Tenant,
    new: &NewTicket<'_>,
    text: &str,
    now: OffsetDateTime,
) -> Result<(CommentId, Content), Error> {
    let id = CommentId::new(new_ulid(desk.ports.entropy.as_ref(), now));
    let said = Said { text: text.to_owned(), reply: None, html: None, attachments: Vec::new() };
    Ok((id, store::kept(desk, keys, &tenant.id, (id, new.request), &new.author, said).await?))
}

/// The mailbox that is meant, if it is the tenant's.
fn mailbox(tenant: &Tenant, named: Option<&Mailbox>) -> Result<Mailbox, Error> {
    match (named, tenant.mailboxes.as_slice()) {
        (Some(named), own) if own.contains(named) => Ok(named.clone()),
        (None, [only]) => Ok(only.clone()),
        _ => Err(Error::WhichMailbox),
    }
}

/// Somebody by his address, in lower case, and his name.
pub fn party(written: &str, name: Option<&str>) -> Result<Party, Error> {
    let address = address::given(written).ok_or(Error::BadParty)?;
    let name = name.map(|name| name_within(PARTY_NAME_CHARACTERS_MAX, name).ok_or(Error::BadParty)).transpose()?.map(|name| redact_text(&name).0);
    Ok(Party { address: Some(address), name })
}
