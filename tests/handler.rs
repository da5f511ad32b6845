//! The handler as the Functions host sees it: bytes on a socket, and callers who may or may not.

mod callers;
mod changes;
mod comments;
mod contacts;
mod create;
mod links;
mod lists;
mod openapi;
mod permissions;
mod uploads;
mod cursors;
mod faults;
mod wire;

use std::{net::SocketAddr, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use helpdesk::handler::{self, Ready};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::support::world::World;

/// A handler on a port of its own.
struct Served {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Served {
    async fn new(world: &World) -> Served {
        let (ready, readiness) = watch::channel(Some(world.app.clone()));
        let served = Served::when(readiness).await;
        // A house that is ready stays so.
        std::mem::forget(ready);
        served
    }

    async fn when(ready: Ready) -> Served {
        Served::serving(|listener, stopped| Box::pin(handler::serve(listener, ready, stopped))).await
    }

    /// One that waits so long for bodies.
    async fn waiting(world: &World, body_wait: Duration) -> Served {
        let (ready, readiness) = watch::channel(Some(world.app.clone()));
        std::mem::forget(ready);
        Served::serving(|listener, stopped| Box::pin(handler::serve_waiting(listener, readiness, stopped, body_wait))).await
    }

    async fn serving(serve: impl FnOnce(TcpListener, BoxFuture<'static, ()>) -> BoxFuture<'static, ()>) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, mut stopped) = watch::channel(false);
        let stopped = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        Served { address, stop, serving: tokio::spawn(serve(listener, stopped.boxed())) }
    }
}
