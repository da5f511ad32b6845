//! A clock that is moved by hand, queues and blobs in memory, and a handler that answers what it is told to.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use helpdesk::{
    devhost::{Invocation, Invoker},
    ports::{
        Blobs, Changes, Clock, Document, Documents, Entropy, Etag, Fault, Identity, IssuerKey, Lease, LogLine, Logs, Mailer, OutgoingMail, Pieces,
        Ports, Put, Queues, Scan, Secret, Undelivered, Vault, Watermark, Wrapped, Write,
    },
};
use time::{OffsetDateTime, macros::datetime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, unbounded_channel},
    },
};
use zeroize::Zeroizing;

/// The answer of a function that did its work.
pub const DONE: &str = r#"{"Outputs":{},"Logs":["done"],"ReturnValue":null}"#;
/// No test waits longer for something to happen.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Answers of a handler whose gate was never shut.
const ANSWERS: usize = 10_000;

/// Waits until something is so.
pub async fn until(what: impl Fn() -> bool) {
    let looks = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looks).await.expect("it came in time");
}

pub struct World {
    pub clock: Arc<HandClock>,
    pub queues: Arc<MemoryQueues>,
    pub blobs: Arc<MemoryBlobs>,
    pub ports: Ports,
}

impl World {
    /// At 2026-11-23 04:11:02 UTC.
    pub fn new() -> Self {
        let clock = Arc::new(HandClock(Mutex::new(datetime!(2026-11-23 04:11:02 UTC))));
        let queues = Arc::new(MemoryQueues { clock: clock.clone(), ..MemoryQueues::default() });
        let blobs = Arc::new(MemoryBlobs::default());
        let nothing = Arc::new(Nothing);
        let ports = Ports {
            documents: nothing.clone(),
            blobs: blobs.clone(),
            queues: queues.clone(),
            vault: nothing.clone(),
            mailer: nothing.clone(),
            identity: nothing.clone(),
            logs: nothing,
            clock: clock.clone(),
            entropy: Arc::new(Counter(AtomicU64::new(0))),
        };
        World { clock, queues, blobs, ports }
    }

    pub fn invoker(&self, handler: &Handler) -> (Invoker, UnboundedReceiver<Invocation>) {
        let (sender, receiver) = unbounded_channel();
        (Invoker::new(handler.address, &self.ports, Some(sender)), receiver)
    }
}

pub struct HandClock(Mutex<OffsetDateTime>);

impl Default for HandClock {
    fn default() -> Self {
        HandClock(Mutex::new(OffsetDateTime::UNIX_EPOCH))
    }
}

impl HandClock {
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }

    pub fn set(&self, to: OffsetDateTime) {
        *self.0.lock().unwrap() = to;
    }
}

impl Clock for HandClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }
}

struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.iter_mut().rev().zip(count.iter().rev().chain(std::iter::repeat(&0))).for_each(|(to, from)| *to = *from);
    }
}

/// Queues with Azure's visibility and pop receipts.
#[derive(Default)]
pub struct MemoryQueues {
    clock: Arc<HandClock>,
    messages: Mutex<BTreeMap<String, Vec<Lease>>>,
    receipts: AtomicU64,
    pub extended: AtomicUsize,
    pub refuses_sends: AtomicBool,
    pub refuses_deletes: AtomicBool,
}

impl MemoryQueues {
    fn receipt(&self) -> String {
        self.receipts.fetch_add(1, Ordering::Relaxed).to_string()
    }

    /// All texts of a queue, hidden ones included.
    pub fn texts(&self, queue: &str) -> Vec<String> {
        self.messages.lock().unwrap().get(queue).into_iter().flatten().map(|message| message.text.clone()).collect()
    }
}

#[async_trait]
impl Queues for MemoryQueues {
    async fn send(&self, queue: &str, text: &str, delay: Duration) -> Result<(), Fault> {
        if self.refuses_sends.load(Ordering::Relaxed) {
            return Err(Fault::Unavailable("refused by the test".to_owned()));
        }
        let now = self.clock.now();
        let message = Lease {
            id: self.receipt(),
            pop_receipt: self.receipt(),
            text: text.to_owned(),
            dequeue_count: 0,
            inserted_at: now,
            visible_at: now + delay,
        };
        self.messages.lock().unwrap().entry(queue.to_owned()).or_default().push(message);
        Ok(())
    }

