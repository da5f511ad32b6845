//! Patience with others who write the same document: each conflict is somebody else's success, so pauses that grow by chance let everybody through.

use std::time::{Duration, Instant};

use super::Entropy;

/// How long a queue's function tries, well below its deadline: many answers to one ticket arrive at once when a mailbox was down.
pub const TRYING_IN_THE_QUEUE: Duration = Duration::from_secs(30);
/// How long a caller waits.
pub const TRYING_FOR_A_CALLER: Duration = Duration::from_secs(10);
/// Whatever the pauses come to.
const TRIES_MAX: u32 = 200;
/// The longest pause before the second try; it doubles from try to try.
const PAUSE_FIRST: Duration = Duration::from_millis(8);
const PAUSE_LONGEST: Duration = Duration::from_millis(512);

/// The tries of one story against others.
pub struct Tries {
    until: Instant,
    made: u32,
}

impl Tries {
    pub fn within(time: Duration) -> Tries {
        Tries { until: Instant::now() + time, made: 1 }
    }

    /// Waits until the next try; false if there is none.
    pub async fn again(&mut self, entropy: &dyn Entropy) -> bool {
        if self.made >= TRIES_MAX || Instant::now() >= self.until {
            return false;
        }
        let mut random = [0; 4];
        entropy.fill(&mut random);
        let most = PAUSE_FIRST.saturating_mul(1 << (self.made - 1).min(16)).min(PAUSE_LONGEST);
        tokio::time::sleep(most.mul_f64(f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX))).await;
        self.made += 1;
        true
    }
}
