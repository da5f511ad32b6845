//! Tickets that are opened over HTTP.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App, HttpAnswer, HttpRequest, Problem,
    answer::body,
    idempotency::idempotency_key,
    tickets::{CHANGE_BODY_BYTES_MAX, COMMENT_BODY_BYTES_MAX, ChangeRequest, PartyRequest, shown, viewer},
};
use crate::{
    access::Caller,
    tenants::Mailbox,
    tickets::{self, Author, Change, NewTicket, Party, Viewer, idempotency::Request},
};

/// Bytes of a new ticket's JSON: its first comment and what is set.
const BODY_BYTES_MAX: usize = COMMENT_BODY_BYTES_MAX + CHANGE_BODY_BYTES_MAX;

/// What somebody is told who is no contact and cannot become one.
const NO_ADDRESS: &str = "Your directory vouches for no address of yours, or somebody else has it: write to the desk by mail.";

/// Opens a ticket: a requester for himself, an agent for anybody.
pub async fn create(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let example = r#"{"subject": "...", "text": "...", "requester": {"address": "ann@northwind.example"}}"#;
    let asked: CreateRequest = body(&request, BODY_BYTES_MAX, example)?;
    let key = idempotency_key(&request)?;
    let (requester, author, set) = match viewer(&caller) {
        Viewer::Agent => {
            let requester = asked.requester.as_ref().ok_or(tickets::Error::NoRequester)?.party()?;
            (requester, Author::Agent(caller.subject.clone()), asked.set.unwrap_or_default().change()?)
        }
        Viewer::Requester(address) => {
            if asked.requester.is_some() || asked.set.is_some() {
                let detail = "Whoever asks for himself names no `requester`, and what is `set` is the desk's affair.";
                return Err(Problem::new(403, "not-allowed", "You may not do that", detail));
            }
            let address = address.ok_or_else(|| Problem::new(403, "no-address", "You have no address", NO_ADDRESS))?;
            let party = Party { address: Some(address.to_owned()), name: None };
            (party.clone(), Author::Sender(party), Change::default())
        }
    };
    let new = NewTicket {
        subject: &asked.subject,
        text: &asked.text,
        mailbox: asked.mailbox,
        requester,
        // He logged in; what an agent writes of somebody is taken from him.
        requester_proven: true,
        author,
        set,
        actor: &caller.subject,
        request: key.map(|key| Request { key, caller: &caller.subject, of: "ticket", body: &request.body }),
    };
    let (ticket, etag) = tickets::create_ticket(&app.desk, &caller.tenant, &new).await?;
    Ok(shown(app, &caller, 201, &ticket, &etag))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRequest {
    subject: String,
    text: String,
    /// Where answers come from; without it the desk's only one.
    mailbox: Option<Mailbox>,
    /// Agents name one; a requester asks for himself and names none.
    requester: Option<PartyRequest>,
    /// What else the ticket has from the beginning, as in a change. From agents alone.
    set: Option<ChangeRequest>,
}