    async fn lease(&self, queue: &str, max: usize, visibility: Duration) -> Result<Vec<Lease>, Fault> {
        let now = self.clock.now();
        let mut messages = self.messages.lock().unwrap();
        let visible = messages.entry(queue.to_owned()).or_default().iter_mut().filter(|message| message.visible_at <= now).take(max);
        let leased = visible.map(|message| {
            message.dequeue_count += 1;
            message.visible_at = now + visibility;
            message.pop_receipt = self.receipt();
            message.clone()
        });
        Ok(leased.collect())
    }

    async fn extend(&self, queue: &str, lease: &Lease, visibility: Duration) -> Result<Option<Lease>, Fault> {
        let now = self.clock.now();
        let mut messages = self.messages.lock().unwrap();
        let held = messages.entry(queue.to_owned()).or_default().iter_mut().find(|message| message.pop_receipt == lease.pop_receipt);
        let renewed = held.map(|message| {
            message.visible_at = now + visibility;
            message.pop_receipt = self.receipt();
            message.clone()
        });
        self.extended.fetch_add(1, Ordering::Relaxed);
        Ok(renewed)
    }

    async fn delete(&self, queue: &str, lease: &Lease) -> Result<bool, Fault> {
        if self.refuses_deletes.load(Ordering::Relaxed) {
            return Err(Fault::Unavailable("refused by the test".to_owned()));
        }
        let mut messages = self.messages.lock().unwrap();
        let queue = messages.entry(queue.to_owned()).or_default();
        let before = queue.len();
        queue.retain(|message| message.pop_receipt != lease.pop_receipt);
        Ok(queue.len() < before)
    }

    async fn depth(&self, queue: &str) -> Result<u64, Fault> {
        Ok(self.texts(queue).len() as u64)
    }
}

#[derive(Default)]
pub struct MemoryBlobs {
    pub stored: Mutex<BTreeMap<String, Bytes>>,
    /// Blobs of at least so many bytes are refused; 0 refuses none.
    pub refuses_from: AtomicUsize,
    /// Happens while the next blob is put.
    pub meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(&self, container: &str, name: &str, bytes: Bytes) -> Result<Put, Fault> {
        if let Some(happens) = self.meanwhile.lock().unwrap().take() {
            happens();
        }
        if (1..=bytes.len()).contains(&self.refuses_from.load(Ordering::Relaxed)) {
            return Err(Fault::Unavailable("no space is left".to_owned()));
        }
        match self.stored.lock().unwrap().insert(format!("{container}/{name}"), bytes) {
            None => Ok(Put::Created),
            Some(_) => Ok(Put::Existed),
        }
    }

    async fn put_pieces(&self, _container: &str, _name: &str, _pieces: Pieces<'_>) -> Result<Put, Fault> {
        unreachable!("the host puts whole mails")
    }

    async fn get(&self, container: &str, name: &str, _range: Option<Range<u64>>) -> Result<Option<Bytes>, Fault> {
        Ok(self.stored.lock().unwrap().get(&format!("{container}/{name}")).cloned())
    }

    async fn size(&self, _container: &str, _name: &str) -> Result<Option<u64>, Fault> {
        unreachable!("the host asks no size")
    }

    async fn list(&self, _container: &str, _prefix: &str, _after: Option<&str>, _limit: usize) -> Result<Vec<String>, Fault> {
        unreachable!("the host lists nothing")
    }

    async fn delete(&self, _container: &str, _name: &str) -> Result<(), Fault> {
        unreachable!("the host deletes no blob")
    }
}

/// The ports that the host never uses.
struct Nothing;

#[async_trait]
impl Documents for Nothing {
    async fn get(&self, _partition: &str, _id: &str) -> Result<Option<Document>, Fault> {
        unreachable!()
    }

    async fn scan(&self, _scan: &Scan<'_>) -> Result<Vec<Document>, Fault> {
        unreachable!()
    }

    async fn count(&self, _scan: &Scan<'_>) -> Result<usize, Fault> {
        unreachable!()
    }

