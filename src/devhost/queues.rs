//! Storage-queue triggers as the Functions host runs them: batches, leases that are renewed, tries that are counted, a poison queue at the end.
//!
//! At least once: a message that is killed half-way comes back when its lease ends, and one that is on its way to the poison queue may arrive twice.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{
    future::join_all,
    stream::{FuturesUnordered, StreamExt},
};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tracing::warn;

use super::{envelope::Message, invoke::Invoker};
use crate::{
    functions::{Function, Trigger},
    ports::{Fault, Lease, Ports, Queues, decode_text},
};

/// Of host.json, `extensions.queues`: messages leased at once, and calls still running below or at which the next batch is leased.
pub const BATCH_MESSAGES: usize = 16;
pub const NEW_BATCH_THRESHOLD: usize = 8;
/// Of host.json: calls of a message before it goes to the poison queue, and the wait after a failed one.
pub const MAX_DEQUEUE_COUNT: u32 = 10;
pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(2 * 60);
/// Fixed in the host's queue extension: how long a message is leased, and when the lease is renewed.
pub const LEASE: Duration = Duration::from_secs(10 * 60);
pub const RENEW_EVERY: Duration = Duration::from_secs(5 * 60);
/// A renewal that failed is tried again no later.
const RENEW_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// The wait between looks into an empty queue doubles from the first to the second.
const POLL_MIN: Duration = Duration::from_millis(100);
const POLL_MAX: Duration = Duration::from_secs(2);
/// A queue of this ending has no poison queue of its own.
const POISON_SUFFIX: &str = "-poison";
/// Bytes of a queue's name in Azure.
const QUEUE_NAME_BYTES_MAX: usize = 63;

