//! Tickets over HTTP: one ticket, its comments, attachments and mails.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    App, HttpAnswer, HttpRequest, Problem,
    answer::{At, Instant, body, download, each_once, emptied, id, json, limit, never_null, present, quoted, versions},
    cursor,
    idempotency::idempotency_key,
};
use crate::{
    access::{Caller, Role},
    ids::{RecordId, TicketId},
    outbox::delivery::Delivery,
    ports::Etag,
    tenants::Settings,
    tickets::{
        self, Assignee, Author, Change, Comment, Held, Link, NewComment, Party, Priority, Said, Status, Ticket, Viewer,
        clock::Times,
        deliveries,
        fields::{FieldChanges, FieldValue},
        idempotency::Request,
        store,
    },
};

/// Bytes of a comment's JSON: of 50,000 characters each may take twelve, as two escapes.
pub const COMMENT_BODY_BYTES_MAX: usize = 768 * 1024;
/// Bytes of a change's JSON: the same for a subject, 30 fields of 1,000 characters with their names, 20 parties and 20 tags.
pub const CHANGE_BODY_BYTES_MAX: usize = 768 * 1024;
/// Media types that may be named as they are; anything else is `application/octet-stream`.
const HARMLESS_TYPES: &[&str] = &["image/png", "image/jpeg", "image/gif", "application/pdf", "text/plain", "text/calendar"];

pub async fn get(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let (ticket, etag) = store::seen_version(&app.desk, &caller.tenant, viewer(&caller), id(&request.params, "id")?).await?;
    Ok(shown(app, &caller, 200, &ticket, &etag))
}

pub async fn change(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let id = id(&request.params, "id")?;
    store::seen_ticket(&app.desk, &caller.tenant, viewer(&caller), id).await?;
    let example = r#"{"status": "pending", "assignee": {"group": "printers"}, "tags": ["vpn"]}, or what else is to be changed"#;
    let body: ChangeRequest = body(&request, CHANGE_BODY_BYTES_MAX, example)?;
    let change = body.change()?;
    let (ticket, etag) = tickets::change_ticket(&app.desk, &caller.tenant, id, &versions(&request), &change, &caller.subject).await?;
    Ok(shown(app, &caller, 200, &ticket, &etag))
}

pub fn shown(app: &App, caller: &Caller, status: u16, ticket: &Ticket, etag: &Etag) -> HttpAnswer {
    let seen = Seen { viewer: viewer(caller), settings: &caller.settings, now: app.ports.clock.now() };
    let mut answer = json(status, &TicketBody::new(ticket, &seen));
    // Who may not change it has no use for its version, which tells when somebody else did.
    if seen.viewer == Viewer::Agent {
        answer.headers.push(("etag", quoted(etag)));
    }
    answer
}

/// Who looks at a ticket, when, and by which hours its clocks run.
pub struct Seen<'a> {
    pub viewer: Viewer<'a>,
    pub settings: &'a Settings,
    pub now: OffsetDateTime,
}

pub async fn comments(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let ticket: TicketId = id(&request.params, "id")?;
    let keys = app.keyring.keys(&caller.tenant).await?;
    let filter = ticket.to_string();
    let scope = cursor::Scope { caller: &caller, route: "comments", filter: &filter };
    let now = app.ports.clock.now();
    let after = request.query.get("cursor").map(|text| cursor::open(&keys, &scope, text, now)).transpose()?;
    let (found, next) = store::comments(&app.desk, &caller.tenant, viewer(&caller), ticket, after, limit(&request)?).await?;
    let next = next.map(|key| cursor::seal(&keys, &scope, &key, now)).transpose()?;
    let deliveries = match viewer(&caller) {
        Viewer::Agent => Some(deliveries::of_comments(&app.desk, &caller.tenant, ticket, found.iter().map(|(comment, _)| comment.id)).await?),
        Viewer::Requester(_) => None,
    };
    let of = |id| deliveries.as_ref().map(|all| all.get(&id).map_or(&[][..], Vec::as_slice));
    let comments = found.iter().map(|(comment, said)| CommentBody::new(comment, said, of(comment.id).filter(|_| comment.public))).collect();
    Ok(json(200, &CommentPage { comments, next }))
}

