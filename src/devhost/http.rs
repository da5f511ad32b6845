//! The public HTTP front: what Azure's front end and the Functions host do before and after the handler.
//!
//! Everything is buffered, as in Azure: no streaming either way. Keys and `authLevel` are not imitated, all rows are anonymous.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore, SemaphorePermit, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tracing::warn;
use warp::{
    Filter,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode},
    path::FullPath,
};

use super::{
    client::call,
    envelope::Message,
    invoke::Invoker,
    timers::tick_now,
    wire::{ChunkedBody, ClientRequest, HOST_VERSION, forwarded_request},
};
use crate::{
    functions::{Function, Trigger, route},
    ports::object,
};

/// As in Azure: bytes of a body, of path and query, of the query alone; names and values of all headers together as in ASP.NET Core.
pub const BODY_BYTES_MAX: usize = 100 * 1024 * 1024;
const TARGET_BYTES_MAX: usize = 8192;
const QUERY_BYTES_MAX: usize = 4096;
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Requests with their bodies in memory at the same time; more wait, each with its beginning: a body that is slow to come keeps none waiting before it is large.
const FORWARDS_AT_ONCE_MAX: usize = 100;
const LARGE_BODY_BYTES: usize = 1024 * 1024;
/// A body that brings fewer bytes a second after this grace is given up, as in ASP.NET Core (MinRequestBodyDataRate), and so is one that brings none for as long.
const BODY_GRACE: Duration = Duration::from_secs(5);
const BODY_BYTES_A_SECOND_MIN: u32 = 240;
/// Calls by hand that run at the same time; more are refused.
const ADMIN_RUNS_MAX: usize = 32;
/// Of a call by hand: an input as long as a queue message, escaped.
const ADMIN_BODY_BYTES_MAX: usize = 512 * 1024;
/// A message that was not leased is hidden from nobody; the real host has a time there, so a call by hand has one too.
const ADMIN_LEASE: Duration = Duration::from_secs(10 * 60);
/// How long after the last answer, once the host is to stop, the front goes on: for the bytes of that answer, and for a request whose head has begun to come.
/// A head that does not come keeps nobody waiting longer.
const LINGER: Duration = Duration::from_secs(2);
/// Headers of one connection, which do not travel on (RFC 9110 section 7.6.1); the length is counted anew.
const HOP_HEADERS: &[&str] = &["connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te", "trailer"];

/// Forwards HTTP functions and answers the host's own addresses.
pub struct Front {
    table: &'static [Function],
    invoker: Invoker,
    state: PathBuf,
    forwards: Semaphore,
    admin_runs: Mutex<JoinSet<()>>,
    /// Has a receiver for each request that is being answered.
    answering: watch::Sender<()>,
}

/// The host's body of a call by hand.
#[derive(Deserialize)]
struct AdminCall {
    #[serde(default)]
    input: Option<String>,
}

impl Front {
    pub fn new(table: &'static [Function], invoker: Invoker, state: PathBuf) -> Self {
        let (forwards, admin_runs) = (Semaphore::new(FORWARDS_AT_ONCE_MAX), Mutex::new(JoinSet::new()));
        Front { table, invoker, state, forwards, admin_runs, answering: watch::Sender::new(()) }
    }

    /// Serves until told to stop, then lets requests and calls by hand end.
    pub async fn run(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let front = Arc::new(self);
        let serving = front.clone();
        let filter = warp::method()
            // A target without a path (`CONNECT a:1`) counts as one of `/`: warp's own reading of it panics.
            .and(warp::path::end().map(|| "/".to_owned()).or(warp::path::full().map(|path: FullPath| path.as_str().to_owned())).unify())
            .and(warp::query::raw().or(warp::any().map(String::new)).unify())
            .and(warp::header::headers_cloned())
            .and(warp::body::stream())
            .then(move |method: Method, path: String, query: String, headers: HeaderMap, body| {
                let front = serving.clone();
                async move {
                    let _answering = front.answering.subscribe();
                    front.answer(&method, &path, &query, &headers, body).await
                }
            });
        let mut stop_too = stop.clone();
        let stopped = async move {
            // A sender that is gone says stop as well.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let all_answered = async {
            let _ = stop_too.wait_for(|stop| *stop).await;
            loop {
                front.answering.closed().await;
                sleep(LINGER).await;
                if front.answering.is_closed() {
                    return;
                }
            }
        };
        tokio::select! {
            () = warp::serve(filter).incoming(listener).graceful(stopped).run() => {}
            () = all_answered => {}
        }
        let mut runs = front.admin_runs.lock().await;
        while runs.join_next().await.is_some() {}
    }

