//! Unprocessed mail over HTTP: what did not become a ticket in the caller's tenant, and once more through the intake. `SweepUnprocessed` removes the records
//! that nobody needs any more.

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::{
    App, HttpAnswer, HttpRequest, Problem, Tick, Verdict,
    answer::{At, download, id, json, limit},
    cursor,
    every_tenant::of_each_tenant,
    problem,
};
use crate::{
    access::Caller,
    ids::{RecordId, TenantId},
    tenants::Tenant,
    tickets::{
        self,
        unprocessed::{self, Raw, Reason, State, Unprocessed},
    },
};

pub async fn list(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let limit = limit(&request)?;
    let keys = app.keyring.keys(&caller.tenant).await?;
    let scope = cursor::Scope { caller: &caller, route: "unprocessed", filter: "" };
    let now = app.ports.clock.now();
    let after = request.query.get("cursor").map(|text| cursor::open(&keys, &scope, text, now)).transpose()?;
    let after = after.and_then(|id| id.parse().ok());
    let found = unprocessed::page(&app.desk, &caller.tenant, after, limit).await?;
    let next = found.next.map(|last| cursor::seal(&keys, &scope, &last.to_string(), now)).transpose()?;
    // What is in a ticket by now is no trouble any more; a page may be short of it.
    let unprocessed = found.records.iter().filter(|record| record.state != State::Processed).map(RecordBody::of).collect();
    Ok(json(200, &Page { unprocessed, next }))
}

pub async fn get(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    Ok(json(200, &RecordBody::of(&found(app, &caller, &request).await?)))
}

pub async fn mail(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let record = found(app, &caller, &request).await?;
    // What still lies in the intake container is neither cut nor bounded, and not ours yet.
    if !matches!(record.raw, Raw::Sealed { .. }) {
        return Err(tickets::Error::NotFound.into());
    }
    let bytes = unprocessed::raw(&app.desk, &caller.tenant, &record).await?.ok_or(tickets::Error::NotFound)?;
    Ok(download(bytes, "application/octet-stream", &format!("{}.eml", record.id)))
}

pub async fn replay(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let record = found(app, &caller, &request).await?;
    unprocessed::replay::replay(&app.desk, &caller.tenant, record.id, &caller.subject).await?;
    Ok(json(202, &RecordBody::of(&found(app, &caller, &request).await?)))
}

/// The same for a mail that a limit holds, and would hold again.
pub async fn release(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let record = found(app, &caller, &request).await?;
    unprocessed::replay::let_go(&app.desk, &caller.tenant, record.id, &caller.subject).await?;
    Ok(json(202, &RecordBody::of(&found(app, &caller, &request).await?)))
}

pub async fn sweep(app: &App, _tick: Tick) -> Verdict {
    let nobodys = unprocessed::sweep::sweep(&app.desk, &TenantId::system()).await;
    let of_tenants = of_each_tenant(app, |app, tenant| Box::pin(swept(app, tenant))).await;
    match nobodys.and_then(|nobodys| Ok(nobodys + of_tenants?)) {
        Ok(removed) => Verdict::Done(format!("{removed} records of mail that was dealt with are removed")),
        Err(error) => problem::retry(&error),
    }
}

async fn swept(app: &App, tenant: Tenant) -> Result<usize, tickets::Error> {
    unprocessed::sweep::sweep(&app.desk, &tenant.id).await
}

async fn found(app: &App, caller: &Caller, request: &HttpRequest) -> Result<Unprocessed, Problem> {
    let id: RecordId = id(&request.params, "record")?;
    let found = unprocessed::get(&app.desk, &caller.tenant, id).await?;
    Ok(found.map(|(record, _)| record).ok_or(tickets::Error::NotFound)?)
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UnprocessedPage")]
pub struct Page<'a> {
    unprocessed: Vec<RecordBody<'a>>,
    /// For `?cursor=`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Unprocessed")]
pub struct RecordBody<'a> {
    id: RecordId,
    reason: Reason,
    detail: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "At")]
    at: OffsetDateTime,
    mailbox: Option<&'a str>,
    state: State,
    replays: u32,
    /// The number of the ticket that its mail is in by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<u64>,
    /// Bytes that are kept of the mail; absent if there is none, or if it still lies in the intake container.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Card numbers were cut out of it.
    altered: bool,
}

impl<'a> RecordBody<'a> {
    fn of(record: &'a Unprocessed) -> Self {
        let (bytes, altered) = match record.raw {
            Raw::Sealed { bytes, altered, .. } => (Some(bytes), altered),
            Raw::Nowhere | Raw::Intake { .. } => (None, false),
        };
        RecordBody {
            id: record.id,
            reason: record.reason,
            detail: &record.detail,
            at: record.at,
            mailbox: record.mailbox.as_deref(),
            state: record.state,
            replays: record.replays,
            ticket: record.ticket,
            bytes,
            altered,
        }
    }
}
