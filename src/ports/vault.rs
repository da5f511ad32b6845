//! The vault keeps what must never be stored beside the data: wrapping keys, which do not leave it, and secrets.

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::Fault;

/// Bytes that can be wrapped: RSA-OAEP-256 of a 2048-bit key takes no more.
pub const WRAPPED_BYTES_MAX: usize = 190;

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
    /// Wraps up to [`WRAPPED_BYTES_MAX`] with the newest version of a wrapping key.
    async fn wrap(&self, key: &str, plaintext: &[u8]) -> Result<Wrapped, Fault>;

    /// Opens what `wrap` made. [`Fault::Corrupt`] if it was made by another key or changed.
    async fn unwrap(&self, key: &str, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, Fault>;

    /// A secret by name, the newest version with `None`.
    async fn secret(&self, name: &str, version: Option<&str>) -> Result<Option<Secret>, Fault>;

    /// Makes a wrapping key if there is none of this name; whether it did.
    async fn make_key(&self, key: &str) -> Result<bool, Fault>;

    /// Makes a new version of a wrapping key and answers it. What older versions wrapped still opens.
    async fn rotate(&self, key: &str) -> Result<String, Fault>;
}
