//! The custom-handler protocol and nothing else: warp as a thin shell around [`dispatch()`].
//!
//! One catch-all filter: bounded bytes in, dispatch, bytes out. It answers `GET /` before anything else is ready, because the host waits for that.

pub mod dispatch;
pub mod envelope;
pub mod logs;

use std::{future::Future, sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, StreamExt};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, timeout, timeout_at},
};
use warp::{
    Filter,
    http::{HeaderMap, Method, Response, StatusCode},
    hyper::body::Bytes as WireBytes,
    path::FullPath,
};

use crate::functions::{App, HttpAnswer, Problem};
pub use dispatch::{WireRequest, dispatch};

/// Bytes of a request's body: an upload, or an envelope around a 64 KiB message (each byte of which may take twelve).
pub const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// How long a request waits for the house to be ready; the host waits 30 s for a start.
const READY_WAIT: Duration = Duration::from_secs(25);
/// How long a body may take to come. The Functions host has it whole before it calls.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// Bytes above which a body is a large one, and how many of these are in memory whole at once. More wait, each with its beginning, for as long as a body
/// may take; all other requests pass them by.
const LARGE_BODY_BYTES: usize = 1024 * 1024;
const LARGE_BODIES_MAX: usize = 16;
/// How long running requests may go on after SIGTERM; the host itself kills without a word.
const DRAIN_WAIT: Duration = Duration::from_secs(8);

/// The house, as soon as it is ready.
pub type Ready = watch::Receiver<Option<Arc<App>>>;

/// Serves until `stop`, then lets running requests end. A request whose head does not come is waited for, and keeps nobody else waiting.
pub async fn serve(listener: TcpListener, ready: Ready, stop: impl Future<Output = ()> + Send + 'static) {
    serve_waiting(listener, ready, stop, BODY_WAIT).await;
}

/// The same with another wait for bodies than 30 s.
pub async fn serve_waiting(listener: TcpListener, ready: Ready, stop: impl Future<Output = ()> + Send + 'static, body_wait: Duration) {
    // Without an address of its own nothing is the host's call.
    let address = listener.local_addr().map(|address| address.to_string().into()).unwrap_or_default();
    let running = Arc::new(watch::Sender::new(()));
    let front = Front { ready, address, large_bodies: Arc::new(Semaphore::new(LARGE_BODIES_MAX)), body_wait, running: running.clone() };
    let filter = warp::method()
        // A target without a path (`CONNECT a:1`) counts as one of `/`: warp's own reading of it panics.
        .and(warp::path::end().map(|| "/".to_owned()).or(warp::path::full().map(|path: FullPath| path.as_str().to_owned())).unify())
        .and(warp::query::raw().or(warp::any().map(String::new)).unify())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |method: Method, path: String, query: String, headers: HeaderMap, body| {
            let front = front.clone();
            async move { front.answer(method, path, query, headers, body).await }
        });
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let signal = async move {
        stop.await;
        tracing::info!("stopping: running requests may end");
        // The receiver is gone only when the server has ended already.
        let _ = stopping.send(());
    };
    let server = async {
        warp::serve(filter).incoming(listener).graceful(signal).run().await;
        // Also those whose clients have gone.
        running.closed().await;
    };
    let drained = async {
        if stopped.await.is_ok() {
            tokio::time::sleep(DRAIN_WAIT).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = server => {}
        () = drained => tracing::warn!("requests were still running {} s after the signal", DRAIN_WAIT.as_secs()),
    }
}

/// What all requests share.
#[derive(Clone)]
struct Front {
    ready: Ready,
    /// The handler's own, with its port.
    address: Arc<str>,
    large_bodies: Arc<Semaphore>,
    body_wait: Duration,
    /// Has a receiver for each function that runs.
    running: Arc<watch::Sender<()>>,
}

