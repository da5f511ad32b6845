//! JSON in and out.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{HttpAnswer, HttpRequest, Problem};

pub fn json<T: Serialize>(status: u16, body: &T) -> HttpAnswer {
    // Serializing our own structs to memory does not fail.
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let headers = vec![("content-type", "application/json".to_owned()), ("cache-control", "no-store".to_owned())];
    HttpAnswer { status, headers, body: Bytes::from(bytes) }
}

/// The request's body; `example` shows what to send. What is wrong is placed, never repeated.
pub fn body<T: DeserializeOwned>(request: &HttpRequest, bytes_max: usize, example: &str) -> Result<T, Problem> {
    if request.body.len() > bytes_max {
        return Err(Problem::new(413, "body-too-large", "The body is too large", format!("This body has at most {bytes_max} bytes.")));
    }
    serde_json::from_slice(&request.body).map_err(|error| {
        let detail = format!("Send {example}. It is wrong at line {}, column {}.", error.line(), error.column());
        Problem::new(400, "bad-json", "The body is not what it should be", detail)
    })
}
