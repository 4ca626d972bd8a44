//! FAULT: unfit to serve. Not of RFC 9568; keepalived's, entered when a check that carries no
//! weight fails, the link is down or the primary address is gone. Here, too, is what makes a
//! router fit or not.

use super::Router;
use super::priority::Preempting;
use crate::coordinated::Running;
use crate::input::Health;
use crate::output::Reason;
use crate::state::{Expected, Fault, State};
use crate::time::Time;
use std::net::IpAddr;

impl Router {
    pub(super) fn health(&mut self, now: Time, health: Health) {
        let before = self.effective_priority();
        let former = std::mem::replace(&mut self.health, health);
        self.presumed_fit &= self.health.pending;
        if self.running() == Running::Yes && recovered(&former, &self.health) {
            self.recovered = Some(now);
        }
        self.reassess(now);
        self.priority_changed(now, before);
        // Also when only the certainty changed: checks that have not spoken allow no preemption.
        self.reconsider_preemption(now);
    }

    pub(super) fn primary_address(&mut self, now: Time, address: Option<IpAddr>) {
        self.primary = address;
        self.reassess(now);
    }

    /// Enters or leaves FAULT as fitness demands.
    pub(super) fn reassess(&mut self, now: Time) {
        match (self.is_unfit(), self.state) {
            (true, State::Master(_)) => self.fault_as_master(now),
            (true, State::Backup(_)) => self.enter_fault(now),
            (true, State::Init(_) | State::Fault(_)) => {
                // A hold would only collect refused connections, or has no interface to be on.
                self.let_go();
                self.stop_if_let_go();
            }
            (false, State::Fault(_)) => self.run(now, Reason::FaultCleared),
            (false, State::Init(_) | State::Backup(_) | State::Master(_)) => {}
        }
    }

    /// A master that must not serve resigns, if it can still speak, and lets go at once.
    pub(super) fn fault_as_master(&mut self, now: Time) {
        let farewell = self.say_farewell(now);
        self.enter_fault(now);
        self.state = State::Fault(Fault { farewell });
    }

    pub(super) fn enter_fault(&mut self, now: Time) {
        self.let_go();
        let mut lines = self.health.faults.clone();
        if self.primary.is_none() && !self.health.interface_down {
            lines.push("no primary address on the interface".to_owned());
        }
        self.enter(now, State::Fault(Fault::default()), Reason::Fault(lines));
    }

    pub(super) fn fault_fires(&mut self, now: Time, _: Fault) {
        self.farewell_fires(now);
    }

    pub(super) fn is_unfit(&self) -> bool {
        !self.health.faults.is_empty() || !self.can_speak()
    }

    /// Whether adverts can be sent at all.
    pub(super) fn can_speak(&self) -> bool {
        self.primary.is_some() && !self.health.interface_down
    }

    /// A preemption that was under way may have lost its ground.
    pub(super) fn reconsider_preemption(&mut self, now: Time) {
        let State::Backup(mut backup) = self.state else {
            return;
        };
        let Expected::Preemption { master: source, theirs } = backup.expected else {
            return;
        };
        let from_master = backup.master.is_some_and(|master| master.address == source);
        let rank = self.rank(backup.master).filter(|_| from_master);
        let preempting = self.preempting(now, &backup, source, theirs, rank);
        if theirs < self.effective_priority() && preempting != Preempting::Never {
            return;
        }
        let heard = backup.master.map_or(now, |master| master.at);
        backup.down = heard + self.down_interval(backup.interval, backup.master);
        backup.expected = Expected::Silence;
        self.state = State::Backup(backup);
    }
}

/// Whether a check has come back. A first result is no recovery, nor is a link that returns.
fn recovered(former: &Health, health: &Health) -> bool {
    let service_faults = !former.faults.is_empty() && !former.interface_down;
    (service_faults && health.faults.is_empty())
        || (!former.pending && health.weight > former.weight)
}
