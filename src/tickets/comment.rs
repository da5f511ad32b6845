//! What agents and requesters say over HTTP: a comment, and, if an agent says it for all to see, a mail in the same commit.

use time::OffsetDateTime;

use super::{
    Author, Comment, Content, Desk, Error, Said, Status, Ticket, Viewer, history,
    idempotency::{self, Request},
    letters::{self, Letter},
    links, new_ulid, signatures, store, thread,
    uploads::{self, Taken},
};
use crate::{
    audit,
    ids::{CommentId, Kind, RecordId, TenantId, TicketId, partition},
    keys::TenantKeys,
    mail::{line, redact::redact_text},
    ports::{Etag, TRYING_FOR_A_CALLER, Tries, Write},
    tenants::{self, Purpose, Settings, Tenant},
};

/// Characters of a comment.
pub const COMMENT_CHARACTERS_MAX: usize = 50_000;
/// Bytes of memory that a byte of an attachment takes while its mail is made: itself, in base64, sealed.
const MEMORY_FOR_AN_ATTACHED_BYTE: u64 = 4;

/// What somebody says.
pub struct NewComment<'a> {
    pub ticket: TicketId,
    pub text: &'a str,
    /// What a requester says always is.
    pub public: bool,
    /// Who speaks: he must see the ticket.
    pub viewer: Viewer<'a>,
    /// The token's subject.
    pub subject: &'a str,
    /// What he sent before.
    pub uploads: &'a [RecordId],
    /// If the caller may ask again.
    pub request: Option<Request<'a>>,
}

impl NewComment<'_> {
    fn is_an_agents(&self) -> bool {
        self.viewer == Viewer::Agent
    }

    fn is_public(&self) -> bool {
        self.public || !self.is_an_agents()
    }
}

