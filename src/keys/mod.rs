//! Keys of the tenants, and the cipher of all that is kept. The embedded vault has another, which wraps keys as Key Vault does behind its door.
//!
//! Every tenant has a data key (rotates), an index key and a signing key (do not rotate with it), each wrapped by the vault and kept in his keyring.

mod ring;
mod wrapping;
mod seal;

pub use ring::{Keyring, SHORT_SIGNATURE_DIGITS, TenantKeys};
pub use seal::Place;
pub use wrapping::Rewrapped;

use crate::ports::Fault;

/// The wrapping key's name in the vault.
pub const WRAPPING_KEY: &str = "helpdesk-data";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What was stored does not open: it was changed, moved to another place, or sealed by a key that is gone.
    #[error("sealed data of kind {kind} does not open")]
    DoesNotOpen { kind: String },
    /// What opened is not what this version writes.
    #[error("a document of kind {kind} has a shape that this version does not know")]
    UnknownShape { kind: String },
    #[error("the tenant was removed, and his keys with him")]
    Gone,
    /// This process has used up the seals it leased for the current data key; loading the keys again leases more.
    #[error("the leased seals are used up")]
    SealsUsedUp,
}