pub async fn comment(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let asked: CommentRequest = body(&request, COMMENT_BODY_BYTES_MAX, "{\"text\": \"...\", \"public\": true}")?;
    let ticket: TicketId = id(&request.params, "id")?;
    let viewer = viewer(&caller);
    // What a requester believes to be private must not be shown.
    if viewer != Viewer::Agent && asked.public == Some(false) {
        return Err(Problem::new(403, "not-allowed", "You may not do that", "What a requester says is public: leave out `public`."));
    }
    // The same words for another ticket are another request.
    let of = format!("comment {ticket}");
    let again = idempotency_key(&request)?.map(|key| Request { key, caller: &caller.subject, of: &of, body: &request.body });
    // Without a word an agent's comment is private: nothing leaves by mistake.
    let public = asked.public.unwrap_or(false);
    let (text, uploads) = (asked.text.as_str(), asked.attachments.as_slice());
    let new = NewComment { ticket, text, public, viewer, subject: &caller.subject, uploads, request: again };
    let comment = tickets::add_comment(&app.desk, &caller.tenant, &new).await?;
    let keys = app.keyring.keys(&caller.tenant).await?;
    let said = store::said(&app.desk, &keys, &comment).await?;
    Ok(json(201, &CommentBody::new(&comment, &said, None)))
}

pub async fn attachment(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let comment =
        store::seen_comment(&app.desk, &caller.tenant, viewer(&caller), id(&request.params, "id")?, id(&request.params, "comment")?).await?;
    let at: usize = id(&request.params, "number")?;
    let keys = app.keyring.keys(&caller.tenant).await?;
    let said = store::said(&app.desk, &keys, &comment).await?;
    let attachment = at.checked_sub(1).and_then(|at| said.attachments.get(at)).ok_or(tickets::Error::NotFound)?;
    if let Some(why) = attachment.held {
        let original = if comment.mail.is_some() { " The original mail still has it, and agents may read that." } else { "" };
        let detail = format!("It could harm whoever opens it: {}.{original}", why.name());
        return Err(Problem::new(403, "attachment-held", "The attachment is held", detail));
    }
    let bytes = store::open_file(&app.desk, &keys, &attachment.blob).await?;
    let media_type = HARMLESS_TYPES.iter().find(|known| **known == attachment.media_type).unwrap_or(&"application/octet-stream");
    Ok(download(bytes, media_type, &attachment.name))
}

pub async fn original(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let comment =
        store::seen_comment(&app.desk, &caller.tenant, viewer(&caller), id(&request.params, "id")?, id(&request.params, "comment")?).await?;
    let mail = comment.mail.as_ref().ok_or(tickets::Error::NotFound)?;
    let keys = app.keyring.keys(&caller.tenant).await?;
    let bytes = store::open_file(&app.desk, &keys, &mail.raw_blob).await?;
    Ok(download(bytes, "application/octet-stream", &format!("{}.eml", comment.id)))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentRequest {
    text: String,
    public: Option<bool>,
    /// Uploads of the caller.
    #[serde(default)]
    attachments: Vec<RecordId>,
}

/// `null` takes away what may be absent; what is not named stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    #[serde(default, deserialize_with = "never_null")]
    #[schemars(with = "String", skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(default, deserialize_with = "never_null")]
    #[schemars(with = "Status", skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(default, deserialize_with = "never_null")]
    #[schemars(with = "Priority", skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(default, deserialize_with = "present")]
    assignee: Option<Option<Assignee>>,
    #[serde(default, deserialize_with = "present")]
    category: Option<Option<String>>,
    #[serde(default, deserialize_with = "emptied")]
    tags: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    due_at: Option<Option<Instant>>,
    /// All of them.
    #[serde(default, deserialize_with = "emptied")]
    cc: Option<Vec<PartyRequest>>,
    /// By their names; `null` takes one away.
    #[serde(default, deserialize_with = "each_once")]
    fields: FieldChanges,
}

