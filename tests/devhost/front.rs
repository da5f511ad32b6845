//! The whole host between a client and a scripted handler.

use std::time::Duration;

use helpdesk::{
    devhost::{Invocation, NotRunning, Settings, queues::Wakes, run},
    functions::{Access, Function, Method, Trigger},
    ports::{Queues, encode_text},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{
        mpsc::{UnboundedReceiver, unbounded_channel},
        oneshot,
    },
    task::JoinHandle,
};

use super::fakes::{Handler, PATIENCE, World, until};
use crate::support::http::unused_port;

/// The host never calls a function but over the wire.
static TABLE: &[Function] = &[
    Function {
        name: "ListTickets",
        trigger: Trigger::Http { method: Method::Get, route: "api/tickets", access: Access::Everyone(|_, _| unreachable!()) },
    },
    Function {
        name: "CreateTicket",
        trigger: Trigger::Http { method: Method::Post, route: "api/tickets", access: Access::Everyone(|_, _| unreachable!()) },
    },
    Function { name: "IntakeMail", trigger: Trigger::Queue { queue: "mail-intake", run: |_, _| unreachable!() } },
    Function { name: "BackUp", trigger: Trigger::Timer { schedule: "0 30 1 * * *", run: |_, _| unreachable!() } },
];

struct Host {
    world: World,
    handler: Handler,
    address: std::net::SocketAddr,
    seen: UnboundedReceiver<Invocation>,
    wakes: Wakes,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), NotRunning>>,
    _state: tempfile::TempDir,
}

async fn host() -> Host {
    let handler = Handler::start().await;
    host_before(handler).await
}

