//! Which tickets are due when: a small document for each ticket with a due date, so that they are found in that order.

use serde::{Deserialize, Serialize};

use super::{Desk, Error, Ticket};
use crate::{
    ids::{Kind, TenantId, TicketId, partition},
    keys::TenantKeys,
    ports::{Write, timestamp},
};

/// What the `k1` of such a document begins with. Not `due:`, which is what the whole house waits for.
pub(super) const PREFIX: &str = "ticket-due:";

/// The body: which ticket.
#[derive(Serialize, Deserialize)]
pub(super) struct Due {
    pub ticket: TicketId,
}

/// The write that makes the index agree with a ticket whose due date changes, for the commit of the change.
pub(super) async fn write(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, before: &Ticket, after: &Ticket) -> Result<Option<Write>, Error> {
    if before.due_at == after.due_at {
        return Ok(None);
    }
    let place = partition(tenant, Kind::TicketDue);
    let id = format!("{PREFIX}{}", after.id);
    let stored = desk.ports.documents.get(&place, &id).await?;
    let Some(at) = after.due_at else {
        return Ok(stored.map(|stored| Write::Delete { id, etag: stored.etag }));
    };
    let clear = [Some(format!("{PREFIX}{}+{}", timestamp(at), after.id)), None, None, None];
    let document = keys.seal_document(&place, id, Kind::TicketDue, clear, None, &Due { ticket: after.id })?;
    Ok(Some(Write::put(document, stored.map(|stored| stored.etag))))
}
