//! The tenants and their mailboxes: who is a customer, and whose mail is whose.

mod names;
mod settings;
mod templates;
mod hours;
mod removal;

use serde::{Deserialize, Serialize};

use time::OffsetDateTime;

pub use hours::{BusinessHours, Span, date};
pub use names::{DirectoryId, Mailbox, REGIONS, Region, State, without_mark};
pub use removal::{BlobsOf, Removal, remove};
pub use settings::{FieldKind, FieldRule, SETTINGS_BYTES_MAX, Settings};
pub use templates::{Language, Purpose, Template, filled};

use names::ADDRESS_BYTES_MAX;

pub use crate::mail::sender::Trust;
use crate::{
    audit::{self, Action},
    ids::{Kind, TenantId, partition},
    keys::{self, Keyring, TenantKeys},
    mail::line::{is_one_line, shows},
    ports::{Documents, Etag, Fault, NewDocument, Ports, Scan, Slot, TRYING_FOR_A_CALLER, Tries, Versions, Write, first_version},
};

/// Mailboxes of one tenant: with the tenant's own document they must fit one commit.
pub const MAILBOXES_MAX: usize = 50;
/// Characters of a tenant's name.
const NAME_CHARACTERS_MAX: usize = 200;
/// Tenants that a list holds.
const LIST_MAX: usize = 10_000;

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    /// Addresses whose mail becomes this tenant's tickets.
    pub mailboxes: Vec<Mailbox>,
    /// The directory in which its people log in.
    #[serde(default)]
    pub entra_tenant: Option<DirectoryId>,
    #[serde(default)]
    pub region: Region,
    #[serde(default)]
    pub state: State,
    #[serde(default)]
    pub settings: Settings,
}

/// What is changed of a tenant; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub name: Option<String>,
    /// `Some(None)` takes it away.
    pub entra_tenant: Option<Option<DirectoryId>>,
    pub region: Option<Region>,
    pub state: Option<State>,
    /// All of them.
    pub settings: Option<Settings>,
}

/// Whose a mailbox is, and whose word on senders counts in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub tenant: TenantId,
    pub trust: Trust,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Keys(#[from] keys::Error),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(
        "a mailbox is an address of at most {ADDRESS_BYTES_MAX} bytes with one @, without blanks, slashes, quotes and brackets, and no dot at its beginning"
    )]
    NotAMailbox,
    #[error("a mailbox has no + in its local part: mail for help+mark@ comes to help@ by itself")]
    Marked,
    #[error("a tenant has at most {MAILBOXES_MAX} mailboxes")]
    TooManyMailboxes,
    #[error("a tenant's name has 1 to {NAME_CHARACTERS_MAX} characters on one line, and no marks that turn the direction of writing")]
    BadName,
    #[error("the id is the house's own")]
    Reserved,
    #[error("an id that is shaped like a UUID would be taken for an Entra tenant: choose another")]
    IdOfADirectory,
    #[error("a region is one of {}", REGIONS.join(", "))]
    NotARegion,
    #[error("an Entra tenant is a UUID, 8-4-4-4-12 hexadecimal digits")]
    NotADirectory,
    #[error("a state is active, suspended or restoring")]
    NotAState,
    #[error("that Entra tenant belongs to another tenant")]
    DirectoryTaken,
    #[error("the tenant is served, or being restored: suspend it first")]
    StillServed,
    #[error("{0}")]
    BadSettings(String),
    #[error("a tenant of this id was removed, and an id is given once: choose another")]
    IdUsed,
    #[error("there is no such tenant")]
    NotFound,
    #[error("somebody changed the tenant: it is no longer as you read it")]
    Changed,
    /// The tenant exists, or one of the mailboxes belongs to somebody already.
    #[error("the tenant or one of its mailboxes exists already")]
    Exists,
}

/// The document of a tenant's id, of which there is never a second one: what still goes on under the id of one who was removed, in a queue or in another
/// process, is not to become another's.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Tenant(Box<Tenant>),
    Gone {
        #[serde(with = "time::serde::rfc3339")]
        removed_at: OffsetDateTime,
    },
}

