//! Who asks for help: contacts by their address, and which of them a caller is.
//!
//! A requester is linked once with the contact whose address is his user principal name, and keeps that address whatever he is called later; nobody
//! else is ever that contact. What his directory does not vouch for, he is not linked with: `access` gives such a caller no address.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Desk, Error, Party};
use crate::{
    ids::{Kind, TenantId, partition},
    keys::TenantKeys,
    mail::address::{given, local_part_stays},
    ports::{Etag, NewDocument, TRYING_FOR_A_CALLER, Tries, Write},
};

/// Somebody who asks for help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub address: String,
    pub name: Option<String>,
    /// The subject of his tokens, once he has logged in.
    pub subject: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

/// Which contact a subject is.
#[derive(Serialize, Deserialize)]
struct Login {
    address: String,
}

/// The address of the caller with this subject: the one that he was linked with, or, on his first call, the one that his directory vouches for, unless
/// it is somebody else's already.
pub async fn address_of(desk: &Desk, tenant: &TenantId, subject: &str, vouched_for: Option<&str>) -> Result<Option<String>, Error> {
    let keys = desk.keyring.keys(tenant).await?;
    let place = partition(tenant, Kind::Contact);
    let login = format!("login:{}", keys.index("login", &[subject.as_bytes()]));
    let mut tries = Tries::within(TRYING_FOR_A_CALLER);
    loop {
        if let Some(document) = desk.ports.documents.get(&place, &login).await? {
            return Ok(Some(keys.open_document::<Login>(&document)?.address));
        }
        // A name that is no address as it stands, or that reads as another's in lower case, is nobody's.
        let Some(address) = vouched_for.filter(|name| local_part_stays(name)).and_then(given) else { return Ok(None) };
        match link(desk, &keys, tenant, subject, &address, &login).await {
            Err(error) if error.is_conflict() && tries.again(desk.ports.entropy.as_ref()).await => {}
            Ok(linked) => return Ok(linked.then_some(address)),
            Err(error) => return Err(error),
        }
    }
}

/// Links a subject with the contact of an address; false if that is another's.
async fn link(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, subject: &str, address: &str, login: &str) -> Result<bool, Error> {
    let place = partition(tenant, Kind::Contact);
    let (contact, read) = match stored(desk, keys, tenant, address).await? {
        Some((contact, _)) if contact.subject.is_some() => return Ok(false),
        Some((contact, etag)) => (Contact { subject: Some(subject.to_owned()), ..contact }, Some(etag)),
        None => {
            let (address, since) = (address.to_owned(), desk.ports.clock.now());
            (Contact { address, name: None, subject: Some(subject.to_owned()), since }, None)
        }
    };
    let body = Login { address: address.to_owned() };
    let login = keys.seal_document(&place, login.to_owned(), Kind::Contact, Default::default(), None, &body)?;
    let contact = Write::put(document(keys, tenant, &contact)?, read);
    desk.ports.documents.commit(&place, vec![contact, Write::Create(login)]).await?;
    Ok(true)
}

/// The contact with this address, in lower case.
pub async fn find(desk: &Desk, tenant: &TenantId, address: &str) -> Result<Option<Contact>, Error> {
    let keys = desk.keyring.keys(tenant).await?;
    Ok(stored(desk, &keys, tenant, address).await?.map(|(contact, _)| contact))
}

/// The write that makes a contact of somebody who has an address and is none yet.
pub(super) async fn first_seen(
    desk: &Desk,
    keys: &TenantKeys,
    tenant: &TenantId,
    party: &Party,
    now: OffsetDateTime,
) -> Result<Option<Write>, Error> {
    let Some(address) = &party.address else { return Ok(None) };
    if stored(desk, keys, tenant, address).await?.is_some() {
        return Ok(None);
    }
    let contact = Contact { address: address.clone(), name: party.name.clone(), subject: None, since: now };
    Ok(Some(Write::Create(document(keys, tenant, &contact)?)))
}

async fn stored(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, address: &str) -> Result<Option<(Contact, Etag)>, Error> {
    let found = desk.ports.documents.get(&partition(tenant, Kind::Contact), &id(keys, address)).await?;
    found.map(|document| Ok((keys.open_document(&document)?, document.etag))).transpose()
}

fn document(keys: &TenantKeys, tenant: &TenantId, contact: &Contact) -> Result<NewDocument, Error> {
    let place = partition(tenant, Kind::Contact);
    Ok(keys.seal_document(&place, id(keys, &contact.address), Kind::Contact, Default::default(), None, contact)?)
}

fn id(keys: &TenantKeys, address: &str) -> String {
    format!("contact:{}", keys.index("contact", &[address.as_bytes()]))
}
