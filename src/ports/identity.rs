//! Keys of those who issue access tokens.

use async_trait::async_trait;

use super::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA with SHA-256; `public` is `n` and `e` of the JWK, each base64url, joined by a dot.
    Rs256,
    /// Ed25519; `public` is `x` of the JWK, base64url.
    EdDsa,
}

/// A public key of a token issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerKey {
    pub kid: String,
    pub algorithm: KeyAlgorithm,
    pub public: String,
}

#[async_trait]
pub trait Identity: Send + Sync {
    /// The issuer whose tokens are accepted, as it stands in `iss`.
    fn issuer(&self) -> &str;

    /// The issuer's current keys.
    async fn keys(&self) -> Result<Vec<IssuerKey>, Fault>;
}