#[derive(Serialize, Deserialize)]
struct MailboxBody {
    tenant: TenantId,
    /// Mailboxes of before have none.
    #[serde(default)]
    trust: Trust,
}

impl Tenant {
    /// One that is served, in the region that is the default.
    pub fn new(id: TenantId, name: impl Into<String>, mailboxes: Vec<Mailbox>) -> Self {
        Tenant {
            id,
            name: name.into(),
            mailboxes,
            entra_tenant: None,
            region: Region::default(),
            state: State::default(),
            settings: Settings::default(),
        }
    }

    /// Whether mail for this address comes to one of his mailboxes.
    pub fn has_mailbox(&self, address: &str) -> bool {
        self.mailboxes.iter().any(|mailbox| mailbox.is_the_one_of(address))
    }
}

/// Adds a tenant with its mailboxes, which all trust so, all or nothing. A mailbox that is named twice is one.
pub async fn add(ports: &Ports, keyring: &Keyring, actor: &str, tenant: &Tenant, trust: &Trust) -> Result<(), Error> {
    add_trusting(ports, keyring, actor, tenant, |_| trust.clone()).await
}

/// The same, with what each mailbox trusts.
pub async fn add_trusting(ports: &Ports, keyring: &Keyring, actor: &str, tenant: &Tenant, trust: impl Fn(&Mailbox) -> Trust) -> Result<(), Error> {
    let tenant = checked(tenant)?;
    // A token names him by his id or by his directory.
    if tenant.id.as_str().parse::<DirectoryId>().is_ok() {
        return Err(Error::IdOfADirectory);
    }
    tenant.mailboxes.iter().try_for_each(has_no_mark)?;
    let documents = ports.documents.as_ref();
    is_free(documents, keyring, &tenant).await?;
    // His document says so too, unless less than all was restored. Without keys he would be a tenant to whom nothing can be done.
    if keyring.is_gone(&tenant.id).await? {
        return Err(Error::IdUsed);
    }
    let system = TenantId::system();
    let keys = keyring.keys(&system).await?;
    let place = partition(&system, Kind::Tenant);
    let document = sealed_tenant(&keys, &place, &tenant)?;
    let sealed = document.body.clone();
    let mut writes = vec![Write::Create(document), event(ports, &keys, actor, Action::TenantAdded, &tenant.id)?];
    for mailbox in &tenant.mailboxes {
        writes.push(Write::Create(sealed_mailbox(&keys, &place, &tenant.id, mailbox, &trust(mailbox))?));
    }
    match documents.commit(&place, writes).await {
        Ok(_) => Ok(()),
        Err(Fault::Conflict) if is_gone(documents, keyring, &tenant.id).await? => Err(Error::IdUsed),
        Err(Fault::Conflict) => match documents.get(&place, &tenant_document(&tenant.id)).await? {
            // By this very call: its first answer was lost on the way.
            Some(stored) if stored.body == sealed => Ok(()),
            _ => Err(Error::Exists),
        },
        Err(fault) => Err(fault.into()),
    }
}

/// Changes a tenant that is of the versions that the caller means. It is returned as it is then; one that is so already is left as it is.
pub async fn change(
    ports: &Ports,
    keyring: &Keyring,
    actor: &str,
    id: &TenantId,
    meant: &Versions,
    change: &Change,
) -> Result<(Tenant, Etag), Error> {
    let documents = ports.documents.as_ref();
    let system = TenantId::system();
    let (keys, place) = (keyring.keys(&system).await?, partition(&system, Kind::Tenant));
    let mut tries = Tries::within(TRYING_FOR_A_CALLER);
    loop {
        let Some((before, etag)) = get(documents, keyring, id).await? else { return Err(Error::NotFound) };
        let tenant = checked(&changed(before.clone(), change))?;
        if tenant == before {
            return Ok((before, etag));
        }
        if !meant.take(&etag) {
            return Err(Error::Changed);
        }
        is_free(documents, keyring, &tenant).await?;
        let changed = Write::Replace { document: sealed_tenant(&keys, &place, &tenant)?, etag };
        match documents.commit(&place, vec![changed, event(ports, &keys, actor, Action::TenantChanged, id)?]).await {
            Err(Fault::Conflict) if tries.again(ports.entropy.as_ref()).await => {}
            Err(fault) => return Err(fault.into()),
            Ok(etags) => {
                return Ok((tenant, first_version(etags)?));
            }
        }
    }
}

