//! A mail that lies in the intake.

use bytes::Bytes;
use tokio::sync::SemaphorePermit;

use super::{Desk, Error, unprocessed::INTAKE_CONTAINER};
use crate::mail::limits::MAIL_BYTES_MAX;

/// Bytes that are read at once: most mails have no more, and need no second look at the container.
const READ_AT_ONCE_BYTES: u64 = 256 * 1024;
/// Bytes of memory that a byte of raw mail takes at most times: itself, cut, parsed, sealed.
const MEMORY_FOR_A_RAW_BYTE: u64 = 4;

/// As far as it is known when there is room for it.
pub(super) enum Incoming {
    Whole(Bytes),
    /// Its bytes are many; how many.
    Large(u64),
}

impl Incoming {
    pub fn size(&self) -> u64 {
        match self {
            Incoming::Whole(raw) => raw.len() as u64,
            Incoming::Large(size) => *size,
        }
    }

    /// The whole mail, unless it is gone by now.
    pub async fn raw(self, desk: &Desk, blob: &str) -> Result<Option<Bytes>, Error> {
        match self {
            Incoming::Whole(raw) => Ok(Some(raw)),
            Incoming::Large(_) => Ok(desk.ports.blobs.get(INTAKE_CONTAINER, blob, None).await?),
        }
    }
}

/// Looks at a mail when there is room for it, which is held until the mail is dealt with, so that memory does not grow with the queue. None of a mail is
/// read before: it may be deleted while it waits.
pub(super) async fn look<'a>(desk: &'a Desk, blob: &str) -> Result<(Option<Incoming>, SemaphorePermit<'a>), Error> {
    let blobs = &desk.ports.blobs;
    let mut room = desk.room_for(READ_AT_ONCE_BYTES * MEMORY_FOR_A_RAW_BYTE).await?;
    let start = blobs.get(INTAKE_CONTAINER, blob, Some(0..READ_AT_ONCE_BYTES)).await?;
    if start.as_ref().is_none_or(|start| (start.len() as u64) < READ_AT_ONCE_BYTES) {
        let found = start.map(Incoming::Whole);
        let spare = room.num_permits().saturating_sub(usize::try_from(weight(found.as_ref())).unwrap_or(usize::MAX));
        drop(room.split(spare));
        return Ok((found, room));
    }
    let found = blobs.size(INTAKE_CONTAINER, blob).await?.map(Incoming::Large);
    // Nobody waits with what others wait for.
    drop((start, room));
    let room = desk.room_for(weight(found.as_ref())).await?;
    Ok((found, room))
}

/// Bytes of memory that it is counted with: none if it is too large to be read.
fn weight(found: Option<&Incoming>) -> u64 {
    let bytes = found.map(Incoming::size).filter(|size| *size <= MAIL_BYTES_MAX as u64);
    bytes.unwrap_or_default().saturating_mul(MEMORY_FOR_A_RAW_BYTE).max(1)
}
