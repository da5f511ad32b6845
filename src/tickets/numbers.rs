//! Ticket numbers: unique, rising, with gaps. A process leases twenty at a time, so that not every mail writes the same document.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::{
    ids::{Kind, TenantId, partition},
    keys::TenantKeys,
    ports::{Documents, Fault, Write},
};

/// Numbers leased at once; what a process does not use is a gap.
const BLOCK: u64 = 20;
/// Tries to lease against others who lease too.
const TRIES_MAX: u32 = 10;
const DOCUMENT: &str = "numbers";

/// The blocks that this process has leased.
#[derive(Default)]
pub(super) struct Numbers {
    blocks: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<Range<u64>>>>>,
}

#[derive(Serialize, Deserialize)]
struct BlockBody {
    next: u64,
}

impl Numbers {
    /// The tenant's next number.
    pub(super) async fn next(&self, documents: &dyn Documents, keys: &TenantKeys, tenant: &TenantId) -> Result<u64, Error> {
        let slot = self.blocks.lock().unwrap_or_else(PoisonError::into_inner).entry(tenant.clone()).or_default().clone();
        // Held while leasing, so that those who wait share one block.
        let mut block = slot.lock().await;
        if block.is_empty() {
            *block = lease(documents, keys, tenant).await?;
        }
        let number = block.start;
        block.start += 1;
        Ok(number)
    }
}

async fn lease(documents: &dyn Documents, keys: &TenantKeys, tenant: &TenantId) -> Result<Range<u64>, Error> {
    let place = partition(tenant, Kind::NumberBlock);
    for _ in 0..TRIES_MAX {
        let stored = documents.get(&place, DOCUMENT).await?;
        let next = match &stored {
            Some(document) => keys.open_document::<BlockBody>(document)?.next,
            None => 1,
        };
        let body = BlockBody { next: next + BLOCK };
        let document = keys.seal_document(&place, DOCUMENT.to_owned(), Kind::NumberBlock, Default::default(), None, &body)?;
        match documents.commit(&place, vec![Write::put(document, stored.map(|stored| stored.etag))]).await {
            Ok(_) => return Ok(next..next + BLOCK),
            Err(Fault::Conflict) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(Fault::Conflict.into())
}