fn changed(tenant: Tenant, change: &Change) -> Tenant {
    let Change { name, entra_tenant, region, state, settings } = change.clone();
    Tenant {
        name: name.unwrap_or(tenant.name),
        entra_tenant: entra_tenant.unwrap_or(tenant.entra_tenant),
        region: region.unwrap_or(tenant.region),
        state: state.unwrap_or(tenant.state),
        settings: settings.unwrap_or(tenant.settings),
        ..tenant
    }
}

/// Fails if the tenant's directory is another's. Two that are added at the same moment are both refused when somebody logs in.
async fn is_free(documents: &dyn Documents, keyring: &Keyring, tenant: &Tenant) -> Result<(), Error> {
    let Some(directory) = &tenant.entra_tenant else { return Ok(()) };
    let others = in_directory(documents, keyring, directory).await?;
    if others.iter().any(|other| other.id != tenant.id) { Err(Error::DirectoryTaken) } else { Ok(()) }
}

/// The tenant whose people log in there. With several there is none: nobody is let in by a guess.
pub async fn of_directory(documents: &dyn Documents, keyring: &Keyring, directory: &DirectoryId) -> Result<Option<Tenant>, Error> {
    let mut found = in_directory(documents, keyring, directory).await?;
    Ok(if found.len() == 1 { found.pop() } else { None })
}

/// By what the sealed tenants say of themselves: the clear key leads to them, and is not sealed.
async fn in_directory(documents: &dyn Documents, keyring: &Keyring, directory: &DirectoryId) -> Result<Vec<Tenant>, Error> {
    let system = TenantId::system();
    let found = documents.scan(&Scan::prefix(&partition(&system, Kind::Tenant), Slot::K1, &directory_key(directory), 2)).await?;
    let keys = keyring.keys(&system).await?;
    let tenants: Vec<Tenant> = found.iter().map(|document| keys.open_document(document)).collect::<Result<_, _>>()?;
    Ok(tenants.into_iter().filter(|tenant| tenant.entra_tenant.as_ref() == Some(directory)).collect())
}

fn directory_key(directory: &DirectoryId) -> String {
    format!("entra:{}", directory.as_str())
}

/// Gives a tenant that is of the versions that the caller means one more mailbox. If it has it already, its trust is changed; without one all stays as it
/// is.
pub async fn add_mailbox(
    ports: &Ports,
    keyring: &Keyring,
    actor: &str,
    id: &TenantId,
    mailbox: &Mailbox,
    trust: Option<&Trust>,
    meant: &Versions,
) -> Result<(), Error> {
    let documents = ports.documents.as_ref();
    let system = TenantId::system();
    let (keys, place) = (keyring.keys(&system).await?, partition(&system, Kind::Tenant));
    let mut tries = Tries::within(TRYING_FOR_A_CALLER);
    loop {
        let Some((mut tenant, etag)) = get(documents, keyring, id).await? else { return Err(Error::NotFound) };
        let stored = documents.get(&place, &mailbox_document(&keys, mailbox)).await?;
        let known: Option<MailboxBody> = stored.as_ref().map(|document| keys.open_document(document)).transpose()?;
        if known.as_ref().is_some_and(|known| known.tenant != *id) {
            return Err(Error::Exists);
        }
        let is_new = !tenant.mailboxes.contains(mailbox);
        let wanted = trust.or(known.as_ref().map(|known| &known.trust)).unwrap_or(&Trust::Nobody);
        if !is_new && known.as_ref().is_some_and(|known| known.trust == *wanted) {
            return Ok(());
        }
        if !meant.take(&etag) {
            return Err(Error::Changed);
        }
        if is_new {
            has_no_mark(mailbox)?;
            tenant.mailboxes.push(mailbox.clone());
        }
        let tenant = checked(&tenant)?;
        let document = sealed_mailbox(&keys, &place, id, mailbox, wanted)?;
        let writes = vec![
            // Also for another trust: it is part of what a caller reads under this version.
            Write::Replace { document: sealed_tenant(&keys, &place, &tenant)?, etag },
            Write::put(document, stored.map(|stored| stored.etag)),
            event(ports, &keys, actor, if is_new { Action::MailboxAdded } else { Action::TenantChanged }, id)?,
        ];
        match documents.commit(&place, writes).await {
            Err(Fault::Conflict) if tries.again(ports.entropy.as_ref()).await => {}
            done => return Ok(done.map(drop)?),
        }
    }
}

