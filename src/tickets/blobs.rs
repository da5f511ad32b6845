//! Where a tenant's blobs are, for whoever removes him.

use super::{
    intake::pushed_prefix,
    store,
    unprocessed::{INTAKE_CONTAINER, intake_blobs},
};
use crate::{
    ids::{Kind, TenantId},
    outbox,
    tenants::BlobsOf,
};

pub fn blobs_of(tenant: &TenantId) -> BlobsOf {
    let own = format!("{tenant}/");
    let prefixes = vec![(store::CONTAINER, own.clone()), (outbox::CONTAINER, own), (INTAKE_CONTAINER, pushed_prefix(tenant))];
    BlobsOf { prefixes, named_by_kind: Kind::Unprocessed, named_by: intake_blobs }
}
