//! Every recorded request and answer that the embedded host can produce.

use std::{collections::BTreeMap, fs, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use helpdesk::devhost::{
    answer::{OutBinding, Outcome, Value, understood},
    envelope::{Message, Status, System, queue_call, timer_call},
    wire::{ChunkedBody, ClientRequest, envelope_request, forwarded_request},
};
use proptest::prelude::{prop_assert_eq, proptest};
use serde_json::Value as Json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::datetime};

const INVOCATION: &str = "0d4dcbb4-51a3-4a44-9c5b-5f1b9f0f8a11";

/// What the embedded host does not produce, and why.
const NOT_PRODUCED: &[(&str, &str)] = &[
    ("queue-binary", "no function declares dataType binary"),
    ("queue-retry-first", "no function has a retry policy"),
    ("queue-retry-second", "no function has a retry policy"),
    ("queue-comment", "only Newtonsoft takes comments and single quotes for JSON; the embedded host merges nothing then"),
];

fn wire() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire")
}

fn recorded(name: &str) -> Vec<u8> {
    fs::read(wire().join("requests").join(format!("{name}.http"))).unwrap()
}

/// The entries of requests.json, by name.
fn entries() -> BTreeMap<String, Json> {
    let entries: Vec<Json> = serde_json::from_slice(&fs::read(wire().join("requests.json")).unwrap()).unwrap();
    entries.into_iter().map(|entry| (entry["name"].as_str().unwrap().to_owned(), entry)).collect()
}

/// A text between two others in the recorded bytes.
fn between(bytes: &[u8], before: &str) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let (_, rest) = text.split_once(before)?;
    Some(rest.split('"').next().unwrap().to_owned())
}

