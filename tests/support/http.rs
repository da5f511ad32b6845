//! HTTP as bytes on a socket: what is written stands in the test, and what comes back must be one whole answer.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long anything over a socket may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
const HEADERS_MAX: usize = 64;
/// Below those that systems give to whoever asks for any (from 32768 on Linux): of these another test could get one before it is used.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A port on which nobody listens, and that no other test gets.
pub fn unused_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two runs at once begin at different ones.
    let first = std::process::id().wrapping_mul(61) as u16;
    for _ in PORTS {
        let port = PORTS.start + first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("all ports of {PORTS:?} are taken");
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, or null.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// An open connection and what was read of it too early.
pub struct Connection {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Connection {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream, read: Vec::new() }
    }

    /// One answer with exactly the bytes that it announced; `None` if the other side hung up before its end.
    pub async fn answer(&mut self) -> Option<Answer> {
        timeout(PATIENCE, self.answer_in_time()).await.expect("no answer in time")
    }

    async fn answer_in_time(&mut self) -> Option<Answer> {
        let (head_bytes, mut answer) = loop {
            if let Some(head) = head(&self.read) {
                break head;
            }
            self.more().await?;
        };
        let length: usize = answer.header("content-length").expect("an answer announces its length").parse().unwrap();
        while self.read.len() < head_bytes + length {
            self.more().await?;
        }
        answer.body = self.read[head_bytes..head_bytes + length].to_vec();
        self.read.drain(..head_bytes + length);
        Some(answer)
    }

    async fn more(&mut self) -> Option<()> {
        match self.stream.read_buf(&mut self.read).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(()),
        }
    }
}

fn head(bytes: &[u8]) -> Option<(usize, Answer)> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes).expect("an answer is HTTP") else { return None };
    let headers = response.headers.iter().map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned()));
    Some((length, Answer { status: response.code.unwrap(), headers: headers.collect(), body: Vec::new() }))
}

/// Writes bytes as they are and reads one answer.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut connection = Connection::open(address).await;
    // A server that answers before it has read all may close: its answer counts.
    let _ = connection.stream.write_all(bytes).await;
    connection.answer().await
}

/// An ordinary request; `headers` are whole lines without their ends.
pub async fn request(address: SocketAddr, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n", body.len()).into_bytes();
    for line in headers {
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    raw(address, &bytes).await.expect("an answer")
}

/// A recorded call of the host, to this handler: the host's own have the address of the one that was recorded.
pub fn sent_to(handler: SocketAddr, bytes: Vec<u8>) -> Vec<u8> {
    let theirs = b"\r\nHost: 127.0.0.1:41235\r\n";
    match bytes.windows(theirs.len()).position(|part| part == theirs) {
        Some(at) => [&bytes[..at], format!("\r\nHost: {handler}\r\n").as_bytes(), &bytes[at + theirs.len()..]].concat(),
        None => bytes,
    }
}
