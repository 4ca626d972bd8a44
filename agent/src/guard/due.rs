//! When what is recorded goes. Pure; times are nanoseconds of CLOCK_BOOTTIME.

use crate::net::heartbeat::record::Entry;
use std::time::Duration;

/// What the agent's memory says of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pulse {
    pub(super) beat: u64,
    /// Until when its silence is announced; a dead agent has no excuse.
    pub(super) excused_until: u64,
}

impl Pulse {
    /// When an entry goes, unless the loop beats before.
    pub(super) fn due(self, entry: &Entry) -> u64 {
        let after = |length| self.beat.saturating_add(nanos(length));
        after(entry.silence).max(self.excused_until.min(after(entry.limit)))
    }
}

pub(super) fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::heartbeat::record::Kind;

    #[test]
    fn an_announced_silence_is_respected_but_never_beyond_the_lease() {
        let (silence, limit) = (Duration::from_nanos(361), Duration::from_nanos(2000));
        let entry = Entry { kind: Kind::Address, silence, limit, message: Vec::new() };
        // (excused until, due), counted from a beat at 1000
        for (excused_until, due) in [(0, 1361), (1200, 1361), (1500, 1500), (9000, 3000)] {
            assert_eq!(Pulse { beat: 1000, excused_until }.due(&entry), due, "{excused_until}");
        }
    }
}