async fn host_before(handler: Handler) -> Host {
    let (world, state) = (World::new(), tempfile::tempdir().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (observer, seen) = unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let wakes = Wakes::of(TABLE);
    let settings =
        Settings { handler: handler.address, listener, table: TABLE, state: state.path().to_owned(), wakes: wakes.clone(), observer: Some(observer) };
    let ports = world.ports.clone();
    let running = tokio::spawn(async move { run(settings, ports, async { drop(stopped.await) }).await });
    Host { world, handler, address, seen, wakes, stop, running, _state: state }
}

impl Host {
    /// Sends a request as it is and reads the answer; `Connection: close` is the caller's affair.
    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8(answer).unwrap()
    }

    async fn get(&self, target: &str) -> String {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: desk.example\r\nConnection: close\r\n\r\n")).await
    }

    async fn post(&self, target: &str, media_type: &str, body: &str) -> String {
        let length = body.len();
        let head =
            format!("POST {target} HTTP/1.1\r\nHost: localhost:7071\r\nConnection: close\r\nContent-Type: {media_type}\r\nContent-Length: {length}");
        self.send(&format!("{head}\r\n\r\n{body}")).await
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap()
}

#[tokio::test]
async fn only_what_the_table_names_reaches_the_handler() {
    let host = host().await;
    for (answer, expected) in [
        (host.get("/api/nothing").await, "404"),
        (host.send("DELETE /api/tickets HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n").await, "404"),
        (host.send("OPTIONS /api/tickets HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n").await, "404"),
        (host.post("/IntakeMail", "application/json", "{}").await, "404"),
        (host.get("/admin/functions/IntakeMail").await, "404"),
        (host.get("/").await, "200"),
        (host.get("/admin/host/status").await, "200"),
    ] {
        assert_eq!(status(&answer), expected, "{answer}");
    }
    assert!(host.get("/api/nothing").await.ends_with("\r\n\r\n"), "the body is empty");
    assert!(host.get("/admin/host/status").await.contains(r#""state":"Running""#));
    assert!(host.handler.calls().is_empty());
}

#[tokio::test]
async fn a_request_travels_as_in_azure_and_its_answer_comes_back_whole() {
    let host = host().await;
    host.handler.will_answer_with(
        "HTTP/1.1 418 X\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\ntea\r\n0\r\n\r\n",
    );
    let answer = host.get("/api/tickets?state=open&state=pending&q=a%2Fb%20c+d%26e").await;
    assert_eq!(status(&answer), "418");
    assert!(
        answer.contains("set-cookie: a=1\r\nset-cookie: b=2\r\n") && answer.contains("content-length: 3\r\n") && answer.ends_with("\r\n\r\ntea"),
        "{answer}"
    );
    let call = &host.handler.calls()[0];
    assert!(
        call.starts_with("GET /api/tickets?state=open,pending&q=a%2Fb%20c%20d%26e HTTP/1.1\r\nConnection: close\r\nHost: desk.example\r\n"),
        "{call}"
    );
    assert!(
        call.contains("\r\nX-Azure-Functions-InvocationId: ") && call.contains("\r\nUser-Agent: Azure-Functions-Host/4.1037.0.23552\r\n"),
        "{call}"
    );
    host.post("/api/tickets", "application/json", r#"{"subject":"x"}"#).await;
    assert!(host.handler.calls()[1].ends_with("\r\nContent-Length: 15\r\nContent-Type: application/json\r\n\r\n{\"subject\":\"x\"}"));
}

#[tokio::test]
async fn a_chunked_body_is_answered_500_without_a_call() {
    let host = host().await;
    let request = "POST /api/tickets HTTP/1.1\r\nHost: d\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let answer = host.send(request).await;
    assert!(status(&answer) == "500" && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(host.handler.calls().is_empty());
}

#[tokio::test]
async fn a_handler_without_an_answer_is_a_500() {
    let host = host().await;
    host.handler.will_answer_with("");
    let answer = host.get("/api/tickets").await;
    assert!(status(&answer) == "500" && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn heads_have_limits() {
    let host = host().await;
    assert_eq!(status(&host.get(&format!("/api/tickets?q={}", "x".repeat(5000))).await), "414");
    let large = format!("GET /api/tickets HTTP/1.1\r\nHost: d\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    assert_eq!(status(&host.send(&large).await), "431");
    assert!(host.handler.calls().is_empty());
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let host = host().await;
    let stalled = "POST /api/tickets HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: 100\r\n\r\nab";
    assert_eq!(status(&host.send(stalled).await), "408");
    // A byte a second is a body that does not come either.
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream.write_all(stalled.as_bytes()).await.unwrap();
    let (mut answers, mut drips) = stream.into_split();
    let dripping = tokio::spawn(async move {
        while drips.write_all(b"a").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    });
    let mut first = [0; 12];
    tokio::time::timeout(std::time::Duration::from_secs(20), answers.read_exact(&mut first)).await.unwrap().unwrap();
    assert_eq!(&first, b"HTTP/1.1 408");
    dripping.abort();
    assert!(host.handler.calls().is_empty());
}

#[tokio::test]
async fn bodies_that_are_slow_to_come_keep_no_other_waiting() {
    let host = host().await;
    let mut slow = Vec::new();
    for _ in 0..120 {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        stream.write_all(b"POST /api/tickets HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: 100\r\n\r\nab").await.unwrap();
        slow.push(stream);
    }
    let answer = tokio::time::timeout(Duration::from_secs(3), host.get("/api/tickets")).await.expect("before the slow ones are given up");
    assert_eq!(status(&answer), "200");
}

#[tokio::test]
async fn so_many_bodies_wait_for_the_handler_and_more_for_them() {
    let host = host().await;
    host.handler.shut();
    let head = "POST /api/tickets HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: 2000000\r\n\r\n";
    let (small, large) = (head.replace("2000000", "2") + "{}", head.to_owned() + &"x".repeat(2_000_000));
    let mut clients = Vec::new();
    for number in 0..104 {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        let request = if number % 20 == 3 { large.clone() } else { small.clone() };
        clients.push(tokio::spawn(async move {
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.map(|_| answer)
        }));
    }
    until(|| host.handler.calls().len() == 100).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(host.handler.calls().len(), 100);
    host.handler.open(200);
    for client in clients {
        assert_eq!(status(&client.await.unwrap().unwrap()), "200");
    }
}

#[tokio::test]
async fn a_target_without_a_path_is_answered() {
    let host = host().await;
    for (line, expected) in [("CONNECT desk.example:443", "404"), ("OPTIONS *", "404"), ("GET desk.example:443", "200")] {
        let answer = host.send(&format!("{line} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{line}: {answer}");
    }
    assert!(host.handler.calls().is_empty());
}

#[tokio::test]
async fn a_client_that_goes_keeps_no_other_from_its_answer() {
    let host = host().await;
    host.handler.shut();
    let mut gone = TcpStream::connect(host.address).await.unwrap();
    gone.write_all(b"GET /api/tickets HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    until(|| host.handler.calls().len() == 1).await;
    drop(gone);
    host.handler.open(2);
    assert_eq!(status(&host.get("/api/tickets").await), "200");
}

#[tokio::test]
async fn a_head_that_does_not_come_holds_up_no_stop() {
    let host = host().await;
    let mut half = TcpStream::connect(host.address).await.unwrap();
    half.write_all(b"GET /api/tickets HTTP/1.1\r\nHos").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    host.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), host.running).await.expect("nobody is being answered").unwrap();
    assert!(ended.is_ok());
}

#[tokio::test]
async fn who_is_being_answered_is_waited_for() {
    let host = host().await;
    host.handler.shut();
    let mut running = TcpStream::connect(host.address).await.unwrap();
    running.write_all(b"GET /api/tickets HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    until(|| host.handler.calls().len() == 1).await;
    host.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    host.handler.open(1);
    let mut first = [0; 12];
    tokio::time::timeout(PATIENCE, running.read_exact(&mut first)).await.unwrap().unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    assert!(host.running.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_name_that_leads_here_fires_nothing() {
    let host = host().await;
    for (name, expected) in [
        ("desk.example", "403"),
        ("desk.example:7071", "403"),
        ("10.0.0.7", "403"),
        ("localhost.desk.example", "403"),
        ("LOCALHOST", "202"),
        ("127.0.0.1:7071", "202"),
        ("[::1]:7071", "202"),
    ] {
        let head = format!("POST /admin/functions/IntakeMail HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\nContent-Type: application/json");
        let answer = host.send(&format!("{head}\r\nContent-Length: 14\r\n\r\n{{\"input\":\"hi\"}}")).await;
        assert_eq!(status(&answer), expected, "{name}");
    }
}

#[tokio::test]
async fn functions_are_fired_by_hand() {
    let mut host = host().await;
    assert_eq!(status(&host.post("/admin/functions/IntakeMail", "application/json", r#"{"input":"hello"}"#).await), "202");
    let seen = tokio::time::timeout(PATIENCE, host.seen.recv()).await.unwrap().unwrap();
    assert_eq!((seen.function, seen.message.as_deref(), seen.succeeded), ("IntakeMail", Some("hello"), true));
    assert_eq!(status(&host.post("/admin/functions/backup", "application/json", r#"{"input":""}"#).await), "202");
    let seen = tokio::time::timeout(PATIENCE, host.seen.recv()).await.unwrap().unwrap();
    assert_eq!((seen.function, seen.message, seen.succeeded), ("BackUp", None, true));
    assert!(host.handler.calls()[1].contains(r#""Next":"2026-11-24T01:30:00+00:00""#));
    for (name, media_type, body, expected) in [
        ("Nothing", "application/json", "{}", "404"),
        ("ListTickets", "application/json", "{}", "400"),
        ("IntakeMail", "application/json", "{", "400"),
        ("IntakeMail", "application/json", r#"["x"]"#, "400"),
        ("IntakeMail", "text/plain", r#"{"input":"x"}"#, "415"),
    ] {
        let answer = host.post(&format!("/admin/functions/{name}"), media_type, body).await;
        assert_eq!(status(&answer), expected, "{name}");
    }
    assert_eq!(host.handler.calls().len(), 2);
}

#[tokio::test]
async fn only_so_many_functions_are_fired_by_hand_at_once() {
    let host = host().await;
    host.handler.shut();
    for run in 0..32 {
        assert_eq!(status(&host.post("/admin/functions/IntakeMail", "application/json", "{}").await), "202", "run {run}");
    }
    assert_eq!(status(&host.post("/admin/functions/IntakeMail", "application/json", "{}").await), "429");
}

#[tokio::test]
async fn a_knock_shortens_the_wait_of_an_idle_listener() {
    let host = host().await;
    // By now the listener waits 1.6 seconds between its looks.
    tokio::time::sleep(Duration::from_millis(1700)).await;
    host.world.queues.send("mail-intake", &encode_text(b"hello").unwrap(), Duration::ZERO).await.unwrap();
    host.wakes.knock("mail-intake");
    tokio::time::timeout(Duration::from_millis(700), until(|| host.handler.calls().len() == 1)).await.expect("it was woken");
}

#[tokio::test]
async fn the_host_waits_for_its_handler_and_ends_when_told() {
    let address = unused_port();
    let late = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Handler::start_on(TcpListener::bind(address).await.unwrap())
    });
    let placeholder = Handler::at(address);
    let host = host_before(placeholder).await;
    let handler = late.await.unwrap();
    host.world.queues.send("mail-intake", &encode_text(b"hello").unwrap(), Duration::ZERO).await.unwrap();
    until(|| handler.calls().len() == 1).await;
    host.stop.send(()).unwrap();
    let ended = tokio::time::timeout(PATIENCE, host.running).await.unwrap().unwrap();
    assert!(ended.is_ok());
    assert!(TcpStream::connect(host.address).await.is_err(), "nobody listens any more");
}
