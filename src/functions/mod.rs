//! What is deployed: one row a function in [`ALL`], 10 to 25 lines of decode, one domain call, encode.
//!
//! `tests/deployment.rs` renders each row to `functions/<Name>/function.json` and fails on drift.

mod health;
pub mod openapi;
mod about;
mod tickets;
mod list;
mod create;
mod links;
mod history;
mod contacts;
mod idempotency;
mod uploads;
mod signature;
mod unprocessed;
mod tenants;
mod settings;
mod mail;
mod answer;
mod every_tenant;
mod cursor;
pub mod route;
pub mod problem;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures::future::BoxFuture;

pub use about::check_query;
pub use contacts::known;
pub use problem::{Problem, Verdict};
use route::Params;
pub use tenants::TenantBody;

use crate::{
    access::{Action, Caller},
    keys::Keyring,
    outbox,
    ports::Ports,
    tickets::{
        Desk,
        unprocessed::{INTAKE_POISON_QUEUE, INTAKE_QUEUE},
    },
};

/// What every function works with; made once a process in `wiring`.
pub struct App {
    pub ports: Ports,
    pub keyring: Arc<Keyring>,
    pub desk: Desk,
    /// The vendor's own directory, as it stands in `tid`.
    pub vendor: String,
}

/// One deployed function. Its name is the folder, the path of its envelope calls, and its name in every log line.
pub struct Function {
    pub name: &'static str,
    pub trigger: Trigger,
}

