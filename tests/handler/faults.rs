//! What goes wrong inside is a failure with a whole answer, and its detail stays inside.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use helpdesk::{
    access::Role,
    handler::{
        WireRequest,
        dispatch::{DEADLINES, Deadlines, dispatch_within},
    },
    ports::{Changes, Document, Documents, Etag, Fault, Ports, Scan, Watermark, Write},
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::io::AsyncWriteExt;

use super::Served;
use crate::support::{
    http::{Connection, PATIENCE, request},
    world::{HELP, World, mail, queue},
};

/// Bytes of a body of which only so many may be in memory at once, and how many.
const LARGE: usize = 2 * 1024 * 1024;
const PLACES: usize = 16;

/// Documents of whom a get does what the mood says.
struct Moody {
    inner: Arc<dyn Documents>,
    mood: Arc<AtomicU8>,
}

const WELL: u8 = 0;
const PANICS: u8 = 1;
const NEVER_ANSWERS: u8 = 2;
const IS_DAMAGED: u8 = 3;
const IS_DOWN: u8 = 4;
const WAITS: u8 = 5;
const IS_BUSY: u8 = 6;
/// A text that only a log may hold.
const DETAIL: &str = "detail-of-the-inside";

#[async_trait]
impl Documents for Moody {
    async fn get(&self, partition: &str, id: &str) -> Result<Option<Document>, Fault> {
        match self.mood.load(Ordering::SeqCst) {
            PANICS => panic!("{DETAIL}"),
            NEVER_ANSWERS => std::future::pending().await,
            IS_DAMAGED => Err(Fault::Corrupt(DETAIL.to_owned())),
            IS_DOWN => Err(Fault::Unavailable(DETAIL.to_owned())),
            IS_BUSY => Err(Fault::Throttled { after: Duration::from_millis(1_500) }),
            _ => {
                while self.mood.load(Ordering::SeqCst) == WAITS {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                self.inner.get(partition, id).await
            }
        }
    }
    async fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Document>, Fault> {
        self.inner.scan(scan).await
    }
    async fn count(&self, scan: &Scan<'_>) -> Result<usize, Fault> {
        self.inner.count(scan).await
    }
    async fn commit(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Etag>, Fault> {
        self.inner.commit(partition, writes).await
    }
    async fn changed_since(&self, partition: &str, watermark: Option<&Watermark>, limit: usize) -> Result<Changes, Fault> {
        self.inner.changed_since(partition, watermark, limit).await
    }
    async fn due(&self, after: Option<&str>, before: OffsetDateTime, limit: usize) -> Result<Vec<Document>, Fault> {
        self.inner.due(after, before, limit).await
    }
}

async fn moody() -> (World, Arc<AtomicU8>) {
    let mood = Arc::new(AtomicU8::new(WELL));
    let own = mood.clone();
    (World::with(move |ports| Ports { documents: Arc::new(Moody { inner: ports.documents.clone(), mood: own }), ..ports }).await, mood)
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_process_lives() {
    let (world, mood) = moody().await;
    let served = Served::new(&world).await;
    let message = world.leave(HELP, "a.eml", &mail("ann@adventure-works.example", "q@a.example", "Hello", "", "Hello")).await;
    mood.store(PANICS, Ordering::SeqCst);
    let token = format!("Authorization: Bearer {}", world.token("contoso", Role::Agent, None));
    let answer = request(served.address, "GET", "/api/tickets", &[&token], b"").await;
    assert_eq!((answer.status, answer.header("content-type")), (500, Some("application/problem+json")));
    assert_eq!(queue(&world.app, "IntakeMail", &message).await.0, 500);
    mood.store(WELL, Ordering::SeqCst);
    // The same message, the same process.
    assert_eq!(queue(&world.app, "IntakeMail", &message).await, (200, "opened ticket 1".to_owned()));
    assert_eq!(request(served.address, "GET", "/api/tickets", &[&token], b"").await.status, 200);
}

#[tokio::test]
async fn an_answer_of_the_500s_shows_no_detail() {
    let (world, mood) = moody().await;
    let token = world.token("contoso", Role::Agent, None);
    for (what, status) in [(PANICS, 500), (IS_DAMAGED, 500), (IS_DOWN, 503)] {
        mood.store(what, Ordering::SeqCst);
        for path in ["/api/tickets", "/api/tickets/01JD7Z3M9QK4T5V6W7X8Y9Z0AB", "/api/tickets/01JD7Z3M9QK4T5V6W7X8Y9Z0AB/comments"] {
            let answer = world.http("GET", path, Some(&token), b"").await;
            assert_eq!(answer.status, status, "{path}");
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(body.get("detail"), None, "{body}");
            assert!(!body.to_string().contains(DETAIL), "{body}");
        }
    }
}

#[tokio::test]
async fn who_is_to_come_again_is_told_when_and_the_host_is_not() {
    let (world, mood) = moody().await;
    let message = world.leave(HELP, "a.eml", &mail("ann@adventure-works.example", "q@a.example", "Hello", "", "Hello")).await;
    let served = Served::new(&world).await;
    mood.store(IS_BUSY, Ordering::SeqCst);
    let token = format!("Authorization: Bearer {}", world.token("contoso", Role::Agent, None));
    let answer = request(served.address, "GET", "/api/tickets", &[&token], b"").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")));
    let body = json!({ "Data": { "message": serde_json::to_string(&message).unwrap() }, "Metadata": {} }).to_string();
    let answer = request(served.address, "POST", "/IntakeMail", &["Content-Type: application/json"], body.as_bytes()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (500, None));
    mood.store(IS_DOWN, Ordering::SeqCst);
    let answer = request(served.address, "GET", "/api/tickets", &[&token], b"").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, None), "nobody knows");
}

#[tokio::test]
async fn a_passed_deadline_is_a_failure_in_time() {
    let (world, mood) = moody().await;
    let token = world.token("contoso", Role::Agent, None);
    let message = world.leave(HELP, "a.eml", &mail("ann@adventure-works.example", "q@a.example", "Hello", "", "Hello")).await;
    mood.store(NEVER_ANSWERS, Ordering::SeqCst);
    let short = Deadlines { envelope: Duration::from_millis(300), http: Duration::from_millis(150) };
    let headers = BTreeMap::from([("authorization".to_owned(), format!("Bearer {token}"))]);
    let body = json!({ "Data": { "message": serde_json::to_string(&message).unwrap() } }).to_string();
    for (method, path, deadline) in [("GET", "/api/tickets", short.http), ("POST", "/IntakeMail", short.envelope)] {
        let request = WireRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers: headers.clone(),
            body: Bytes::from(body.clone()),
            of_host: method == "POST",
        };
        let started = Instant::now();
        let answer = dispatch_within(world.app.clone(), request, short).await;
        assert!((deadline..deadline + PATIENCE).contains(&started.elapsed()), "{path}: {:?}", started.elapsed());
        assert_eq!(answer.status, 500, "{path}");
        assert!(!answer.body.is_empty());
    }
    mood.store(WELL, Ordering::SeqCst);
    assert_eq!(queue(&world.app, "IntakeMail", &message).await.0, 200);
}

