//! The header Idempotency-Key.

use super::{HttpRequest, Problem};
use crate::tickets::idempotency::KEY_BYTES_MAX;

/// The key by which the caller may send the request again, if he names one.
pub fn idempotency_key(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let Some(key) = request.headers.get("idempotency-key").map(|key| key.trim()) else { return Ok(None) };
    if (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Some(key));
    }
    let detail = format!("`Idempotency-Key` has 1 to {KEY_BYTES_MAX} visible ASCII characters.");
    Err(Problem::new(400, "bad-idempotency-key", "The Idempotency-Key is wrong", detail))
}
