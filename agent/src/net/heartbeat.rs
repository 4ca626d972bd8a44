//! Proof that the VRRP loop is alive. The loop stores, the net thread looks before it renews a
//! lease: a frozen loop must lose its addresses, whoever else is still running.

use super::clock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use vipfleet_vrrp::Time;

/// When the VRRP loop last finished judging what it had heard.
#[derive(Debug)]
pub struct Heartbeat(AtomicU64);

impl Heartbeat {
    /// The loop sleeps at most this long, so that an idle loop counts as alive.
    pub const INTERVAL: Duration = Duration::from_millis(100);

    /// A heart that beats now.
    pub fn new() -> Self {
        Self(AtomicU64::new(clock::now().as_nanos()))
    }

    /// Called by the loop *after* it has drained its sockets, fired its deadlines and posted its
    /// requests: a loop that wakes from a freeze must not vouch for leases that it is about to
    /// give up.
    pub fn beat(&self, now: Time) {
        // Release: the requests posted before this beat are seen by whoever sees the beat.
        self.0.store(now.as_nanos(), Ordering::Release);
    }

    /// When it last beat.
    pub fn last(&self) -> Time {
        Time::from_nanos(self.0.load(Ordering::Acquire))
    }

    /// Whether the loop vouched for its leases within `limit`.
    pub fn is_fresh(&self, now: Time, limit: Duration) -> bool {
        now.since(self.last()) <= limit
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heart_that_stopped_goes_stale_and_comes_back_with_a_beat() {
        let heart = Heartbeat::new();
        let limit = Duration::from_secs(1);
        heart.beat(Time::from_nanos(5));
        assert!(heart.is_fresh(Time::from_nanos(5) + limit, limit));
        assert!(!heart.is_fresh(Time::from_nanos(6) + limit, limit));
        heart.beat(Time::from_nanos(6) + limit);
        assert!(heart.is_fresh(Time::from_nanos(6) + limit, limit));
    }
}