/// The instant and the GUID that the recording drew anew for each call.
fn drawn(bytes: &[u8]) -> (OffsetDateTime, String) {
    let now = between(bytes, "\"UtcNow\":\"").unwrap_or("2026-11-23T00:00:00Z".to_owned());
    (OffsetDateTime::parse(&now, &Rfc3339).unwrap(), between(bytes, "\"RandGuid\":\"").unwrap_or_default())
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn queue_calls_are_those_of_the_recorded_host() {
    let mut compared = 0;
    for (name, entry) in entries() {
        let is_left_out = NOT_PRODUCED.iter().any(|(left_out, _)| *left_out == name) || entry.get("never_reaches_the_handler").is_some();
        if !name.starts_with("queue-") || is_left_out {
            continue;
        }
        let expected = recorded(&name);
        let (now, random_guid) = drawn(&expected);
        let message = Message {
            text: entry["means"].as_str().unwrap(),
            id: "8f2c0f0e-6d5e-4a39-9d0b-2a6e1e0b7f11",
            pop_receipt: "AgAAAAMAAAAAAAAAbp1ZQZ5d3AE=",
            dequeue_count: if name == "queue-fifth-attempt" { 5 } else { 1 },
            inserted_at: datetime!(2026-11-23 04:11:02 UTC),
            expires_at: (name == "queue-expires").then_some(datetime!(2026-11-30 04:11:02 UTC)),
            visible_at: datetime!(2026-11-23 04:21:02 UTC),
        };
        let body = queue_call(&message, &System { function: "IntakeMail", now, random_guid: &random_guid });
        let produced = envelope_request("IntakeMail", "127.0.0.1:41235".parse().unwrap(), INVOCATION, &body);
        assert_eq!(show(&produced), show(&expected), "{name}");
        assert_eq!(produced, expected, "{name}");
        compared += 1;
    }
    assert_eq!(compared, 19);
}

#[test]
fn timer_calls_are_those_of_the_recorded_host() {
    let next = datetime!(2026-11-24 01:30:00 UTC);
    let last = Some(datetime!(2026-11-23 01:30:00.0021457 UTC));
    let usual = Status { last, next, updated: last };
    let first = Status { last: None, next, updated: None };
    for (name, status, past_due) in [
        ("timer-usual", Some(usual), false),
        ("timer-past-due", Some(usual), true),
        ("timer-first", Some(first), false),
        ("timer-no-status", None, false),
    ] {
        let expected = recorded(name);
        let (now, random_guid) = drawn(&expected);
        let body = timer_call(status.as_ref(), past_due, &System { function: "BackUp", now, random_guid: &random_guid });
        let produced = envelope_request("BackUp", "127.0.0.1:41235".parse().unwrap(), INVOCATION, &body);
        assert_eq!(show(&produced), show(&expected), "{name}");
    }
}

#[test]
fn forwarded_requests_are_those_of_the_recorded_host() {
    let mut compared = 0;
    for name in entries().into_keys().filter(|name| name.starts_with("http-")) {
        let client = fs::read(wire().join("requests").join(format!("{name}.client"))).unwrap();
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Request::new(&mut headers);
        let body_begins = head.parse(&client).unwrap().unwrap();
        let request = ClientRequest {
            method: head.method.unwrap(),
            target: head.path.unwrap(),
            headers: head.headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect(),
            body: &client[body_begins..],
        };
        let produced = forwarded_request(&request, INVOCATION);
        if name == "http-post-chunked" {
            assert_eq!(produced, Err(ChunkedBody));
        } else {
            let (produced, expected) = (produced.unwrap(), recorded(&name));
            assert_eq!(show(&produced), show(&expected), "{name}");
            assert_eq!(produced, expected, "{name}");
        }
        compared += 1;
    }
    assert_eq!(compared, 9);
}

#[test]
fn every_recorded_request_is_listed() {
    let mut listed: Vec<String> = entries()
        .into_iter()
        .filter(|(name, entry)| entry.get("never_reaches_the_handler").is_none() && name != "http-post-chunked")
        .map(|(name, _)| name)
        .collect();
    let files = fs::read_dir(wire().join("requests")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = files.filter_map(|name| name.strip_suffix(".http").map(str::to_owned)).collect();
    listed.sort();
    files.sort();
    assert_eq!(files, listed);
}

#[test]
fn a_caller_s_own_user_agent_is_kept_before_the_host_s() {
    let headers = [("x-azure-functions-invocationid", "forged"), ("user-agent", "curl/8"), ("Host", "desk.example")];
    let request = ClientRequest {
        method: "GET",
        target: "/api/health?A=1&&b&a=%2B%zz&=x",
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
        body: b"",
    };
    let expected = format!(
        "GET /api/health?A=1,%2B%25zz&b=&=x HTTP/1.1\r\nHost: desk.example\r\nUser-Agent: curl/8 Azure-Functions-Host/4.1037.0.23552\r\n\
         x-azure-functions-invocationid: forged, {INVOCATION}\r\nX-Azure-Functions-HostVersion: 4.1037.0.23552\r\n\r\n"
    );
    assert_eq!(show(&forwarded_request(&request, INVOCATION).unwrap()), expected);
}

#[test]
fn a_letter_of_two_units_is_not_torn_between_chunks() {
    let body = format!("{}📨{}", "a".repeat(1023), "é".repeat(1023));
    let request = show(&envelope_request("F", "127.0.0.1:1".parse().unwrap(), INVOCATION, &body));
    let chunks = request.split_once("\r\n\r\n").unwrap().1;
    // Fillings of 1024 units: the pair's first unit would be the last of the first one, so the pair goes with the second, which has 1024 - 1 letters after it.
    let expected = format!("3FF\r\n{}\r\n802\r\n📨{}\r\n0\r\n\r\n", "a".repeat(1023), "é".repeat(1023));
    assert_eq!(chunks, expected);
}

proptest! {
    /// Whatever was sent comes back by the handler's rule: parse, take the text, parse that as one more JSON string.
    #[test]
    fn a_message_is_never_changed_by_its_envelope(text in r#"(?s)\PC*|.*|\{("[a-zA-Z]{0,9}|\\\\u?d?8?0?0?0?|[\[\]{}:,]|-?[0-9]{1,20}|\.|e|true|null|"){0,30}\}"#) {
        let at = datetime!(2026-11-23 04:11:02 UTC);
        let message = Message { text: &text, id: "i", pop_receipt: "p", dequeue_count: 1, inserted_at: at, expires_at: None, visible_at: at };
        let call: Json = serde_json::from_str(&queue_call(&message, &System { function: "F", now: at, random_guid: "g" })).unwrap();
        let unwrapped: String = serde_json::from_str(call["Data"]["message"].as_str().unwrap()).unwrap();
        prop_assert_eq!(unwrapped, text);
    }
}

#[test]
fn answers_become_what_the_recorded_host_makes_of_them() {
    let answers: Vec<Json> = serde_json::from_slice(&fs::read(wire().join("responses.json")).unwrap()).unwrap();
    assert_eq!(answers.len(), 49);
    for answer in answers {
        let name = answer["name"].as_str().unwrap();
        let out =
            answer.get("out_binding").map(|binding| OutBinding { name: binding["name"].as_str().unwrap(), binary: binding["dataType"] == "binary" });
        let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
        let outcome = understood(status, "X", answer["content_type"].as_str(), answer["body"].as_str().unwrap().as_bytes(), out);
        match outcome {
            Outcome::Hangs => assert_eq!(answer["outcome"], "hangs until functionTimeout", "{name}"),
            Outcome::Failed { because } => {
                assert_eq!(answer["outcome"], "failed", "{name}: {because}");
                assert!(because.starts_with(answer["because"].as_str().unwrap()), "{name}: {because}");
            }
            Outcome::Succeeded { logs, outputs, returned } => {
                assert_eq!(answer["outcome"], "succeeded", "{name}");
                assert_eq!(serde_json::to_value(logs).unwrap(), answer["logs"], "{name}");
                let outputs: serde_json::Map<String, Json> = outputs.into_iter().map(|(name, value)| (name, json(value))).collect();
                assert_eq!(Json::Object(outputs), answer["outputs"], "{name}");
                assert_eq!(returned.map_or(Json::Null, json), answer["return"], "{name}");
            }
        }
    }
}

/// A value in the notation of the recording.
fn json(value: Value) -> Json {
    match value {
        Value::Bytes(bytes) => serde_json::json!({ "bytes_base64": STANDARD.encode(bytes) }),
        Value::Text(text) => serde_json::json!({ "text": text }),
        Value::Date(text) => serde_json::json!({ "datetime": text }),
        Value::Json(text) => serde_json::json!({ "json": serde_json::from_str::<Json>(&text).unwrap() }),
        Value::Other(text, kind) => serde_json::json!({ "other": text, "type": kind }),
    }
}
