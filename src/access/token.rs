//! Access tokens: JWTs (RFC 7519) of one issuer, checked against its current keys.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{Error, Proven, Role};
use crate::ports::{DIRECTORY, Identity, IssuerKey, KeyAlgorithm};

/// Bytes of a token; Entra's are below 4 KiB but for hundreds of groups.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Bytes of the name of a key.
const KID_BYTES_MAX: usize = 200;
/// Seconds that clocks may differ.
const SKEW_SECONDS: i64 = 60;

/// What in a user principal name says that he is a guest from elsewhere.
const GUEST: &str = "#ext#";
/// `acct` of a guest (an optional claim of Entra).
const GUEST_ACCOUNT: i64 = 1;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    /// Entra's name of him in the whole directory; `sub` is another for each application.
    oid: Option<String>,
    tid: String,
    #[serde(default)]
    roles: Vec<String>,
    upn: Option<String>,
    acct: Option<i64>,
    /// The application that asked for it. Entra's ID tokens, which are for the application itself to read, have none.
    azp: Option<String>,
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
    let token = token.trim();
    let header = decode_header(token).map_err(|_| Error::BadToken("it is no JWT"))?;
    // What it names must be understood (RFC 7515, section 4.1.11), and no extension is.
    if header.crit.is_some() {
        return Err(Error::BadToken("it needs an extension that is not known"));
    }
    let kid = header.kid.ok_or(Error::BadToken("it names no key"))?;
    if kid.len() > KID_BYTES_MAX {
        return Err(Error::BadToken("the name of its key is too long"));
    }
    let key = identity.key(&kid).await?.ok_or(Error::BadToken("its key is not one of the issuer's"))?;
    proven(check(token, identity, &key)?, now)
}

fn check(token: &str, identity: &dyn Identity, key: &IssuerKey) -> Result<Claims, Error> {
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
    validation.set_audience(&[identity.audience()]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Times are checked by us, against our own clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let checked = decode::<Claims>(token, &decoding, &validation)
        .map_err(|_| Error::BadToken("signature, audience or a needed claim (iss, sub, tid, exp) is wrong"))?
        .claims;
    // The issuer is one for each directory: `iss` and `tid` must agree, and a key may be of one directory alone.
    let is_issued_by = |issuer: &str| checked.iss == issuer.replace(DIRECTORY, &checked.tid);
    if !is_issued_by(identity.issuer()) || key.issuer.as_deref().is_some_and(|issuer| !is_issued_by(issuer)) {
        return Err(Error::BadToken("its issuer is wrong"));
    }
    // Only Entra issues for many directories; the local issuer makes access tokens alone.
    if identity.issuer().contains(DIRECTORY) && checked.azp.is_none() {
        return Err(Error::BadToken("it is no access token (v2)"));
    }
    Ok(checked)
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
    // A guest's address is not this directory's to vouch for. Claims that name an address otherwise, `email` above all, can be set by anybody.
    let upn = claims.upn.map(|upn| upn.to_ascii_lowercase());
    let address = upn.filter(|upn| claims.acct != Some(GUEST_ACCOUNT) && !upn.contains(GUEST));
    Ok(Proven { directory: claims.tid, roles, subject: claims.oid.unwrap_or(claims.sub), address })
}