    async fn answer<S, B>(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap, body: S) -> Response<Bytes>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf,
    {
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        if target.len() > TARGET_BYTES_MAX || query.len() > QUERY_BYTES_MAX {
            return empty(StatusCode::URI_TOO_LONG);
        }
        if headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > HEADER_BYTES_MAX {
            return empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        if let Some(rest) = path.strip_prefix("/admin/") {
            return self.admin(method, rest, headers, body).await;
        }
        if route::find(self.table, method.as_str(), path).is_none() {
            return if method == Method::GET && path == "/" { home() } else { empty(StatusCode::NOT_FOUND) };
        }
        let (body, place) = match collect(body, BODY_BYTES_MAX, Some(&self.forwards)).await {
            Ok(collected) => collected,
            Err(status) => return empty(status),
        };
        let invocation_id = self.invoker.guid();
        let request = ClientRequest { method: method.as_str(), target: &target, headers: plain(headers), body: &body };
        let request = forwarded_request(&request, &invocation_id);
        // The handler may take its time: it is waited for with one copy.
        drop(body);
        let answer = self.forward(request, &invocation_id).await;
        drop(place);
        answer
    }

    async fn forward(&self, request: Result<Vec<u8>, ChunkedBody>, invocation_id: &str) -> Response<Bytes> {
        let bytes = match request {
            Ok(bytes) => bytes,
            Err(error) => {
                warn!(invocation_id, %error, "answered 500 without a call, as Azure does");
                return empty(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        match call(self.invoker.handler(), &bytes).await {
            Ok(answer) => passed_on(answer.status, &answer.headers, answer.body),
            Err(error) => {
                warn!(invocation_id, %error, "answered 500, the handler did not answer");
                empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    async fn admin<S, B>(&self, method: &Method, path: &str, headers: &HeaderMap, body: S) -> Response<Bytes>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf,
    {
        if method == Method::GET && path == "host/status" {
            return with_type("application/json", format!("{{\"id\":\"devhost\",\"state\":\"Running\",\"version\":\"{HOST_VERSION}\"}}"));
        }
        let Some(name) = path.strip_prefix("functions/").filter(|_| method == Method::POST) else { return empty(StatusCode::NOT_FOUND) };
        // A page of a stranger can fire no function: this type makes a browser ask first, and a name that was made to lead here is not ours.
        if !is_local(headers) {
            return empty(StatusCode::FORBIDDEN);
        }
        let media_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
        if !media_type.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json") {
            return empty(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let body = match collect(body, ADMIN_BODY_BYTES_MAX, None).await {
            Ok((body, _)) => body,
            Err(status) => return empty(status),
        };
        let Some(Ok(AdminCall { input })) = object(&body) else { return empty(StatusCode::BAD_REQUEST) };
        let Some(function) = self.table.iter().find(|function| function.name.eq_ignore_ascii_case(name)) else {
            return empty(StatusCode::NOT_FOUND);
        };
        self.fire(function, input.unwrap_or_default()).await
    }

    /// Calls a queue or timer function by hand, in the background.
    async fn fire(&self, function: &'static Function, input: String) -> Response<Bytes> {
        let mut runs = self.admin_runs.lock().await;
        while runs.try_join_next().is_some() {}
        if runs.len() >= ADMIN_RUNS_MAX {
            return empty(StatusCode::TOO_MANY_REQUESTS);
        }
        let (name, invoker) = (function.name, self.invoker.clone());
        match function.trigger {
            Trigger::Http { .. } => return empty(StatusCode::BAD_REQUEST),
            Trigger::Timer { .. } => {
                let state = self.state.clone();
                runs.spawn(async move { tick_now(name, &invoker, &state).await });
            }
            Trigger::Queue { .. } => {
                runs.spawn(async move {
                    let now = invoker.clock().now();
                    let message = Message {
                        text: &input,
                        id: &invoker.guid(),
                        pop_receipt: "",
                        dequeue_count: 1,
                        inserted_at: now,
                        expires_at: None,
                        visible_at: now + ADMIN_LEASE,
                    };
                    invoker.message(name, &message).await;
                });
            }
        }
        empty(StatusCode::ACCEPTED)
    }
}

/// The whole body and its place, or the status that says why not. A large one has its place before it is in memory whole, a small one as soon as it is.
async fn collect<'a, S, B>(body: S, limit: usize, places: Option<&'a Semaphore>) -> Result<(Vec<u8>, Option<SemaphorePermit<'a>>), StatusCode>
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf,
{
    futures::pin_mut!(body);
    let place = async || match places {
        Some(places) => places.acquire().await.map(Some).map_err(|_| StatusCode::SERVICE_UNAVAILABLE),
        None => Ok(None),
    };
    let (mut bytes, mut held, mut until) = (Vec::new(), None, Instant::now() + BODY_GRACE);
    while let Some(part) = timeout_at(until.min(Instant::now() + BODY_GRACE), body.next()).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)? {
        let mut part = part.map_err(|_| StatusCode::BAD_REQUEST)?;
        if part.remaining() > limit - bytes.len() {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        if held.is_none() && bytes.len() + part.remaining() > LARGE_BODY_BYTES {
            let waiting = Instant::now();
            held = place().await?;
            until += waiting.elapsed();
        }
        until += Duration::from_secs(1) * u32::try_from(part.remaining()).unwrap_or(u32::MAX) / BODY_BYTES_A_SECOND_MIN;
        while part.has_remaining() {
            let piece = part.chunk();
            bytes.extend_from_slice(piece);
            let length = piece.len();
            part.advance(length);
        }
    }
    if held.is_none() {
        held = place().await?;
    }
    Ok((bytes, held))
}

/// Whether a request names this machine as its `Host`.
fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("");
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost") || name.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn plain(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

fn passed_on(status: u16, headers: &[(String, Vec<u8>)], body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in headers {
        if HOP_HEADERS.iter().any(|hop| hop.eq_ignore_ascii_case(name)) {
            continue;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn home() -> Response<Bytes> {
    with_type("text/plain; charset=utf-8", "The help desk's embedded Functions host is running.\n".to_owned())
}

fn with_type(media_type: &'static str, text: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text));
    response.headers_mut().insert("content-type", HeaderValue::from_static(media_type));
    response
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}
