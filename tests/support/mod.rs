//! What tests stand on: a clock that they move and randomness that they repeat.

#[cfg(feature = "azure")]
pub mod azure;
pub mod faulty;
pub mod http;
pub mod world;

use std::sync::{
    Mutex,
    atomic::{AtomicI64, Ordering},
};

use helpdesk::ports::{Clock, Entropy};
use time::{Duration, OffsetDateTime, macros::datetime};

/// A clock that stands still until it is moved.
pub struct TestClock {
    milliseconds: AtomicI64,
}

impl TestClock {
    /// Monday, 2026-11-23 09:00 UTC.
    pub fn new() -> TestClock {
        TestClock::at(datetime!(2026-11-23 09:00 UTC))
    }

    pub fn at(at: OffsetDateTime) -> TestClock {
        TestClock { milliseconds: AtomicI64::new((at.unix_timestamp_nanos() / 1_000_000) as i64) }
    }

    /// Moves the clock, also back.
    pub fn advance(&self, by: Duration) {
        self.milliseconds.fetch_add(by.whole_milliseconds() as i64, Ordering::SeqCst);
    }
}

impl Default for TestClock {
    fn default() -> TestClock {
        TestClock::new()
    }
}

impl Clock for TestClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.milliseconds.load(Ordering::SeqCst)) * 1_000_000).unwrap()
    }
}

/// Bytes that are the same for the same seed, and never the same twice from one source (SplitMix64).
pub struct TestEntropy {
    state: Mutex<u64>,
}

impl TestEntropy {
    pub fn new(seed: u64) -> TestEntropy {
        TestEntropy { state: Mutex::new(seed) }
    }
}

impl Entropy for TestEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.state.lock().unwrap();
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}