/// Somebody by his address.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartyRequest {
    address: String,
    name: Option<String>,
}

impl PartyRequest {
    pub fn party(&self) -> Result<Party, Problem> {
        Ok(tickets::party(&self.address, self.name.as_deref())?)
    }
}

impl ChangeRequest {
    pub fn change(self) -> Result<Change, Problem> {
        let ChangeRequest { subject, status, priority, assignee, category, tags, due_at, cc, fields } = self;
        let cc = cc.map(|cc| cc.iter().map(PartyRequest::party).collect()).transpose()?;
        let due_at = due_at.map(|due| due.map(|Instant(at)| at));
        Ok(Change { status, priority, assignee, category, tags, due_at, subject, cc, fields })
    }
}

#[derive(Serialize, JsonSchema)]
pub struct CommentPage<'a> {
    comments: Vec<CommentBody<'a>>,
    /// For `?cursor=`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ticket")]
pub struct TicketBody<'a> {
    id: String,
    number: u64,
    subject: &'a str,
    status: &'static str,
    /// For those who help.
    #[serde(flatten)]
    desk: Option<DeskBody<'a>>,
    mailbox: &'a str,
    requester: PartyBody<'a>,
    /// Whether he is who he says.
    requester_proven: bool,
    /// Who gets a copy of what is answered.
    cc: Vec<PartyBody<'a>>,
    /// Those that the caller sees.
    comments: u32,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "At")]
    created_at: OffsetDateTime,
    /// The last change that the caller sees.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "At")]
    updated_at: OffsetDateTime,
}

#[derive(Serialize, JsonSchema)]
struct DeskBody<'a> {
    priority: Priority,
    assignee: Option<&'a Assignee>,
    category: Option<&'a str>,
    tags: &'a [String],
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<At>")]
    due_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<At>")]
    solved_at: Option<OffsetDateTime>,
    fields: &'a BTreeMap<String, FieldValue>,
    links: &'a [Link],
    merged_into: Option<TicketId>,
    /// The last change that the requester sees.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "At")]
    public_updated_at: OffsetDateTime,
    /// In seconds of the desk's hours.
    times: Times,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Party")]
struct PartyBody<'a> {
    address: Option<&'a str>,
    name: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Comment")]
pub struct CommentBody<'a> {
    id: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "At")]
    at: OffsetDateTime,
    public: bool,
    author: AuthorBody<'a>,
    text: &'a str,
    /// The new words, without quoted mail and signature.
    reply: &'a str,
    html: Option<&'a str>,
    attachments: Vec<AttachmentBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<MailBody<'a>>,
    /// Of the mails about a public comment; for those who help.
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Vec<DeliveryBody<'a>>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
struct DeliveryBody<'a> {
    to: &'a str,
    /// waiting, sent, delayed, failed or possibly_duplicate.
    state: &'static str,
    /// An enhanced status code (RFC 3463), or the code of an SMTP reply.
    status: Option<&'a str>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "At")]
    at: OffsetDateTime,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Author")]
enum AuthorBody<'a> {
    /// By mail; whether the address is proven, `mail.sender` says.
    Sender(PartyBody<'a>),
    Agent(&'a str),
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Attachment")]
struct AttachmentBody<'a> {
    /// For the attachment's route.
    number: usize,
    name: &'a str,
    media_type: &'a str,
    bytes: u64,
    inline: bool,
    content_id: Option<&'a str>,
    /// Why it is not handed out; absent if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Mail")]
struct MailBody<'a> {
    kind: &'a str,
    subject: &'a str,
    message_id: Option<&'a str>,
    altered: bool,
    message_id_reused: bool,
    sender: ProofBody<'a>,
    /// A website's form or a group that the mail names as its sender, where the author is another: nothing proves him then.
    passed_on_by: Option<PartyBody<'a>>,
    forwarded_from: Option<PartyBody<'a>>,
    warnings: &'a [String],
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Proof")]
struct ProofBody<'a> {
    proven: bool,
    by: Option<&'a str>,
}

impl<'a> From<&'a Party> for PartyBody<'a> {
    fn from(party: &'a Party) -> Self {
        PartyBody { address: party.address.as_deref(), name: party.name.as_deref() }
    }
}

