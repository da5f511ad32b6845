//! The adapters under contract, each in a world of its own.

use std::{any::Any, sync::Arc, time::Duration};

use helpdesk::{
    adapters::embedded::{FileVault, Store},
    ports::{Blobs, Clock, Documents, Queues, Vault},
};
use tempfile::TempDir;
use time::OffsetDateTime;

#[cfg(feature = "azure")]
pub use super::{azurite::azurite, cosmos::cosmos, key_vault::key_vault};
use crate::support::{TestClock, TestEntropy};

/// Ports over one adapter, and what moves their time.
#[derive(Default)]
pub struct World {
    pub clock: Arc<TestClock>,
    /// Time passes by itself, and only so.
    pub(super) is_real: bool,
    pub(super) documents: Option<Arc<dyn Documents>>,
    pub(super) blobs: Option<Arc<dyn Blobs>>,
    pub(super) queues: Option<Arc<dyn Queues>>,
    pub(super) vault: Option<Arc<dyn Vault>>,
    /// What lives as long as the world.
    pub(super) _ground: Vec<Box<dyn Any + Send + Sync>>,
}

impl World {
    pub fn documents(&self) -> Arc<dyn Documents> {
        self.documents.clone().unwrap()
    }

    pub fn blobs(&self) -> Arc<dyn Blobs> {
        self.blobs.clone().unwrap()
    }

    pub fn queues(&self) -> Arc<dyn Queues> {
        self.queues.clone().unwrap()
    }

    pub fn vault(&self) -> &dyn Vault {
        self.vault.as_deref().unwrap()
    }

    /// How long a message may be hidden so that a test can wait for it.
    pub fn span(&self) -> Duration {
        if self.is_real { Duration::from_secs(4) } else { Duration::from_secs(60) }
    }

    pub async fn pass(&self, by: Duration) {
        if self.is_real { tokio::time::sleep(by).await } else { self.clock.advance(by.try_into().unwrap()) }
    }

    /// Lets a span pass but for its end, and tells what is left of it; servers count whole seconds.
    pub async fn pass_most(&self, of: Duration) -> Duration {
        let left = if self.is_real { Duration::from_millis(2500) } else { Duration::from_millis(1) };
        self.pass(of - left).await;
        left
    }

    pub fn now(&self) -> OffsetDateTime {
        if self.is_real { OffsetDateTime::now_utc() } else { self.clock.now() }
    }

    /// Whether a time that the adapter told is this one; a server has a clock of its own.
    pub fn is(&self, told: OffsetDateTime, expected: OffsetDateTime) -> bool {
        let apart = (told - expected).abs();
        if self.is_real { apart < time::Duration::seconds(5) } else { apart.is_zero() }
    }
}

pub async fn embedded() -> World {
    let (clock, folder) = (Arc::new(TestClock::new()), TempDir::new().unwrap());
    let store = Arc::new(Store::open(folder.path(), clock.clone()).unwrap());
    let vault = Arc::new(FileVault::open(folder.path(), Arc::new(TestEntropy::new(1))).unwrap());
    World {
        clock,
        documents: Some(store.clone()),
        blobs: Some(store.clone()),
        queues: Some(store),
        vault: Some(vault),
        _ground: vec![Box::new(folder)],
        ..World::default()
    }
}
