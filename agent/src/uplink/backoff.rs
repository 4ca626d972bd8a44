//! How long to wait before the next attempt: full jitter, so that a fleet does not come back to
//! a restarted server in step.

use std::time::Duration;

const BASE: Duration = Duration::from_millis(200);
const CAP: Duration = Duration::from_secs(10);

/// Attempts since the last session that worked.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Uniform between zero and a ceiling that doubles with each attempt.
    pub(super) fn next(&mut self) -> Duration {
        let ceiling = Self::ceiling(self.attempts);
        self.attempts = self.attempts.saturating_add(1);
        ceiling.mul_f64(fastrand::f64())
    }

    fn ceiling(attempts: u32) -> Duration {
        BASE.saturating_mul(2_u32.saturating_pow(attempts)).min(CAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let millis: Vec<_> = (0..8).map(|it| Backoff::ceiling(it).as_millis()).collect();
        assert_eq!(millis, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(Backoff::ceiling(u32::MAX), CAP);
    }

    #[test]
    fn no_wait_is_above_its_ceiling() {
        let mut backoff = Backoff::default();
        (0..20).for_each(|attempt| assert!(backoff.next() <= Backoff::ceiling(attempt)));
    }
}