/// Where to knock so that a listener looks into its queue at once.
#[derive(Clone)]
pub struct Wakes(Arc<BTreeMap<&'static str, Notify>>);

impl Wakes {
    /// One for each queue of the table.
    pub fn of(table: &'static [Function]) -> Self {
        let queues = table.iter().filter_map(|function| match function.trigger {
            Trigger::Queue { queue, .. } => Some((queue, Notify::new())),
            _ => None,
        });
        Wakes(Arc::new(queues.collect()))
    }

    /// Something was sent to this queue. A queue that nobody listens to may be named too.
    pub fn knock(&self, queue: &str) {
        if let Some(notify) = self.0.get(queue) {
            notify.notify_one();
        }
    }

    async fn knocked(&self, queue: &str) {
        match self.0.get(queue) {
            Some(notify) => notify.notified().await,
            None => std::future::pending().await,
        }
    }
}

/// The listener of one queue function.
pub struct Listener {
    function: &'static str,
    queue: &'static str,
    /// `None` if a message that fails for good has nowhere to go.
    poison: Option<String>,
    renew_every: Duration,
    queues: Arc<dyn Queues>,
    invoker: Invoker,
    wakes: Wakes,
}

impl Listener {
    pub fn new(function: &'static str, queue: &'static str, ports: &Ports, invoker: Invoker, wakes: Wakes) -> Self {
        let poison = format!("{queue}{POISON_SUFFIX}");
        let poison = (!queue.ends_with(POISON_SUFFIX) && poison.len() <= QUEUE_NAME_BYTES_MAX).then_some(poison);
        Listener { function, queue, poison, renew_every: RENEW_EVERY, queues: ports.queues.clone(), invoker, wakes }
    }

    /// Renews leases at another pace than [`RENEW_EVERY`].
    pub fn renewing_every(self, renew_every: Duration) -> Self {
        Listener { renew_every, ..self }
    }

    /// Leases one batch, calls the function for each message at the same time and settles them all; answers how many there were.
    pub async fn poll_once(&self) -> usize {
        let batch = self.lease().await;
        join_all(batch.into_iter().map(|lease| self.process(lease))).await.len()
    }

    /// Listens until told to stop, and then finishes the calls that are running.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut running = FuturesUnordered::new();
        let mut pause = POLL_MIN;
        while !*stop.borrow_and_update() {
            if running.len() <= NEW_BATCH_THRESHOLD {
                let batch = self.lease().await;
                pause = if batch.is_empty() { (pause * 2).min(POLL_MAX) } else { POLL_MIN };
                running.extend(batch.into_iter().map(|lease| self.process(lease)));
            }
            let may_lease = running.len() <= NEW_BATCH_THRESHOLD;
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                Some(()) = running.next(), if !running.is_empty() => {}
                () = self.wakes.knocked(self.queue), if may_lease => pause = POLL_MIN,
                () = sleep(pause), if may_lease => {}
            }
        }
        while running.next().await.is_some() {}
    }

    async fn lease(&self) -> Vec<Lease> {
        self.queues.lease(self.queue, BATCH_MESSAGES, LEASE).await.unwrap_or_else(|fault| {
            self.warn(&fault, "no messages could be leased; the next look may");
            Vec::new()
        })
    }

    async fn process(&self, lease: Lease) {
        let Some(text) = decode_text(&lease.text) else {
            self.put_away(&lease, None, "the text is no base64 of UTF-8: send it through `ports::encode_text`").await;
            return;
        };
        if self.poison.is_some() && lease.dequeue_count > MAX_DEQUEUE_COUNT {
            self.put_away(&lease, Some(text), "it was leased too often without an end, as if each call had been killed").await;
            return;
        }
        let message = Message {
            text: &text,
            id: &lease.id,
            pop_receipt: &lease.pop_receipt,
            dequeue_count: lease.dequeue_count,
            inserted_at: lease.inserted_at,
            expires_at: None,
            visible_at: lease.visible_at,
        };
        let mut held = Some(lease.clone());
        let mut call = std::pin::pin!(self.invoker.message(self.function, &message));
        let mut wait = self.renew_every;
        let succeeded = loop {
            tokio::select! {
                succeeded = &mut call => break succeeded,
                () = sleep(wait), if held.is_some() => wait = self.renew(&mut held).await,
            }
        };
        match held {
            Some(held) => self.settle(&held, succeeded).await,
            None => warn!(function = self.function, "the lease was lost while the function ran; the message is called again"),
        }
    }

    /// Renews a lease, or lets it go if it was lost; answers the wait before the next renewal.
    async fn renew(&self, held: &mut Option<Lease>) -> Duration {
        let Some(lease) = held else { return self.renew_every };
        match self.queues.extend(self.queue, lease, LEASE).await {
            Ok(renewed) => *held = renewed,
            Err(fault) => {
                self.warn(&fault, "a lease could not be renewed; it is tried again");
                return self.renew_every.min(RENEW_AGAIN_AFTER);
            }
        }
        self.renew_every
    }

    async fn settle(&self, lease: &Lease, succeeded: bool) {
        let settled = match (&self.poison, succeeded) {
            (_, true) => self.queues.delete(self.queue, lease).await,
            // It stays hidden for the rest of its lease and is called again, for ever.
            (None, false) => return,
            (Some(poison), false) if lease.dequeue_count >= MAX_DEQUEUE_COUNT => {
                warn!(function = self.function, dequeue_count = lease.dequeue_count, "a message failed too often and goes to the poison queue");
                self.move_to(poison, lease).await
            }
            (Some(_), false) => self.queues.extend(self.queue, lease, VISIBILITY_TIMEOUT).await.map(|held| held.is_some()),
        };
        self.check(settled);
    }

    /// Moves a message to the poison queue without a call; where there is none, it stays hidden for the rest of its lease.
    async fn put_away(&self, lease: &Lease, message: Option<String>, because: &str) {
        self.invoker.put_away(self.function, message, lease.dequeue_count, because);
        if let Some(poison) = &self.poison {
            let settled = self.move_to(poison, lease).await;
            self.check(settled);
        }
    }

    /// Sent before it is deleted, so that it may be there twice and never not at all.
    async fn move_to(&self, poison: &str, lease: &Lease) -> Result<bool, Fault> {
        self.queues.send(poison, &lease.text, Duration::ZERO).await?;
        self.wakes.knock(poison);
        self.queues.delete(self.queue, lease).await
    }

    fn check(&self, settled: Result<bool, Fault>) {
        match settled {
            Ok(true) => {}
            Ok(false) => warn!(function = self.function, "the lease was lost before the message was settled; it is called again"),
            Err(fault) => self.warn(&fault, "a message could not be settled; it is called again when its lease ends"),
        }
    }

    fn warn(&self, fault: &Fault, what: &str) {
        warn!(function = self.function, queue = self.queue, %fault, "{what}");
    }
}
