//! What agents write below their answers.

use serde::{Deserialize, Serialize};

use super::{Desk, Error, change::name_within};
use crate::{
    ids::{Kind, TenantId, partition},
    keys::TenantKeys,
    mail::{line, redact::redact_text},
    ports::{Etag, TRYING_FOR_A_CALLER, Tries, Write},
};

/// Characters of a signature and of the name above it.
pub const SIGNATURE_CHARACTERS_MAX: usize = 2_000;
pub const SIGNER_CHARACTERS_MAX: usize = 100;
/// Stands above a signature, so that programs know it as one (RFC 3676 section 4.3).
const MARK: &str = "-- \n";

/// What an agent writes below his answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// What his letters call him, instead of by the name of the desk.
    pub name: Option<String>,
    /// Plain text; empty if he wants none.
    pub text: String,
}

impl Signature {
    /// The signature as it stands in a mail.
    pub(super) fn block(&self) -> String {
        if self.text.is_empty() { String::new() } else { format!("{MARK}{}", self.text) }
    }
}

/// The signature of the agent with this subject; without one it is empty.
pub async fn signature(desk: &Desk, tenant: &TenantId, subject: &str) -> Result<Signature, Error> {
    let keys = desk.keyring.keys(tenant).await?;
    Ok(stored(desk, &keys, tenant, subject).await?.map_or_else(Signature::default, |(signature, _)| signature))
}

/// Keeps a signature in place of the one before. Answers it as it is kept.
pub async fn sign(desk: &Desk, tenant: &TenantId, subject: &str, signature: &Signature) -> Result<Signature, Error> {
    let signature = checked(signature)?;
    let keys = desk.keyring.keys(tenant).await?;
    let place = partition(tenant, Kind::Contact);
    let mut tries = Tries::within(TRYING_FOR_A_CALLER);
    loop {
        let before = stored(desk, &keys, tenant, subject).await?;
        let document = keys.seal_document(&place, id(&keys, subject), Kind::Contact, Default::default(), None, &signature)?;
        let write = Write::put(document, before.map(|(_, etag)| etag));
        match desk.ports.documents.commit(&place, vec![write]).await.map_err(Error::from) {
            Err(error) if error.is_conflict() && tries.again(desk.ports.entropy.as_ref()).await => {}
            done => return done.map(|_| signature),
        }
    }
}

async fn stored(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, subject: &str) -> Result<Option<(Signature, Etag)>, Error> {
    let found = desk.ports.documents.get(&partition(tenant, Kind::Contact), &id(keys, subject)).await?;
    found.map(|document| Ok((keys.open_document(&document)?, document.etag))).transpose()
}

/// The signature as it may be kept: it leaves with mails, so that card numbers are cut here too.
fn checked(signature: &Signature) -> Result<Signature, Error> {
    let text = line::text(&signature.text).unwrap_or_default();
    let name = signature.name.as_deref().filter(|name| !name.trim().is_empty());
    let name = name.map(|name| name_within(SIGNER_CHARACTERS_MAX, name).ok_or(Error::BadSignature)).transpose()?;
    if text.chars().count() > SIGNATURE_CHARACTERS_MAX {
        return Err(Error::BadSignature);
    }
    Ok(Signature { name: name.map(|name| redact_text(&name).0), text: redact_text(&text).0 })
}

fn id(keys: &TenantKeys, subject: &str) -> String {
    format!("agent:{}", keys.index("agent", &[subject.as_bytes()]))
}
