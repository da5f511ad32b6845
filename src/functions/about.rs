//! What the OpenAPI document says of each route, besides what the table and the structs tell. A test finds a row that is missing here.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{Problem, answer::bad, contacts, create, history, links, list, mail, signature, tenants, tickets, unprocessed, uploads};
use crate::tenants::{Removal, Settings};

/// A route in words.
#[derive(Default)]
pub struct About {
    pub summary: &'static str,
    pub query: &'static [Parameter],
    pub headers: &'static [Parameter],
    pub body: Body,
    pub answer: Answer,
    /// Names of its problems, of [`PROBLEMS`], besides those that its access, path, body and headers imply.
    pub problems: &'static [&'static str],
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
const IF_MATCH: &[Parameter] =
    &[text("If-Match", "The versions that may be changed, or `*`; another one is refused with 412, unless it is as wanted already.")];
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
    text("updated_from", "Last changed at this instant or later. A ticket that changes while pages are turned may stand on none of them, or on two."),
    text("updated_to", "Last changed before this instant."),
    text("sort", "updated, created, or due: those that have a due date, and no others."),
    text("order", "desc or asc."),
    LIMIT,
    CURSOR,
];

const NARROWED: &[&str] = &["bad-filter", "bad-assignee", "bad-instant", "bad-number", "bad-order", "bad-priority", "bad-sort", "bad-status"];

/// All problems, by their names and statuses.
pub const PROBLEMS: &[(&str, u16)] = &[
    ("bad-json", 400),
    ("bad-query", 400),
    ("broken-body", 400),
    ("bad-limit", 400),
    ("bad-cursor", 400),
    ("bad-filter", 400),
    ("bad-assignee", 400),
    ("bad-instant", 400),
    ("bad-number", 400),
    ("bad-order", 400),
    ("bad-priority", 400),
    ("bad-sort", 400),
    ("bad-status", 400),
    ("bad-ticket", 400),
    ("bad-change", 400),
    ("bad-field", 400),
    ("bad-link", 400),
    ("bad-comment", 400),
    ("bad-attachments", 400),
    ("bad-idempotency-key", 400),
    ("bad-file-name", 400),
    ("bad-upload", 400),
    ("bad-signature", 400),
    ("bad-mailbox", 400),
    ("empty-mail", 400),
    ("bad-tenant", 400),
    ("not-authenticated", 401),
    ("not-allowed", 403),
    ("tenant-not-served", 403),
    ("no-address", 403),
    ("attachment-held", 403),
    ("not-found", 404),
    ("no-such-route", 404),
    ("conflict", 409),
    ("merged", 409),
    ("too-many-parties", 409),
    ("not-held", 409),
    ("tenant-exists", 409),
    ("tenant-served", 409),
    ("body-too-slow", 408),
    ("changed", 412),
    ("body-too-large", 413),
    ("not-a-mail", 415),
    ("idempotency-key-used", 422),
    ("too-many-uploads", 429),
    ("internal", 500),
    ("busy", 503),
    ("unavailable", 503),
    ("not-ready", 503),
];

