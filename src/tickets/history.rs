//! What was changed of a ticket, by whom, from what to what. What was said stands in its comments.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Desk, Error, Ticket, new_ulid, store::LIST_MAX};
use crate::{
    ids::{Kind, TenantId, TicketId, partition},
    keys::TenantKeys,
    ports::{Scan, Slot, Write},
};

/// One change, of one or several things at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HistoryEntry")]
pub struct Entry {
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub at: OffsetDateTime,
    /// A caller's subject, or the function that worked on its own.
    pub actor: String,
    pub changes: Vec<Changed>,
}

/// One thing that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// The member of the ticket; of `fields` those alone that were changed.
    pub what: String,
    pub from: Value,
    pub to: Value,
}

/// The write that tells of a change, for its commit; none if nothing was changed that people set.
pub(super) fn write(
    desk: &Desk,
    keys: &TenantKeys,
    tenant: &TenantId,
    before: &Ticket,
    after: &Ticket,
    actor: &str,
    at: OffsetDateTime,
) -> Result<Option<Write>, Error> {
    let pairs = members(before, after).into_iter().zip(members(after, before));
    let changes: Vec<Changed> =
        pairs.filter(|(from, to)| from.1 != to.1).map(|((what, from), (_, to))| Changed { what: what.to_owned(), from, to }).collect();
    if changes.is_empty() {
        return Ok(None);
    }
    let id = format!("history:{}:{}", after.id, new_ulid(desk.ports.entropy.as_ref(), at));
    let entry = Entry { at, actor: actor.to_owned(), changes };
    let document = keys.seal_document(&partition(tenant, Kind::History), id, Kind::History, Default::default(), None, &entry)?;
    Ok(Some(Write::Create(document)))
}

/// A page of the history of a ticket, the oldest change first, and where the next page begins.
pub async fn page(
    desk: &Desk,
    tenant: &TenantId,
    ticket: TicketId,
    after: Option<String>,
    limit: usize,
) -> Result<(Vec<Entry>, Option<String>), Error> {
    let keys = desk.keyring.keys(tenant).await?;
    let place = partition(tenant, Kind::History);
    let prefix = format!("history:{ticket}:");
    let limit = limit.min(LIST_MAX);
    let mut scan = Scan::prefix(&place, Slot::Id, &prefix, limit);
    if let Some(after) = after.filter(|after| after.starts_with(&prefix)) {
        scan.range.start = format!("{after}\0");
    }
    let found = desk.ports.documents.scan(&scan).await?;
    let next = (found.len() == limit).then(|| found.last().map(|document| document.id.clone())).flatten();
    let entries = found.iter().map(|document| Ok(keys.open_document(document)?)).collect::<Result<_, Error>>()?;
    Ok((entries, next))
}

/// What people set, in the order in which it is told; of the fields what the ticket has otherwise than it has on the other side.
fn members(ticket: &Ticket, other: &Ticket) -> [(&'static str, Value); 11] {
    let fields: BTreeMap<_, _> = ticket.fields.iter().filter(|(name, value)| other.fields.get(*name) != Some(*value)).collect();
    let due_at = ticket.due_at.and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok());
    [
        ("subject", json!(ticket.subject)),
        ("status", json!(ticket.status)),
        ("priority", json!(ticket.priority)),
        ("assignee", json!(ticket.assignee)),
        ("category", json!(ticket.category)),
        ("tags", json!(ticket.tags)),
        ("due_at", json!(due_at)),
        ("cc", json!(ticket.cc)),
        ("fields", json!(fields)),
        ("links", json!(ticket.links)),
        ("merged_into", json!(ticket.merged_into)),
    ]
}
