//! When a master announces its addresses (gratuitous ARP, unsolicited NA).
//!
//! A *round* is [`Announcements::repeat`] announcements, [`ROUND_SPACING`] apart. Rounds go out
//! when the addresses are on the interface, once more when a predecessor's silent grace is over,
//! after [`Announcements::delay`], and every [`Announcements::refresh`]. Nothing is announced
//! before the addresses are claimed: an address that could not be added is not ours to announce.

use crate::config::Announcements;
use crate::time::Time;
use crate::timers::ROUND_SPACING;
use std::time::Duration;

/// Schedule of one mastership.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Announcer {
    claimed: bool,
    round: Option<Round>,
    extra: Option<Time>,
    second: Option<Time>,
    refresh: Option<Time>,
    /// The next claim finds what was there all the time: nothing to announce.
    carried: bool,
}

/// A round under way.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Round {
    next: Time,
    left: u8,
}

impl Announcer {
    /// A round at `at`, if the addresses are claimed by then; replaces one asked for before.
    pub(crate) fn extra_round(&mut self, at: Time) {
        self.extra = Some(at);
    }

    /// The addresses are on the interface: starts the schedule, anew if it was running.
    pub(crate) fn claimed(&mut self, now: Time, schedule: Announcements) {
        if std::mem::take(&mut self.carried) {
            return;
        }
        self.claimed = true;
        self.begin_round(now, schedule);
        self.second = after(now, schedule.delay);
        self.refresh = after(now, schedule.refresh);
    }

    /// Another image of the program goes on with it, and claims the addresses anew.
    pub(crate) fn carry(&mut self) {
        self.carried = self.claimed;
    }

    /// The schedule itself changed. What was already planned for the second round stays.
    pub(crate) fn reschedule(&mut self, now: Time, schedule: Announcements) {
        if self.claimed {
            self.refresh = after(now, schedule.refresh);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        let round = self.round.map(|round| round.next);
        [round, self.extra, self.second, self.refresh].into_iter().flatten().min()
    }

    /// Whether to announce once, now.
    pub(crate) fn fire(&mut self, now: Time, schedule: Announcements) -> bool {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        let mut begins = false;
        for at in [&mut self.extra, &mut self.second] {
            if due(*at) {
                *at = None;
                begins = self.claimed;
            }
        }
        if due(self.refresh) {
            self.refresh = after(now, schedule.refresh);
            begins = true;
        }
        if begins {
            self.begin_round(now, schedule);
        }
        let Some(round) = self.round.filter(|round| round.next <= now) else {
            return false;
        };
        self.round =
            (round.left > 1).then(|| Round { next: now + ROUND_SPACING, left: round.left - 1 });
        true
    }

    fn begin_round(&mut self, now: Time, schedule: Announcements) {
        self.round = (schedule.repeat > 0).then_some(Round { next: now, left: schedule.repeat });
    }
}

/// Zero means never.
fn after(now: Time, span: Duration) -> Option<Time> {
    (!span.is_zero()).then(|| now + span)
}