#[tokio::test]
async fn a_client_that_goes_does_not_end_its_call() {
    let (world, mood) = moody().await;
    world.mail(HELP, "a.eml", &mail("ann@adventure-works.example", "q@a.example", "Hello", "", "Hello")).await;
    let mut served = Served::new(&world).await;
    let ticket = world.tickets("contoso").await.remove(0);
    let token = world.token("contoso", Role::Agent, None);
    let (path, body) = (format!("/api/tickets/{}/comments", ticket["id"].as_str().unwrap()), json!({ "text": "begun" }).to_string());
    let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n", body.len());
    mood.store(WAITS, Ordering::SeqCst);
    let mut client = Connection::open(served.address).await;
    client.stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), client.answer()).await.is_err());
    drop(client);
    // Nor does a signal, for a while.
    served.stop.send_replace(true);
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut served.serving).await.is_err());
    mood.store(WELL, Ordering::SeqCst);
    tokio::time::timeout(PATIENCE, served.serving).await.unwrap().unwrap();
    assert_eq!(world.comments("contoso", &ticket).await.len(), 2);
}

#[test]
fn the_deadlines_are_below_those_of_the_host() {
    let host: Value = serde_json::from_str(include_str!("../../host.json")).unwrap();
    assert_eq!(host["functionTimeout"], "00:10:00");
    assert!(DEADLINES.envelope < Duration::from_secs(600) && DEADLINES.http < Duration::from_secs(230));
}

