//! Records go: those whose mail is dealt with after a while, and nobody's with the tenant who got their mailbox.
//!
//! What was sealed for a record goes before it, so that whoever dies in between is made good by the next sweep; unless another record needs it, which has
//! the same mail. One that comes at that very moment may find it gone: its mail is in a ticket.

use time::{Duration, OffsetDateTime};

use super::{
    intake_blobs,
    record::{DEALT_WITH, blob_of, mailbox_key},
};
use crate::{
    ids::{Kind, TenantId, partition},
    ports::{Document, Fault, Scan, Slot, Write, timestamp},
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
/// False if the time was not enough.
pub async fn forget(desk: &Desk, mailboxes: &[Mailbox], until: OffsetDateTime) -> Result<bool, Error> {
    let (system, keys) = (TenantId::system(), desk.keyring.keys(&TenantId::system()).await?);
    let place = partition(&system, Kind::Unprocessed);
    for mailbox in mailboxes {
        let scan = Scan::prefix(&place, Slot::K4, &mailbox_key(&keys, mailbox.as_str()), SWEEP_MAX);
        loop {
            let found = desk.ports.documents.scan(&scan).await?;
            if found.is_empty() {
                break;
            }
            for (container, blob) in found.iter().flat_map(|document| intake_blobs(&keys, document)) {
                desk.ports.blobs.delete(container, &blob).await?;
            }
            remove(desk, &system, found).await?;
            if desk.ports.clock.now() >= until {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

async fn remove(desk: &Desk, owner: &TenantId, records: Vec<Document>) -> Result<usize, Error> {
    let place = partition(owner, Kind::Unprocessed);
    let mut removed = 0;
    for document in records {
        let [_, mail, message, _] = &document.keys;
        for (slot, key) in [(Slot::K2, mail), (Slot::K3, message)] {
            let Some(key) = key else { continue };
            let needing = desk.ports.documents.scan(&Scan::prefix(&place, slot, key, 2)).await?;
            if needing.iter().all(|other| other.id == document.id) {
                desk.ports.blobs.delete(store::CONTAINER, &blob_of(key)).await?;
            }
        }
        match desk.ports.documents.commit(&place, vec![Write::Delete { id: document.id, etag: document.etag }]).await {
            Ok(_) => removed += 1,
            // Somebody works on it: it is looked at again.
            Err(Fault::Conflict) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(removed)
}
