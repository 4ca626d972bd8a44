//! The intervals of RFC 9568 §6.1 and the few of our own, as pure functions. Which of them runs
//! is the business of the states that own the deadlines.

use crate::config::{Config, Priority, Version};
use std::time::Duration;

/// How long a former master still serves after it has heard its successor: the successor's
/// announcements follow its advert within this.
pub(crate) const GRACE: Duration = Duration::from_millis(100);

/// From becoming master to the announcements that follow the predecessor's grace. Until then a
/// cold client may have been answered by either.
pub(crate) const AFTER_GRACE: Duration = Duration::from_millis(150);

/// From hearing a rival that must give way to the announcements that bring its clients back: once
/// it has been told, and before it lets go after [`GRACE`].
pub(crate) const WITHIN_GRACE: Duration = Duration::from_millis(40);

/// Within which members of a new instance learn of it: pushes to a large fleet, on loaded hosts.
pub(crate) const INTRODUCTION: Duration = Duration::from_secs(1);

/// A resignation is sent [`FAREWELLS`] times, this far apart: one lost frame must not cost a
/// master-down interval.
pub(crate) const FAREWELL_SPACING: Duration = Duration::from_millis(20);
pub(crate) const FAREWELLS: u8 = 3;

/// For this long after becoming master, adverts of a lower router may be its predecessor's last.
pub(crate) fn crossing(interval: Duration) -> Duration {
    GRACE.min(interval / 2)
}

/// The longest that a resigned master waits for a successor.
const LONGEST_HOLD: Duration = Duration::from_secs(30);

/// Between the announcements of one round. keepalived sends a round back to back; a switch that
/// drops one frame of a burst drops its neighbours too, and a thousand addresses are burst enough.
pub(crate) const ROUND_SPACING: Duration = Duration::from_millis(10);

/// At most one advert in answer to a rival's or a resignation within this, so that no flood is
/// answered with a flood. Half an interval where that is shorter.
const REPLY_SPACING: Duration = Duration::from_millis(10);

/// Skew_Time (RFC 9568 §6.1; RFC 3768 §6.1 in seconds whatever the interval).
pub(crate) fn skew(version: Version, interval: Duration, priority: Priority) -> Duration {
    let unit = match version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => interval,
    };
    // Multiplied before it is divided: 254 at 10 ms is 78 µs, not nothing.
    unit * (256 - u32::from(priority.get())) / 256
}

/// The skew of a priority 1, which none exceeds.
pub(crate) fn largest_skew(version: Version, interval: Duration) -> Duration {
    Priority::new(1).map_or(Duration::ZERO, |lowest| skew(version, interval, lowest))
}

/// The part of Active_Down_Interval that is silence, without the skew (RFC 9568 §6.1).
pub(crate) fn silence(config: &Config, interval: Duration) -> Duration {
    interval * u32::from(config.down_adverts)
}

/// How long a resigned master serves when no successor is heard.
pub(crate) fn hold(version: Version, interval: Duration, master_down: Duration) -> Duration {
    (master_down + largest_skew(version, interval)).min(LONGEST_HOLD)
}

/// See [`REPLY_SPACING`].
pub(crate) fn reply_spacing(interval: Duration) -> Duration {
    REPLY_SPACING.min(interval / 2)
}

/// Without an advert for this long another may be master: [`quiet`], but with an interval to go
/// before the silence counts, so that one of that other's adverts is heard in time.
pub(crate) fn quiet_master(config: &Config, interval: Duration) -> Duration {
    quiet(interval).min(silence(config, interval) - interval * 9 / 10)
}

/// Without an advert for this long a router that advertises every `interval` has stopped, or at
/// least does so more often than not.
pub(crate) fn quiet(interval: Duration) -> Duration {
    interval * 3 / 2
}
