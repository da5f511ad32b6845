//! One request: find the row, know the caller, run it inside a span and a deadline, catch panics, answer, log once.

use std::{
    collections::BTreeMap,
    panic,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::FutureExt;
use percent_encoding::percent_decode_str;
use tracing::Instrument;
use warp::http::HeaderMap;

use super::envelope;
use crate::{
    access::{self, token},
    functions::{self, Access, App, Function, HttpAnswer, HttpRequest, Problem, Trigger, Verdict, route},
};

/// How long a function may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    pub envelope: Duration,
    pub http: Duration,
}

/// The host's functionTimeout is 10 minutes, after which it kills the process with all that runs in it; Azure's front end cuts an HTTP request at 230 s.
pub const DEADLINES: Deadlines = Deadlines { envelope: Duration::from_secs(5 * 60), http: Duration::from_secs(100) };
/// Characters of an invocation id that are believed.
const INVOCATION_ID_MAX: usize = 64;

/// A request as it stood on the wire, bounded in size.
pub struct WireRequest {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
    /// Whether the Functions host calls for itself. Only then is it an envelope: see `is_the_hosts_own`.
    pub of_host: bool,
}

/// Answers one request; it never fails and never panics.
pub async fn dispatch(app: Arc<App>, request: WireRequest) -> HttpAnswer {
    dispatch_within(app, request, DEADLINES).await
}

/// The same with other deadlines than [`DEADLINES`].
pub async fn dispatch_within(app: Arc<App>, request: WireRequest, deadlines: Deadlines) -> HttpAnswer {
    let invocation = invocation_id(&request.headers);
    let started = Instant::now();
    // An envelope is posted by the host to `/<Name>`; everything else is a forwarded route.
    let envelope_of = (request.of_host && request.method == "POST")
        .then(|| functions::named(request.path.trim_start_matches('/')))
        .flatten()
        .filter(|function| !matches!(function.trigger, Trigger::Http { .. }));
    let found = envelope_of.map(|function| (function, route::Params::new())).or_else(|| route::find(functions::ALL, &request.method, &request.path));
    let Some((function, params)) = found else {
        return refused(Problem::new(404, "no-such-route", "There is nothing here", "No function answers this method and path."), &invocation);
    };
    let trace = trace_id(&request.headers);
    let span = tracing::info_span!("invocation", function = function.name, invocation_id = %invocation, trace_id = trace);
    async {
        let deadline = if matches!(function.trigger, Trigger::Http { .. }) { deadlines.http } else { deadlines.envelope };
        // The panic is caught here; what it leaves behind is dropped, and stories keep no state in the process.
        let run = panic::AssertUnwindSafe(run(&app, function, params, request)).catch_unwind();
        let outcome = match tokio::time::timeout(deadline, run).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Outcome::broken(function, "a bug: the function panicked"),
            Err(_) => Outcome::broken(function, "the deadline passed"),
        };
        outcome.log(started.elapsed());
        outcome.into_answer(&invocation)
    }
    .instrument(span)
    .await
}

/// The answer to what no function saw, with the one log line of it.
pub(super) fn refused(problem: Problem, invocation: &str) -> HttpAnswer {
    tracing::info!(invocation_id = invocation, status = problem.status, problem = problem.slug, "refused");
    problem.into_answer(invocation)
}

enum Outcome {
    Http(Result<HttpAnswer, Problem>),
    Envelope(Verdict),
}

impl Outcome {
    fn broken(function: &Function, why: &str) -> Self {
        match function.trigger {
            Trigger::Http { .. } => Outcome::Http(Err(Problem::new(500, "internal", "Something went wrong here", why))),
            Trigger::Queue { .. } | Trigger::Timer { .. } => Outcome::Envelope(Verdict::Retry(why.to_owned())),
        }
    }

    /// The one log line of an invocation; details of failures below 500 are the caller's own business and stay with him.
    fn log(&self, took: Duration) {
        let milliseconds = took.as_millis() as u64;
        match self {
            Outcome::Http(Ok(answer)) => tracing::info!(status = answer.status, milliseconds, "answered"),
            Outcome::Http(Err(problem)) if problem.status < 500 => {
                tracing::info!(status = problem.status, problem = problem.slug, milliseconds, "refused");
            }
            Outcome::Http(Err(problem)) => {
                tracing::error!(status = problem.status, problem = problem.slug, detail = %problem.detail, milliseconds, "failed");
            }
            Outcome::Envelope(Verdict::Done(note)) => tracing::info!(verdict = "done", %note, milliseconds, "done"),
            Outcome::Envelope(Verdict::Reject(note)) => tracing::warn!(verdict = "rejected", %note, milliseconds, "kept as unprocessed"),
            Outcome::Envelope(Verdict::Retry(reason)) => tracing::warn!(verdict = "retry", %reason, milliseconds, "to be tried again"),
        }
    }

