//! Blobs that are being deleted.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Blobs whose deletion was answered and is not committed yet: reads take them for absent.
#[derive(Default)]
pub(super) struct Vanishing(Mutex<HashMap<(String, String), usize>>);

impl Vanishing {
    pub(super) fn has(&self, container: &str, name: &str) -> bool {
        let held = self.held();
        !held.is_empty() && held.contains_key(&(container.to_owned(), name.to_owned()))
    }

    pub(super) fn names(&self, container: &str) -> Vec<String> {
        self.held().keys().filter(|(own, _)| own == container).map(|(_, name)| name.clone()).collect()
    }

    fn held(&self) -> MutexGuard<'_, HashMap<(String, String), usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One deletion under way. Dropped when it is settled, also if it never ran.
pub(super) struct Going {
    vanishing: Arc<Vanishing>,
    blob: (String, String),
}

impl Going {
    pub(super) fn new(vanishing: Arc<Vanishing>, container: &str, name: &str) -> Going {
        let blob = (container.to_owned(), name.to_owned());
        *vanishing.held().entry(blob.clone()).or_default() += 1;
        Going { vanishing, blob }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let mut held = self.vanishing.held();
        if let Some(count) = held.get_mut(&self.blob) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.blob);
            }
        }
    }
}
