//! A mail that lies in the intake.

use bytes::Bytes;

use super::{Desk, Error, unprocessed::INTAKE_CONTAINER};
use crate::mail::limits::MAIL_BYTES_MAX;

/// Bytes that are read before there is room for more: most mails have no more, and need no second look at the container.
const READ_AT_ONCE_BYTES: u64 = 256 * 1024;

/// Bytes of memory that a byte of raw mail takes at most times: itself, cut, parsed, sealed.
const MEMORY_FOR_A_RAW_BYTE: u64 = 4;

/// As far as it is known before there is room for it.
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

pub(super) async fn look(desk: &Desk, blob: &str) -> Result<Option<Incoming>, Error> {
    let blobs = &desk.ports.blobs;
    match blobs.get(INTAKE_CONTAINER, blob, Some(0..READ_AT_ONCE_BYTES)).await? {
        Some(start) if start.len() as u64 >= READ_AT_ONCE_BYTES => Ok(blobs.size(INTAKE_CONTAINER, blob).await?.map(Incoming::Large)),
        start => Ok(start.map(Incoming::Whole)),
    }
}

/// Bytes of memory that it is counted with: none if it is too large to be read.
pub(super) fn weight(found: Option<&Incoming>) -> u64 {
    let bytes = found.map(Incoming::size).filter(|size| *size <= MAIL_BYTES_MAX as u64);
    bytes.unwrap_or_default().saturating_mul(MEMORY_FOR_A_RAW_BYTE).max(1)
}