/// The event of a change, for its commit: it stands beside the tenants.
fn event(ports: &Ports, keys: &TenantKeys, actor: &str, action: Action, id: &TenantId) -> Result<Write, Error> {
    let event = audit::Event::new(ports.clock.now(), actor, action, id);
    Ok(audit::beside(keys, &partition(&TenantId::system(), Kind::Tenant), ports.entropy.as_ref(), &event)?)
}

/// A mailbox with a mark would take what is marked so of the one without it, which may be somebody else's.
fn has_no_mark(mailbox: &Mailbox) -> Result<(), Error> {
    if mailbox.local().contains('+') { Err(Error::Marked) } else { Ok(()) }
}

/// A tenant's name, if it may be kept.
pub fn checked_name(text: &str) -> Result<String, Error> {
    let fits = (1..=NAME_CHARACTERS_MAX).contains(&text.chars().count()) && shows(text) && is_one_line(text);
    if fits { Ok(text.to_owned()) } else { Err(Error::BadName) }
}

/// The tenant as it may be kept.
fn checked(tenant: &Tenant) -> Result<Tenant, Error> {
    if tenant.id.is_system() {
        return Err(Error::Reserved);
    }
    checked_name(&tenant.name)?;
    let mut mailboxes: Vec<Mailbox> = Vec::new();
    for mailbox in &tenant.mailboxes {
        if !mailboxes.contains(mailbox) {
            mailboxes.push(mailbox.clone());
        }
    }
    tenant.settings.check().map_err(Error::BadSettings)?;
    if mailboxes.len() > MAILBOXES_MAX {
        return Err(Error::TooManyMailboxes);
    }
    Ok(Tenant { mailboxes, ..tenant.clone() })
}

/// A tenant by id.
pub async fn get(documents: &dyn Documents, keyring: &Keyring, id: &TenantId) -> Result<Option<(Tenant, Etag)>, Error> {
    Ok(match stored(documents, keyring, id).await? {
        Some((Stored::Tenant(tenant), etag)) => Some((*tenant, etag)),
        Some((Stored::Gone { .. }, _)) | None => None,
    })
}

/// Whether a tenant of this id was removed.
async fn is_gone(documents: &dyn Documents, keyring: &Keyring, id: &TenantId) -> Result<bool, Error> {
    Ok(matches!(stored(documents, keyring, id).await?, Some((Stored::Gone { .. }, _))))
}

async fn stored(documents: &dyn Documents, keyring: &Keyring, id: &TenantId) -> Result<Option<(Stored, Etag)>, Error> {
    let system = TenantId::system();
    let Some(document) = documents.get(&partition(&system, Kind::Tenant), &tenant_document(id)).await? else { return Ok(None) };
    Ok(Some((keyring.keys(&system).await?.open_document(&document)?, document.etag)))
}

/// How a tenant's desk works.
pub async fn settings(documents: &dyn Documents, keyring: &Keyring, id: &TenantId) -> Result<Settings, Error> {
    Ok(get(documents, keyring, id).await?.ok_or(Error::NotFound)?.0.settings)
}

