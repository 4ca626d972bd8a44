//! One router of a sync group: what it asks before it becomes MASTER, and what it does when the
//! others go first. How a group decides is told in [`crate::group`].

use super::Router;
use super::priority::Preempting;
use crate::config::{Election, Priority};
use crate::group::Follow;
use crate::output::{Output, Reason};
use crate::state::{Backup, Heard, State};
use crate::time::Time;
use crate::timers;

impl Router {
    /// The timers say MASTER. A router of a group asks, and listens for another interval.
    pub(super) fn elected(&mut self, now: Time, reason: Reason) {
        match (self.config.election, &mut self.state) {
            (Election::Together, State::Backup(backup)) => {
                backup.down = now + backup.interval;
                self.outputs.push_back(Output::Elected(reason));
            }
            (Election::Together | Election::Alone, _) => self.become_master(now, reason),
        }
    }

    pub(super) fn follow_group(&mut self, now: Time, follow: Follow) {
        match (follow, self.state) {
            (Follow::ToMaster(reason), State::Backup(_)) => self.become_master(now, reason),
            (Follow::ToBackup(reason), State::Master(master)) => {
                if self.is_overdue(now, &master) {
                    self.let_go();
                } else {
                    // Once: the successor's group was elected, and speaks already.
                    if self.can_speak() {
                        self.transmit(None);
                    }
                    self.hold(now);
                }
                self.listen(now, None, reason);
            }
            (Follow::ToMaster(_) | Follow::ToBackup(_), _) => {}
        }
    }

    /// Whether this router would be MASTER without taking it from one it must obey. It need not
    /// have waited as long as it would alone: a group goes by the first of its timers.
    pub fn may_lead(&self, now: Time) -> bool {
        match self.state {
            State::Init(_) | State::Fault(_) => false,
            State::Master(_) => true,
            State::Backup(backup) => match backup.master {
                None if self.config.priority.is_owner() => true,
                None => now - backup.since >= timers::silence(&self.config, backup.interval),
                Some(master) => self.may_succeed(now, &backup, master),
            },
        }
    }

    /// The master resigned, has stopped, or may be preempted.
    fn may_succeed(&self, now: Time, backup: &Backup, master: Heard) -> bool {
        if master.resigned || now - master.at > timers::quiet_master(&self.config, master.interval)
        {
            return true;
        }
        let (address, theirs): (_, Priority) = (master.address, master.priority);
        let rank = self.rank(Some(master));
        theirs < self.effective_priority()
            && self.preempting(now, backup, address, theirs, rank) != Preempting::Never
    }
}
