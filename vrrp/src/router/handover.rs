//! Who serves while mastership moves: the orders given to [`Keeping`].

use super::Router;
use crate::config::Destination;
use crate::custody::Keeping;
use crate::output::{Custody, Output};
use crate::packet::Advertisement;
use crate::state::{Farewell, State};
use crate::time::Time;
use crate::timers;

impl Router {
    /// A master serves. Said again even if it was serving as a former master: the driver checks
    /// the addresses and answers [`crate::Input::Claimed`].
    pub(super) fn serve(&mut self) {
        self.keep(Keeping::Serving);
    }

    /// A resigned master serves on until its successor is heard.
    pub(super) fn hold(&mut self, now: Time) {
        if !self.config.handover || !self.has_peers() {
            return self.let_go();
        }
        let form = self.forms.sent();
        let down = timers::silence(&self.config, form.interval) + self.skew(form.interval);
        let until = now + timers::hold(form.version, form.interval, down);
        // Nothing changes for the kernel.
        self.keeping = Keeping::Holding { until };
    }

    /// The first priority 0 of a resignation; what is left of it is returned.
    ///
    /// Only a master may say it: from any other router it would make backups that know no better
    /// take over from the real one. So not either after a freeze in which another was elected.
    pub(super) fn say_farewell(&mut self, now: Time) -> Option<Farewell> {
        let overdue = matches!(&self.state, State::Master(master) if self.is_overdue(now, master));
        if overdue || !self.can_speak() {
            return None;
        }
        self.transmit(None);
        Some(Farewell::after_first(now))
    }

    /// The next priority 0, unless it is too late for it.
    pub(super) fn farewell_fires(&mut self, now: Time) {
        let speaks = self.can_speak();
        let Some(slot) = self.state.farewell() else {
            return;
        };
        let Some(farewell) = slot.filter(|farewell| farewell.next <= now) else {
            return;
        };
        let timely = now - farewell.next < timers::GRACE;
        *slot = farewell.sent(now).filter(|_| speaks && timely);
        if speaks && timely {
            self.transmit(None);
        }
    }

    /// A master that was outranked: the successor has spoken, and its announcement follows.
    pub(super) fn give_way(&mut self, now: Time) {
        if self.config.handover {
            self.keep(Keeping::silent(now));
        } else {
            self.let_go();
        }
    }

    /// Nothing is held any more.
    pub(super) fn let_go(&mut self) {
        if self.keeping != Keeping::None {
            self.keep(Keeping::None);
        }
    }

    /// Whoever advertises while we hold is the successor, whatever its priority: ours was higher
    /// than that of every successor we can have, or we would not have been master.
    pub(super) fn successor_heard(&mut self, now: Time, advert: &Advertisement<'_>) {
        if advert.priority == 0 {
            return;
        }
        if let Some(farewell) = self.state.farewell() {
            *farewell = None;
        }
        if let Keeping::Holding { .. } = self.keeping {
            self.keep(Keeping::silent(now));
        }
        self.stop_if_let_go();
    }

    /// Whether a resignation is under way, or what it left is still held.
    pub(super) fn is_leaving(&mut self) -> bool {
        self.is_holding() || self.state.farewell().is_some_and(|farewell| farewell.is_some())
    }

    /// Nobody came, or the grace is over.
    pub(super) fn keeping_fires(&mut self, now: Time) {
        if self.keeping.deadline().is_some_and(|until| until <= now) {
            self.let_go();
        }
        self.stop_if_let_go();
    }

    /// Has the kernel do again what it should be doing, after the addresses changed.
    pub(super) fn repeat_custody(&mut self) {
        match self.keeping.custody() {
            Custody::None => {}
            custody => self.outputs.push_back(Output::Custody(custody)),
        }
    }

    fn keep(&mut self, keeping: Keeping) {
        self.keeping = keeping;
        self.outputs.push_back(Output::Custody(keeping.custody()));
    }

    /// Whether anybody could succeed.
    pub(super) fn has_peers(&self) -> bool {
        let known_alone =
            self.config.members_complete && self.config.members.iter().all(|member| member.this);
        let speaks_to_nobody =
            matches!(&self.config.destination, Destination::Unicast(peers) if peers.is_empty());
        !known_alone && !speaks_to_nobody
    }
}
