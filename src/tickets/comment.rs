//! An agent's answer: a comment, and, if it is public, a mail to the requester in the same commit.

use crate::{
    audit,
    ids::{CommentId, Kind, RecordId, TenantId, TicketId, partition},
    keys::TenantKeys,
    mail::{
        Address, LOOP_HEADER,
        compose::{Draft, compose},
        redact::redact_text,
    },
    outbox,
    ports::{Etag, Write},
    tenants,
};
use time::OffsetDateTime;

use super::{
    Author, Comment, Content, Desk, Error, Said, Status, Ticket, links, new_ulid, store, thread,
    tries::{TRYING_FOR_A_CALLER, Tries},
};

/// Characters of a comment.
pub const COMMENT_CHARACTERS_MAX: usize = 50_000;

/// What an agent says.
pub struct NewComment<'a> {
    pub ticket: TicketId,
    pub text: &'a str,
    pub public: bool,
    /// The token's subject.
    pub agent: &'a str,
}

/// Adds a comment. A public one leaves as a mail to the requester, if he has an address.
pub async fn add_comment(desk: &Desk, tenant: &TenantId, new: &NewComment<'_>) -> Result<Comment, Error> {
    let text = new.text.trim();
    if text.is_empty() || text.chars().count() > COMMENT_CHARACTERS_MAX {
        return Err(Error::BadComment);
    }
    // Card numbers are cut before anything is kept or sent.
    let (text, _) = redact_text(text);
    let keys = desk.keyring.keys(tenant).await?;
    let at = desk.ports.clock.now();
    let (id, record) = (new_ulid(desk.ports.entropy.as_ref(), at), new_ulid(desk.ports.entropy.as_ref(), at));
    let mut draft = Drafted { id: CommentId::new(id), record: RecordId::new(record), at, text: &text, content: None };
    let mut tries = Tries::within(TRYING_FOR_A_CALLER);
    loop {
        match add_once(desk, &keys, tenant, new, &mut draft).await {
            Err(error) if error.is_conflict() && tries.again(desk).await => {}
            done => return done,
        }
    }
}

/// What does not change from try to try, so that no try leaves a blob that nothing names.
struct Drafted<'a> {
    id: CommentId,
    record: RecordId,
    at: OffsetDateTime,
    text: &'a str,
    /// Stored by the first try that finds the ticket.
    content: Option<Content>,
}

async fn add_once(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, new: &NewComment<'_>, draft: &mut Drafted<'_>) -> Result<Comment, Error> {
    let (mut ticket, etag) = store::ticket(desk, keys, tenant, new.ticket).await?.ok_or(Error::NotFound)?;
    links::is_not_merged(desk, keys, tenant, &ticket).await?;
    let (id, at, author) = (draft.id, draft.at, Author::Agent(new.agent.to_owned()));
    let content = match draft.content.take() {
        Some(content) => content,
        None => content(desk, keys, tenant, id, &author, draft.text).await?,
    };
    let content = draft.content.insert(content).clone();
    let comment = Comment { id, ticket: ticket.id, at, public: new.public, author, content, mail: None };
    let (to, before) = (ticket.requester.address.clone(), ticket.last_message_id.clone());
    let message_id = thread::own_message_id(keys, ticket.id, id, ticket.mailbox.domain());
    ticket.comments += 1;
    ticket.updated_at = ticket.updated_at.max(at);
    if new.public {
        let settings = tenants::settings(desk.ports.documents.as_ref(), &desk.keyring, tenant).await?;
        ticket.clocks.answered(at, &settings);
        ticket.last_message_id = Some(message_id.clone());
        if ticket.status == Status::New {
            ticket.status = Status::InProgress;
        }
    }
    let mut writes = change(desk, keys, tenant, &ticket, etag, &comment, new.agent)?;
    let leaves = new.public && to.is_some();
    if let (true, Some(to)) = (new.public, to) {
        let raw = compose(&answer(&ticket, draft.text, to.clone(), message_id, before, at, thread::loop_mark(keys, &ticket.mailbox)));
        let about = format!("{}:{id}", ticket.id);
        let mail = outbox::Leaving { record: draft.record, about: &about, from: ticket.mailbox.as_str(), to: &[to], raw: &raw };
        writes.extend(outbox::rows(&desk.ports, keys, tenant, &mail, at).await?);
        outbox::announce(&desk.ports, tenant).await?;
    }
    desk.ports.documents.commit(&partition(tenant, Kind::Ticket), writes).await?;
    // The comment stands whatever the mail server does: the queue's function sends the mail.
    if leaves && let Err(error) = outbox::wake(&desk.ports, tenant).await {
        tracing::warn!(comment = %id, %error, "a mail is not sent at once but by the wake-up that was announced");
    }
    Ok(comment)
}

async fn content(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, id: CommentId, author: &Author, text: &str) -> Result<Content, Error> {
    let said = Said { text: text.to_owned(), reply: None, html: None, attachments: Vec::new() };
    store::kept(desk, keys, tenant, id, author, said).await
}

fn change(
    desk: &Desk,
    keys: &TenantKeys,
    tenant: &TenantId,
    ticket: &Ticket,
    read: Etag,
    comment: &Comment,
    actor: &str,
) -> Result<Vec<Write>, Error> {
    let event = audit::Event { at: comment.at, actor: actor.to_owned(), action: audit::Action::CommentAdded, target: comment.id.to_string() };
    Ok(vec![
        store::ticket_write(keys, tenant, ticket, Some(read))?,
        store::comment_write(keys, tenant, comment)?,
        store::usage_write(keys, tenant, comment.id, comment.at)?,
        audit::record(keys, tenant, RecordId::new(new_ulid(desk.ports.entropy.as_ref(), comment.at)), &event)?,
    ])
}

fn answer(ticket: &Ticket, text: &str, to: String, message_id: String, before: Option<String>, now: OffsetDateTime, loop_mark: String) -> Draft {
    Draft {
        from: Address { address: ticket.mailbox.as_str().to_owned(), name: None },
        to: vec![Address { address: to, name: ticket.requester.name.clone() }],
        subject: format!("Re: {} [#{}]", ticket.subject, ticket.number),
        text: text.to_owned(),
        message_id,
        references: before.iter().cloned().collect(),
        in_reply_to: before,
        date: now,
        headers: vec![(LOOP_HEADER, loop_mark)],
    }
}
