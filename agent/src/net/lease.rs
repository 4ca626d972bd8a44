//! Arithmetic of kernel leases. Pure.
//!
//! A VIP is added with a finite `valid_lft` and renewed while the VRRP loop lives. The kernel
//! counts in whole seconds, drops up to 1 s late when idle and 2 s under load, and up to 30 ms
//! early (its own fuzz of 20 ms, and a tick): promise an operator lease + 2 s.

use super::heartbeat::Slot;
use std::time::Duration;
use vipfleet_vrrp::Time;

/// The kernel is never asked for less: it looks at lifetimes about once a second.
const SHORTEST: Duration = Duration::from_secs(2);
/// Renewals come at least this far apart.
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);
/// The kernel drops this much early at most (see above), with room for a slow tick.
const EARLY: Duration = Duration::from_millis(100);

/// What the length of a lease follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTerms {
    /// The instance's master-down interval: an agent that restarts within it carries on, so the
    /// lease must outlast it.
    pub master_down: Duration,
    /// Whose adverts the peers hear, if that is known. The length of the lease does not follow
    /// from it, but the moment at which a guard takes the address away does.
    pub cadence: Option<Cadence>,
}

/// How an instance is heard by its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Between two adverts.
    pub interval: Duration,
    /// From the last to the earliest takeover by a peer that hears no more.
    pub succession: Duration,
    /// Where the heartbeat's memory says when the last one left.
    pub slot: Slot,
}

impl LeaseTerms {
    /// Of an instance whose last beat is all that is known of its life.
    pub const fn of(master_down: Duration) -> Self {
        Self { master_down, cadence: None }
    }

    /// Those of the two that let go later.
    pub(super) fn longer(self, other: Self) -> Self {
        if self.master_down < other.master_down { other } else { self }
    }

    /// `ceil(master-down interval + renewal period)`, at least 2 s; whole seconds.
    pub fn valid(self) -> Duration {
        let period = (self.master_down / 4).max(SHORTEST_PERIOD);
        let whole = self.master_down.saturating_add(period);
        let seconds = whole.as_secs().saturating_add(u64::from(whole.subsec_nanos() > 0));
        // One below the kernel's word for "forever".
        Duration::from_secs(seconds.min(u64::from(u32::MAX) - 1)).max(SHORTEST)
    }

    /// Time between two renewals: what the rounding left is used, so that at the moment before a
    /// renewal the rest of the lease is still the master-down interval. At most half the lease,
    /// so that one missed renewal costs nothing.
    pub fn period(self) -> Duration {
        let valid = self.valid();
        valid.saturating_sub(self.master_down).min(valid / 2)
    }

    /// `valid` as the kernel takes it.
    pub fn valid_seconds(self) -> u32 {
        u32::try_from(self.valid().as_secs()).unwrap_or(u32::MAX - 1)
    }

    /// How old the VRRP loop's last heartbeat may be for a renewal: a quarter of the lease, at
    /// most 1 s.
    pub fn freshness(self) -> Duration {
        (self.valid() / 4).min(Duration::from_secs(1))
    }
}

/// A running lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// When the last renewal was *sent*: never later than the kernel's own start.
    pub renewed: Time,
    pub terms: LeaseTerms,
}

impl Lease {
    /// When the kernel may drop the address from.
    pub fn end(&self) -> Time {
        self.renewed + self.terms.valid()
    }

    /// Whether an address missing at `now` may have expired. A third party's deletion within the
    /// kernel's fuzz counts as an expiry: going to BACKUP is the safe mistake.
    pub fn may_have_expired(&self, now: Time) -> bool {
        now + EARLY >= self.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(master_down_ms: u64) -> LeaseTerms {
        LeaseTerms::of(Duration::from_millis(master_down_ms))
    }

    #[test]
    fn leases_have_the_promised_lengths() {
        // (master-down interval in ms, lease in s, period in ms)
        let table = [
            (30, 2, 1000),
            (361, 2, 1000),
            (1000, 2, 1000),
            (1001, 3, 1500),
            (3609, 5, 1391),
            (3996, 5, 1004),
            (10_800, 14, 3200),
            (163_800, 205, 41_200),
        ];
        for (master_down, valid, period) in table {
            let terms = terms(master_down);
            assert_eq!(terms.valid(), Duration::from_secs(valid), "master down {master_down} ms");
            assert_eq!(terms.period(), Duration::from_millis(period), "{master_down} ms");
        }
    }

    #[test]
    fn an_agent_that_dies_just_before_a_renewal_still_has_a_master_down_interval() {
        for master_down in (30..200_000).step_by(7) {
            let terms = terms(master_down);
            assert!(terms.valid() - terms.period() >= terms.master_down);
            assert!(terms.period() * 2 <= terms.valid());
            assert_eq!(terms.valid().subsec_nanos(), 0);
        }
    }

    /// Version 2's longest: three intervals and a skew that counts in seconds.
    #[test]
    fn at_255_second_adverts_a_lease_is_bounded_and_outlasts_the_election() {
        for (skew_ms, valid) in [(4, 957), (609, 958), (996, 958)] {
            let terms = terms(3 * 255_000 + skew_ms);
            assert_eq!(terms.valid(), Duration::from_secs(valid), "skew {skew_ms} ms");
            assert_eq!(u64::from(terms.valid_seconds()), valid);
            assert!(terms.valid() - terms.period() >= terms.master_down);
            // An agent that hangs is noticed by its heartbeat, not by its interval.
            assert_eq!(terms.freshness(), Duration::from_secs(1));
        }
    }

    #[test]
    fn an_absurd_interval_never_becomes_a_lease_for_ever() {
        let forever = LeaseTerms::of(Duration::MAX);
        assert!(forever.valid_seconds() < u32::MAX);
    }

    #[test]
    fn a_loss_before_the_end_is_somebody_elses_doing_and_after_it_an_expiry() {
        let start = Time::from_nanos(1_000_000_000);
        let lease = Lease { renewed: start, terms: terms(3609) };
        assert!(!lease.may_have_expired(start + Duration::from_millis(4800)));
        assert!(lease.may_have_expired(start + Duration::from_millis(4950)));
        assert!(lease.may_have_expired(start + Duration::from_secs(5)));
    }
}
