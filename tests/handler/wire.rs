//! Every recorded request gets a whole answer, however its bytes arrive; so does what no host would send.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use helpdesk::{
    access::Role,
    handler::{BODY_BYTES_MAX, envelope},
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, sync::watch, time::timeout};

use super::Served;
use crate::support::{
    http::{Answer, Connection, PATIENCE, raw, request, sent_to},
    world::{HELP, World, mail},
};

const INVOCATION: &str = "0d4dcbb4-51a3-4a44-9c5b-5f1b9f0f8a11";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire")
}

/// Name and bytes of each recorded request, to this handler. The recorded timers call a function that is not here: their path changes too.
fn recorded(handler: SocketAddr) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = fs::read_dir(folder().join("requests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "http"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), sent_to(handler, renamed(fs::read(&path).unwrap()))))
        .collect();
    found.sort();
    assert!(found.len() >= 34, "only {} recordings were found", found.len());
    found
}

fn renamed(bytes: Vec<u8>) -> Vec<u8> {
    match bytes.strip_prefix(b"POST /BackUp ") {
        Some(rest) => [b"POST /SweepOutbox ", rest].concat(),
        None => bytes,
    }
}

fn is_envelope(name: &str) -> bool {
    name.starts_with("queue-") || name.starts_with("timer-")
}

/// The body of a recorded request, out of its chunks.
fn body(request: &[u8]) -> Vec<u8> {
    let at = request.windows(4).position(|part| part == b"\r\n\r\n").unwrap() + 4;
    let (head, mut rest) = request.split_at(at);
    if !String::from_utf8_lossy(head).contains("Transfer-Encoding: chunked") {
        return rest.to_vec();
    }
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|part| part == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}

/// The same call with an announced length.
fn with_length(handler: SocketAddr, function: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /{function} HTTP/1.1\r\nHost: {handler}\r\nX-Azure-Functions-InvocationId: {INVOCATION}\r\nContent-Type: application/json; charset=utf-8\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// What the host can read: anything else fails or, worse, hangs the invocation.
fn assert_host_understands(name: &str, answer: &Answer) {
    assert!(matches!(answer.status, 200 | 500), "{name}: {}", answer.status);
    assert_eq!(answer.header("content-type"), Some("application/json"), "{name}");
    let body = answer.json();
    assert!(body["Outputs"].is_object() && body["Logs"].is_array(), "{name}: {body}");
    assert!(body.as_object().unwrap().contains_key("ReturnValue"), "{name}: {body}");
}

#[tokio::test]
async fn every_recorded_request_gets_a_whole_answer() {
    let world = World::new().await;
    let served = Served::new(&world).await;
    for (name, bytes) in recorded(served.address) {
        let answer = raw(served.address, &bytes).await.unwrap_or_else(|| panic!("{name} got no answer"));
        if is_envelope(&name) {
            assert_host_understands(&name, &answer);
            // Whatever a message says, it is settled or kept as a record.
            assert_eq!(answer.status, 200, "{name}: {}", answer.json());
        } else if name == "http-keys" {
            // The health of the process is everyone's.
            assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("ok")), "{name}");
        } else {
            // Tokens of the recordings are nobody's, and some routes are not here.
            assert!(matches!(answer.status, 401 | 404), "{name}: {}", answer.status);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{name}");
            assert_eq!(answer.json()["instance"], format!("urn:helpdesk:invocation:{INVOCATION}"), "{name}");
        }
    }
}