    fn into_answer(self, invocation: &str) -> HttpAnswer {
        match self {
            Outcome::Http(Ok(answer)) => answer,
            Outcome::Http(Err(problem)) => problem.into_answer(invocation),
            Outcome::Envelope(verdict) => envelope::answer(&verdict),
        }
    }
}

async fn run(app: &App, function: &Function, params: route::Params, request: WireRequest) -> Outcome {
    match &function.trigger {
        Trigger::Queue { run, .. } => match envelope::queue_message(&request.body, "message") {
            Ok(message) => Outcome::Envelope(run(app, message).await),
            Err(error) => Outcome::Envelope(Verdict::Retry(error.to_string())),
        },
        Trigger::Timer { run, .. } => match envelope::tick(&request.body, "timer") {
            Ok(tick) => Outcome::Envelope(run(app, tick).await),
            Err(error) => Outcome::Envelope(Verdict::Retry(error.to_string())),
        },
        Trigger::Http { access, .. } => {
            let authorization = request.headers.get("authorization").cloned();
            let request = HttpRequest { params, query: query(&request.query), headers: request.headers, body: request.body };
            Outcome::Http(match access {
                Access::Everyone(run) => run(app, request).await,
                Access::Callers(action, run) => match caller(app, function, *action, authorization.as_deref(), &request).await {
                    Ok(caller) => run(app, caller, request).await,
                    Err(problem) => Err(problem),
                },
            })
        }
    }
}

/// Who calls, if he may, and asks for what the route knows.
async fn caller(
    app: &App,
    function: &Function,
    action: access::Action,
    authorization: Option<&str>,
    request: &HttpRequest,
) -> Result<access::Caller, Problem> {
    let proven = token::verify(app.ports.identity.as_ref(), authorization, app.ports.clock.now()).await?;
    let caller = access::admit(&proven, action, &app.vendor, app.ports.documents.as_ref(), &app.keyring).await?;
    let caller = functions::known(app, caller).await?;
    functions::check_query(function.name, &request.query)?;
    Ok(caller)
}

/// Headers with one text each. What is no UTF-8 in a value becomes replacement characters: a condition that cannot be read must not be none.
pub(super) fn plain(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}

/// The host's name for this call, for every log line and every problem.
pub(super) fn invocation_id(headers: &BTreeMap<String, String>) -> String {
    let sane = |id: &str| !id.is_empty() && id.len() <= INVOCATION_ID_MAX && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    // A client's own header of that name comes first, before a comma.
    let last = headers.get("x-azure-functions-invocationid").and_then(|ids| ids.rsplit(',').next()).map(|id| id.trim().to_owned());
    last.filter(|id| sane(id)).unwrap_or_else(|| "none".to_owned())
}

/// Whether a request is the host's own call, to `handler` (address and port), and none that it forwards for a client: that one has the `Host` of the client, and
/// in Azure an `X-Forwarded-For`. The path does not tell them apart: the host reads a client's path as .NET's `Uri` does, to which
/// `/api/tickets/..%5C..%5C..%5CIntakeMail%3F/comments` is `/IntakeMail`. Nor is it a browser's that a stranger's page sent here: that one names its `Origin`,
/// and cannot have this content type unasked.
pub(super) fn is_the_hosts_own(headers: &BTreeMap<String, String>, handler: &str) -> bool {
    let media_type = headers.get("content-type").and_then(|value| value.split(';').next()).unwrap_or("");
    let is_a_clients = headers.contains_key("x-forwarded-for") || headers.contains_key("origin");
    headers.get("host").is_some_and(|host| host == handler) && media_type.trim().eq_ignore_ascii_case("application/json") && !is_a_clients
}

/// The trace id of a valid `traceparent` (W3C Trace Context level 1).
fn trace_id(headers: &BTreeMap<String, String>) -> Option<String> {
    let parts: Vec<&str> = headers.get("traceparent")?.split('-').collect();
    let hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let [version, trace, parent, flags, ..] = parts.as_slice() else { return None };
    let valid = hex(version, 2)
        && *version != "ff"
        && (*version != "00" || parts.len() == 4)
        && hex(trace, 32)
        && trace.bytes().any(|b| b != b'0')
        && hex(parent, 16)
        && parent.bytes().any(|b| b != b'0')
        && hex(flags, 2);
    valid.then(|| (*trace).to_owned())
}

/// As long as a target may be (64 KiB, a limit of `http`).
fn query(raw: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    let decoded = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    });
    decoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_traceparent_is_believed() {
        let trace = |value: &str| trace_id(&BTreeMap::from([("traceparent".to_owned(), value.to_owned())]));
        assert_eq!(trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap(), "4bf92f3577b34da6a3ce929d0e0e4736");
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(trace(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_query_is_decoded_once() {
        let query = query("state=open,pending&q=a%2Fb%20c%20d%26e&flag");
        assert_eq!(query["state"], "open,pending");
        assert_eq!(query["q"], "a/b c d&e");
        assert_eq!(query["flag"], "");
    }
}
