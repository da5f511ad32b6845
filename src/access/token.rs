//! Access tokens: JWTs (RFC 7519) of one issuer, checked against its current keys.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{Error, Proven, Role};
use crate::ports::{Identity, IssuerKey, KeyAlgorithm};

/// The audience that a token must name.
pub const AUDIENCE: &str = "helpdesk";
/// Bytes of a token; Entra's are below 4 KiB but for hundreds of groups.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Seconds that clocks may differ.
const SKEW_SECONDS: i64 = 60;

#[derive(Deserialize)]
struct Claims {
    sub: String,
    tid: String,
    #[serde(default)]
    roles: Vec<String>,
    upn: Option<String>,
    exp: i64,
    nbf: Option<i64>,
}

/// Who an `Authorization` header proves somebody to be.
pub async fn verify(identity: &dyn Identity, authorization: Option<&str>, now: OffsetDateTime) -> Result<Proven, Error> {
    let header = authorization.ok_or(Error::NoToken)?;
    let (scheme, token) = header.split_once(' ').ok_or(Error::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(Error::NoToken);
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Error::BadToken("it is too long"));
    }
    let keys = identity.keys().await?;
    proven(check(token.trim(), identity.issuer(), &keys)?, now)
}

fn check(token: &str, issuer: &str, keys: &[IssuerKey]) -> Result<Claims, Error> {
    let header = decode_header(token).map_err(|_| Error::BadToken("it is no JWT"))?;
    let kid = header.kid.ok_or(Error::BadToken("it names no key"))?;
    let key = keys.iter().find(|key| key.kid == kid).ok_or(Error::BadToken("its key is not one of the issuer's"))?;
    // The algorithm is the key's, never the token's own choice.
    let (algorithm, decoding) = match key.algorithm {
        KeyAlgorithm::EdDsa => (Algorithm::EdDSA, DecodingKey::from_ed_components(&key.public)),
        KeyAlgorithm::Rs256 => {
            let (n, e) = key.public.split_once('.').unwrap_or_default();
            (Algorithm::RS256, DecodingKey::from_rsa_components(n, e))
        }
    };
    let decoding = decoding.map_err(|_| Error::BadToken("its key cannot be read"))?;
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Times are checked by us, against our own clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let checked = decode::<Claims>(token, &decoding, &validation)
        .map_err(|_| Error::BadToken("signature, issuer, audience or a needed claim (sub, tid, exp) is wrong"))?;
    Ok(checked.claims)
}

fn proven(claims: Claims, now: OffsetDateTime) -> Result<Proven, Error> {
    let now = now.unix_timestamp();
    if claims.exp.saturating_add(SKEW_SECONDS) <= now {
        return Err(Error::BadToken("it has expired"));
    }
    if claims.nbf.is_some_and(|nbf| nbf.saturating_sub(SKEW_SECONDS) > now) {
        return Err(Error::BadToken("it is not valid yet"));
    }
    // A role that we do not know gives nothing.
    let roles = Role::ALL.into_iter().filter(|role| claims.roles.iter().any(|name| name == role.name())).collect();
    Ok(Proven { directory: claims.tid, roles, subject: claims.sub, address: claims.upn.map(|upn| upn.to_lowercase()) })
}
