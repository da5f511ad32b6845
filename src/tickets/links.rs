//! Tickets that belong together.

use super::{Desk, Error, Ticket, store};
use crate::{
    ids::{TenantId, TicketId},
    keys::TenantKeys,
    ports::Etag,
};

/// Merges that are followed from one ticket; a circle ends there.
const MERGES_MAX: usize = 10;

/// The ticket, or the one that took it in, and its version.
pub(super) async fn end_of_merges(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, id: TicketId) -> Result<Option<(Ticket, Etag)>, Error> {
    let mut found = store::ticket(desk, keys, tenant, id).await?;
    for _ in 0..MERGES_MAX {
        let Some(into) = found.as_ref().and_then(|(ticket, _)| ticket.merged_into) else { break };
        found = store::ticket(desk, keys, tenant, into).await?;
    }
    Ok(found)
}