/// Adds a comment, once for each request that names a key. A public one of an agent leaves as a mail to the requester and to who is in copy, if they
/// have addresses. One of the requester opens the ticket again, as a mail of his would, however long ago it was solved: he says which one he means.
pub async fn add_comment(desk: &Desk, id: &TenantId, new: &NewComment<'_>) -> Result<Comment, Error> {
    let text = words(new.text).ok_or(Error::BadComment)?;
    let keys = desk.keyring.keys(id).await?;
    let (tenant, _) = tenants::get(desk.ports.documents.as_ref(), &desk.keyring, id).await?.ok_or(tenants::Error::NotFound)?;
    let at = desk.ports.clock.now();
    let mut draft = Drafted { id: CommentId::new(new_ulid(desk.ports.entropy.as_ref(), at)), at, text: &text, content: None };
    let work = Work { desk, keys: &keys, tenant: &tenant, new };
    let mut tries = Tries::within(TRYING_FOR_A_CALLER);
    loop {
        match add_once(&work, &mut draft).await {
            Err(error) if error.is_conflict() => {
                // A commit whose answer was lost, and that was sent again, meets itself.
                if let Ok(made) = store::seen_comment(desk, id, new.viewer, new.ticket, draft.id).await {
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

/// What somebody says, as it may be kept and sent, if it is something and not too much.
pub(super) fn words(text: &str) -> Option<String> {
    let text = line::text(text).filter(|text| text.chars().count() <= COMMENT_CHARACTERS_MAX)?;
    Some(redact_text(&text).0)
}

struct Work<'a> {
    desk: &'a Desk,
    keys: &'a TenantKeys,
    tenant: &'a Tenant,
    new: &'a NewComment<'a>,
}

/// What does not change from try to try, so that all of them name one blob. Whose process is killed in between, and who is refused after it was stored, leaves
/// it sealed and named by nothing, until the request is sent again with its key.
struct Drafted<'a> {
    id: CommentId,
    at: OffsetDateTime,
    text: &'a str,
    /// Stored by the first try that finds the ticket.
    content: Option<Content>,
}

async fn add_once(work: &Work<'_>, draft: &mut Drafted<'_>) -> Result<Comment, Error> {
    let Work { desk, keys, tenant, new } = *work;
    let found = store::ticket(desk, keys, &tenant.id, new.ticket).await?;
    let (before, etag) = found.filter(|(ticket, _)| new.viewer.sees(ticket)).ok_or(Error::NotFound)?;
    if let Some(request) = new.request
        && let Some(made) = idempotency::made(desk, keys, &tenant.id, request).await?
    {
        let made = made.parse().map_err(|_| Error::NotFound)?;
        return store::seen_comment(desk, &tenant.id, new.viewer, new.ticket, made).await;
    }
    links::is_not_merged(desk, keys, &tenant.id, new.viewer, &before).await?;
    let (id, at) = (draft.id, draft.at);
    let Taken { attachments, writes: taken } = uploads::take(desk, keys, &tenant.id, new.subject, new.uploads, at).await?;
    let author = if new.is_an_agents() { Author::Agent(new.subject.to_owned()) } else { Author::Sender(before.requester.clone()) };
    let is_mailed = new.public && new.is_an_agents();
    let to = if is_mailed { letters::recipients(tenant, &before) } else { Vec::new() };
    let weight = attachments.iter().map(|attachment| attachment.bytes).sum::<u64>().saturating_mul(MEMORY_FOR_AN_ATTACHED_BYTE);
    let _in_flight = desk.room_for(weight).await?;
    let enclosures = if to.is_empty() { Vec::new() } else { uploads::enclosures(desk, keys, &attachments).await? };
    let content = match draft.content.take() {
        Some(content) => content,
        None => {
            let said = Said { text: draft.text.to_owned(), reply: None, html: None, attachments: attachments.clone() };
            store::kept(desk, keys, &tenant.id, (id, new.request), &author, said).await?
        }
    };
    let content = draft.content.insert(content).clone();
    let comment = Comment { id, ticket: before.id, at, public: new.is_public(), author, content, mail: None };
    let leaves = if is_mailed {
        let signature = &signatures::signature(desk, &tenant.id, new.subject).await?;
        let letter = Letter { ticket: &before, comment: id, purpose: Purpose::Answer, to, text: draft.text, signature, attachments: enclosures, at };
        letters::post(desk, keys, tenant, letter).await?
    } else {
        Vec::new()
    };
    let wakes = !leaves.is_empty();
    let own_message_id = wakes.then(|| thread::own_message_id(keys, before.id, id, before.mailbox.domain()));
    let ticket = spoken(&before, &comment, new.is_an_agents(), own_message_id.as_deref(), &tenant.settings);
    let mut writes = change(work, &before, &ticket, etag, &comment)?;
    writes.extend(taken.into_iter().chain(leaves));
    desk.ports.documents.commit(&partition(&tenant.id, Kind::Ticket), writes).await?;
    if wakes {
        letters::wake(desk, tenant).await;
    }
    Ok(comment)
}

/// The ticket after a comment on it.
fn spoken(before: &Ticket, comment: &Comment, is_an_agents: bool, message_id: Option<&str>, settings: &Settings) -> Ticket {
    let (at, mut ticket) = (comment.at, before.clone());
    ticket.grown(comment.public);
    if !is_an_agents {
        if !ticket.status.is_open() {
            ticket.turn(Status::InProgress, at, settings);
        }
        ticket.clocks.asked(at);
    } else if comment.public {
        ticket.clocks.answered(at, settings);
        ticket.heard(message_id);
        if ticket.status == Status::New {
            ticket.turn(Status::InProgress, at, settings);
        }
    }
    ticket.changed_from(before, at);
    ticket
}

fn change(work: &Work<'_>, before: &Ticket, ticket: &Ticket, read: Etag, comment: &Comment) -> Result<Vec<Write>, Error> {
    let Work { desk, keys, tenant, new } = *work;
    let (actor, at) = (new.subject, comment.at);
    let event = audit::Event::new(at, actor, audit::Action::CommentAdded, comment.id);
    let mut writes = vec![
        store::ticket_write(keys, &tenant.id, ticket, Some(read))?,
        store::comment_write(keys, &tenant.id, comment)?,
        store::usage_write(keys, &tenant.id, comment.id, at)?,
        audit::record(keys, &tenant.id, desk.ports.entropy.as_ref(), &event)?,
    ];
    writes.extend(history::write(desk, keys, &tenant.id, before, ticket, actor, at)?);
    if let Some(request) = new.request {
        writes.push(idempotency::remember(keys, &tenant.id, request, comment.id.to_string(), at)?);
    }
    Ok(writes)
}
