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

/// A function as a row holds it: its future in a box.
macro_rules! boxed {
    ($run:path) => {
        |app, input| Box::pin($run(app, input))
    };
}

/// The same for callers who may do this.
macro_rules! callers {
    ($action:ident, $run:path) => {
        Access::Callers(Action::$action, |app, caller, request| Box::pin($run(app, caller, request)))
    };
}

/// The one table. The order is the order of the documentation.
pub static ALL: &[Function] = &[
    get("Health", "api/health", Access::Everyone(boxed!(health::health))),
    get("OpenApi", "api/openapi.json", Access::Everyone(boxed!(openapi::openapi))),
    get("ListTickets", "api/tickets", callers!(ReadTickets, list::list)),
    post("SearchTickets", "api/tickets/search", callers!(ReadTickets, list::search)),
    post("CreateTicket", "api/tickets", callers!(CreateTickets, create::create)),
    get("GetTicket", "api/tickets/{id}", callers!(ReadTickets, tickets::get)),
    patch("ChangeTicket", "api/tickets/{id}", callers!(ChangeTickets, tickets::change)),
    get("ListHistory", "api/tickets/{id}/history", callers!(ReadHistory, history::list)),
    post("LinkTicket", "api/tickets/{id}/links", callers!(ChangeTickets, links::link)),
    delete("UnlinkTicket", "api/tickets/{id}/links/{other}", callers!(ChangeTickets, links::unlink)),
    post("MergeTicket", "api/tickets/{id}/merge", callers!(ChangeTickets, links::merge)),
    get("ListComments", "api/tickets/{id}/comments", callers!(ReadTickets, tickets::comments)),
    post("AddComment", "api/tickets/{id}/comments", callers!(Comment, tickets::comment)),
    get("GetAttachment", "api/tickets/{id}/comments/{comment}/attachments/{number}", callers!(ReadTickets, tickets::attachment)),
    get("GetOriginalMail", "api/tickets/{id}/comments/{comment}/mail", callers!(ReadOriginalMail, tickets::original)),
    post("UploadFile", "api/uploads", callers!(Comment, uploads::upload)),
    get("GetSignature", "api/me/signature", callers!(SignAnswers, signature::get)),
    put("PutSignature", "api/me/signature", callers!(SignAnswers, signature::put)),
    post("SearchContacts", "api/contacts/search", callers!(ReadContacts, contacts::search)),
    get("ListUnprocessed", "api/unprocessed", callers!(ManageUnprocessed, unprocessed::list)),
    get("GetUnprocessed", "api/unprocessed/{record}", callers!(ManageUnprocessed, unprocessed::get)),
    get("GetUnprocessedMail", "api/unprocessed/{record}/mail", callers!(ManageUnprocessed, unprocessed::mail)),
    post("ReplayUnprocessed", "api/unprocessed/{record}/replay", callers!(ManageUnprocessed, unprocessed::replay)),
    post("ReleaseUnprocessed", "api/unprocessed/{record}/release", callers!(ManageUnprocessed, unprocessed::release)),
    post("PushMail", "api/mail", callers!(PushMail, mail::push)),
    get("GetSettings", "api/settings", callers!(ReadSettings, settings::get)),
    put("PutSettings", "api/settings", callers!(ChangeSettings, settings::put)),
    get("ListTenants", "api/operator/tenants", callers!(ReadTenants, tenants::list)),
    post("AddTenant", "api/operator/tenants", callers!(ManageTenants, tenants::add)),
    get("GetTenant", "api/operator/tenants/{tenant}", callers!(ReadTenants, tenants::get)),
    patch("ChangeTenant", "api/operator/tenants/{tenant}", callers!(ManageTenants, tenants::change)),
    delete("RemoveTenant", "api/operator/tenants/{tenant}", callers!(ManageTenants, tenants::remove)),
    post("AddMailbox", "api/operator/tenants/{tenant}/mailboxes", callers!(ManageTenants, tenants::mailbox)),
    queue("IntakeMail", INTAKE_QUEUE, boxed!(mail::intake)),
    queue("MailIntakePoison", INTAKE_POISON_QUEUE, boxed!(mail::poison)),
    timer("ReleaseHeld", "30 */5 * * * *", boxed!(mail::release)),
    queue("DeliverOutbox", outbox::QUEUE, boxed!(mail::deliver)),
    timer("SweepOutbox", "0 */5 * * * *", boxed!(mail::sweep)),
    timer("SweepUploads", "0 20 * * * *", boxed!(uploads::sweep)),
    timer("SweepUnprocessed", "0 50 * * * *", boxed!(unprocessed::sweep)),
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

const fn timer(name: &'static str, schedule: &'static str, run: for<'a> fn(&'a App, Tick) -> BoxFuture<'a, Verdict>) -> Function {
    Function { name, trigger: Trigger::Timer { schedule, run } }
}

/// The function of this name.
pub fn named(name: &str) -> Option<&'static Function> {
    ALL.iter().find(|function| function.name == name)
}