impl<'a> TicketBody<'a> {
    pub fn new(ticket: &'a Ticket, seen: &Seen<'_>) -> Self {
        let desk = DeskBody {
            priority: ticket.priority,
            assignee: ticket.assignee.as_ref(),
            category: ticket.category.as_deref(),
            tags: &ticket.tags,
            due_at: ticket.due_at,
            solved_at: ticket.solved_at,
            fields: &ticket.fields,
            links: &ticket.links,
            merged_into: ticket.merged_into,
            public_updated_at: ticket.public_updated_at,
            times: ticket.clocks.times(ticket.status, seen.now, seen.settings),
        };
        let is_agent = seen.viewer == Viewer::Agent;
        TicketBody {
            id: ticket.id.to_string(),
            number: ticket.number,
            subject: &ticket.subject,
            status: ticket.status.name(),
            desk: is_agent.then_some(desk),
            mailbox: ticket.mailbox.as_str(),
            requester: (&ticket.requester).into(),
            requester_proven: ticket.requester_proven,
            cc: ticket.cc.iter().map(PartyBody::from).collect(),
            comments: if is_agent { ticket.comments } else { ticket.public_comments },
            created_at: ticket.created_at,
            updated_at: if is_agent { ticket.updated_at } else { ticket.public_updated_at },
        }
    }
}

impl<'a> CommentBody<'a> {
    fn new(comment: &'a Comment, said: &'a Said, deliveries: Option<&'a [Delivery]>) -> Self {
        let delivery = |of: &'a Delivery| DeliveryBody { to: &of.to, state: of.state.name(), status: of.status.as_deref(), at: of.at };
        let attachments = said.attachments.iter().enumerate().map(|(at, attachment)| AttachmentBody {
            number: at + 1,
            name: &attachment.name,
            media_type: &attachment.media_type,
            bytes: attachment.bytes,
            inline: attachment.inline,
            content_id: attachment.content_id.as_deref(),
            held: attachment.held,
        });
        CommentBody {
            id: comment.id.to_string(),
            at: comment.at,
            public: comment.public,
            author: match &comment.author {
                Author::Sender(party) => AuthorBody::Sender(party.into()),
                Author::Agent(subject) => AuthorBody::Agent(subject),
            },
            text: &said.text,
            reply: said.new_words(),
            html: said.html.as_deref(),
            attachments: attachments.collect(),
            mail: comment.mail.as_ref().map(|mail| MailBody {
                kind: &mail.kind,
                subject: &mail.subject,
                message_id: mail.message_id.as_deref(),
                altered: mail.altered,
                message_id_reused: mail.message_id_reused,
                sender: ProofBody { proven: mail.proven_by.is_some(), by: mail.proven_by.as_deref() },
                passed_on_by: mail.passed_on_by.as_ref().map(PartyBody::from),
                forwarded_from: mail.forwarded_from.as_ref().map(PartyBody::from),
                warnings: &mail.warnings,
            }),
            deliveries: deliveries.map(|all| all.iter().map(delivery).collect()),
        }
    }
}

pub fn viewer(caller: &Caller) -> Viewer<'_> {
    match caller.role {
        Role::Agent | Role::Admin => Viewer::Agent,
        // These get nowhere near a ticket; as somebody without an address he sees none.
        Role::Operator | Role::PrivacyOfficer | Role::Feeder => Viewer::Requester(None),
        Role::Requester => Viewer::Requester(caller.address.as_deref()),
    }
}
