//! One call of a queue or timer function, and what became of it.

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

use super::{
    answer::{HANGS, Outcome, understood},
    client::call,
    envelope::{Message, Status, System, queue_call, timer_call},
    wire::envelope_request,
};
use crate::ports::{Clock, Entropy, Ports};

/// Lines of a handler's logs that are passed on.
const LOG_LINES_MAX: usize = 100;

/// What one call became, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    pub function: &'static str,
    /// The text of the queue message; `None` for timers and for a message that could not be decoded. It may hold personal data: show, never log.
    pub message: Option<String>,
    pub succeeded: bool,
    /// The handler's own lines. Azure's host drops them on failure; here they tell a person why.
    pub logs: Vec<String>,
    pub because: Option<String>,
    /// Zero for timers.
    pub dequeue_count: u32,
}

/// Calls functions of the handler at one address.
#[derive(Clone)]
pub struct Invoker {
    handler: SocketAddr,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    observer: Option<UnboundedSender<Invocation>>,
}

impl Invoker {
    pub fn new(handler: SocketAddr, ports: &Ports, observer: Option<UnboundedSender<Invocation>>) -> Self {
        Invoker { handler, clock: ports.clock.clone(), entropy: ports.entropy.clone(), observer }
    }

    pub fn handler(&self) -> SocketAddr {
        self.handler
    }

    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Calls a queue function; true if it succeeded.
    pub async fn message(&self, function: &'static str, message: &Message<'_>) -> bool {
        let guid = self.guid();
        let body = queue_call(message, &System { function, now: self.clock.now(), random_guid: &guid });
        self.invoke(function, body, Some(message.text.to_owned()), message.dequeue_count).await
    }

    /// Calls a timer function; true if it succeeded.
    pub async fn tick(&self, function: &'static str, status: Option<&Status>, past_due: bool) -> bool {
        let guid = self.guid();
        let body = timer_call(status, past_due, &System { function, now: self.clock.now(), random_guid: &guid });
        self.invoke(function, body, None, 0).await
    }

    /// Tells the observer of a message that was put away without a call.
    pub fn put_away(&self, function: &'static str, message: Option<String>, dequeue_count: u32, because: &str) {
        warn!(function, dequeue_count, because, "a message was put away without a call");
        self.observe(Invocation { function, message, succeeded: false, logs: Vec::new(), because: Some(because.to_owned()), dequeue_count });
    }

    /// A random version 4 GUID (RFC 9562).
    pub fn guid(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let bits = (u128::from_be_bytes(bytes) & !(0xF << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let digits = format!("{bits:032x}");
        format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
    }

    async fn invoke(&self, function: &'static str, body: String, message: Option<String>, dequeue_count: u32) -> bool {
        let invocation_id = self.guid();
        let request = envelope_request(function, self.handler, &invocation_id, &body);
        let (logs, because) = match call(self.handler, &request).await {
            Ok(answer) => {
                let as_status = |status| understood(status, &answer.reason, answer.header("Content-Type"), &answer.body, None);
                match as_status(answer.status) {
                    Outcome::Succeeded { logs, .. } => (logs.unwrap_or_default(), None),
                    // As if it had succeeded: the body has the same form.
                    Outcome::Failed { because } => match as_status(200) {
                        Outcome::Succeeded { logs, .. } => (logs.unwrap_or_default(), Some(because)),
                        Outcome::Failed { .. } | Outcome::Hangs => (Vec::new(), Some(because)),
                    },
                    Outcome::Hangs => (Vec::new(), Some(HANGS.to_owned())),
                }
            }
            Err(no_answer) => (Vec::new(), Some(no_answer.to_string())),
        };
        match &because {
            None => {
                for line in logs.iter().take(LOG_LINES_MAX) {
                    info!(function, invocation_id, "{line}");
                }
                info!(function, invocation_id, dequeue_count, "the call succeeded");
            }
            Some(because) => warn!(function, invocation_id, dequeue_count, because, "the call failed"),
        }
        let succeeded = because.is_none();
        self.observe(Invocation { function, message, succeeded, logs, because, dequeue_count });
        succeeded
    }

    fn observe(&self, invocation: Invocation) {
        if let Some(observer) = &self.observer {
            // Nobody watches any more: that is no failure of the call.
            let _ = observer.send(invocation);
        }
    }
}
