//! INIT (RFC 9568 §6.4.1 Initialize): the way in, and after a resignation the way out.

use super::Router;
use crate::config::Election;
use crate::custody::Keeping;
use crate::input::ResignReason;
use crate::output::{Output, Reason};
use crate::state::{Init, State};
use crate::time::Time;
use crate::timers;
use std::time::Duration;

impl Router {
    /// RFC 9568 §6.4.1, "If a Startup event is received"; after the startup delay, if there is
    /// one. A backup's first Active_Down_Interval is longer by `patience`.
    pub(super) fn start(&mut self, now: Time, patience: Duration) {
        let State::Init(init) = self.state else {
            return;
        };
        self.stopping = false;
        if init.starts.is_some() {
            return;
        }
        if self.config.startup_delay.is_zero() {
            self.run(now, Reason::Started);
            if let State::Backup(backup) = &mut self.state {
                backup.down = backup.down + patience;
            }
        } else {
            let starts = Some(now + self.config.startup_delay + patience);
            self.state = State::Init(Init { starts, farewell: None });
        }
    }

    /// Startup of an instance that nobody serves yet. The skews of two that start within
    /// milliseconds of each other order them only if both do so at once, and nobody waits for
    /// what is new: a member that ranks higher may learn of it later.
    pub(super) fn introduce(&mut self, now: Time) {
        let ours = (self.effective_priority(), self.primary);
        let others = self.config.members.iter().filter(|member| !member.this);
        let is_outranked = others.into_iter().any(|it| (it.priority, it.address) > ours);
        self.start(now, if is_outranked { timers::INTRODUCTION } else { Duration::ZERO });
    }

    /// The Startup event proper: the owner is MASTER at once, others listen first.
    pub(super) fn run(&mut self, now: Time, reason: Reason) {
        if self.is_unfit() {
            self.enter_fault(now);
        } else if self.config.priority.is_owner() {
            // A router of a group asks as a BACKUP.
            if self.config.election == Election::Together {
                self.listen(now, None, reason);
            }
            self.elected(now, Reason::Owner);
        } else {
            self.listen(now, None, reason);
        }
    }

    /// A former incarnation was MASTER a moment ago, and its addresses are still leased.
    pub(super) fn resume(&mut self, now: Time) {
        let State::Init(_) = self.state else { return };
        self.stopping = false;
        self.presumed_fit = self.health.pending;
        if self.is_unfit() {
            // The peers still believe in the former incarnation, and its addresses are there.
            self.keeping = Keeping::Serving;
            self.fault_as_master(now);
        } else {
            self.become_master(now, Reason::Resumed);
        }
    }

    /// RFC 9568 §6.4.2 and §6.4.3, "If a Shutdown event is received". Where the instance is deleted
    /// the priority 0 of §6.4.3 is not sent: it would ask for a successor.
    pub(super) fn resign(&mut self, now: Time, reason: ResignReason) {
        self.stopping = true;
        let mut init = Init::default();
        match self.state {
            _ if reason == ResignReason::Deleted => self.let_go(),
            State::Master(_) => {
                init.farewell = self.say_farewell(now);
                self.hold(now);
            }
            State::Fault(fault) => init.farewell = fault.farewell,
            State::Init(Init { farewell, .. }) => init.farewell = farewell,
            State::Backup(_) => {}
        }
        self.enter(now, State::Init(init), Reason::Resigned(reason));
        self.stop_if_let_go();
    }

    pub(super) fn init_fires(&mut self, now: Time, init: Init) {
        if init.starts.is_some_and(|starts| starts <= now) {
            return self.run(now, Reason::Started);
        }
        self.farewell_fires(now);
        self.stop_if_let_go();
    }

    /// Says that the driver may drop this router, once it owes nobody anything.
    pub(super) fn stop_if_let_go(&mut self) {
        let State::Init(Init { farewell: None, .. }) = self.state else {
            return;
        };
        if self.stopping && !self.is_holding() {
            self.stopping = false;
            self.outputs.push_back(Output::Stopped);
        }
    }
}
