//! Planned moves: what a router does when the operator names another to serve, or takes it back.
//! Everything else about them is a matter of priority ([`Standing`]): what the one that leads
//! advertises is above all others, so that they give way as to any higher router, make before
//! break; what was a lead falls back when the move ends, and is preempted or not as configured.

use super::Router;
use crate::config::Standing;
use crate::input::ResignReason;
use crate::output::Reason;
use crate::state::State;
use crate::time::Time;

impl Router {
    /// Takes over on command, without waiting for any timer.
    ///
    /// Not where no master was heard yet: then the timer tells whether there is one. Nor over one
    /// that would not give way: that one's next advert is lower, once it has heard of the move.
    pub(super) fn step_up(&mut self, now: Time, former: Standing) {
        let State::Backup(backup) = self.state else { return };
        if former == Standing::Leads || !self.leads() || !self.is_settled(now) {
            return;
        }
        let ours = (self.effective_priority(), self.primary);
        if let Some(master) = backup.master.filter(|master| !master.outranks(ours)) {
            self.elected(now, Reason::Switchover { master: master.address });
        }
    }

    /// Hands over on command, and listens: the first of the others takes over, and this router
    /// itself if there is none. Where nothing may be held meanwhile it serves on, and its lowest
    /// priority asks for the same.
    pub(super) fn stand_down(&mut self, now: Time, former: Standing) {
        let State::Master(master) = self.state else { return };
        let is_told = former != Standing::Yields && self.config.standing == Standing::Yields;
        if !is_told || self.config.priority.is_owner() {
            return;
        }
        if !self.config.handover || !self.has_peers() {
            return;
        }
        if self.is_overdue(now, &master) || !self.can_speak() {
            self.let_go();
        } else {
            self.transmit(None);
            self.hold(now);
        }
        self.listen(now, None, Reason::Resigned(ResignReason::Drain));
    }
}
