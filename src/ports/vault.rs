//! The vault keeps what must never be stored beside the data: wrapping keys, which do not leave it, and secrets.

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::Fault;

/// A key wrapped by the vault. It opens only with the version that wrapped it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    pub version: String,
    pub bytes: Vec<u8>,
}

/// A secret and its version.
pub struct Secret {
    pub version: String,
    pub value: Zeroizing<Vec<u8>>,
}

#[async_trait]
pub trait Vault: Send + Sync {
    /// Wraps up to 190 bytes (RSA-OAEP-256 of a 2048-bit key) with the newest version of a wrapping key.
    async fn wrap(&self, key: &str, plaintext: &[u8]) -> Result<Wrapped, Fault>;

    /// Opens what `wrap` made. [`Fault::Corrupt`] if it was made by another key or changed.
    async fn unwrap(&self, key: &str, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, Fault>;

    /// A secret by name, the newest version with `None`.
    async fn secret(&self, name: &str, version: Option<&str>) -> Result<Option<Secret>, Fault>;
}
