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
    let milliseconds = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    Ulid::from_parts(milliseconds, u128::from_be_bytes(random))
}
