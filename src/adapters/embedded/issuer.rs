//! The local token issuer: stands in for Entra, so that a developer can call the API as anyone.

use async_trait::async_trait;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::ports::{Fault, Identity, IssuerKey, KeyAlgorithm, Secret};

/// The vault's secret that holds the seed of the issuer's key.
pub(super) const TOKEN_ISSUER_SECRET: &str = "token-issuer";
/// The issuer as it stands in `iss`.
const ISSUER: &str = "urn:helpdesk:local";
/// What stands before a seed in PKCS #8 (RFC 8410 section 7).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// What a token of the local issuer says, as Entra's say it. Instants are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    pub iss: String,
    /// `helpdesk`.
    pub aud: String,
    /// The caller, stable within the tenant.
    pub sub: String,
    /// The tenant.
    pub tid: String,
    pub roles: Vec<String>,
    /// The caller's user principal name: his address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upn: Option<String>,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
}

/// Signs tokens with Ed25519 and publishes the key for it.
pub struct LocalIssuer {
    kid: String,
    seed: Zeroizing<[u8; 32]>,
}

impl LocalIssuer {
    /// The name of the secret that [`LocalIssuer::new`] wants.
    pub const SECRET: &str = TOKEN_ISSUER_SECRET;

    /// What its tokens name as `aud`.
    pub const AUDIENCE: &str = "helpdesk";

    /// An issuer with the key whose seed is the secret [`LocalIssuer::SECRET`] of the vault; its version becomes the `kid`.
    pub fn new(secret: &Secret) -> Result<LocalIssuer, Fault> {
        let seed = secret.value.as_slice().try_into().map_err(|_| Fault::Corrupt("the token issuer's seed has not 32 bytes".to_owned()))?;
        Ok(LocalIssuer { kid: secret.version.clone(), seed: Zeroizing::new(seed) })
    }

    /// A signed token.
    pub fn mint(&self, claims: &Claims) -> Result<String, Fault> {
        let key = Zeroizing::new([&PKCS8_PREFIX[..], &self.seed[..]].concat());
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, claims, &EncodingKey::from_ed_der(&key)).map_err(|_| Fault::Corrupt("the token could not be signed".to_owned()))
    }
}

#[async_trait]
impl Identity for LocalIssuer {
    fn issuer(&self) -> &str {
        ISSUER
    }

    fn audience(&self) -> &str {
        LocalIssuer::AUDIENCE
    }

    async fn key(&self, kid: &str) -> Result<Option<IssuerKey>, Fault> {
        if kid != self.kid {
            return Ok(None);
        }
        let pair =
            Ed25519KeyPair::from_seed_unchecked(&self.seed[..]).map_err(|_| Fault::Corrupt("the token issuer's seed makes no key".to_owned()))?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key());
        Ok(Some(IssuerKey { kid: self.kid.clone(), algorithm: KeyAlgorithm::EdDsa, public, issuer: None }))
    }
}
