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
    /// requests, with the time at which it *began* to drain: a loop that was frozen on the way,
    /// or wakes from a freeze, must not vouch for leases that it is about to give up.
    pub fn beat(&self, now: Time) {
        // Release: the requests posted before this beat are seen by whoever sees the beat.
        self.0.store(now.as_nanos(), Ordering::Release);
    }

    /// When it last beat.
    pub fn last(&self) -> Time {
        Time::from_nanos(self.0.load(Ordering::Acquire))
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
    fn the_last_beat_is_what_counts() {
        let heart = Heartbeat::new();
        assert!(heart.last() <= clock::now());
        heart.beat(Time::from_nanos(5));
        assert_eq!(heart.last(), Time::from_nanos(5));
    }
}
