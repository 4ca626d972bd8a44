//! The clocks of the VRRP thread: CLOCK_MONOTONIC as the engine's [`Time`], and the suspend
//! detector. The time of day is for signed adverts; no timer ever looks at it.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use vipfleet_vrrp::{Time, WallTime};

/// Two clocks read one after the other differ by less than this unless the machine slept: the
/// thread may be descheduled between the two reads.
const SLEEP_NOT_NOISE: Duration = Duration::from_millis(50);

/// Now on CLOCK_MONOTONIC, which stands still while the machine is suspended.
pub fn now() -> Time {
    Time::from_nanos(nanos(ClockId::Monotonic))
}

/// Now on CLOCK_BOOTTIME, which goes on while the machine is suspended.
pub fn up_for() -> Duration {
    Duration::from_nanos(nanos(ClockId::Boottime))
}

/// The time of day, which may jump.
pub fn time_of_day() -> WallTime {
    WallTime::from_epoch(Duration::from_nanos(nanos(ClockId::Realtime)))
}

/// Notices that the machine was suspended: CLOCK_BOOTTIME goes on while CLOCK_MONOTONIC stands
/// still (clock_gettime(2)), so their distance grows by the length of the sleep.
#[derive(Debug)]
pub struct SuspendWatch {
    distance: Duration,
}

impl SuspendWatch {
    /// Starts watching now.
    pub fn new() -> Self {
        Self { distance: distance() }
    }

    /// How long the machine slept since the last call; `None` when it did not. Two to four clock
    /// reads (vDSO, no system call).
    pub fn slept(&mut self) -> Option<Duration> {
        self.judge(distance())
    }

    fn judge(&mut self, distance: Duration) -> Option<Duration> {
        let slept = distance.saturating_sub(self.distance);
        if slept < SLEEP_NOT_NOISE {
            // Creeping growth must not add up to a sleep that never was.
            self.distance = self.distance.max(distance);
            return None;
        }
        self.distance = distance;
        Some(slept)
    }
}

impl Default for SuspendWatch {
    fn default() -> Self {
        Self::new()
    }
}

/// BOOTTIME − MONOTONIC. The smaller of two readings: being descheduled between the two clocks
/// can only make the distance look larger.
fn distance() -> Duration {
    let read = || {
        let monotonic = nanos(ClockId::Monotonic);
        Duration::from_nanos(nanos(ClockId::Boottime).saturating_sub(monotonic))
    };
    read().min(read())
}

/// Nanoseconds of a clock.
pub(crate) fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_goes_back() {
        let first = now();
        assert!(now() >= first);
    }

    #[test]
    fn a_machine_that_did_not_sleep_reports_no_sleep() {
        assert_eq!(SuspendWatch::new().slept(), None);
    }

    #[test]
    fn a_sleep_is_reported_once_and_with_its_length() {
        let mut watch = SuspendWatch { distance: Duration::from_secs(7) };
        let after = Duration::from_secs(7 + 30);
        assert_eq!(watch.judge(after), Some(Duration::from_secs(30)));
        assert_eq!(watch.judge(after), None);
    }

    #[test]
    fn noise_never_adds_up_to_a_sleep() {
        let mut watch = SuspendWatch { distance: Duration::ZERO };
        for step in 1..100 {
            assert_eq!(watch.judge(Duration::from_millis(10 * step)), None);
        }
    }
}
