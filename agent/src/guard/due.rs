//! When what is recorded goes. Pure; times are nanoseconds of CLOCK_BOOTTIME.

use crate::net::heartbeat::record::Entry;
use std::time::Duration;

/// What the agent's memory says of its life, and of one instance's last advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pulse {
    pub(super) beat: u64,
    pub(super) advert: u64,
    /// Until when its silence is announced; a dead agent has no excuse.
    pub(super) excused_until: u64,
}

impl Pulse {
    /// When an entry goes, unless the loop beats before: when its peers have heard nothing for
    /// their patience, and the loop has been still for so long that it cannot have spoken.
    pub(super) fn due(self, entry: &Entry) -> u64 {
        let after = |start: u64, length| start.saturating_add(nanos(length));
        let unheard = after(self.advert, entry.silence);
        let due = unheard.max(after(self.beat, entry.stillness));
        due.max(self.excused_until.min(after(self.beat, entry.limit)))
    }
}

pub(super) fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::heartbeat::record::Kind;

    fn entry(silence: u64, stillness: u64, limit: u64) -> Entry {
        let [silence, stillness, limit] = [silence, stillness, limit].map(Duration::from_nanos);
        let message = Vec::new();
        Entry { kind: Kind::Address, silence, stillness, slot: None, limit, message }
    }

    #[test]
    fn an_announced_silence_is_respected_but_never_beyond_the_lease() {
        let entry = entry(361, 361, 2000);
        // (excused until, due), counted from a beat at 1000
        for (excused_until, due) in [(0, 1361), (1200, 1361), (1500, 1500), (9000, 3000)] {
            let pulse = Pulse { beat: 1000, advert: 1000, excused_until };
            assert_eq!(pulse.due(&entry), due, "{excused_until}");
        }
    }

    #[test]
    fn what_peers_have_not_heard_of_for_their_patience_goes_as_they_take_over() {
        let entry = entry(3600, 2600, 5000);
        // (beat, last advert, due): the agent dies at once after an advert, late in an interval,
        // between an advert and its beat; and a word that is older than any advert of a loop that
        // lives ends nothing that beat a moment ago.
        for (beat, advert, due) in [
            (10_000, 10_000, 13_600),
            (10_900, 10_000, 13_600),
            (9_950, 10_000, 13_600),
            (10_900, 3_000, 13_500),
        ] {
            let pulse = Pulse { beat, advert, excused_until: 0 };
            assert_eq!(pulse.due(&entry), due, "beat {beat}, advert {advert}");
        }
    }
}
