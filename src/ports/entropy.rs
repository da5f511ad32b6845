//! Randomness, asked for in one place so that tests can repeat it.

/// Cryptographically secure random bytes.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}
