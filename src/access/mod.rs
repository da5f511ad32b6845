//! Who is calling, and what may they do. Deny by default.

pub mod roles;
pub mod token;

pub use roles::{Action, Role};

use crate::{ids::TenantId, ports::Fault, tenants};

/// A caller whose token was verified.
#[derive(Debug, Clone)]
pub struct Caller {
    pub tenant: TenantId,
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
