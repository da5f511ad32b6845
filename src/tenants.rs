//! The tenants and their mailboxes: who is a customer, and whose mail is whose.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Kind, TenantId, partition},
    keys::{self, Keyring},
    ports::{Documents, Etag, Fault, Scan, Slot, Write},
};

/// Mailboxes of one tenant: with the tenant's own document they must fit one commit.
pub const MAILBOXES_MAX: usize = 50;
/// Bytes of a mailbox's address (RFC 5321 section 4.5.3.1).
const ADDRESS_BYTES_MAX: usize = 254;
/// Tenants that a list holds.
const LIST_MAX: usize = 10_000;

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    /// Addresses whose mail becomes this tenant's tickets.
    pub mailboxes: Vec<Mailbox>,
}

/// The address of a help desk, lower-case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mailbox(String);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Keys(#[from] keys::Error),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("a mailbox is an address of at most {ADDRESS_BYTES_MAX} bytes with one @")]
    NotAMailbox,
    #[error("a tenant has at most {MAILBOXES_MAX} mailboxes")]
    TooManyMailboxes,
    /// The tenant exists, or one of the mailboxes belongs to somebody already.
    #[error("the tenant or one of its mailboxes exists already")]
    Exists,
}

#[derive(Serialize, Deserialize)]
struct MailboxBody {
    tenant: TenantId,
}

impl Mailbox {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim().to_lowercase();
        let well = text.len() <= ADDRESS_BYTES_MAX
            && !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '/' | '\\' | '<' | '>'))
            && text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.') && !domain.contains('@'));
        if well { Ok(Mailbox(text)) } else { Err(Error::NotAMailbox) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the @.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl TryFrom<String> for Mailbox {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Mailbox::parse(&text)
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> String {
        mailbox.0
    }
}

/// Adds a tenant with its mailboxes, all or nothing.
pub async fn add(documents: &dyn Documents, keyring: &Keyring, tenant: &Tenant) -> Result<(), Error> {
    if tenant.mailboxes.len() > MAILBOXES_MAX {
        return Err(Error::TooManyMailboxes);
    }
    let system = TenantId::system();
    let keys = keyring.keys(&system).await?;
    let place = partition(&system, Kind::Tenant);
    let mut writes = vec![Write::Create(keys.seal_document(&place, tenant_document(&tenant.id), Kind::Tenant, Default::default(), None, tenant)?)];
    for mailbox in &tenant.mailboxes {
        let body = MailboxBody { tenant: tenant.id.clone() };
        writes.push(Write::Create(keys.seal_document(&place, mailbox_document(&keys, mailbox), Kind::Mailbox, Default::default(), None, &body)?));
    }
    match documents.commit(&place, writes).await {
        Ok(_) => Ok(()),
        Err(Fault::Conflict) => Err(Error::Exists),
        Err(fault) => Err(fault.into()),
    }
}

/// A tenant by id.
pub async fn get(documents: &dyn Documents, keyring: &Keyring, id: &TenantId) -> Result<Option<(Tenant, Etag)>, Error> {
    let system = TenantId::system();
    let Some(document) = documents.get(&partition(&system, Kind::Tenant), &tenant_document(id)).await? else { return Ok(None) };
    Ok(Some((keyring.keys(&system).await?.open_document(&document)?, document.etag)))
}

/// All tenants, by id.
pub async fn list(documents: &dyn Documents, keyring: &Keyring) -> Result<Vec<Tenant>, Error> {
    let system = TenantId::system();
    let place = partition(&system, Kind::Tenant);
    let found = documents.scan(&Scan::prefix(&place, Slot::Id, "tenant:", LIST_MAX)).await?;
    let keys = keyring.keys(&system).await?;
    found.iter().map(|document| Ok(keys.open_document(document)?)).collect()
}

/// The tenant that a mailbox belongs to.
pub async fn of_mailbox(documents: &dyn Documents, keyring: &Keyring, mailbox: &Mailbox) -> Result<Option<TenantId>, Error> {
    let system = TenantId::system();
    let keys = keyring.keys(&system).await?;
    let found = documents.get(&partition(&system, Kind::Mailbox), &mailbox_document(&keys, mailbox)).await?;
    found.map(|document| Ok(keys.open_document::<MailboxBody>(&document)?.tenant)).transpose()
}

fn tenant_document(id: &TenantId) -> String {
    format!("tenant:{id}")
}

fn mailbox_document(keys: &keys::TenantKeys, mailbox: &Mailbox) -> String {
    format!("mailbox:{}", keys.index("mailbox", &[mailbox.as_str().as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_one_plain_address_in_lower_case() {
        assert_eq!(Mailbox::parse(" Help@Contoso.Example ").unwrap().as_str(), "help@contoso.example");
        assert_eq!(Mailbox::parse("hjälp@contoso.example").unwrap().domain(), "contoso.example");
        for wrong in
            ["", "help", "@contoso.example", "help@", "a@b@c.example", "../x@y.example", "a b@c.example", &format!("{}@c.example", "a".repeat(250))]
        {
            assert!(Mailbox::parse(wrong).is_err(), "{wrong}");
        }
    }
}
