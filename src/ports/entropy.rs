//! Randomness, asked for in one place so that tests can repeat it.

use time::OffsetDateTime;
use ulid::Ulid;

/// Cryptographically secure random bytes.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// A new ULID of this moment.
pub fn new_ulid(entropy: &dyn Entropy, now: OffsetDateTime) -> Ulid {
    let mut random = [0; 16];
    entropy.fill(&mut random);
    Ulid::from_parts(milliseconds(now), u128::from_be_bytes(random))
}

/// The first ULID of an instant: all of it and after it sort behind.
pub fn first_ulid(at: OffsetDateTime) -> Ulid {
    Ulid::from_parts(milliseconds(at), 0)
}

fn milliseconds(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}
