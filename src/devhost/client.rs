//! One exchange with the handler over a plain loopback socket: the bytes of a request in, the whole answer out.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The longest that a call may take: `functionTimeout` of host.json. The real host kills the handler then; this one only gives the call up.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Between two looks whether the handler answers, and how long it may take to begin.
const READY_LOOK_EVERY: Duration = Duration::from_millis(25);
const READY_WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Sizes of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 128;
const BODY_BYTES_MAX: usize = 100 * 1024 * 1024;
/// Of the line before a chunk.
const CHUNK_LINE_BYTES_MAX: usize = 256;
/// Interim answers (RFC 9110 section 15.2) before the real one.
const INTERIM_ANSWERS_MAX: usize = 8;
const READ_BYTES: usize = 16 * 1024;

/// The handler's answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub reason: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, wanted: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        std::str::from_utf8(value).ok()
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error("the handler at {at} cannot be reached ({kind}): is it still running?")]
    Unreachable { at: SocketAddr, kind: std::io::ErrorKind },
    #[error("the handler did not answer within {0:?}")]
    TimedOut(Duration),
    #[error("the handler's answer is no HTTP: {0}")]
    Malformed(&'static str),
    #[error("the handler's answer has {what} over the limit of {limit}")]
    TooLarge { what: &'static str, limit: usize },
    #[error("the handler closed the connection in the middle of its answer")]
    CutOff,
}

/// Waits until the handler answers `GET /`, with whatever status.
pub async fn until_ready(handler: SocketAddr) -> Result<(), NoAnswer> {
    let ping = format!("GET / HTTP/1.1\r\nHost: {handler}\r\n\r\n");
    let looks = async {
        while exchange(handler, ping.as_bytes()).await.is_err() {
            tokio::time::sleep(READY_LOOK_EVERY).await;
        }
    };
    timeout(READY_WITHIN, looks).await.map_err(|_| NoAnswer::TimedOut(READY_WITHIN))
}

/// Sends a request and reads its answer to the end, within [`FUNCTION_TIMEOUT`].
pub async fn call(handler: SocketAddr, request: &[u8]) -> Result<Answer, NoAnswer> {
    timeout(FUNCTION_TIMEOUT, exchange(handler, request)).await.map_err(|_| NoAnswer::TimedOut(FUNCTION_TIMEOUT))?
}

async fn exchange(handler: SocketAddr, request: &[u8]) -> Result<Answer, NoAnswer> {
    let unreachable = |error: std::io::Error| NoAnswer::Unreachable { at: handler, kind: error.kind() };
    let connecting = timeout(CONNECT_WITHIN, TcpStream::connect(handler)).await;
    let mut stream = connecting.map_err(|_| NoAnswer::TimedOut(CONNECT_WITHIN))?.map_err(unreachable)?;
    let (reader, mut writer) = stream.split();
    // The handler may answer before it has read everything: a failed write is no reason not to read.
    let writing = async move {
        let _ = writer.write_all(request).await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = read_answer(reader) => answer,
        never = writing => match never {},
    }
}

/// What was read and not yet used.
struct Incoming<R> {
    reader: R,
    bytes: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    /// Reads more; false at the end of the stream.
    async fn more(&mut self) -> bool {
        self.bytes.reserve(READ_BYTES);
        matches!(self.reader.read_buf(&mut self.bytes).await, Ok(count) if count > 0)
    }
}

async fn read_answer<R: AsyncRead + Unpin>(reader: R) -> Result<Answer, NoAnswer> {
    let mut incoming = Incoming { reader, bytes: Vec::new() };
    for _ in 0..=INTERIM_ANSWERS_MAX {
        let mut answer = read_head(&mut incoming).await?;
        match answer.status {
            101 => return Err(NoAnswer::Malformed("an upgrade that was not asked for")),
            100..200 => continue,
            204 | 304 => return Ok(answer),
            _ => {}
        }
        let chunked = answer.header("Transfer-Encoding").map(|value| value.trim().eq_ignore_ascii_case("chunked"));
        let declared = answer.header("Content-Length").map(|value| value.trim().parse::<usize>());
        answer.body = match (chunked, declared) {
            (Some(true), None) => read_chunks(&mut incoming).await?,
            (None, Some(Ok(bytes))) => read_exactly(&mut incoming, bytes).await?,
            (None, None) => read_to_end(&mut incoming).await?,
            (Some(_), _) => return Err(NoAnswer::Malformed("a transfer encoding that is not understood")),
            (None, Some(Err(_))) => return Err(NoAnswer::Malformed("a content length that is no number")),
        };
        return Ok(answer);
    }
    Err(NoAnswer::TooLarge { what: "a number of interim answers", limit: INTERIM_ANSWERS_MAX })
}

async fn read_head<R: AsyncRead + Unpin>(incoming: &mut Incoming<R>) -> Result<Answer, NoAnswer> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(&incoming.bytes).map_err(|_| NoAnswer::Malformed("a broken head"))?;
        if let httparse::Status::Complete(end) = parsed {
            let answer = Answer {
                status: head.code.unwrap_or(0),
                reason: head.reason.unwrap_or("").to_owned(),
                headers: head.headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect(),
                body: Vec::new(),
            };
            incoming.bytes.drain(..end);
            return Ok(answer);
        }
        if incoming.bytes.len() > HEAD_BYTES_MAX {
            return Err(NoAnswer::TooLarge { what: "a head", limit: HEAD_BYTES_MAX });
        }
        if !incoming.more().await {
            return Err(NoAnswer::CutOff);
        }
    }
}

