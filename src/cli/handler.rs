//! The handler of the Functions host: bind first, then open the house, then serve until told to stop.

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context, Result};
use tokio::{net::TcpListener, sync::watch};

use super::complain;
use crate::{
    config::{Config, EXIT_CONFIG, EXIT_RESTART},
    handler::{self, logs},
    wiring::{self, House, Purpose},
};

pub(super) async fn run(config: Config, port: u16) -> Result<ExitCode> {
    let address = Config::address(port);
    let listener = TcpListener::bind(address).await.with_context(|| format!("port {port} of 127.0.0.1 cannot be bound"))?;
    logs::to_streams(config.log);
    for setting in &config.unknown {
        tracing::warn!(setting, "this is no setting of this version, and is ignored");
    }
    let (ready, readiness) = watch::channel(None);
    let server = tokio::spawn(handler::serve(listener, readiness, handler::stop_signal()));
    match wiring::house(&config, Purpose::Host).await {
        Ok(house) => {
            ready.send_replace(Some(house.app.clone()));
            tracing::info!(version = env!("CARGO_PKG_VERSION"), port, "ready");
            let house = Arc::new(house);
            if config.azure.is_some() {
                tokio::spawn(warm(house.clone()));
            }
            server.await?;
            Ok(ExitCode::from(EXIT_RESTART))
        }
        Err(error) => {
            // One line: the host shows the last three of stderr.
            complain(&format!("{error:#}"));
            Ok(ExitCode::from(EXIT_CONFIG))
        }
    }
}

/// Connects to everything before somebody waits for it, and says what does not answer. The first invocations do the same if they come sooner.
async fn warm(house: Arc<House>) {
    for check in house.checks().await.into_iter().filter(|check| !check.well) {
        tracing::warn!(part = check.part, found = check.found, "a part of the house is not well");
    }
}
