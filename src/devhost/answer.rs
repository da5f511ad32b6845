//! What the Functions host makes of a handler's answer to a queue or timer call. Pure, and as recorded in `tests/wire/responses.json`.
//!
//! An answer that makes the real host wait until `functionTimeout`, and then kill the handler, is told at once here: [`Outcome::Hangs`].

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{error::Category, value::RawValue};

use super::newtonsoft::{Members, date, mended, rewritten};

/// Base64 as .NET reads it; white space is taken out before.
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
/// What a hang is called where a failure has a reason.
pub const HANGS: &str = "hangs until functionTimeout: the answer is empty or null, the host waits for ever and then kills the handler; \
                         answer 200 with {\"Outputs\":{},\"Logs\":[],\"ReturnValue\":null}";

/// An output binding of a function. The product has none; the recorded answers have.
#[derive(Debug, Clone, Copy)]
pub struct OutBinding<'a> {
    pub name: &'a str,
    /// `"dataType":"binary"`: the value is then not guessed to be base64.
    pub binary: bool,
}

#[derive(Debug, PartialEq)]
pub enum Outcome {
    Succeeded {
        /// `None` if the answer had no logs.
        logs: Option<Vec<String>>,
        /// Values of declared output bindings; others are dropped.
        outputs: Vec<(String, Value)>,
        returned: Option<Value>,
    },
    Failed {
        because: String,
    },
    Hangs,
}

/// A value as the host holds it.
#[derive(Debug, PartialEq)]
pub enum Value {
    Bytes(Vec<u8>),
    Text(String),
    /// A text that was taken for a date, in .NET's round-trip format.
    Date(String),
    /// An object or array.
    Json(String),
    /// A number or boolean, as printed, and its type in .NET.
    Other(String, &'static str),
}

/// `content_type` is the header's value; `out` the function's output binding, if any.
pub fn understood(status: u16, reason: &str, content_type: Option<&str>, body: &[u8], out: Option<OutBinding<'_>>) -> Outcome {
    if !(200..300).contains(&status) {
        let because = format!("HttpRequestException: Response status code does not indicate success: {status} ({reason}).");
        return Outcome::Failed { because };
    }
    if body.is_empty() {
        return Outcome::Hangs;
    }
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or("").trim();
    if !["application/json", "text/json"].iter().any(|known| known.eq_ignore_ascii_case(media_type)) {
        return misunderstood("UnsupportedMediaTypeException", "the content type must be application/json or text/json");
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() || text == "null" {
        return Outcome::Hangs;
    }
    members(text, out).unwrap_or_else(|failed| failed)
}

fn misunderstood(exception: &str, advice: &str) -> Outcome {
    Outcome::Failed { because: format!("body not understood: {exception} ({advice})") }
}

fn members(text: &str, out: Option<OutBinding<'_>>) -> Result<Outcome, Outcome> {
    let reader_exception = || misunderstood("JsonReaderException", "the body must be JSON");
    let shape_exception = |advice: &str| misunderstood("JsonSerializationException", advice);
    let mended = mended(text).ok_or_else(reader_exception)?;
    let Members(members) = serde_json::from_str(&mended).map_err(|error| match error.classify() {
        Category::Syntax | Category::Io => reader_exception(),
        Category::Data => shape_exception("the body must be an object"),
        Category::Eof => shape_exception("the body ends early"),
    })?;
    // Names match whatever their case; null is as good as absent.
    let named =
        |wanted: &str| members.iter().rfind(|(name, value)| name.eq_ignore_ascii_case(wanted) && value.get() != "null").map(|(_, value)| *value);
    let logs = named("Logs").map(log_lines).transpose()?;
    let mut outputs = Vec::new();
    if let Some(raw) = named("Outputs") {
        let Members(values) = serde_json::from_str(raw.get()).map_err(|_| shape_exception("Outputs must be an object"))?;
        for (name, raw) in values {
            if let Some(binding) = out.filter(|binding| binding.name.eq_ignore_ascii_case(&name))
                && let Some(value) = value(raw, !binding.binary)
            {
                outputs.push((binding.name.to_owned(), value));
            }
        }
    }
    let returned = named("ReturnValue").and_then(|raw| value(raw, false));
    Ok(Outcome::Succeeded { logs, outputs, returned })
}

fn log_lines(raw: &RawValue) -> Result<Vec<String>, Outcome> {
    let lines: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| misunderstood("JsonSerializationException", "Logs must be an array of strings"))?;
    let line = |raw: &RawValue| match raw.get().as_bytes().first() {
        Some(b'{' | b'[') | None => Err(misunderstood("JsonReaderException", "Logs must be an array of strings")),
        Some(b'"') => serde_json::from_str(raw.get()).map_err(|_| misunderstood("JsonReaderException", "Logs must be an array of strings")),
        Some(b'n') => Ok(String::new()),
        Some(_) => Ok(raw.get().to_owned()),
    };
    lines.into_iter().map(line).collect()
}

/// `None` for null.
fn value(raw: &RawValue, guess_base64: bool) -> Option<Value> {
    let json = raw.get();
    Some(match json.as_bytes().first()? {
        b'n' => return None,
        b'{' | b'[' => Value::Json(rewritten(raw)?),
        b't' => Value::Other("True".to_owned(), "Boolean"),
        b'f' => Value::Other("False".to_owned(), "Boolean"),
        b'"' => {
            let text: String = serde_json::from_str(json).ok()?;
            match (date(&text), guess_base64.then(|| bytes_of(&text)).flatten()) {
                (Some(date), _) => Value::Date(date.round_trip()),
                (None, Some(bytes)) => Value::Bytes(bytes),
                (None, None) => Value::Text(text),
            }
        }
        _ if json.contains(['.', 'e', 'E']) => Value::Other(rewritten(raw)?, "Double"),
        _ if json.parse::<i64>().is_ok() => Value::Other(json.to_owned(), "Int64"),
        _ => Value::Other(json.to_owned(), "BigInteger"),
    })
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.chars().filter(|letter| !matches!(letter, ' ' | '\t' | '\r' | '\n')).collect();
    BASE64.decode(packed).ok()
}
