//! Tenants over HTTP, for the vendor's operators.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App, HttpAnswer, HttpRequest, Problem,
    answer::{body, json, limit, never_null, present, quoted, versions},
    cursor,
};
use crate::{
    access::Caller,
    ids::TenantId,
    tenants::{self, Change, DirectoryId, Mailbox, Region, SETTINGS_BYTES_MAX, Settings, State, Tenant, Trust},
    tickets::{held, removal},
};

/// Bytes of a tenant's JSON: fifty mailboxes with their trust.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The same with all settings.
const CHANGE_BODY_BYTES_MAX: usize = BODY_BYTES_MAX + SETTINGS_BYTES_MAX;

pub async fn list(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let documents = app.ports.documents.as_ref();
    let keys = app.keyring.keys(&TenantId::system()).await?;
    let scope = cursor::Scope { caller: &caller, route: "tenants", filter: "" };
    let now = app.ports.clock.now();
    let (limit, after) = (limit(&request)?, request.query.get("cursor").map(|text| cursor::open(&keys, &scope, text, now)).transpose()?);
    let found = tenants::page(documents, &app.keyring, after.as_deref(), limit).await?;
    let last = found.last().filter(|_| found.len() == limit);
    let next = last.map(|tenant| cursor::seal(&keys, &scope, tenant.id.as_str(), now)).transpose()?;
    let mut tenants = Vec::with_capacity(found.len());
    for tenant in found {
        tenants.push(TenantBody::of(app, tenant).await?);
    }
    Ok(json(200, &Page { tenants, next }))
}

pub async fn add(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let example = r#"{"id": "contoso", "name": "Contoso", "mailboxes": [{"address": "help@contoso.example", "trust": "exchange_online"}]}"#;
    let body: AddRequest = body(&request, BODY_BYTES_MAX, example)?;
    let mailboxes = body.mailboxes.iter().map(|mailbox| mailbox.address.clone()).collect();
    let named_twice =
        |at: usize, one: &MailboxBody| body.mailboxes[..at].iter().any(|other| other.address == one.address && other.trust != one.trust);
    if body.mailboxes.iter().enumerate().any(|(at, one)| named_twice(at, one)) {
        return Err(Problem::new(400, "bad-tenant", "The tenant cannot be like that", "A mailbox that is named twice has one `trust`."));
    }
    let tenant = Tenant { entra_tenant: body.entra_tenant, region: body.region, ..Tenant::new(body.id.clone(), body.name, mailboxes) };
    let trust = |mailbox: &Mailbox| {
        let named = body.mailboxes.iter().find(|named| named.address == *mailbox);
        named.map(|named| named.trust.clone()).unwrap_or_default()
    };
    tenants::add_trusting(&app.ports, &app.keyring, &caller.subject, &tenant, trust).await?;
    shown(app, &body.id, 201).await
}

pub async fn get(app: &App, _caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    shown(app, &id(&request)?, 200).await
}

pub async fn change(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let id = id(&request)?;
    let body: ChangeRequest = body(&request, CHANGE_BODY_BYTES_MAX, r#"{"name": "Contoso", "state": "suspended"}, or what else is to be changed"#)?;
    let change = Change { name: body.name, entra_tenant: body.entra_tenant, region: body.region, state: body.state, settings: body.settings };
    let (tenant, _) = tenants::change(&app.ports, &app.keyring, &caller.subject, &id, &versions(&request), &change).await?;
    if tenant.state == State::Active {
        // The change stands; what is left `ReleaseHeld` lets go.
        if let Err(error) = held::release(&app.desk, &id).await {
            tracing::warn!(tenant = %id, %error, "held mail is not let go at once");
        }
    }
    shown(app, &id, 200).await
}

pub async fn mailbox(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let id = id(&request)?;
    let body: MailboxRequest = body(&request, BODY_BYTES_MAX, r#"{"address": "help@contoso.example", "trust": "exchange_online"}"#)?;
    let (mailbox, trust) = (&body.address, body.trust.as_ref());
    tenants::add_mailbox(&app.ports, &app.keyring, &caller.subject, &id, mailbox, trust, &versions(&request)).await?;
    shown(app, &id, 200).await
}

/// Deletes what a suspended tenant has, then him. Until the answer says `done`, it is to be called again.
pub async fn remove(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let id = id(&request)?;
    let removal = removal::remove(&app.desk, &caller.subject, &id, &versions(&request)).await?;
    Ok(json(200, &removal))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddRequest {
    id: TenantId,
    name: String,
    mailboxes: Vec<MailboxBody>,
    #[serde(default)]
    entra_tenant: Option<DirectoryId>,
    #[serde(default)]
    region: Region,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    #[serde(default, deserialize_with = "never_null")]
    #[schemars(with = "String", skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `null` takes it away; absent, it stays.
    #[serde(default, deserialize_with = "present")]
    entra_tenant: Option<Option<DirectoryId>>,
    #[serde(default, deserialize_with = "never_null")]
    #[schemars(with = "Region", skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
    #[serde(default, deserialize_with = "never_null")]
    #[schemars(with = "State", skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    /// All of them: what is left out becomes as by default.
    #[serde(default, deserialize_with = "never_null")]
    #[schemars(with = "Settings", skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
}

/// One more, or another trust for one that is there: without `trust` that stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailboxRequest {
    address: Mailbox,
    trust: Option<Trust>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Mailbox")]
pub struct MailboxBody {
    pub address: Mailbox,
    /// Whose word on senders counts in it.
    #[serde(default)]
    pub trust: Trust,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TenantPage")]
pub struct Page {
    tenants: Vec<TenantBody>,
    /// For `?cursor=`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Tenant")]
pub struct TenantBody {
    pub id: TenantId,
    pub name: String,
    pub state: State,
    pub region: Region,
    pub entra_tenant: Option<DirectoryId>,
    pub mailboxes: Vec<MailboxBody>,
    pub settings: Settings,
}

impl TenantBody {
    pub async fn of(app: &App, tenant: Tenant) -> Result<TenantBody, tenants::Error> {
        let Tenant { id, name, mailboxes: addresses, entra_tenant, region, state, settings } = tenant;
        let owners = addresses.iter().map(|address| tenants::of_mailbox(app.ports.documents.as_ref(), &app.keyring, address));
        let owners = futures::future::try_join_all(owners).await?;
        let trusts = owners.into_iter().map(|owner| owner.map(|owner| owner.trust).unwrap_or_default());
        let mailboxes = addresses.into_iter().zip(trusts).map(|(address, trust)| MailboxBody { address, trust }).collect();
        Ok(TenantBody { id, name, state, region, entra_tenant, mailboxes, settings })
    }
}

async fn shown(app: &App, id: &TenantId, status: u16) -> Result<HttpAnswer, Problem> {
    let (tenant, etag) = tenants::get(app.ports.documents.as_ref(), &app.keyring, id).await?.ok_or(tenants::Error::NotFound)?;
    let mut answer = json(status, &TenantBody::of(app, tenant).await?);
    answer.headers.push(("etag", quoted(&etag)));
    Ok(answer)
}

fn id(request: &HttpRequest) -> Result<TenantId, Problem> {
    request.params.get("tenant").and_then(|text| text.parse().ok()).ok_or_else(|| tenants::Error::NotFound.into())
}
