//! Mail that is held while its tenant is not served, and let go when he is.

use super::{
    Desk, Error,
    unprocessed::{Reason, Unprocessed, get, replay, write},
};
use crate::{
    ids::{Kind, RecordId, TenantId, partition},
    ports::{Scan, Slot},
};

/// Held mails that are let go at a time.
pub const RELEASED_MAX: usize = 200;

/// Sends mail through the intake again that was held because its tenant was not served, up to [`RELEASED_MAX`] in the order in which it came, and says
/// how much it was. Killed in between, it is called again for the rest. The trouble of one mail is its own: the others go, then the first trouble is told.
pub async fn release(desk: &Desk, owner: &TenantId) -> Result<usize, Error> {
    let place = partition(owner, Kind::Unprocessed);
    let mut held: Vec<Unprocessed> = Vec::new();
    for reason in [Reason::TenantSuspended, Reason::TenantRestoring] {
        let found = desk.ports.documents.scan(&Scan::prefix(&place, Slot::K1, &format!("{reason}+"), RELEASED_MAX)).await?;
        if !found.is_empty() {
            let keys = desk.keyring.keys(owner).await?;
            for document in &found {
                held.push(keys.open_document(document)?);
            }
        }
    }
    held.sort_by_key(|record| record.id);
    held.truncate(RELEASED_MAX);
    let (mut released, mut trouble) = (0, None);
    for record in &held {
        match replay(desk, owner, record.id).await {
            Ok(()) => released += 1,
            Err(error) if error.is_conflict() => released += 1,
            Err(Error::BlobMissing) => lost(desk, owner, record.id).await?,
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    trouble.map_or(Ok(released), Err)
}

/// The bytes of a held mail are gone: it waits for somebody to look, not for its tenant.
async fn lost(desk: &Desk, owner: &TenantId, id: RecordId) -> Result<(), Error> {
    tracing::error!(record = %id, "a held mail's sealed blob is missing");
    let Some((mut record, etag)) = get(desk, owner, id).await? else { return Ok(()) };
    record.reason = Reason::BlobMissing;
    "the sealed blob of the held mail is not there".clone_into(&mut record.detail);
    let keys = desk.keyring.keys(owner).await?;
    desk.ports.documents.commit(&partition(owner, Kind::Unprocessed), vec![write(&keys, owner, &record, Some(etag))?]).await?;
    Ok(())
}