async fn read_exactly<R: AsyncRead + Unpin>(incoming: &mut Incoming<R>, bytes: usize) -> Result<Vec<u8>, NoAnswer> {
    if bytes > BODY_BYTES_MAX {
        return Err(NoAnswer::TooLarge { what: "a body", limit: BODY_BYTES_MAX });
    }
    while incoming.bytes.len() < bytes {
        if !incoming.more().await {
            return Err(NoAnswer::CutOff);
        }
    }
    incoming.bytes.truncate(bytes);
    Ok(std::mem::take(&mut incoming.bytes))
}

async fn read_to_end<R: AsyncRead + Unpin>(incoming: &mut Incoming<R>) -> Result<Vec<u8>, NoAnswer> {
    while incoming.more().await {
        if incoming.bytes.len() > BODY_BYTES_MAX {
            return Err(NoAnswer::TooLarge { what: "a body", limit: BODY_BYTES_MAX });
        }
    }
    Ok(std::mem::take(&mut incoming.bytes))
}

/// Trailers are not read: the connection is not used again.
async fn read_chunks<R: AsyncRead + Unpin>(incoming: &mut Incoming<R>) -> Result<Vec<u8>, NoAnswer> {
    let mut body = Vec::new();
    loop {
        let parsed = httparse::parse_chunk_size(&incoming.bytes).map_err(|_| NoAnswer::Malformed("a broken chunk size"))?;
        let httparse::Status::Complete((line_bytes, size)) = parsed else {
            if incoming.bytes.len() > CHUNK_LINE_BYTES_MAX {
                return Err(NoAnswer::TooLarge { what: "a chunk's line", limit: CHUNK_LINE_BYTES_MAX });
            }
            if !incoming.more().await {
                return Err(NoAnswer::CutOff);
            }
            continue;
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size == 0 {
            return Ok(body);
        }
        if size > BODY_BYTES_MAX - body.len() {
            return Err(NoAnswer::TooLarge { what: "a body", limit: BODY_BYTES_MAX });
        }
        let end = line_bytes + size;
        while incoming.bytes.len() < end + 2 {
            if !incoming.more().await {
                return Err(NoAnswer::CutOff);
            }
        }
        if &incoming.bytes[end..end + 2] != b"\r\n" {
            return Err(NoAnswer::Malformed("a chunk without its end"));
        }
        body.extend_from_slice(&incoming.bytes[line_bytes..end]);
        incoming.bytes.drain(..end + 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Result<Answer, NoAnswer> {
        read_answer(bytes).await
    }

    #[tokio::test]
    async fn a_body_ends_as_its_head_says() {
        let with_length = read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more").await.unwrap();
        assert_eq!((with_length.status, with_length.reason.as_str(), with_length.body.as_slice()), (200, "OK", b"hi".as_slice()));
        let chunked = read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2;x=y\r\nhi\r\nA\r\n0123456789\r\n0\r\n\r\n").await.unwrap();
        assert_eq!(chunked.body, b"hi0123456789");
        assert_eq!(read(b"HTTP/1.0 200 OK\r\n\r\nto the end").await.unwrap().body, b"to the end");
        assert!(read(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap().body.is_empty());
        assert_eq!(read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").await.unwrap().status, 201);
    }

    #[tokio::test]
    async fn a_cut_or_boundless_answer_is_no_answer() {
        for cut in
            ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi"]
        {
            assert!(matches!(read(cut.as_bytes()).await, Err(NoAnswer::CutOff)), "{cut:?}");
        }
        let boundless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD_BYTES_MAX));
        assert!(matches!(read(boundless.as_bytes()).await, Err(NoAnswer::TooLarge { .. })));
        assert!(matches!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n").await, Err(NoAnswer::TooLarge { .. })));
        let boundless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n";
        assert!(matches!(read(boundless).await, Err(NoAnswer::TooLarge { .. })));
        assert!(matches!(read(b"SSH-2.0\r\n\r\n").await, Err(NoAnswer::Malformed(_))));
        assert!(matches!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n").await, Err(NoAnswer::Malformed(_))));
    }
}
