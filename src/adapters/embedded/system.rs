//! The machine's clock and its random bytes: the one place that asks for them.

use time::OffsetDateTime;

use crate::ports::{Clock, Entropy};

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// The operating system's random bytes.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for random bytes")]
    fn fill(&self, bytes: &mut [u8]) {
        // Unwrap safety: a system that cannot give random bytes cannot make a key or a nonce; nothing may go on without them.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// 32 hexadecimal digits that nobody else has.
pub fn unique_name() -> String {
    let mut random = [0; 16];
    SystemEntropy.fill(&mut random);
    format!("{:032x}", u128::from_be_bytes(random))
}
