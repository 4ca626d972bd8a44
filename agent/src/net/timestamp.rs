//! From the kernel's receive timestamp (CLOCK_REALTIME, SO_TIMESTAMPNS) to the engine's clock.
//!
//! Accuracy: the distance between the clocks is read when the packet is taken, not when it came.
//! The error is what the wall clock was slewed in between (at most 500 ppm of the packet's wait)
//! plus the time between two vDSO reads, well under a microsecond. A *step* of the wall clock in
//! between would be an error of its size; the result is therefore kept between the moment the
//! socket was last seen empty and now, the two things known for sure.

use super::clock::nanos;
use rustix::time::ClockId;
use vipfleet_vrrp::Time;

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    pub(super) monotonic: Time,
    /// Nanoseconds since the Unix epoch.
    pub(super) realtime: u64,
}

impl Clocks {
    pub(super) fn read() -> Self {
        let realtime = nanos(ClockId::Realtime);
        Self { monotonic: Time::from_nanos(nanos(ClockId::Monotonic)), realtime }
    }

    /// When a packet stamped `stamp` arrived, knowing that it was not there at `empty`.
    pub(super) fn arrival(self, stamp: u64, empty: Time) -> Time {
        let waited = self.realtime.saturating_sub(stamp);
        let arrived = Time::from_nanos(self.monotonic.as_nanos().saturating_sub(waited));
        arrived.max(empty).min(self.monotonic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Clocks =
        Clocks { monotonic: Time::from_nanos(5_000_000), realtime: 1_700_000_000_000_000_000 };

    #[test]
    fn a_packet_that_waited_is_dated_back_by_its_wait() {
        let arrived = NOW.arrival(NOW.realtime - 3_000, Time::ZERO);
        assert_eq!(arrived, Time::from_nanos(4_997_000));
    }

    #[test]
    fn a_wall_clock_stepped_back_never_dates_a_packet_into_the_future() {
        assert_eq!(NOW.arrival(NOW.realtime + 1_000_000, Time::ZERO), NOW.monotonic);
    }

    #[test]
    fn a_wall_clock_stepped_forward_never_dates_a_packet_before_the_last_drain() {
        let empty = Time::from_nanos(4_000_000);
        assert_eq!(NOW.arrival(NOW.realtime - 3_600_000_000_000, empty), empty);
    }
}
