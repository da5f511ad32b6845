//! JSON of somebody else: an object is told from a list.

use serde::Deserialize;

/// What a JSON object holds; none if it is no object. Of a list serde would take the values as the members in their order.
pub fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<serde_json::Result<T>> {
    json.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(json))
}