impl About {
    /// The names of all problems that a route with this path, which is for callers or for everybody, may answer.
    pub fn all_problems(&self, route: &str, is_for_callers: bool) -> Vec<&'static str> {
        let has = |some: &[Parameter], name: &str| some.iter().any(|parameter| parameter.name == name);
        let implied: [(bool, &[&'static str]); 8] = [
            (true, &["internal", "busy", "unavailable", "not-ready"]),
            (is_for_callers, &["bad-query", "not-authenticated", "not-allowed", "tenant-not-served"]),
            (route.contains('{'), &["not-found", "no-such-route"]),
            (matches!(self.body, Body::Json(_)), &["bad-json"]),
            (!matches!(self.body, Body::None), &["body-too-large", "body-too-slow", "broken-body"]),
            (has(self.query, CURSOR.name), &["bad-limit", "bad-cursor"]),
            (has(self.headers, KEY[0].name), &["bad-idempotency-key", "idempotency-key-used", "conflict"]),
            (has(self.headers, IF_MATCH[0].name), &["changed", "conflict"]),
        ];
        implied.into_iter().filter(|(holds, _)| *holds).flat_map(|(_, names)| names).chain(self.problems).copied().collect()
    }
}

/// Fails if the route of this function does not know one of the query parameters: a name that is written wrongly would narrow nothing.
pub fn check_query(function: &str, query: &BTreeMap<String, String>) -> Result<(), Problem> {
    let known: Vec<&str> = about(function).unwrap_or_default().query.iter().map(|parameter| parameter.name).collect();
    if query.keys().all(|name| known.contains(&name.as_str())) {
        return Ok(());
    }
    let knows = if known.is_empty() { "none".to_owned() } else { format!("these alone: {}", known.join(", ")) };
    Err(bad("bad-query", format!("Of query parameters this route knows {knows}.")))
}

/// What is to be said of the route of this function.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn about(function: &str) -> Option<About> {
    let get = |summary, answer| About { summary, answer, ..About::default() };
    let page = |summary, answer| About { query: PAGED, ..get(summary, Answer::Json(200, answer)) };
    Some(match function {
        "Health" => get("The process answers", Answer::Json(200, of::<super::health::Healthy>)),
        "OpenApi" => get("This document", Answer::Json(200, of::<serde_json::Value>)),
        "ListTickets" => About { query: LIST, problems: NARROWED, ..page("A page of tickets; a requester's own", of::<list::Page<'_>>) },
        "SearchTickets" => About {
            body: Body::Json(of::<list::Asked>),
            problems: &["bad-filter", "bad-limit", "bad-cursor"],
            ..get("A page of tickets, also by the requester's address", Answer::Json(200, of::<list::Page<'_>>))
        },
        "CreateTicket" => About {
            headers: KEY,
            body: Body::Json(of::<create::CreateRequest>),
            problems: &["bad-ticket", "bad-change", "bad-field", "no-address"],
            ..get("Open a ticket: a requester for himself, an agent for anybody", Answer::Versioned(201, of::<tickets::TicketBody<'_>>))
        },
        "GetTicket" => get("A ticket", Answer::Versioned(200, of::<tickets::TicketBody<'_>>)),
        "ChangeTicket" => About {
            headers: IF_MATCH,
            body: Body::Json(of::<tickets::ChangeRequest>),
            problems: &["bad-ticket", "bad-change", "bad-field", "merged"],
            ..get("Change what is named of a ticket", Answer::Versioned(200, of::<tickets::TicketBody<'_>>))
        },
        "ListHistory" => page("What was changed of a ticket, by whom, the oldest first", of::<history::Page>),
        "LinkTicket" => About {
            headers: IF_MATCH,
            body: Body::Json(of::<links::Linked>),
            problems: &["bad-link"],
            ..get("Link a ticket with another", Answer::Versioned(200, of::<tickets::TicketBody<'_>>))
        },
        "UnlinkTicket" => {
            About { headers: IF_MATCH, problems: &["bad-link"], ..get("Undo a link", Answer::Versioned(200, of::<tickets::TicketBody<'_>>)) }
        }
        "MergeTicket" => About {
            headers: IF_MATCH,
            body: Body::Json(of::<links::Merged>),
            problems: &["bad-link", "too-many-parties"],
            ..get("Merge a ticket into another, which goes on with both requesters", Answer::Versioned(200, of::<tickets::TicketBody<'_>>))
        },
        "ListComments" => page("The comments of a ticket, the oldest first", of::<tickets::CommentPage<'_>>),
        "AddComment" => About {
            headers: KEY,
            body: Body::Json(of::<tickets::CommentRequest>),
            problems: &["bad-comment", "bad-attachments", "merged"],
            ..get("Add a comment; a public one leaves as a mail", Answer::Json(201, of::<tickets::CommentBody<'_>>))
        },
        "GetAttachment" => About { problems: &["attachment-held"], ..get("An attachment, unless it is held", Answer::File) },
        "GetOriginalMail" => get("The mail that a comment came by, as it came", Answer::File),
        "UploadFile" => About {
            headers: FILE_NAME,
            body: Body::Bytes("application/octet-stream"),
            problems: &["bad-file-name", "bad-upload", "too-many-uploads"],
            ..get("Send a file, whatever its content type, for a comment within 24 hours", Answer::Json(201, of::<uploads::UploadBody<'_>>))
        },
        "GetSignature" => get("What stands below one's own answers", Answer::Json(200, of::<signature::SignatureBody>)),
        "PutSignature" => About {
            body: Body::Json(of::<signature::SignatureBody>),
            problems: &["bad-signature", "conflict"],
            ..get("Set what stands below one's own answers", Answer::Json(200, of::<signature::SignatureBody>))
        },
        "SearchContacts" => About {
            body: Body::Json(of::<contacts::Search>),
            problems: &["not-found"],
            ..get("Somebody by his address", Answer::Json(200, of::<contacts::ContactBody<'_>>))
        },
        "ListUnprocessed" => page("Mail that did not become a ticket, the oldest first", of::<unprocessed::Page<'_>>),
        "GetUnprocessed" => get("A record of unprocessed mail", Answer::Json(200, of::<unprocessed::RecordBody<'_>>)),
        "GetUnprocessedMail" => get("The mail itself", Answer::File),
        "ReplayUnprocessed" => {
            About { problems: &["conflict"], ..get("Send it through the intake again", Answer::Json(202, of::<unprocessed::RecordBody<'_>>)) }
        }
        "ReleaseUnprocessed" => About {
            problems: &["conflict", "not-held"],
            ..get("The same for a mail that a limit holds, whatever the limit says", Answer::Json(202, of::<unprocessed::RecordBody<'_>>))
        },
        "PushMail" => About {
            headers: MAILBOX,
            body: Body::Bytes("message/rfc822"),
            problems: &["not-found", "bad-mailbox", "empty-mail", "not-a-mail"],
            ..get("Take in a raw mail (RFC 5322)", Answer::Json(202, of::<mail::Accepted>))
        },
        "GetSettings" => get("How the desk works", Answer::Versioned(200, of::<Settings>)),
        "PutSettings" => About {
            headers: IF_MATCH,
            body: Body::Json(of::<Settings>),
            problems: &["bad-tenant"],
            ..get("Change how the desk works; what is left out becomes as by default", Answer::Versioned(200, of::<Settings>))
        },
        "ListTenants" => page("A page of tenants, by id", of::<tenants::Page>),
        "AddTenant" => About {
            body: Body::Json(of::<tenants::AddRequest>),
            problems: &["bad-tenant", "tenant-exists", "conflict"],
            ..get("Add a tenant with its mailboxes", Answer::Versioned(201, of::<tenants::TenantBody>))
        },
        "GetTenant" => get("A tenant", Answer::Versioned(200, of::<tenants::TenantBody>)),
        "ChangeTenant" => About {
            headers: IF_MATCH,
            body: Body::Json(of::<tenants::ChangeRequest>),
            problems: &["bad-tenant", "tenant-exists"],
            ..get("Change what is named of a tenant", Answer::Versioned(200, of::<tenants::TenantBody>))
        },
        "RemoveTenant" => About {
            headers: IF_MATCH,
            problems: &["tenant-served"],
            ..get("Delete a suspended tenant and all that is his; again until it is `done`", Answer::Json(200, of::<Removal>))
        },
        "AddMailbox" => About {
            headers: IF_MATCH,
            body: Body::Json(of::<tenants::MailboxRequest>),
            problems: &["bad-tenant", "tenant-exists"],
            ..get("Give a tenant one more mailbox, or change whom one trusts", Answer::Versioned(200, of::<tenants::TenantBody>))
        },
        _ => return None,
    })
}