/// What makes a function run.
pub enum Trigger {
    /// `route` is whole and without a leading slash: the host's prefix is empty.
    Http { method: Method, route: &'static str, access: Access },
    /// Messages of a storage queue; the binding is named `message`. A queue `<name>-poison` belongs to a row of its own.
    Queue { queue: &'static str, run: for<'a> fn(&'a App, QueueMessage) -> BoxFuture<'a, Verdict> },
    /// A six-field NCRONTAB schedule in UTC; the binding is named `timer`.
    Timer { schedule: &'static str, run: for<'a> fn(&'a App, Tick) -> BoxFuture<'a, Verdict> },
}

/// Who may call an HTTP function.
pub enum Access {
    Everyone(for<'a> fn(&'a App, HttpRequest) -> BoxFuture<'a, Result<HttpAnswer, Problem>>),
    /// Callers whose role may do this, see `access::roles`.
    Callers(Action, for<'a> fn(&'a App, Caller, HttpRequest) -> BoxFuture<'a, Result<HttpAnswer, Problem>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Patch,
    Put,
    Delete,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// A forwarded HTTP request, already bounded in size.
pub struct HttpRequest {
    pub params: Params,
    /// Decoded query values; the host joins a repeated key with commas.
    pub query: BTreeMap<String, String>,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
}

/// An answer to an HTTP request.
#[derive(Debug)]
pub struct HttpAnswer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

/// A queue message as its sender wrote it, unwrapped from the host's envelope.
pub struct QueueMessage {
    pub text: String,
}

/// A timer's call.
pub struct Tick {
    pub past_due: bool,
}

/// The one table. The order is the order of the documentation.
pub static ALL: &[Function] = &[
    get("Health", "api/health", Access::Everyone(|app, request| Box::pin(health::health(app, request)))),
    get("OpenApi", "api/openapi.json", Access::Everyone(|app, request| Box::pin(openapi::openapi(app, request)))),
    get("ListTickets", "api/tickets", Access::Callers(Action::ReadTickets, |app, caller, request| Box::pin(list::list(app, caller, request)))),
    post(
        "SearchTickets",
        "api/tickets/search",
        Access::Callers(Action::ReadTickets, |app, caller, request| Box::pin(list::search(app, caller, request))),
    ),
    post(
        "CreateTicket",
        "api/tickets",
        Access::Callers(Action::CreateTickets, |app, caller, request| Box::pin(create::create(app, caller, request))),
    ),
    get("GetTicket", "api/tickets/{id}", Access::Callers(Action::ReadTickets, |app, caller, request| Box::pin(tickets::get(app, caller, request)))),
    patch(
        "ChangeTicket",
        "api/tickets/{id}",
        Access::Callers(Action::ChangeTickets, |app, caller, request| Box::pin(tickets::change(app, caller, request))),
    ),
    get(
        "ListHistory",
        "api/tickets/{id}/history",
        Access::Callers(Action::ReadHistory, |app, caller, request| Box::pin(history::list(app, caller, request))),
    ),
    post(
        "LinkTicket",
        "api/tickets/{id}/links",
        Access::Callers(Action::ChangeTickets, |app, caller, request| Box::pin(links::link(app, caller, request))),
    ),
    delete(
        "UnlinkTicket",
        "api/tickets/{id}/links/{other}",
        Access::Callers(Action::ChangeTickets, |app, caller, request| Box::pin(links::unlink(app, caller, request))),
    ),
    post(
        "MergeTicket",
        "api/tickets/{id}/merge",
        Access::Callers(Action::ChangeTickets, |app, caller, request| Box::pin(links::merge(app, caller, request))),
    ),
    get(
        "ListComments",
        "api/tickets/{id}/comments",
        Access::Callers(Action::ReadTickets, |app, caller, request| Box::pin(tickets::comments(app, caller, request))),
    ),
    post(
        "AddComment",
        "api/tickets/{id}/comments",
        Access::Callers(Action::Comment, |app, caller, request| Box::pin(tickets::comment(app, caller, request))),
    ),
    get(
        "GetAttachment",
        "api/tickets/{id}/comments/{comment}/attachments/{number}",
        Access::Callers(Action::ReadTickets, |app, caller, request| Box::pin(tickets::attachment(app, caller, request))),
    ),
    get(
        "GetOriginalMail",
        "api/tickets/{id}/comments/{comment}/mail",
        Access::Callers(Action::ReadOriginalMail, |app, caller, request| Box::pin(tickets::original(app, caller, request))),
    ),
    post("UploadFile", "api/uploads", Access::Callers(Action::Comment, |app, caller, request| Box::pin(uploads::upload(app, caller, request)))),
    get(
        "GetSignature",
        "api/me/signature",
        Access::Callers(Action::SignAnswers, |app, caller, request| Box::pin(signature::get(app, caller, request))),
    ),
    put(
        "PutSignature",
        "api/me/signature",
        Access::Callers(Action::SignAnswers, |app, caller, request| Box::pin(signature::put(app, caller, request))),
    ),
    post(
        "SearchContacts",
        "api/contacts/search",
        Access::Callers(Action::ReadContacts, |app, caller, request| Box::pin(contacts::search(app, caller, request))),
    ),
    get(
        "ListUnprocessed",
        "api/unprocessed",
        Access::Callers(Action::ManageUnprocessed, |app, caller, request| Box::pin(unprocessed::list(app, caller, request))),
    ),
    get(
        "GetUnprocessed",
        "api/unprocessed/{record}",
        Access::Callers(Action::ManageUnprocessed, |app, caller, request| Box::pin(unprocessed::get(app, caller, request))),
    ),
    get(
        "GetUnprocessedMail",
        "api/unprocessed/{record}/mail",
        Access::Callers(Action::ManageUnprocessed, |app, caller, request| Box::pin(unprocessed::mail(app, caller, request))),
    ),
    post(
        "ReplayUnprocessed",
        "api/unprocessed/{record}/replay",
        Access::Callers(Action::ManageUnprocessed, |app, caller, request| Box::pin(unprocessed::replay(app, caller, request))),
    ),
    post(
        "ReleaseUnprocessed",
        "api/unprocessed/{record}/release",
        Access::Callers(Action::ManageUnprocessed, |app, caller, request| Box::pin(unprocessed::release(app, caller, request))),
    ),
    post("PushMail", "api/mail", Access::Callers(Action::PushMail, |app, caller, request| Box::pin(mail::push(app, caller, request)))),
    get("GetSettings", "api/settings", Access::Callers(Action::ReadSettings, |app, caller, request| Box::pin(settings::get(app, caller, request)))),
    put("PutSettings", "api/settings", Access::Callers(Action::ChangeSettings, |app, caller, request| Box::pin(settings::put(app, caller, request)))),
    get(
        "ListTenants",
        "api/operator/tenants",
        Access::Callers(Action::ReadTenants, |app, caller, request| Box::pin(tenants::list(app, caller, request))),
    ),
    post(
        "AddTenant",
        "api/operator/tenants",
        Access::Callers(Action::ManageTenants, |app, caller, request| Box::pin(tenants::add(app, caller, request))),
    ),
    get("GetTenant", "api/operator/tenants/{tenant}", Access::Callers(Action::ReadTenants, |app, _, request| Box::pin(tenants::get(app, request)))),
    patch(
        "ChangeTenant",
        "api/operator/tenants/{tenant}",
        Access::Callers(Action::ManageTenants, |app, caller, request| Box::pin(tenants::change(app, caller, request))),
    ),
    delete(
        "RemoveTenant",
        "api/operator/tenants/{tenant}",
        Access::Callers(Action::ManageTenants, |app, caller, request| Box::pin(tenants::remove(app, caller, request))),
    ),
    post(
        "AddMailbox",
        "api/operator/tenants/{tenant}/mailboxes",
        Access::Callers(Action::ManageTenants, |app, caller, request| Box::pin(tenants::mailbox(app, caller, request))),
    ),
    queue("IntakeMail", INTAKE_QUEUE, |app, message| Box::pin(mail::intake(app, message))),
    queue("MailIntakePoison", INTAKE_POISON_QUEUE, |app, message| Box::pin(mail::poison(app, message))),
    Function { name: "ReleaseHeld", trigger: Trigger::Timer { schedule: "30 */5 * * * *", run: |app, tick| Box::pin(mail::release(app, tick)) } },
    queue("DeliverOutbox", outbox::QUEUE, |app, message| Box::pin(mail::deliver(app, message))),
    Function { name: "SweepOutbox", trigger: Trigger::Timer { schedule: "0 */5 * * * *", run: |app, tick| Box::pin(mail::sweep(app, tick)) } },
    Function { name: "SweepUploads", trigger: Trigger::Timer { schedule: "0 20 * * * *", run: |app, tick| Box::pin(uploads::sweep(app, tick)) } },
    Function {
        name: "SweepUnprocessed",
        trigger: Trigger::Timer { schedule: "0 50 * * * *", run: |app, tick| Box::pin(unprocessed::sweep(app, tick)) },
    },
];

const fn get(name: &'static str, route: &'static str, access: Access) -> Function {
    Function { name, trigger: Trigger::Http { method: Method::Get, route, access } }
}

const fn post(name: &'static str, route: &'static str, access: Access) -> Function {
    Function { name, trigger: Trigger::Http { method: Method::Post, route, access } }
}

const fn patch(name: &'static str, route: &'static str, access: Access) -> Function {
    Function { name, trigger: Trigger::Http { method: Method::Patch, route, access } }
}

const fn put(name: &'static str, route: &'static str, access: Access) -> Function {
    Function { name, trigger: Trigger::Http { method: Method::Put, route, access } }
}

const fn delete(name: &'static str, route: &'static str, access: Access) -> Function {
    Function { name, trigger: Trigger::Http { method: Method::Delete, route, access } }
}

const fn queue(name: &'static str, queue: &'static str, run: for<'a> fn(&'a App, QueueMessage) -> BoxFuture<'a, Verdict>) -> Function {
    Function { name, trigger: Trigger::Queue { queue, run } }
}

/// The function of this name.
pub fn named(name: &str) -> Option<&'static Function> {
    ALL.iter().find(|function| function.name == name)
}