/// Tenants by id that come after one, up to `limit`.
pub async fn page(documents: &dyn Documents, keyring: &Keyring, after: Option<&str>, limit: usize) -> Result<Vec<Tenant>, Error> {
    let system = TenantId::system();
    let place = partition(&system, Kind::Tenant);
    let mut scan = Scan::prefix(&place, Slot::Id, "tenant:", limit);
    if let Some(after) = after {
        scan.range.start = format!("tenant:{after}\0");
    }
    let keys = keyring.keys(&system).await?;
    let mut tenants = Vec::new();
    loop {
        let found = documents.scan(&scan).await?;
        for document in &found {
            if let Stored::Tenant(tenant) = keys.open_document(document)? {
                tenants.push(*tenant);
            }
        }
        tenants.truncate(limit);
        // Those who are gone are passed over.
        let Some(last) = found.last().filter(|_| found.len() == limit && tenants.len() < limit) else { return Ok(tenants) };
        scan.range.start = format!("{}\0", last.id);
    }
}

/// All tenants, by id; of more than 10,000 the first, and a warning.
pub async fn list(documents: &dyn Documents, keyring: &Keyring) -> Result<Vec<Tenant>, Error> {
    let tenants = page(documents, keyring, None, LIST_MAX).await?;
    if tenants.len() == LIST_MAX {
        tracing::warn!(tenants = LIST_MAX, "there are more tenants than are listed and walked through");
    }
    Ok(tenants)
}

/// Whose a mailbox is, if anybody's.
pub async fn of_mailbox(documents: &dyn Documents, keyring: &Keyring, mailbox: &Mailbox) -> Result<Option<Owner>, Error> {
    let system = TenantId::system();
    let keys = keyring.keys(&system).await?;
    let found = documents.get(&partition(&system, Kind::Mailbox), &mailbox_document(&keys, mailbox)).await?;
    let body = found.map(|document| keys.open_document::<MailboxBody>(&document)).transpose()?;
    Ok(body.map(|MailboxBody { tenant, trust }| Owner { tenant, trust }))
}

fn sealed_tenant(keys: &TenantKeys, place: &str, tenant: &Tenant) -> Result<NewDocument, Error> {
    let clear = [tenant.entra_tenant.as_ref().map(directory_key), None, None, None];
    Ok(keys.seal_document(place, tenant_document(&tenant.id), Kind::Tenant, clear, None, tenant)?)
}

fn sealed_mailbox(keys: &TenantKeys, place: &str, tenant: &TenantId, mailbox: &Mailbox, trust: &Trust) -> Result<NewDocument, Error> {
    let body = MailboxBody { tenant: tenant.clone(), trust: trust.clone() };
    Ok(keys.seal_document(place, mailbox_document(keys, mailbox), Kind::Mailbox, Default::default(), None, &body)?)
}

fn tenant_document(id: &TenantId) -> String {
    format!("tenant:{id}")
}

fn mailbox_document(keys: &TenantKeys, mailbox: &Mailbox) -> String {
    format!("mailbox:{}", keys.index("mailbox", &[mailbox.as_str().as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_a_name_and_each_mailbox_once() {
        let mailbox = |text: &str| Mailbox::parse(text).unwrap();
        let mailboxes = ["help@contoso.example", "it@contoso.example", "Help@contoso.example"].map(mailbox);
        let tenant = |name: &str| Tenant::new("contoso".parse().unwrap(), name, mailboxes.to_vec());
        assert_eq!(checked(&tenant("Contoso")).unwrap().mailboxes, ["help@contoso.example", "it@contoso.example"].map(mailbox));
        assert!(matches!(checked(&Tenant { id: TenantId::system(), ..tenant("Contoso") }), Err(Error::Reserved)));
        assert!(matches!(has_no_mark(&mailbox("help+x@fabrikam.example")), Err(Error::Marked)));
        for wrong in ["", " ", "two\nlines", &"a".repeat(NAME_CHARACTERS_MAX + 1)] {
            assert!(matches!(checked(&tenant(wrong)), Err(Error::BadName)), "{wrong:?}");
        }
        let many = (0..=MAILBOXES_MAX).map(|at| mailbox(&format!("m{at}@contoso.example"))).collect();
        assert!(matches!(checked(&Tenant { mailboxes: many, ..tenant("Contoso") }), Err(Error::TooManyMailboxes)));
    }
}