#[tokio::test]
async fn a_wrong_traceparent_or_invocation_id_harms_nothing() {
    let (world, _) = moody().await;
    let served = Served::new(&world).await;
    let token = format!("Authorization: Bearer {}", world.token("contoso", Role::Agent, None));
    for trace in ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-zz-00-01", "", "00-\u{e4}", &"0".repeat(4_000)] {
        let line = format!("traceparent: {trace}");
        assert_eq!(request(served.address, "GET", "/api/tickets", &[&token, &line], b"").await.status, 200, "{trace:.60}");
    }
    // What cannot be the host's is not repeated.
    for (id, shown) in [("0d4dcbb4-51a3", "0d4dcbb4-51a3"), ("<b>x</b>", "none"), ("", "none"), (&"a".repeat(65), "none")] {
        let line = format!("X-Azure-Functions-InvocationId: {id}");
        let answer = request(served.address, "GET", "/api/tickets", &[&line], b"").await;
        assert_eq!(answer.json()["instance"], format!("urn:helpdesk:invocation:{shown}"));
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_without_end() {
    let served = Served::waiting(&World::new().await, Duration::from_millis(300)).await;
    let mut stalled = Connection::open(served.address).await;
    stalled.stream.write_all(b"POST /api/tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab").await.unwrap();
    let answer = stalled.answer().await.unwrap();
    assert_eq!((answer.status, &answer.json()["type"]), (408, &json!("urn:helpdesk:problem:body-too-slow")));
    assert_eq!(request(served.address, "GET", "/api/health", &[], b"").await.status, 200);
}

/// A large upload without its last byte.
async fn upload_but_one(address: SocketAddr) -> Connection {
    let mut upload = Connection::open(address).await;
    let head = format!("POST /api/uploads HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGE}\r\n\r\n");
    upload.stream.write_all(head.as_bytes()).await.unwrap();
    upload.stream.write_all(&vec![b'x'; LARGE - 1]).await.unwrap();
    upload
}

#[tokio::test]
async fn large_bodies_wait_for_each_other_and_keep_no_small_one_waiting() {
    let served = Served::waiting(&World::new().await, PATIENCE).await;
    let mut all = Vec::new();
    for _ in 0..PLACES {
        all.push(upload_but_one(served.address).await);
    }
    // Until all of these have their places, one more may pass them; then it waits, though it is whole.
    let started = Instant::now();
    let mut more = loop {
        assert!(started.elapsed() < PATIENCE, "it never waited");
        let mut more = upload_but_one(served.address).await;
        more.stream.write_all(b"x").await.unwrap();
        if tokio::time::timeout(Duration::from_millis(500), more.answer()).await.is_err() {
            break more;
        }
    };
    assert_eq!(request(served.address, "GET", "/api/health", &[], b"").await.status, 200);
    // One of those that were first ends: its place is taken.
    all[0].stream.write_all(b"x").await.unwrap();
    assert_eq!((all[0].answer().await.unwrap().status, more.answer().await.unwrap().status), (401, 401));
}

#[tokio::test]
async fn a_large_body_that_gets_no_place_is_told_so() {
    let served = Served::waiting(&World::new().await, Duration::from_secs(1)).await;
    let connections = futures::future::join_all((0..4 * PLACES).map(|_| upload_but_one(served.address))).await;
    let answers = futures::future::join_all(connections.into_iter().map(|mut upload| async move { upload.answer().await.unwrap() })).await;
    // Those with a place wait for their last byte, the others for a place.
    let told = answers.iter().filter(|answer| answer.status == 503).all(|answer| answer.header("retry-after") == Some("1"));
    assert!(told, "as long as was waited");
    let of = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert!(of(503) > 0 && of(408) >= PLACES && of(503) + of(408) == answers.len(), "{} were busy, {} too slow", of(503), of(408));
}
