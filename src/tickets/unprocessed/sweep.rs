//! Records go: those whose mail is dealt with after a while, and nobody's with the tenant who got their mailbox.
//!
//! What was sealed for a record goes before it, so that whoever dies in between is made good by the next sweep; unless another record needs it, which has
//! the same mail. One that comes at that very moment may find it gone: its mail is in a ticket.

use time::Duration;

use super::{
    intake_blobs, readable,
    record::{DEALT_WITH, Unprocessed, blob_key, mailbox_key},
};
use crate::{
    ids::{Kind, TenantId, partition},
    ports::{Document, Scan, Slot, Write, timestamp},
    tenants::Mailbox,
    tickets::{Desk, Error, store},
};

/// How long after its first failure such a record is kept.
const DEALT_WITH_KEPT: Duration = Duration::days(90);
/// Records that go at a time.
const SWEEP_MAX: usize = 200;

/// Removes records of an owner whose mail was dealt with and that are old, up to 200. Answers how many went.
pub async fn sweep(desk: &Desk, owner: &TenantId) -> Result<usize, Error> {
    let place = partition(owner, Kind::Unprocessed);
    let mut scan = Scan::prefix(&place, Slot::K1, DEALT_WITH, SWEEP_MAX);
    scan.range.end = format!("{DEALT_WITH}{}", timestamp(desk.ports.clock.now() - DEALT_WITH_KEPT));
    let old = desk.ports.documents.scan(&scan).await?;
    remove(desk, owner, old).await
}

/// Removes nobody's records of mailboxes, with what only they name: their mail came before somebody had the mailbox, and he goes now.
pub async fn forget(desk: &Desk, mailboxes: &[Mailbox]) -> Result<(), Error> {
    let (system, keys) = (TenantId::system(), desk.keyring.keys(&TenantId::system()).await?);
    let place = partition(&system, Kind::Unprocessed);
    for mailbox in mailboxes {
        let scan = Scan::prefix(&place, Slot::K4, &mailbox_key(&keys, mailbox.as_str()), SWEEP_MAX);
        loop {
            let found = desk.ports.documents.scan(&scan).await?;
            for (container, blob) in found.iter().flat_map(|document| intake_blobs(&keys, document)) {
                desk.ports.blobs.delete(container, &blob).await?;
            }
            if remove(desk, &system, found).await? < SWEEP_MAX {
                break;
            }
        }
    }
    Ok(())
}

async fn remove(desk: &Desk, owner: &TenantId, records: Vec<Document>) -> Result<usize, Error> {
    if records.is_empty() {
        return Ok(0);
    }
    let (place, keys) = (partition(owner, Kind::Unprocessed), desk.keyring.keys(owner).await?);
    let removed = records.len();
    for document in records {
        let sealed = readable::<Unprocessed>(&keys, &document).map(|record| record.sealed_for().map(|blob| blob.map(str::to_owned)));
        for (slot, blob) in [Slot::K2, Slot::K3].into_iter().zip(sealed.into_iter().flatten()) {
            let Some(blob) = blob else { continue };
            let needing = desk.ports.documents.scan(&Scan::prefix(&place, slot, &blob_key(&blob), 2)).await?;
            if needing.iter().all(|other| other.id == document.id) {
                desk.ports.blobs.delete(store::CONTAINER, &blob).await?;
            }
        }
        desk.ports.documents.commit(&place, vec![Write::Delete { id: document.id, etag: document.etag }]).await?;
    }
    Ok(removed)
}
