//! Those who issue access tokens, and their keys.

use async_trait::async_trait;

use super::Fault;

/// What stands in an issuer's name for the directory that the token is of.
pub const DIRECTORY: &str = "{tenantid}";

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
    /// The issuer whose tokens alone it signs, as it stands in `iss`, perhaps with [`DIRECTORY`] in it; the one of the port if it says nothing.
    pub issuer: Option<String>,
}

#[async_trait]
pub trait Identity: Send + Sync {
    /// The issuer whose tokens are accepted, as it stands in `iss`, perhaps with [`DIRECTORY`] in it.
    fn issuer(&self) -> &str;

    /// What a token for this help desk names as `aud`.
    fn audience(&self) -> &str;

    /// The issuer's key of this name. Anybody may ask for any name as often as he likes: the issuer is not asked for each.
    async fn key(&self, kid: &str) -> Result<Option<IssuerKey>, Fault>;
}
