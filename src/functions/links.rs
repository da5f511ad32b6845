//! Tickets that belong together: linked, or one taken into another.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App, HttpAnswer, HttpRequest, Problem,
    answer::{body, id, versions},
    tickets::{shown, viewer},
};
use crate::{
    access::Caller,
    ids::TicketId,
    tickets::{
        links::{self, Together},
        store,
    },
};

const BODY_BYTES_MAX: usize = 1024;

pub async fn link(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    seen(app, &caller, &request).await?;
    let Linked { ticket } = body(&request, BODY_BYTES_MAX, r#"{"ticket": "ID"}"#)?;
    join(app, &caller, &request, ticket, Together::Linked).await
}

pub async fn unlink(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    seen(app, &caller, &request).await?;
    let other = id(&request.params, "other")?;
    join(app, &caller, &request, other, Together::Apart).await
}

pub async fn merge(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    seen(app, &caller, &request).await?;
    let Merged { into } = body(&request, BODY_BYTES_MAX, r#"{"into": "ID"}"#)?;
    join(app, &caller, &request, into, Together::Merged).await
}

/// What he may not see does not exist, whatever he says of it.
async fn seen(app: &App, caller: &Caller, request: &HttpRequest) -> Result<(), Problem> {
    store::seen_ticket(&app.desk, &caller.tenant, viewer(caller), id(&request.params, "id")?).await?;
    Ok(())
}

async fn join(app: &App, caller: &Caller, request: &HttpRequest, other: TicketId, how: Together) -> Result<HttpAnswer, Problem> {
    let own = id(&request.params, "id")?;
    let (ticket, etag) = links::join(&app.desk, &caller.tenant, (own, other), how, &versions(request), &caller.subject).await?;
    Ok(shown(app, caller, 200, &ticket, &etag))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linked {
    ticket: TicketId,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Merged {
    into: TicketId,
}
