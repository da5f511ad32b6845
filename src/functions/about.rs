//! What the OpenAPI document says of each route, besides what the table and the structs tell. A test finds a row that is missing here.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{contacts, create, history, links, list, mail, signature, tenants, tickets, unprocessed, uploads};
use crate::tenants::{Removal, Settings};

/// A route in words.
#[derive(Default)]
pub struct About {
    pub summary: &'static str,
    pub query: &'static [Parameter],
    pub headers: &'static [Parameter],
    pub body: Body,
    pub answer: Answer,
    /// Statuses of its problems besides those that its access, its path and its body imply.
    pub problems: &'static [u16],
}

pub struct Parameter {
    pub name: &'static str,
    pub what: &'static str,
    /// A type of JSON.
    pub kind: &'static str,
    pub required: bool,
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

#[derive(Default)]
pub enum Body {
    #[default]
    None,
    Json(SchemaOf),
    /// Of this media type.
    Bytes(&'static str),
}

#[derive(Default)]
pub enum Answer {
    Json(u16, SchemaOf),
    /// With its version in `ETag`.
    Versioned(u16, SchemaOf),
    #[default]
    File,
}

impl Answer {
    pub fn status(&self) -> u16 {
        match self {
            Answer::Json(status, _) | Answer::Versioned(status, _) => *status,
            Answer::File => 200,
        }
    }
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn text(name: &'static str, what: &'static str) -> Parameter {
    Parameter { name, what, kind: "string", required: false }
}

const fn number(name: &'static str, what: &'static str) -> Parameter {
    Parameter { name, what, kind: "integer", required: false }
}

const LIMIT: Parameter = number("limit", "Entries of a page, 1 to 100.");
const CURSOR: Parameter = text("cursor", "The `next` of the page before; for a day, for the same caller and the same list.");
const PAGED: &[Parameter] = &[LIMIT, CURSOR];
const IF_MATCH: &[Parameter] = &[text("If-Match", "The version that is changed; another one is refused with 412.")];
const KEY: &[Parameter] =
    &[text("Idempotency-Key", "Sent again with the same key and body within 24 hours, the request answers what it made first.")];
const MAILBOX: &[Parameter] =
    &[Parameter { name: "Helpdesk-Mailbox", what: "The address of the mailbox that the mail is for.", kind: "string", required: true }];
const FILE_NAME: &[Parameter] = &[text("Helpdesk-File-Name", "The file's name, percent-encoded UTF-8.")];
const LIST: &[Parameter] = &[
    text("status", "One or several of new, in_progress, pending, solved, with commas."),
    text("assignee", "`person:SUBJECT`, `group:NAME` or `none`."),
    text("priority", "One of low, normal, high, urgent."),
    text("category", "The category."),
    text("tag", "A tag."),
    number("number", "The ticket's number."),
    text("created_from", "Opened at this instant or later."),
    text("created_to", "Opened before this instant."),
    text("updated_from", "Last changed at this instant or later."),
    text("updated_to", "Last changed before this instant."),
    text("sort", "updated, created or due."),
    text("order", "desc or asc."),
    LIMIT,
    CURSOR,
];

/// What is to be said of the route of this function.
pub fn about(function: &str) -> Option<About> {
    let get = |summary, answer| About { summary, answer, ..About::default() };
    let page = |summary, answer| About { query: PAGED, problems: &[400], ..get(summary, Answer::Json(200, answer)) };
    Some(match function {
        "Health" => get("The process answers", Answer::Json(200, of::<super::health::Healthy>)),
        "OpenApi" => get("This document", Answer::Json(200, of::<serde_json::Value>)),
        "ListTickets" => About { query: LIST, ..page("A page of tickets; a requester's own", of::<list::Page<'_>>) },
        "SearchTickets" => About {
            body: Body::Json(of::<list::Asked>),
            ..get("A page of tickets, also by the requester's address", Answer::Json(200, of::<list::Page<'_>>))
        },
        "CreateTicket" => About {
            headers: KEY,
            body: Body::Json(of::<create::CreateRequest>),
            problems: &[409, 422],
            ..get("Open a ticket: a requester for himself, an agent for anybody", Answer::Versioned(201, of::<tickets::TicketBody<'_>>))
        },
        "GetTicket" => get("A ticket", Answer::Versioned(200, of::<tickets::TicketBody<'_>>)),
        "ChangeTicket" => About {
            headers: IF_MATCH,
            body: Body::Json(of::<tickets::ChangeRequest>),
            problems: &[409, 412],
            ..get("Change what is named of a ticket", Answer::Versioned(200, of::<tickets::TicketBody<'_>>))
        },
        "ListHistory" => page("What was changed of a ticket, by whom, the oldest first", of::<history::Page>),
        "LinkTicket" => About {
            body: Body::Json(of::<links::Linked>),
            problems: &[409],
            ..get("Link a ticket with another", Answer::Versioned(200, of::<tickets::TicketBody<'_>>))
        },
        "UnlinkTicket" => About { problems: &[400, 409], ..get("Undo a link", Answer::Versioned(200, of::<tickets::TicketBody<'_>>)) },
        "MergeTicket" => About {
            body: Body::Json(of::<links::Merged>),
            problems: &[409],
            ..get("Merge a ticket into another, which goes on", Answer::Versioned(200, of::<tickets::TicketBody<'_>>))
        },
        "ListComments" => page("The comments of a ticket, the oldest first", of::<tickets::CommentPage<'_>>),
        "AddComment" => About {
            headers: KEY,
            body: Body::Json(of::<tickets::CommentRequest>),
            problems: &[409, 422],
            ..get("Add a comment; a public one leaves as a mail", Answer::Json(201, of::<tickets::CommentBody<'_>>))
        },
        "GetAttachment" => get("An attachment, unless it is held", Answer::File),
        "GetOriginalMail" => get("The mail that a comment came by, as it came", Answer::File),
        "UploadFile" => About {
            headers: FILE_NAME,
            body: Body::Bytes("application/octet-stream"),
            problems: &[429],
            ..get("Send a file, whatever its content type, for a comment within 24 hours", Answer::Json(201, of::<uploads::UploadBody<'_>>))
        },
        "GetSignature" => get("What stands below one's own answers", Answer::Json(200, of::<signature::SignatureBody>)),
        "PutSignature" => About {
            body: Body::Json(of::<signature::SignatureBody>),
            problems: &[409],
            ..get("Set what stands below one's own answers", Answer::Json(200, of::<signature::SignatureBody>))
        },
        "SearchContacts" => About {
            body: Body::Json(of::<contacts::Search>),
            problems: &[404],
            ..get("Somebody by his address", Answer::Json(200, of::<contacts::ContactBody<'_>>))
        },
        "ListUnprocessed" => page("Mail that did not become a ticket, the oldest first", of::<unprocessed::Page<'_>>),
        "GetUnprocessed" => get("A record of unprocessed mail", Answer::Json(200, of::<unprocessed::RecordBody<'_>>)),
        "GetUnprocessedMail" => get("The mail itself", Answer::File),
        "ReplayUnprocessed" => {
            About { problems: &[409], ..get("Send it through the intake again", Answer::Json(202, of::<unprocessed::RecordBody<'_>>)) }
        }
        "ReleaseUnprocessed" => {
            About { problems: &[409], ..get("The same, whatever the limits say", Answer::Json(202, of::<unprocessed::RecordBody<'_>>)) }
        }
        "PushMail" => About {
            headers: MAILBOX,
            body: Body::Bytes("message/rfc822"),
            problems: &[404, 415],
            ..get("Take in a raw mail (RFC 5322)", Answer::Json(202, of::<mail::Accepted>))
        },
        "GetSettings" => get("How the desk works", Answer::Versioned(200, of::<Settings>)),
        "PutSettings" => About {
            headers: IF_MATCH,
            body: Body::Json(of::<Settings>),
            problems: &[409, 412],
            ..get("Change how the desk works; what is left out becomes as by default", Answer::Versioned(200, of::<Settings>))
        },
        "ListTenants" => page("A page of tenants, by id", of::<tenants::Page>),
        "AddTenant" => About {
            body: Body::Json(of::<tenants::AddRequest>),
            problems: &[409],
            ..get("Add a tenant with its mailboxes", Answer::Versioned(201, of::<tenants::TenantBody>))
        },
        "GetTenant" => get("A tenant", Answer::Versioned(200, of::<tenants::TenantBody>)),
        "ChangeTenant" => About {
            headers: IF_MATCH,
            body: Body::Json(of::<tenants::ChangeRequest>),
            problems: &[409, 412],
            ..get("Change what is named of a tenant", Answer::Versioned(200, of::<tenants::TenantBody>))
        },
        "RemoveTenant" => About {
            headers: IF_MATCH,
            problems: &[409, 412],
            ..get("Delete a suspended tenant and all that is his; again until it is `done`", Answer::Json(200, of::<Removal>))
        },
        "AddMailbox" => About {
            headers: IF_MATCH,
            body: Body::Json(of::<tenants::MailboxRequest>),
            problems: &[409, 412],
            ..get("Give a tenant one more mailbox, or change whom one trusts", Answer::Versioned(200, of::<tenants::TenantBody>))
        },
        _ => return None,
    })
}
