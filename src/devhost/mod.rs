//! The embedded Functions host of `helpdesk dev`: it calls the handler over loopback HTTP as Azure's host does, byte for byte where that was recorded.
//!
//! Not imitated: function keys, several instances, retry policies, output bindings, and the killing of a handler that takes too long. Of schedules that Azure
//! takes, these are refused: a `TimeSpan`, a range from the larger to the smaller (`5-1`), a step of 0, and names of months and days in other than three letters.

pub mod answer;
mod client;
pub mod envelope;
mod http;
pub mod inbox;
mod invoke;
mod newtonsoft;
pub mod queues;
pub mod schedule;
pub mod timers;
pub mod wire;

use std::{future::Future, net::SocketAddr, path::PathBuf, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{mpsc::UnboundedSender, watch},
    task::JoinSet,
    time::timeout,
};
use tracing::{info, warn};

pub use client::{FUNCTION_TIMEOUT, NoAnswer};
pub use http::BODY_BYTES_MAX;
pub use invoke::{Invocation, Invoker};

use crate::{
    functions::{Function, Trigger},
    ports::Ports,
};
use http::Front;
use inbox::Inbox;
use queues::{Listener, Wakes};
use schedule::NotASchedule;
use timers::Timer;

/// How long running calls may go on after the host was told to stop, as in Azure. Messages that are cut off come back when their lease ends.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// What the host works with.
pub struct Settings {
    /// Where the handler listens, or soon will.
    pub handler: SocketAddr,
    /// The public listener, bound already so that its address is known.
    pub listener: TcpListener,
    /// `functions::ALL`.
    pub table: &'static [Function],
    /// The folder of timer statuses and of the inbox.
    pub state: PathBuf,
    /// `Wakes::of(table)`; keep a copy to knock after sending to a queue from the same process.
    pub wakes: Wakes,
    /// Is told what each queue and timer call became.
    pub observer: Option<UnboundedSender<Invocation>>,
}

/// Why the host does not run.
#[derive(Debug, thiserror::Error)]
pub enum NotRunning {
    #[error("the handler did not get ready: {0}")]
    Handler(#[from] NoAnswer),
    #[error("the schedule of {function} is wrong: {source}")]
    Schedule { function: &'static str, source: NotASchedule },
    #[error("a part of the host ended by itself, see the log")]
    PartEnded,
}

/// Waits for the handler, then runs HTTP, queues, timers and the inbox until `stop` ends; stops listening first and then lets calls end.
pub async fn run(settings: Settings, ports: Ports, stop: impl Future<Output = ()>) -> Result<(), NotRunning> {
    let Settings { handler, listener, table, state, wakes, observer } = settings;
    let invoker = Invoker::new(handler, &ports, observer);
    let mut timers = Vec::new();
    for function in table {
        if let Trigger::Timer { schedule, .. } = function.trigger {
            let timer = Timer::new(function.name, schedule, invoker.clone(), &state);
            timers.push(timer.map_err(|source| NotRunning::Schedule { function: function.name, source })?);
        }
    }
    let mut stop = std::pin::pin!(stop);
    tokio::select! {
        ready = client::until_ready(handler) => ready?,
        () = &mut stop => return Ok(()),
    }
    let (stopping, stopped) = watch::channel(false);
    let mut parts = JoinSet::new();
    parts.spawn(Front::new(table, invoker.clone(), state.clone()).run(listener, stopped.clone()));
    for function in table {
        if let Trigger::Queue { queue, .. } = function.trigger {
            let listener = Listener::new(function.name, queue, &ports, invoker.clone(), wakes.clone());
            let stopped = stopped.clone();
            parts.spawn(async move { listener.run(stopped).await });
        }
    }
    for timer in timers {
        parts.spawn(timer.run(stopped.clone()));
    }
    parts.spawn(Inbox::new(&state, ports, wakes).run(stopped.clone()));
    drop(stopped);
    info!(functions = table.len(), "the embedded Functions host runs");
    let ended = tokio::select! {
        () = stop => Ok(()),
        _ = parts.join_next() => Err(NotRunning::PartEnded),
    };
    // Each part holds a receiver; if none is left there is nobody to tell.
    let _ = stopping.send(true);
    let drained = timeout(DRAIN_WITHIN, async { while parts.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        warn!(seconds = DRAIN_WITHIN.as_secs(), "calls were still running and are cut off");
        parts.abort_all();
    }
    ended
}
