//! What the functions have in common: JSON in and out, values of routes and queries, files.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::error::Category;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{HttpAnswer, HttpRequest, Problem, route::Params};
use crate::{
    ports::{Etag, Versions, object},
    tickets::{self, store::LIST_MAX},
};

/// What is wrong with a member by a name of the caller's, which is not repeated.
const TWICE: &str = "a member that stands twice";

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
    let wrong = |place: String| Problem::new(400, "bad-json", "The body is not what it should be", format!("Send {example}. {place}"));
    let Some(read) = object(&request.body) else { return Err(wrong("It is no JSON object.".to_owned())) };
    read.map_err(|error| {
        let reason = reason(&error).map(|reason| format!(": {reason}")).unwrap_or_default();
        wrong(format!("It is wrong at line {}, column {}{reason}.", error.line(), error.column()))
    })
}

/// Why JSON was not read, in the words of serde, without what was sent.
fn reason(error: &serde_json::Error) -> Option<String> {
    if error.classify() != Category::Data {
        return Some("it is no JSON".to_owned());
    }
    let text = error.to_string();
    let text = text.strip_suffix(&format!(" at line {} column {}", error.line(), error.column())).unwrap_or(&text);
    // What is expected comes last and is ours; what came instead is quoted before it.
    if let Some((found, expected)) = text.rsplit_once(", expected ") {
        let found = if found.starts_with("unknown field") { "a member that it does not have" } else { "a value that it does not take" };
        // Names of Rust's are nobody's business.
        let expected = match expected {
            "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
            expected if expected.starts_with("struct ") => "an object",
            expected => expected,
        };
        return Some(format!("{found}, expected {expected}"));
    }
    (text.starts_with("missing field `") || text.starts_with("duplicate field `") || text == TWICE).then(|| text.to_owned())
}

/// A value of the route. What cannot be one names nothing that exists.
pub fn id<T: std::str::FromStr>(params: &Params, name: &str) -> Result<T, Problem> {
    params.get(name).and_then(|text| text.parse().ok()).ok_or_else(|| tickets::Error::NotFound.into())
}

/// Entries of a page: `?limit=`, or as many as there may be.
pub fn limit(request: &HttpRequest) -> Result<usize, Problem> {
    match request.query.get("limit").map(|text| text.parse::<usize>()) {
        None => Ok(LIST_MAX),
        Some(Ok(limit)) if (1..=LIST_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(bad("bad-limit", format!("`limit` is a number from 1 to {}.", LIST_MAX))),
    }
}

/// An instant of RFC 3339 in UTC. One that is in no year of four digits there is none.
pub fn instant(text: &str) -> Option<OffsetDateTime> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
    (0..=9999).contains(&at.year()).then_some(at)
}

/// The same in JSON.
#[derive(Debug, Clone, Copy)]
pub struct Instant(pub OffsetDateTime);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        instant(&text).map(Instant).ok_or_else(|| serde::de::Error::custom("an instant is like 2026-11-26T09:00:00Z"))
    }
}

impl JsonSchema for Instant {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        At::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        At::json_schema(generator)
    }
}

/// An instant in a schema: RFC 3339.
pub struct At;

impl JsonSchema for At {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// Tells a member that is `null` from one that is absent.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// For a member that always is: a `null` is refused, which would otherwise pass for not named.
pub fn never_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// For a list: `null` empties it.
pub fn emptied<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<T>>, D::Error> {
    Option::deserialize(deserializer).map(|list| Some(list.unwrap_or_default()))
}

/// For members by names that are the caller's: as with ours, one that stands twice is a fault.
pub fn each_once<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error> {
    struct EachOnce<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for EachOnce<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut read = BTreeMap::new();
            while let Some((name, value)) = members.next_entry()? {
                if read.insert(name, value).is_some() {
                    return Err(serde::de::Error::custom(TWICE));
                }
            }
            Ok(read)
        }
    }
    deserializer.deserialize_map(EachOnce(PhantomData))
}

pub fn bad(slug: &'static str, detail: String) -> Problem {
    Problem::new(400, slug, "A query parameter is wrong", detail)
}

/// A stranger's bytes: to be saved, never to be shown.
pub fn download(body: Bytes, media_type: &str, name: &str) -> HttpAnswer {
    let plain: String = name.chars().map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' }).collect();
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    HttpAnswer {
        status: 200,
        headers: vec![
            ("content-type", media_type.to_owned()),
            ("content-disposition", format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")),
            ("x-content-type-options", "nosniff".to_owned()),
            ("content-security-policy", "sandbox; default-src 'none'".to_owned()),
            ("cache-control", "no-store".to_owned()),
        ],
        body,
    }
}

/// As it stands in a header (RFC 9110 section 8.8.3). Cosmos DB's have the quotes already.
pub fn quoted(etag: &Etag) -> String {
    format!("\"{}\"", etag.0.trim_matches('"'))
}

/// Which versions the request is for (`If-Match`). A weak validator stands for none: it is compared strongly (RFC 9110 section 8.8.3.2).
pub fn versions(request: &HttpRequest) -> Versions {
    match request.headers.get("if-match").map(|read| read.trim()) {
        None | Some("*") => Versions::Any,
        Some(read) => {
            let tags = read.split(',').filter_map(|tag| tag.trim().strip_prefix('"')?.strip_suffix('"'));
            Versions::OneOf(tags.map(|tag| Etag(tag.to_owned())).collect())
        }
    }
}
