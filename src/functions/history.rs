//! What was changed of a ticket, by whom.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    App, HttpAnswer, HttpRequest, Problem,
    answer::{id, json, limit},
    cursor,
    tickets::viewer,
};
use crate::{
    access::Caller,
    ids::TicketId,
    tickets::{
        history::{self, Entry},
        store,
    },
};

pub async fn list(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let ticket: TicketId = id(&request.params, "id")?;
    store::seen_ticket(&app.desk, &caller.tenant, viewer(&caller), ticket).await?;
    let keys = app.keyring.keys(&caller.tenant).await?;
    let filter = ticket.to_string();
    let scope = cursor::Scope { caller: &caller, route: "history", filter: &filter };
    let now = app.ports.clock.now();
    let after = request.query.get("cursor").map(|text| cursor::open(&keys, &scope, text, now)).transpose()?;
    let (history, next) = history::page(&app.desk, &caller.tenant, ticket, after, limit(&request)?).await?;
    let next = next.map(|key| cursor::seal(&keys, &scope, &key, now)).transpose()?;
    Ok(json(200, &Page { history, next }))
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HistoryPage")]
pub struct Page {
    history: Vec<Entry>,
    /// For `?cursor=`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}
