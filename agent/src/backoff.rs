//! Pauses between attempts to reach the controller.

use std::time::Duration;

/// A controller's restart must cost its agents seconds, not half a minute.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(4);
/// A session that lived for this long was a good one.
pub const GOOD_LIFE: Duration = Duration::from_secs(60);

/// Full jitter: anything between nothing and twice the last bound, so that 200 agents do not come back as one.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// `random` is uniform in 0..1.
    pub fn pause(&mut self, random: f64) -> Duration {
        let bound = SHORTEST.saturating_mul(1 << self.failures.min(8)).min(LONGEST);
        self.failures += 1;
        bound.mul_f64(random.clamp(0.0, 1.0))
    }

    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_four_seconds_and_no_further() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..8).map(|_| backoff.pause(1.0).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 4000, 4000, 4000]);
        assert_eq!(backoff.pause(0.0), Duration::ZERO);
        backoff.reset();
        assert_eq!(backoff.pause(1.0), SHORTEST);
    }
}
