//! The adapters under contract, each in a world of its own.

use std::sync::Arc;

use helpdesk::{
    adapters::embedded::{FileVault, Store},
    ports::{Blobs, Documents, Queues, Vault},
};
use tempfile::TempDir;

#[cfg(feature = "azure")]
pub use super::cosmos::cosmos;
use crate::support::{TestClock, TestEntropy};

/// Ports over one adapter, and what moves their time.
pub struct World {
    pub clock: Arc<TestClock>,
    pub(super) documents: Arc<dyn Documents>,
    pub(super) store: Option<Arc<Store>>,
    pub(super) vault: Option<FileVault>,
    pub(super) _folder: Option<TempDir>,
}

impl World {
    pub fn documents(&self) -> Arc<dyn Documents> {
        self.documents.clone()
    }

    pub fn blobs(&self) -> Arc<dyn Blobs> {
        self.store.as_ref().unwrap().clone()
    }

    pub fn queues(&self) -> Arc<dyn Queues> {
        self.store.as_ref().unwrap().clone()
    }

    pub fn vault(&self) -> &dyn Vault {
        self.vault.as_ref().unwrap()
    }
}

pub async fn embedded() -> World {
    let (clock, folder) = (Arc::new(TestClock::new()), TempDir::new().unwrap());
    let store = Arc::new(Store::open(folder.path(), clock.clone()).unwrap());
    let vault = FileVault::open(folder.path(), Arc::new(TestEntropy::new(1))).unwrap();
    World { clock, documents: store.clone(), store: Some(store), vault: Some(vault), _folder: Some(folder) }
}
