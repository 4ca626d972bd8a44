//! How long to wait before the next attempt: full jitter, so that a fleet does not come back to
//! a restarted server in step. Grows by rounds: one dead endpoint among several is passed by.

use std::time::Duration;

const BASE: Duration = Duration::from_millis(200);
const CAP: Duration = Duration::from_secs(10);

/// Attempts since the last session that worked.
#[derive(Debug)]
pub(super) struct Backoff {
    attempts: u32,
    /// Attempts that try every endpoint once.
    round: u32,
}

impl Backoff {
    pub(super) fn new(endpoints: usize) -> Self {
        Self { attempts: 0, round: u32::try_from(endpoints).unwrap_or(u32::MAX).max(1) }
    }

    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Uniform between zero and a ceiling that doubles with each round.
    pub(super) fn next(&mut self) -> Duration {
        let ceiling = Self::ceiling(self.attempts / self.round);
        self.attempts = self.attempts.saturating_add(1);
        ceiling.mul_f64(fastrand::f64())
    }

    fn ceiling(rounds: u32) -> Duration {
        BASE.saturating_mul(2_u32.saturating_pow(rounds)).min(CAP)
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
        let mut backoff = Backoff::new(1);
        (0..20).for_each(|attempt| assert!(backoff.next() <= Backoff::ceiling(attempt)));
    }

    #[test]
    fn every_endpoint_is_tried_before_the_ceiling_grows() {
        let mut backoff = Backoff::new(3);
        (0..30).for_each(|attempt| assert!(backoff.next() <= Backoff::ceiling(attempt / 3)));
    }
}
