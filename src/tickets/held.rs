//! Mail that is held while its tenant is not served, or because too much of it came, and let go when that is over.

use super::{
    Desk, Error, rates,
    unprocessed::{Reason, Unprocessed, get, replay::replay, write},
};
use crate::{
    ids::{Kind, RecordId, TenantId, partition},
    ports::{Scan, Slot, timestamp},
};

/// Who lets mail go by himself, in the audit events.
const RELEASE: &str = "release";
/// Held mails that are let go at a time, of each reason.
pub const RELEASED_MAX: usize = 200;

/// Sends mail through the intake again that was held because its tenant was not served or, an hour ago, because there was too much of it: up to
/// [`RELEASED_MAX`] of each reason, in the order in which it came. Says how much it was. What is still too much is held again, in the same record, for
/// another hour. Killed in between, it is called again for the rest. The trouble of one mail is its own: the others go, then the first trouble is told.
pub async fn release(desk: &Desk, owner: &TenantId) -> Result<usize, Error> {
    let place = partition(owner, Kind::Unprocessed);
    let mut held: Vec<Unprocessed> = Vec::new();
    let (mut released, mut trouble) = (0, None);
    let calm = timestamp(desk.ports.clock.now() - rates::WINDOW);
    for reason in [Reason::TenantSuspended, Reason::TenantRestoring, Reason::SenderLimit, Reason::MailboxLimit, Reason::Loop] {
        let mut scan = Scan::prefix(&place, Slot::K1, &format!("{reason}+"), RELEASED_MAX);
        if reason.is_a_limit() {
            scan.range.end = format!("{reason}+{calm}");
        }
        let found = desk.ports.documents.scan(&scan).await?;
        if !found.is_empty() {
            let keys = desk.keyring.keys(owner).await?;
            for document in &found {
                match keys.open_document(document) {
                    Ok(record) => held.push(record),
                    Err(error) => trouble = trouble.or(Some(error.into())),
                }
            }
        }
    }
    held.sort_by_key(|record| record.id);
    for record in &held {
        match replay(desk, owner, record.id, RELEASE).await {
            Ok(()) => released += 1,
            Err(Error::BlobMissing) => trouble = trouble.or(lost(desk, owner, record.id).await.err()),
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
