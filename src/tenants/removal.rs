//! A tenant goes: what he had is deleted, then he himself but for his id, and last the keys without which what is left anywhere cannot be read.
//!
//! Killed in between, it is called again for the rest. Backups keep what they have until they expire.

use schemars::JsonSchema;
use serde::Serialize;
use time::Duration;

use super::{Action, Error, State, Stored, Tenant, event, get, is_gone, mailbox_document, tenant_document};
use crate::{
    ids::{Kind, TenantId, partition},
    keys::{self, Keyring, TenantKeys},
    ports::{Document, Documents, Etag, Fault, Ports, Scan, Slot, Versions, Write},
};

/// How long one call deletes; the next one goes on.
const REMOVING_MAX: Duration = Duration::seconds(60);
/// Documents that are deleted in one commit, and blobs that are listed at once.
const BATCH: usize = 50;

/// What a call deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Removal {
    /// Nothing is left. If not, it is to be called again.
    pub done: bool,
    pub documents: usize,
    pub blobs: usize,
}

/// Where the blobs of a tenant are, each in a container.
pub struct BlobsOf {
    /// What the names begin with that are his alone.
    pub prefixes: Vec<(&'static str, String)>,
    /// The names that a document of this kind tells, and that nothing would tell without it.
    pub named_by_kind: Kind,
    pub named_by: fn(&TenantKeys, &Document) -> Vec<(&'static str, String)>,
}

/// Deletes a tenant who is not served and is of the versions that the caller means, with all that is his.
/// Who is gone already is removed once more, in case that somebody died over it, or that something of his was under way; mostly nothing is left to do.
pub async fn remove(ports: &Ports, keyring: &Keyring, actor: &str, id: &TenantId, blobs: &BlobsOf, meant: &Versions) -> Result<Removal, Error> {
    let documents = ports.documents.as_ref();
    if !is_known(documents, keyring, id, meant).await? {
        return Err(Error::NotFound);
    }
    let until = ports.clock.now() + REMOVING_MAX;
    let mut removal = Removal::default();
    while ports.clock.now() < until {
        // He may have been taken back meanwhile.
        removable(documents, keyring, id, meant).await?;
        let (deleted, gone) = futures::try_join!(delete_documents(ports, keyring, id, blobs), delete_blobs(ports, &blobs.prefixes))?;
        removal.documents += deleted.documents;
        removal.blobs += deleted.blobs + gone;
        if deleted.documents + gone > 0 {
            continue;
        }
        let Some((tenant, etag)) = removable(documents, keyring, id, meant).await? else {
            keyring.forget(id).await?;
            return Ok(Removal { done: true, ..removal });
        };
        let (system, keys) = (TenantId::system(), keyring.keys(&TenantId::system()).await?);
        let place = partition(&system, Kind::Tenant);
        let gone = Stored::Gone { removed_at: ports.clock.now() };
        let gone = keys.seal_document(&place, tenant_document(id), Kind::Tenant, Default::default(), None, &gone)?;
        let mut writes = vec![Write::Replace { document: gone, etag }, event(ports, &keys, actor, Action::TenantRemoved, id)?];
        for mailbox in &tenant.mailboxes {
            let document = mailbox_document(&keys, mailbox);
            if let Some(known) = documents.get(&place, &document).await? {
                writes.push(Write::Delete { id: document, etag: known.etag });
            }
        }
        // From here on his mail is nobody's. What was under way when he went is deleted in the next turn.
        documents.commit(&place, writes).await?;
    }
    Ok(removal)
}

/// Whether there is a tenant of this id, who may be removed, or was one.
async fn is_known(documents: &dyn Documents, keyring: &Keyring, id: &TenantId, meant: &Versions) -> Result<bool, Error> {
    let is_there = removable(documents, keyring, id, meant).await?.is_some();
    Ok(is_there || is_gone(documents, keyring, id).await? || keyring.is_known(id).await?)
}

/// The tenant, if there still is one; fails if he may not be removed.
async fn removable(documents: &dyn Documents, keyring: &Keyring, id: &TenantId, meant: &Versions) -> Result<Option<(Tenant, Etag)>, Error> {
    let known = get(documents, keyring, id).await?;
    match &known {
        Some((tenant, _)) if tenant.state != State::Suspended => Err(Error::StillServed),
        Some((_, etag)) if !meant.take(etag) => Err(Error::Changed),
        _ => Ok(known),
    }
}

/// What went with a batch.
#[derive(Default)]
struct Deleted {
    documents: usize,
    blobs: usize,
}

async fn delete_documents(ports: &Ports, keyring: &Keyring, id: &TenantId, blobs: &BlobsOf) -> Result<Deleted, Error> {
    let place = partition(id, Kind::Ticket);
    let found = ports.documents.scan(&Scan::prefix(&place, Slot::Id, "", BATCH)).await?;
    if found.is_empty() {
        return Ok(Deleted::default());
    }
    let mut deleted = Deleted { documents: found.len(), blobs: 0 };
    for (container, name) in named(keyring, id, &found, blobs).await? {
        ports.blobs.delete(container, &name).await?;
        deleted.blobs += 1;
    }
    // Each batch begins at what is left: over the tombstones of millions the last ones would not be reached.
    let writes: Vec<Write> = found.into_iter().map(|document| Write::Purge { id: document.id, etag: document.etag }).collect();
    match ports.documents.commit(&place, writes).await {
        // Somebody still works on one of them: they are read again.
        Ok(_) | Err(Fault::Conflict) => Ok(deleted),
        Err(fault) => Err(fault.into()),
    }
}

/// The blobs that documents of his tell of. Keys that do not open, as when a version of the wrapping key was destroyed, keep nobody from going.
async fn named(keyring: &Keyring, id: &TenantId, found: &[Document], blobs: &BlobsOf) -> Result<Vec<(&'static str, String)>, Error> {
    let telling: Vec<&Document> = found.iter().filter(|document| document.kind == blobs.named_by_kind.name()).collect();
    if telling.is_empty() {
        return Ok(Vec::new());
    }
    match keyring.keys(id).await {
        Ok(keys) => Ok(telling.into_iter().flat_map(|document| (blobs.named_by)(&keys, document)).collect()),
        Err(keys::Error::Fault(fault @ (Fault::Unavailable(_) | Fault::Throttled { .. } | Fault::Conflict))) => Err(fault.into()),
        Err(error) => {
            tracing::warn!(tenant = %id, %error, "the keys of a tenant who goes do not open; what only his records name in the intake stays there");
            Ok(Vec::new())
        }
    }
}

async fn delete_blobs(ports: &Ports, blobs: &[(&str, String)]) -> Result<usize, Error> {
    let mut count = 0;
    for (container, prefix) in blobs {
        for name in ports.blobs.list(container, prefix, None, BATCH).await? {
            ports.blobs.delete(container, &name).await?;
            count += 1;
        }
    }
    Ok(count)
}
