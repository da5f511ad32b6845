//! The host's envelope `{Data, Metadata}` around queue messages and timer calls; every wire quirk lives here.
//!
//! Source: the host's own value conversion, recorded in `tests/wire`. `Metadata` is not read at all: members of a message overwrite it.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    functions::{HttpAnswer, QueueMessage, Tick, Verdict},
    ports::object,
};

/// Notes that travel to the host's log are cut here.
const NOTE_CHARACTERS_MAX: usize = 500;

/// The body is not an envelope that the host makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not an invocation of the Functions host: {0}")]
pub struct NotAnEnvelope(&'static str);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    // Raw, because `Metadata` beside it may be deeper or stranger than we care for.
    #[serde(borrow)]
    data: std::collections::HashMap<String, &'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Timer {
    #[serde(default)]
    is_past_due: bool,
}

/// The message of a queue invocation.
pub fn queue_message(body: &[u8], binding: &str) -> Result<QueueMessage, NotAnEnvelope> {
    let outer: String = serde_json::from_str(data(body, binding)?.get()).map_err(|_| NotAnEnvelope("a queue message is not a JSON string"))?;
    // A text is encoded twice and so begins with a quote; a binding of data type `binary` is base64 once, which never does.
    let text = if outer.starts_with('"') {
        serde_json::from_str(&outer).map_err(|_| NotAnEnvelope("a queue message is not encoded twice"))?
    } else {
        let bytes = STANDARD.decode(&outer).map_err(|_| NotAnEnvelope("a queue message is neither text nor base64"))?;
        String::from_utf8(bytes).map_err(|_| NotAnEnvelope("a binary queue message is not UTF-8"))?
    };
    Ok(QueueMessage { text })
}

/// A timer's call. The schedule's status is null without a monitor and begins at year 1; nothing here depends on it.
pub fn tick(body: &[u8], binding: &str) -> Result<Tick, NotAnEnvelope> {
    let timer: Timer = object(data(body, binding)?.get().as_bytes()).and_then(Result::ok).ok_or(NotAnEnvelope("a timer is not an object"))?;
    Ok(Tick { past_due: timer.is_past_due })
}

fn data<'a>(body: &'a [u8], binding: &str) -> Result<&'a RawValue, NotAnEnvelope> {
    let envelope: Envelope<'_> = object(body).and_then(Result::ok).ok_or(NotAnEnvelope("no JSON object with `Data`"))?;
    envelope.data.get(binding).copied().ok_or(NotAnEnvelope("`Data` lacks the binding"))
}

/// The answer to an envelope: always 200 or 500, always the whole JSON object. The host hangs on a 204, an empty body or `null`.
pub fn answer(verdict: &Verdict) -> HttpAnswer {
    let (status, note) = match verdict {
        Verdict::Done(note) | Verdict::Reject(note) => (200, note),
        Verdict::Retry(reason) => (500, reason),
    };
    let note: String = note.chars().take(NOTE_CHARACTERS_MAX).collect();
    let logs = if note.is_empty() { json!([]) } else { json!([note]) };
    let body = json!({ "Outputs": {}, "Logs": logs, "ReturnValue": Value::Null });
    HttpAnswer { status, headers: vec![("content-type", "application/json".to_owned())], body: Bytes::from(body.to_string()) }
}