impl Front {
    async fn answer<S, B>(mut self, method: Method, path: String, query: String, headers: HeaderMap, body: S) -> Response<WireBytes>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf,
    {
        // The host's readiness and health ping: at once, and no log line.
        if method == Method::GET && path == "/" {
            return Response::new(WireBytes::from_static(b"ok"));
        }
        let headers = dispatch::plain(&headers);
        let (invocation, of_host) = (dispatch::invocation_id(&headers), dispatch::is_the_hosts_own(&headers, &self.address));
        let (body, place) = match self.body(body).await {
            Ok(body) => body,
            Err(problem) => return wire(dispatch::refused(problem, &invocation), &invocation),
        };
        let app = match timeout(READY_WAIT, self.ready.wait_for(Option::is_some)).await {
            Ok(Ok(app)) => app.clone(),
            _ => None,
        };
        let answer = match app {
            Some(app) => {
                let request = WireRequest { method: method.as_str().to_owned(), path, query, headers, body, of_host };
                self.finish(app, request, place, &invocation).await
            }
            None => dispatch::refused(Problem::new(503, "not-ready", "The service is starting", "").after(READY_WAIT), &invocation),
        };
        wire(answer, &invocation)
    }

    /// Runs a function to its end and its log line, whatever becomes of the connection: under the Functions host no function ends because a client goes.
    async fn finish(&self, app: Arc<App>, request: WireRequest, place: Option<OwnedSemaphorePermit>, invocation: &str) -> HttpAnswer {
        let running = self.running.subscribe();
        let call = tokio::spawn(async move {
            let answer = dispatch(app, request).await;
            drop((place, running));
            answer
        });
        call.await.unwrap_or_else(|error| {
            // A panic's message may hold a piece of a mail.
            tracing::error!(invocation_id = invocation, panicked = error.is_panic(), "a call broke off");
            Problem::new(500, "internal", "Something went wrong here", "").into_answer(invocation)
        })
    }

    /// A body of at most [`BODY_BYTES_MAX`], whether its length was announced or not, and its place among the large ones if it is one of them.
    async fn body<S, B>(&self, body: S) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf,
    {
        let late = |_| Problem::new(408, "body-too-slow", "The body did not come", "It was waited for, and broken off.");
        futures::pin_mut!(body);
        let (mut bytes, mut place, mut until) = (BytesMut::new(), None, Instant::now() + self.body_wait);
        while let Some(part) = timeout_at(until, body.next()).await.map_err(late)? {
            let mut part =
                part.map_err(|_| Problem::new(400, "broken-body", "The body broke off", "The request's body ended before its announced length."))?;
            let length = part.remaining();
            if bytes.len() + length > BODY_BYTES_MAX {
                return Err(Problem::new(413, "body-too-large", "The body is too large", format!("A body has at most {BODY_BYTES_MAX} bytes.")));
            }
            if place.is_none() && bytes.len() + length > LARGE_BODY_BYTES {
                place = Some(self.place().await?);
                until = Instant::now() + self.body_wait;
            }
            bytes.extend_from_slice(&part.copy_to_bytes(length));
        }
        Ok((bytes.freeze(), place))
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = timeout(self.body_wait, self.large_bodies.clone().acquire_owned()).await;
        let place = place.ok().and_then(Result::ok);
        place.ok_or_else(|| Problem::new(503, "busy", "The service is busy", "too many large bodies came at once").after(self.body_wait))
    }
}

fn wire(answer: HttpAnswer, invocation: &str) -> Response<WireBytes> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    response.body(answer.body).unwrap_or_else(|_| {
        tracing::error!(invocation_id = invocation, "an answer had a header that HTTP does not allow");
        let mut response = Response::new(WireBytes::new());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// SIGTERM or SIGINT. Nothing depends on it: the Functions host kills.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::warn!("signals cannot be watched; the process ends when it is killed");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_http_does_not_allow_is_logged_with_its_invocation() {
        let lines = tempfile::NamedTempFile::new().unwrap();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.reopen().unwrap()).finish();
        let answer = HttpAnswer { status: 200, headers: vec![("etag", "two\nlines".to_owned())], body: Bytes::new() };
        let response = tracing::subscriber::with_default(log, || wire(answer, "0d4dcbb4"));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let logged = std::fs::read_to_string(lines.path()).unwrap();
        assert!(logged.contains("invocation_id=\"0d4dcbb4\""), "{logged}");
    }
}
