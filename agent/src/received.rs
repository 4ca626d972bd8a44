//! When an assignment came: what the server's clock showed, and what ours did. A planned move ends
//! at a time by the server's clock; how long that is from here is counted on CLOCK_BOOTTIME, so
//! that neither a clock that is wrong here nor one that is set meanwhile matters. Kept with the
//! cached assignment; after a reboot, which BOOTTIME does not outlast, the time of day has to do.

use crate::net::clock;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Readings of both clocks at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// RFC 3339 by the server's clock; our own, if it said nothing.
    pub server_time: Timestamp,
    pub boot_id: String,
    /// CLOCK_BOOTTIME.
    pub up_for: Duration,
    /// By our clock.
    pub at: Timestamp,
}

impl Received {
    /// Now, when the server said it was `server_time`.
    pub fn now(server_time: &str, boot_id: &str) -> Self {
        let at = Timestamp::now();
        Self {
            server_time: server_time.parse().unwrap_or(at),
            boot_id: boot_id.to_owned(),
            up_for: clock::up_for(),
            at,
        }
    }

    /// When, on our CLOCK_BOOTTIME, it is `until` by the server's clock. `now` may be in a later
    /// boot than the receipt.
    pub fn ends(&self, until: Timestamp, now: &Self) -> Duration {
        let left = between(self.server_time, until);
        if self.boot_id == now.boot_id {
            return self.up_for + left;
        }
        now.up_for + left.saturating_sub(between(self.at, now.at))
    }
}

/// Nothing if `to` comes first.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The server's clock is an hour ahead of ours.
    fn received() -> Received {
        Received {
            server_time: at("2026-03-04T13:00:00Z"),
            boot_id: "b1".into(),
            up_for: Duration::from_secs(500),
            at: at("2026-03-04T12:00:00Z"),
        }
    }

    #[test]
    fn what_is_left_is_counted_from_the_receipt_whatever_the_clocks_show() {
        let received = received();
        let now = Received {
            up_for: Duration::from_secs(550),
            at: at("1999-01-01T00:00:00Z"),
            ..received.clone()
        };
        let ends = received.ends(at("2026-03-04T13:01:00Z"), &now);
        assert_eq!(ends, Duration::from_secs(560));
    }

    #[test]
    fn a_move_that_was_over_when_it_came_ends_at_once() {
        let received = received();
        let ends = received.ends(at("2026-03-04T12:30:00Z"), &received);
        assert_eq!(ends, Duration::from_secs(500));
    }

    #[test]
    fn after_a_reboot_the_time_of_day_tells_how_much_is_left() {
        let later = Received {
            boot_id: "b2".into(),
            up_for: Duration::from_secs(7),
            at: at("2026-03-04T12:00:40Z"),
            ..received()
        };
        let ends = received().ends(at("2026-03-04T13:01:00Z"), &later);
        assert_eq!(ends, Duration::from_secs(27));
    }
}
