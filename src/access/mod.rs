//! Who is calling, and what may they do. Deny by default.

pub mod roles;

pub use roles::{Action, Role};

use crate::ids::TenantId;

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