#[tokio::test]
async fn a_client_cannot_have_the_host_forward_an_envelope() {
    let world = World::new().await;
    let served = Served::new(&world).await;
    let body = json!({ "Data": { "message": "\"one of his own\"" }, "Metadata": {} }).to_string();
    let (own, token) = (served.address, world.token("contoso", Role::Agent, None));
    // What the host makes of `POST /api/tickets/..%5C..%5C..%5CIntakeMail%3F/comments`: the path is that of an envelope, the headers are the client's.
    for headers in [
        "Host: desk.example".to_owned(),
        "Host: 127.0.0.1".to_owned(),
        format!("Host: localhost:{}", own.port()),
        format!("Host: {own}\r\nX-Forwarded-For: 203.0.113.7:50123"),
        format!("Host: desk.example\r\nAuthorization: Bearer {token}\r\nUser-Agent: Azure-Functions-Host/4.1037.0.23552"),
        // What a stranger's page makes a browser send.
        format!("Host: {own}\r\nOrigin: https://stranger.example"),
        format!("Host: {own}\r\nOrigin: null"),
    ] {
        let head = format!("POST /IntakeMail HTTP/1.1\r\n{headers}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        let answer = raw(own, format!("{head}{body}").as_bytes()).await.unwrap();
        assert_eq!((answer.status, answer.json()["type"].as_str()), (404, Some("urn:helpdesk:problem:no-such-route")), "{headers}");
    }
    for media_type in ["", "Content-Type: text/plain\r\n", "Content-Type: application/jsonp\r\n", "Content-Type: text/plain; application/json\r\n"] {
        let head = format!("POST /IntakeMail HTTP/1.1\r\nHost: {own}\r\n{media_type}Content-Length: {}\r\n\r\n", body.len());
        assert_eq!(raw(own, format!("{head}{body}").as_bytes()).await.unwrap().status, 404, "{media_type}");
    }
    assert!(world.unprocessed("sys").await.is_empty());
    assert_eq!(raw(own, &with_length(own, "IntakeMail", body.as_bytes())).await.unwrap().status, 200);
    assert_eq!(world.unprocessed("sys").await.len(), 1);
}

#[tokio::test]
async fn a_client_does_not_choose_the_invocation_id() {
    let world = World::new().await;
    let served = Served::new(&world).await;
    for (sent, expected) in [(format!("of a client, {INVOCATION}"), INVOCATION), ("a client's alone".to_owned(), "none")] {
        let head = format!("GET /api/tickets HTTP/1.1\r\nHost: desk.example\r\nX-Azure-Functions-InvocationId: {sent}\r\n\r\n");
        let answer = raw(served.address, head.as_bytes()).await.unwrap();
        assert_eq!(answer.json()["instance"], format!("urn:helpdesk:invocation:{expected}"));
    }
}

#[tokio::test]
async fn what_the_framing_is_makes_no_difference() {
    let world = World::new().await;
    let served = Served::new(&world).await;
    for (name, bytes) in recorded(served.address).into_iter().filter(|(name, _)| is_envelope(name)) {
        let function = if name.starts_with("timer-") { "SweepOutbox" } else { "IntakeMail" };
        let answer =
            raw(served.address, &with_length(served.address, function, &body(&bytes))).await.unwrap_or_else(|| panic!("{name} got no answer"));
        assert_host_understands(&name, &answer);
        assert_eq!(answer.status, 200, "{name}: {}", answer.json());
    }
}

#[test]
fn a_recorded_message_means_what_its_sender_wrote() {
    let expected: Vec<Value> = serde_json::from_slice(&fs::read(folder().join("requests.json")).unwrap()).unwrap();
    let mut compared = 0;
    for (name, bytes) in recorded(([127, 0, 0, 1], 7071).into()).into_iter().filter(|(name, _)| name.starts_with("queue-")) {
        let entry = expected.iter().find(|entry| entry["name"] == name.as_str()).unwrap();
        let message = envelope::queue_message(&body(&bytes), "message");
        match entry["means"].as_str() {
            Some("bytes in base64, once") => assert_eq!(message.unwrap().text.as_bytes(), STANDARD.decode("eyJ2IjoxfcO/").unwrap(), "{name}"),
            Some(means) => {
                assert_eq!(message.unwrap().text, means, "{name}");
                compared += 1;
            }
            // Its text was not written down; it must be one all the same.
            None => assert!(!message.unwrap().text.is_empty(), "{name}"),
        }
    }
    assert!(compared >= 19, "only {compared} messages were compared");
}

#[tokio::test]
async fn bytes_may_come_one_at_a_time() {
    let world = World::new().await;
    let served = Served::new(&world).await;
    for name in ["queue-mail", "queue-unicode", "timer-first", "http-post-json"] {
        let (_, bytes) = recorded(served.address).into_iter().find(|(own, _)| own == name).unwrap();
        let mut connection = Connection::open(served.address).await;
        for byte in bytes {
            connection.stream.write_all(&[byte]).await.unwrap();
        }
        let answer = connection.answer().await.unwrap();
        // The recorded one has no token of ours.
        assert_eq!(answer.status, if is_envelope(name) { 200 } else { 401 }, "{name}");
    }
}

#[tokio::test]
async fn requests_in_one_breath_are_answered_in_their_order() {
    let world = World::new().await;
    let served = Served::new(&world).await;
    let all = recorded(served.address);
    let mut connection = Connection::open(served.address).await;
    let bytes: Vec<u8> = all.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    connection.stream.write_all(&bytes).await.unwrap();
    for (name, _) in &all {
        let answer = connection.answer().await.unwrap_or_else(|| panic!("{name} got no answer"));
        let expected = if is_envelope(name) || name == "http-keys" { "application/json" } else { "application/problem+json" };
        assert_eq!(answer.header("content-type"), Some(expected), "{name}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_in_both_framings() {
    let world = World::new().await;
    let served = Served::new(&world).await;
    let too_much = vec![b' '; BODY_BYTES_MAX + 1];
    let mut chunked = b"POST /IntakeMail HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for part in too_much.chunks(1 << 20) {
        chunked.extend_from_slice(format!("{:X}\r\n", part.len()).as_bytes());
        chunked.extend_from_slice(part);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    for bytes in [with_length(served.address, "IntakeMail", &too_much), chunked] {
        let answer = raw(served.address, &bytes).await.unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (413, Some("application/problem+json")));
        assert_eq!(answer.json()["type"], "urn:helpdesk:problem:body-too-large");
    }
    // One byte less is read, and is no envelope.
    let answer = raw(served.address, &with_length(served.address, "IntakeMail", &too_much[1..])).await.unwrap();
    assert_host_understands("spaces", &answer);
    assert_eq!(answer.status, 500);
}

#[tokio::test]
async fn a_body_that_broke_off_is_not_acted_on() {
    let world = World::new().await;
    world.mail(HELP, "a.eml", &mail("ann@adventure-works.example", "q1@a.example", "Hello", "", "Hello")).await;
    let served = Served::new(&world).await;
    let ticket = world.tickets("contoso").await.remove(0);
    let token = world.token("contoso", Role::Agent, None);
    let path = format!("/api/tickets/{}/comments", ticket["id"].as_str().unwrap());
    // The JSON is whole; the framing says that more was to come.
    let body = json!({ "text": "half" }).to_string();
    let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n");
    for request in [
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len() + 1),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{:X}\r\n{body}\r\n", body.len()),
    ] {
        let mut connection = Connection::open(served.address).await;
        connection.stream.write_all(request.as_bytes()).await.unwrap();
        connection.stream.shutdown().await.unwrap();
        if let Some(answer) = connection.answer().await {
            assert_eq!(answer.status, 400);
        }
    }
    assert_eq!(world.comments("contoso", &ticket).await.len(), 1);
    // The same, whole, is a comment.
    let whole = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(raw(served.address, whole.as_bytes()).await.unwrap().status, 201);
    assert_eq!(world.comments("contoso", &ticket).await.len(), 2);
}

#[tokio::test]
async fn garbage_instead_of_http_does_not_end_the_process() {
    let world = World::new().await;
    let served = Served::new(&world).await;
    let long_head = [b"GET / HTTP/1.1\r\nA: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    let garbage: [&[u8]; 7] = [
        b"\0\x01\x02\xff\xfe\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HELO there\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /IntakeMail HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n",
        b"POST /IntakeMail HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        &long_head,
    ];
    for bytes in garbage {
        let mut connection = Connection::open(served.address).await;
        let _ = connection.stream.write_all(bytes).await;
        let _ = connection.stream.shutdown().await;
        if let Some(answer) = connection.answer().await {
            assert!((400..500).contains(&answer.status) || answer.status == 505, "{}", answer.status);
        }
        assert_eq!(request(served.address, "GET", "/", &[], b"").await.status, 200);
    }
}

#[tokio::test]
async fn a_target_without_a_path_is_answered() {
    let world = World::new().await;
    let served = Served::new(&world).await;
    for (line, status) in [("CONNECT desk.example:443", 404), ("POST desk.example:443", 404), ("OPTIONS *", 404), ("GET desk.example:443", 200)] {
        let answer = raw(served.address, format!("{line} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
        assert_eq!(answer.unwrap_or_else(|| panic!("{line} got no answer")).status, status, "{line}");
    }
}

#[tokio::test]
async fn a_function_that_is_not_here_is_a_problem() {
    let world = World::new().await;
    let served = Served::new(&world).await;
    for path in ["/BackUp", "/intakemail", "/IntakeMail/", "/ListTickets", "/IntakeMail/more", "/api", "//"] {
        let answer = request(served.address, "POST", path, &["Content-Type: application/json"], br#"{"Data":{},"Metadata":{}}"#).await;
        let (status, media_type) = (answer.status, answer.header("content-type").unwrap().to_owned());
        assert_eq!((status, media_type.as_str()), (404, "application/problem+json"), "{path}");
        assert_eq!(answer.json()["status"], 404);
    }
    assert_eq!(request(served.address, "GET", "/IntakeMail", &[], b"").await.status, 404);
}

#[tokio::test]
async fn a_malformed_envelope_is_a_failure_that_the_host_understands() {
    let world = World::new().await;
    let served = Served::new(&world).await;
    let deep = format!(r#"{{"Data":{{"message":{}{}}}}}"#, "[".repeat(100), "]".repeat(100));
    let deeper = format!(r#"{{"Metadata":{}{},"Data":{{"message":"x"}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let malformed = [
        "",
        "null",
        "[]",
        "42",
        "{",
        "{}",
        r#"{"Metadata":{}}"#,
        r#"{"Data":null}"#,
        r#"{"Data":[]}"#,
        r#"{"Data":{}}"#,
        r#"{"Data":{"other":"\"x\""}}"#,
        r#"{"Data":{"message":null}}"#,
        r#"{"Data":{"message":7}}"#,
        r#"{"Data":{"message":{"v":1}}}"#,
        r#"{"Data":{"message":"\"not closed"}}"#,
        r#"{"Data":{"message":"no base64!"}}"#,
        r#"{"Data":{"message":"/w=="}}"#,
        r#"{"Data":{"message":"\"x\""}} trailing"#,
        r#"[{"message":"\"x\"","timer":{"IsPastDue":false}}]"#,
        r#"{"Data":{"timer":[]}}"#,
        r#"{"Data":{"timer":[false]}}"#,
        deep.as_str(),
        deeper.as_str(),
    ];
    for body in malformed {
        let name: String = body.chars().take(60).collect();
        for function in ["IntakeMail", "MailIntakePoison", "DeliverOutbox", "SweepOutbox"] {
            let answer =
                raw(served.address, &with_length(served.address, function, body.as_bytes())).await.unwrap_or_else(|| panic!("{name}: no answer"));
            assert_host_understands(&name, &answer);
            assert_eq!(answer.status, 500, "{function} {name}");
        }
    }
    assert!(world.unprocessed("sys").await.is_empty(), "a failure is tried again, it is no record");
}

#[tokio::test]
async fn the_hosts_ping_is_answered_before_the_house_is_ready() {
    let (ready, readiness) = watch::channel(None);
    let served = Served::when(readiness).await;
    let answer = timeout(Duration::from_secs(2), request(served.address, "GET", "/", &[], b"")).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()));

    // A request waits, and is answered when the house is ready.
    let mut waiting = Connection::open(served.address).await;
    waiting.stream.write_all(b"GET /api/health HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert!(timeout(Duration::from_millis(300), waiting.answer()).await.is_err());
    let world = World::new().await;
    ready.send_replace(Some(world.app.clone()));
    assert_eq!(waiting.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_house_that_cannot_get_ready_is_a_503() {
    let (ready, readiness) = watch::channel(None);
    let served = Served::when(readiness).await;
    let mut waiting = Connection::open(served.address).await;
    waiting.stream.write_all(b"GET /api/health HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert!(timeout(Duration::from_millis(100), waiting.answer()).await.is_err());
    // Nobody is left who could open it: there is nothing to wait for.
    drop(ready);
    for answer in [waiting.answer().await.unwrap(), request(served.address, "POST", "/IntakeMail", &[], b"{}").await] {
        assert_eq!((answer.status, &answer.json()["type"]), (503, &Value::from("urn:helpdesk:problem:not-ready")));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(request(served.address, "GET", "/", &[], b"").await.status, 200);
}

#[tokio::test]
async fn a_running_request_ends_after_the_signal() {
    let world = World::new().await;
    let (ready, readiness) = watch::channel(None);
    let served = Served::when(readiness).await;
    let mut waiting = Connection::open(served.address).await;
    waiting.stream.write_all(b"GET /api/health HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert!(timeout(Duration::from_millis(100), waiting.answer()).await.is_err());
    served.stop.send_replace(true);
    tokio::time::sleep(Duration::from_millis(100)).await;
    ready.send_replace(Some(world.app.clone()));
    assert_eq!(waiting.answer().await.unwrap().status, 200);
    timeout(PATIENCE, served.serving).await.unwrap().unwrap();
}
