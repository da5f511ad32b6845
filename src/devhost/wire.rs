//! The bytes of a call to the handler, as recorded from the Functions host (`tests/wire`).
//!
//! Header names of clients keep their spelling here; over the embedded front they arrive in lower case, because its library keeps no other.

use std::net::SocketAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The version that the recorded host gave itself.
pub const HOST_VERSION: &str = "4.1037.0.23552";
/// The host writes an envelope through a buffer of this many UTF-16 units and sends each filling as one chunk.
const CHUNK_UNITS: usize = 1024;

/// What .NET's `UrlEncoder` leaves as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b':')
    .remove(b'@');

/// Headers that ASP.NET Core knows, in the order in which it lists them before those it does not know, which follow as they came.
const KNOWN_HEADERS: &[&str] = &[
    "Accept",
    "Connection",
    "Host",
    "User-Agent",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Method",
    "Authorization",
    "Cache-Control",
    "Cookie",
    "Date",
    "Expect",
    "From",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Keep-Alive",
    "Max-Forwards",
    "Origin",
    "Pragma",
    "Proxy-Authorization",
    "Range",
    "Referer",
    "Request-Id",
    "TE",
    "traceparent",
    "tracestate",
    "Translate",
    "Upgrade",
    "Upgrade-Insecure-Requests",
    "Via",
    "Warning",
];

/// Headers that .NET refuses on a request as such; two of them come back with a body.
const CONTENT_HEADERS: &[&str] = &[
    "Allow",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Location",
    "Content-MD5",
    "Content-Range",
    "Content-Type",
    "Expires",
    "Last-Modified",
];

/// Methods that .NET sends without `Content-Length` when there is no body.
const BODILESS_METHODS: &[&str] = &["GET", "HEAD", "CONNECT", "OPTIONS", "DELETE"];

/// A client's request as it came.
pub struct ClientRequest<'a> {
    pub method: &'a str,
    /// Path and query, still encoded.
    pub target: &'a str,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: &'a [u8],
}

/// The host answers a client's chunked body with 500 by itself: it copies the header without the body, and its own client library refuses that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request with a chunked body cannot be forwarded")]
pub struct ChunkedBody;

/// A queue or timer call.
pub fn envelope_request(function: &str, handler: SocketAddr, invocation_id: &str, body: &str) -> Vec<u8> {
    let mut bytes = format!(
        "POST /{function} HTTP/1.1\r\nHost: {handler}\r\nX-Azure-Functions-HostVersion: {HOST_VERSION}\r\n\
         X-Azure-Functions-InvocationId: {invocation_id}\r\nUser-Agent: Azure-Functions-Host/{HOST_VERSION}\r\n\
         Transfer-Encoding: chunked\r\nContent-Type: application/json; charset=utf-8\r\n\r\n"
    )
    .into_bytes();
    let (mut begin, mut filling, mut end) = (0, 0, 0);
    for (at, letter) in body.char_indices() {
        end += letter.len_utf16();
        // A letter belongs to the filling that holds its last unit.
        let own = (end - 1) / CHUNK_UNITS;
        if own != filling {
            push_chunk(&mut bytes, &body[begin..at]);
            (begin, filling) = (at, own);
        }
    }
    push_chunk(&mut bytes, &body[begin..]);
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fn push_chunk(bytes: &mut Vec<u8>, chunk: &str) {
    if !chunk.is_empty() {
        bytes.extend_from_slice(format!("{:X}\r\n{chunk}\r\n", chunk.len()).as_bytes());
    }
}

/// A forwarded HTTP request: the client's, as far as the host lets it through.
pub fn forwarded_request(request: &ClientRequest<'_>, invocation_id: &str) -> Result<Vec<u8>, ChunkedBody> {
    if value_of(request, "Transfer-Encoding").is_some() {
        return Err(ChunkedBody);
    }
    let mut headers = Headers::default();
    for known in KNOWN_HEADERS {
        for (_, value) in request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(known)) {
            headers.add(known, value);
        }
    }
    let is_among = |names: &[&str], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    for (name, value) in &request.headers {
        if !is_among(KNOWN_HEADERS, name) && !is_among(CONTENT_HEADERS, name) {
            headers.add(name, value);
        }
    }
    headers.add("X-Azure-Functions-HostVersion", HOST_VERSION.as_bytes());
    headers.add("X-Azure-Functions-InvocationId", invocation_id.as_bytes());
    headers.add("User-Agent", format!("Azure-Functions-Host/{HOST_VERSION}").as_bytes());
    // Without a `Content-Length` over zero the host forwards no body, whatever came.
    let declared: Option<u64> = value_of(request, "Content-Length").and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
    let body = if declared.is_some_and(|bytes| bytes > 0) { request.body } else { &[] };
    if !body.is_empty() {
        headers.add("Content-Length", body.len().to_string().as_bytes());
        if let Some(media_type) = value_of(request, "Content-Type") {
            headers.add("Content-Type", media_type);
        }
    } else if !BODILESS_METHODS.contains(&request.method) {
        headers.add("Content-Length", b"0");
    }
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method, forwarded_target(request.target)).into_bytes();
    for (name, value) in headers.0 {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    Ok(bytes)
}

fn value_of<'a>(request: &'a ClientRequest<'_>, wanted: &str) -> Option<&'a [u8]> {
    request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_slice())
}

/// Headers as .NET keeps them: one line a name, at the place of its first value.
#[derive(Default)]
struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    fn add(&mut self, name: &str, value: &[u8]) {
        let Some((_, present)) = self.0.iter_mut().find(|(present, _)| present.eq_ignore_ascii_case(name)) else {
            self.0.push((name.to_owned(), value.to_vec()));
            return;
        };
        let between: &[u8] = match name {
            "User-Agent" => b" ",
            "Cookie" => b"; ",
            _ => b", ",
        };
        present.extend_from_slice(between);
        present.extend_from_slice(value);
    }
}

/// The path as it came; the query taken apart and built again, a repeated key once with its values joined by commas.
fn forwarded_target(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let mut values: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decoded(key), decoded(value));
        match values.iter_mut().find(|(present, _)| present.to_lowercase() == key.to_lowercase()) {
            Some((_, joined)) => {
                joined.push(',');
                joined.push_str(&value);
            }
            None => values.push((key, value)),
        }
    }
    let pairs: Vec<String> =
        values.iter().map(|(key, value)| format!("{}={}", utf8_percent_encode(key, QUERY), utf8_percent_encode(value, QUERY))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}