    async fn commit(&self, _partition: &str, _writes: Vec<Write>) -> Result<Vec<Etag>, Fault> {
        unreachable!()
    }

    async fn changed_since(&self, _partition: &str, _watermark: Option<&Watermark>, _limit: usize) -> Result<Changes, Fault> {
        unreachable!()
    }

    async fn due(&self, _after: Option<&str>, _before: OffsetDateTime, _limit: usize) -> Result<Vec<Document>, Fault> {
        unreachable!()
    }
}

#[async_trait]
impl Vault for Nothing {
    async fn wrap(&self, _key: &str, _plaintext: &[u8]) -> Result<Wrapped, Fault> {
        unreachable!()
    }

    async fn unwrap(&self, _key: &str, _wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, Fault> {
        unreachable!()
    }

    async fn secret(&self, _name: &str, _version: Option<&str>) -> Result<Option<Secret>, Fault> {
        unreachable!()
    }

    async fn make_key(&self, _key: &str) -> Result<bool, Fault> {
        unreachable!()
    }

    async fn rotate(&self, _key: &str) -> Result<String, Fault> {
        unreachable!()
    }
}

#[async_trait]
impl Mailer for Nothing {
    async fn send(&self, _mail: &OutgoingMail) -> Result<(), Undelivered> {
        unreachable!()
    }
}

#[async_trait]
impl Logs for Nothing {
    async fn slice(&self, _span: std::ops::Range<OffsetDateTime>, _limit: usize) -> Result<Vec<LogLine>, Fault> {
        unreachable!()
    }
}

#[async_trait]
impl Identity for Nothing {
    fn issuer(&self) -> &str {
        unreachable!()
    }

    fn audience(&self) -> &str {
        unreachable!()
    }

    async fn key(&self, _kid: &str) -> Result<Option<IssuerKey>, Fault> {
        unreachable!()
    }
}

/// A handler that answers from a script, and when that is empty that all is done.
#[derive(Clone)]
pub struct Handler {
    pub address: SocketAddr,
    calls: Arc<Mutex<Vec<String>>>,
    script: Arc<Mutex<VecDeque<String>>>,
    /// One permit is taken for each answer.
    gate: Arc<Semaphore>,
}

impl Handler {
    pub async fn start() -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn start_on(listener: TcpListener) -> Self {
        let handler = Self::at(listener.local_addr().unwrap());
        let serving = handler.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().answer(stream));
            }
        });
        handler
    }

    /// One that does not listen.
    pub fn at(address: SocketAddr) -> Self {
        Handler { address, calls: Arc::default(), script: Arc::default(), gate: Arc::new(Semaphore::new(ANSWERS)) }
    }

    /// No answer leaves until [`Handler::open`].
    pub fn shut(&self) {
        self.gate.forget_permits(ANSWERS);
    }

    pub fn open(&self, answers: usize) {
        self.gate.add_permits(answers);
    }

    /// The next answer to a function's call.
    pub fn will_answer(&self, status: u16, body: &str) {
        let length = body.len();
        self.will_answer_with(&format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"));
    }

    pub fn will_answer_with(&self, bytes: &str) {
        self.script.lock().unwrap().push_back(bytes.to_owned());
    }

    /// The requests so far, as text, without pings.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    async fn answer(self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        while !is_whole(&bytes) {
            if !matches!(stream.read_buf(&mut bytes).await, Ok(count) if count > 0) {
                return;
            }
        }
        let request = String::from_utf8_lossy(&bytes).into_owned();
        if request.starts_with("GET / ") {
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
            return;
        }
        self.calls.lock().unwrap().push(request);
        self.gate.acquire().await.unwrap().forget();
        let scripted = self.script.lock().unwrap().pop_front();
        let answer =
            scripted.unwrap_or_else(|| format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{DONE}", DONE.len()));
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    match head.split_once("content-length: ") {
        Some((_, rest)) => body.len() >= rest.split("\r\n").next().unwrap().parse::<usize>().unwrap(),
        None if head.contains("transfer-encoding: chunked") => body.ends_with("0\r\n\r\n"),
        None => true,
    }
}
