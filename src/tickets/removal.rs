//! A tenant goes with all that the rooms keep of him.

use time::Duration;

use super::{
    Desk, Error,
    intake::pushed_prefix,
    store,
    unprocessed::{self, INTAKE_CONTAINER, intake_blobs},
};
use crate::{
    ids::{Kind, TenantId},
    outbox,
    ports::Versions,
    tenants::{self, BlobsOf, Removal, State},
};

/// How long one call deletes what came for mailboxes while they were nobody's; the next one goes on.
const FORGETTING_MAX: Duration = Duration::seconds(20);

/// Deletes a suspended tenant who is of the versions that the caller means, and what came for his mailboxes while they were nobody's. Until the answer says
/// `done`, it is to be called again.
pub async fn remove(desk: &Desk, actor: &str, id: &TenantId, meant: &Versions) -> Result<Removal, Error> {
    let known = tenants::get(desk.ports.documents.as_ref(), &desk.keyring, id).await?;
    // His mailboxes are known as long as he is.
    if let Some((tenant, _)) = known.filter(|(tenant, etag)| tenant.state == State::Suspended && meant.take(etag)) {
        let until = desk.ports.clock.now() + FORGETTING_MAX;
        if !unprocessed::sweep::forget(desk, &tenant.mailboxes, until).await? {
            return Ok(Removal::default());
        }
    }
    Ok(tenants::remove(&desk.ports, &desk.keyring, actor, id, &blobs_of(id), meant).await?)
}

fn blobs_of(tenant: &TenantId) -> BlobsOf {
    let own = format!("{tenant}/");
    let prefixes = vec![(store::CONTAINER, own.clone()), (outbox::CONTAINER, own), (INTAKE_CONTAINER, pushed_prefix(tenant))];
    BlobsOf { prefixes, named_by_kind: Kind::Unprocessed, named_by: intake_blobs }
}
