//! Ticket numbers: unique, rising, with gaps. A process leases a block at a time, so that not every mail writes the same document.

use std::{collections::HashMap, ops::Range};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::Error;
use crate::{
    ids::{Kind, TenantId, partition},
    keys::TenantKeys,
    ports::{Documents, Fault, Write},
};

/// Numbers of a process's first lease; what it does not use is a gap.
const BLOCK_FIRST: u64 = 20;
/// Each lease is twice the one before, up to this many: with small ones, a rush of mails waits more for numbers than for its own commits.
/// So a gap is hardly greater than what the process used.
const BLOCK_MAX: u64 = 640;
/// Tries to lease against others who lease too.
const TRIES_MAX: u32 = 10;
const DOCUMENT: &str = "numbers";

/// The blocks that this process has leased.
#[derive(Default)]
pub(super) struct Numbers {
    blocks: Mutex<HashMap<TenantId, Block>>,
}

struct Block {
    left: Range<u64>,
    /// Numbers of the next lease.
    next_size: u64,
}

#[derive(Serialize, Deserialize)]
struct BlockBody {
    next: u64,
}

impl Numbers {
    /// The tenant's next number.
    pub(super) async fn next(&self, documents: &dyn Documents, keys: &TenantKeys, tenant: &TenantId) -> Result<u64, Error> {
        // Held while leasing, so that those who wait share one block.
        let mut blocks = self.blocks.lock().await;
        let block = blocks.entry(tenant.clone()).or_insert(Block { left: 0..0, next_size: BLOCK_FIRST });
        if block.left.is_empty() {
            block.left = lease(documents, keys, tenant, block.next_size).await?;
            block.next_size = (block.next_size * 2).min(BLOCK_MAX);
        }
        let number = block.left.start;
        block.left.start += 1;
        Ok(number)
    }
}

async fn lease(documents: &dyn Documents, keys: &TenantKeys, tenant: &TenantId, size: u64) -> Result<Range<u64>, Error> {
    let place = partition(tenant, Kind::NumberBlock);
    for _ in 0..TRIES_MAX {
        let stored = documents.get(&place, DOCUMENT).await?;
        let next = match &stored {
            Some(document) => keys.open_document::<BlockBody>(document)?.next,
            None => 1,
        };
        let body = BlockBody { next: next + size };
        let document = keys.seal_document(&place, DOCUMENT.to_owned(), Kind::NumberBlock, Default::default(), None, &body)?;
        let write = match stored {
            Some(stored) => Write::Replace { document, etag: stored.etag },
            None => Write::Create(document),
        };
        match documents.commit(&place, vec![write]).await {
            Ok(_) => return Ok(next..next + size),
            Err(Fault::Conflict) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(Fault::Conflict.into())
}
