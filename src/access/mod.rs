//! Who is calling, and what may they do. Deny by default.

pub mod roles;
pub mod token;

pub use roles::{Action, Role};

use crate::{
    ids::TenantId,
    keys::Keyring,
    ports::{Documents, Fault},
    tenants::{self, Settings, State, Tenant},
};

/// What a verified token says. Nothing of it is a permission yet.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The directory that knows him, as it stands in `tid`.
    pub directory: String,
    /// Those of the token that we know.
    pub roles: Vec<Role>,
    pub subject: String,
    pub address: Option<String>,
}

/// A caller who may do what he asks for.
#[derive(Debug, Clone)]
pub struct Caller {
    /// His own; the house itself if he is of the vendor.
    pub tenant: TenantId,
    /// How his desk works.
    pub settings: Settings,
    /// The one by which he may do it.
    pub role: Role,
    /// Stable within the tenant; never an address.
    pub subject: String,
    /// The requester's own address, from the directory's user principal name.
    pub address: Option<String>,
}

/// Why somebody is not let in. The text says what to do and never repeats the token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("an access token is needed: send `Authorization: Bearer TOKEN`")]
    NoToken,
    #[error("the access token is not valid: {0}")]
    BadToken(&'static str),
    #[error("the token's tenant is not a customer of this help desk")]
    UnknownTenant,
    #[error("this role may not do that")]
    NotAllowed,
    #[error("the tenant is {0} at the moment; its mail is held and nothing is lost")]
    NotServed(&'static str),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Tenants(#[from] tenants::Error),
}

/// Lets somebody in who may do this, as whom. `vendor` is the vendor's own directory.
pub async fn admit(proven: &Proven, action: Action, vendor: &str, documents: &dyn Documents, keyring: &Keyring) -> Result<Caller, Error> {
    if proven.roles.is_empty() {
        return Err(Error::BadToken("it names no role of this help desk"));
    }
    let is_of_the_vendor = proven.directory == vendor;
    let counts = |role: &Role| proven.roles.contains(role) && (is_of_the_vendor || !role.is_of_the_vendor());
    let role = Role::ALL.into_iter().filter(counts).find(|role| roles::may(*role, action)).ok_or(Error::NotAllowed)?;
    let (tenant, settings) = if role.is_of_the_vendor() {
        (TenantId::system(), Settings::default())
    } else {
        let Tenant { id, settings, .. } = served(&proven.directory, action, documents, keyring).await?;
        (id, settings)
    };
    Ok(Caller { tenant, settings, role, subject: proven.subject.clone(), address: proven.address.clone() })
}

/// The tenant whose people log in there, if he is served; his mail is taken, and held, if he is not. The local issuer knows no directories and names the
/// tenant itself.
async fn served(directory: &str, action: Action, documents: &dyn Documents, keyring: &Keyring) -> Result<Tenant, Error> {
    let tenant = match (directory.parse(), directory.parse()) {
        (Ok(directory), _) => tenants::of_directory(documents, keyring, &directory).await?,
        (_, Ok(id)) => tenants::get(documents, keyring, &id).await?.map(|(tenant, _)| tenant),
        (Err(_), Err(_)) => None,
    };
    match tenant {
        Some(tenant) if tenant.state == State::Active || action == Action::PushMail => Ok(tenant),
        Some(tenant) => Err(Error::NotServed(tenant.state.name())),
        None => Err(Error::UnknownTenant),
    }
}
