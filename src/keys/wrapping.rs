//! The wrapping key: made once, followed by new versions, and what older ones wrapped moved to the newest, so that they can be disabled.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Error, Keyring, WRAPPING_KEY, ring::RingBody};
use crate::{
    ids::{Kind, TenantId, partition},
    ports::{Document, Fault, NewDocument, Scan, Slot, Wrapped, Write},
};

/// Keyrings read at a time.
const PAGE: usize = 100;
/// Tries to store a keyring against those who lease seals of it.
const TRIES_MAX: u32 = 5;

/// What [`Keyring::rewrap`] has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewrapped {
    pub keyrings: usize,
    /// Keys that another version had wrapped.
    pub moved: usize,
    /// The keyrings with a key that does not open, each as it was: its version is gone, or the keyring is damaged. A version that is disabled looks like
    /// missing rights and is an error.
    pub closed: Vec<String>,
}

impl Keyring {
    /// Makes the wrapping key if there is none; whether it did.
    pub async fn make_wrapping_key(&self) -> Result<bool, Error> {
        Ok(self.vault.make_key(WRAPPING_KEY).await?)
    }

    /// Makes a new version of the wrapping key and answers it.
    pub async fn rotate_wrapping_key(&self) -> Result<String, Error> {
        Ok(self.vault.rotate(WRAPPING_KEY).await?)
    }

    /// Wraps all keys of all tenants with the newest version of the wrapping key, and tells after each page how far it is. Broken off, it goes on
    /// where it was when it is called again: what is moved already stays as it is.
    pub async fn rewrap(&self, mut progress: impl FnMut(&Rewrapped)) -> Result<Rewrapped, Error> {
        let place = partition(&TenantId::system(), Kind::Keyring);
        let newest = self.vault.wrap(WRAPPING_KEY, b"which version is the newest?").await?.version;
        let (mut done, mut after) = (Rewrapped::default(), String::new());
        loop {
            let scan = Scan { range: format!("{after}\u{1}")..'\u{7f}'.to_string(), ..Scan::prefix(&place, Slot::Id, "", PAGE) };
            let page = self.documents.scan(&scan).await?;
            let Some(last) = page.last() else { return Ok(done) };
            after.clone_from(&last.id);
            for document in page {
                done.keyrings += 1;
                let id = document.id.clone();
                match self.rewrap_one(document, &newest).await {
                    Ok(moved) => done.moved += moved,
                    // No reason to leave the others with a version that somebody wants to disable.
                    Err(Error::Fault(Fault::Corrupt(_)) | Error::UnknownShape { .. }) => done.closed.push(id),
                    Err(error) => return Err(error),
                }
            }
            progress(&done);
        }
    }

    async fn rewrap_one(&self, document: Document, newest: &str) -> Result<usize, Error> {
        let (place, mut found) = (document.partition.clone(), Some(document));
        for _ in 0..TRIES_MAX {
            // Its tenant was removed meanwhile.
            let Some(document) = found else { return Ok(0) };
            let shape = || Error::UnknownShape { kind: Kind::Keyring.name().to_owned() };
            let mut ring: RingBody = serde_json::from_slice(&document.body).map_err(|_| shape())?;
            let mut moved = 0;
            for key in ring.keys.iter_mut().filter(|key| key.vault_version != newest) {
                let bytes = STANDARD.decode(&key.wrapped).map_err(|_| shape())?;
                let opened = self.vault.unwrap(WRAPPING_KEY, &Wrapped { version: key.vault_version.clone(), bytes }).await?;
                let wrapped = self.vault.wrap(WRAPPING_KEY, &opened).await?;
                (key.vault_version, key.wrapped) = (wrapped.version, STANDARD.encode(wrapped.bytes));
                moved += 1;
            }
            if moved == 0 {
                return Ok(0);
            }
            let body = serde_json::to_vec(&ring).map_err(|_| shape())?;
            let new = NewDocument { id: document.id.clone(), kind: document.kind, keys: document.keys, expires_at: document.expires_at, body };
            match self.documents.commit(&place, vec![Write::Replace { document: new, etag: document.etag }]).await {
                Ok(_) => return Ok(moved),
                // Somebody leased seals of it.
                Err(Fault::Conflict) => found = self.documents.get(&place, &document.id).await?,
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(Fault::Conflict.into())
    }
}
