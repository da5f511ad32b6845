//! A request that its caller may send twice (`Idempotency-Key`): the second time it answers with what the first one made.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Desk, Error};
use crate::{
    ids::{Kind, TenantId, partition},
    keys::TenantKeys,
    ports::Write,
};

/// Bytes of a key.
pub const KEY_BYTES_MAX: usize = 200;
/// How long a key is remembered.
const REMEMBERED: Duration = Duration::hours(24);

/// A request as its caller names it. The same key means the same request for this caller only.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub key: &'a str,
    /// The token's subject.
    pub caller: &'a str,
    /// What it asks for: the key for something else is refused.
    pub of: &'a str,
    /// What the request says; the key with other words is refused.
    pub body: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    /// Of the body, so that the words are not kept a second time.
    body: String,
    made: String,
}

/// The id of what this request made before, if it did.
pub(super) async fn made(desk: &Desk, keys: &TenantKeys, tenant: &TenantId, request: Request<'_>) -> Result<Option<String>, Error> {
    let found = desk.ports.documents.get(&partition(tenant, Kind::Idempotency), &document(keys, request)).await?;
    let Some(stored) = found else { return Ok(None) };
    let remembered: Remembered = keys.open_document(&stored)?;
    if remembered.body == fingerprint(keys, request) { Ok(Some(remembered.made)) } else { Err(Error::KeyUsed) }
}

/// The write that remembers what the request makes, for the commit that makes it. It conflicts with that of the same request at the same moment.
pub(super) fn remember(keys: &TenantKeys, tenant: &TenantId, request: Request<'_>, made: String, now: OffsetDateTime) -> Result<Write, Error> {
    let place = partition(tenant, Kind::Idempotency);
    let body = Remembered { body: fingerprint(keys, request), made };
    let id = document(keys, request);
    Ok(Write::Create(keys.seal_document(&place, id, Kind::Idempotency, Default::default(), Some(now + REMEMBERED), &body)?))
}

/// Names what this request stores before it is done. One that is sent again after its key was forgotten means the same bytes, and may name them too.
pub(super) fn name(keys: &TenantKeys, request: Request<'_>, bytes: &[u8]) -> String {
    keys.index("idempotent-bytes", &[request.caller.as_bytes(), request.key.as_bytes(), request.of.as_bytes(), request.body, bytes])
}

fn document(keys: &TenantKeys, request: Request<'_>) -> String {
    format!("idempotency:{}", keys.index("idempotency", &[request.caller.as_bytes(), request.key.as_bytes()]))
}

fn fingerprint(keys: &TenantKeys, request: Request<'_>) -> String {
    keys.index("idempotent-request", &[request.of.as_bytes(), request.body])
}
