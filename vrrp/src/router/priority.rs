//! What this router's priority is worth: the effective priority, whether it may preempt, and how
//! long it waits for its turn.

use super::Router;
use crate::config::{Preemption, Priority, Standing};
use crate::state::{Backup, Heard};
use crate::takeover::{self, Fitness, Rank};
use crate::time::Time;
use crate::timers;
use std::net::IpAddr;
use std::time::Duration;

/// What a backup may make of an advert lower than its own priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preempting {
    /// Nothing: the timer starts again.
    Never,
    /// RFC 9568 §6.4.2: discard it and let the timer run.
    ByTimer,
    /// Fast takeover: the current master itself has said so.
    AtOnce(Rank),
}

impl Router {
    /// Base priority with weights, as a planned move has it; what the next advert would carry.
    pub fn effective_priority(&self) -> Priority {
        self.config.standing.of(self.natural_priority(), self.full_priority())
    }

    /// Without any planned move.
    fn natural_priority(&self) -> Priority {
        let weight = if self.presumed_fit { self.health.full_weight } else { self.health.weight };
        self.config.priority.with_weight(weight)
    }

    fn full_priority(&self) -> Priority {
        self.config.priority.with_weight(self.health.full_weight)
    }

    /// Whether a planned move has this router serve, and its checks have nothing against it.
    pub(super) fn leads(&self) -> bool {
        self.config.standing == Standing::Leads
            && !self.config.priority.is_owner()
            && self.natural_priority() >= self.full_priority()
    }

    /// Active_Down_Interval (RFC 9568 §6.1), with the rank instead of the skew where there is one.
    pub(super) fn down_interval(&self, interval: Duration, master: Option<Heard>) -> Duration {
        let skew = match self.rank(master) {
            Some(rank) => rank.skew(self.pace, interval),
            None => self.skew(interval),
        };
        timers::silence(&self.config, interval) + skew
    }

    /// From the last advert of this router as MASTER to the earliest moment at which a peer that
    /// hears no more of it may take over: what the first of them waits, by rank or by priority.
    pub fn succession_interval(&self) -> Duration {
        let interval = self.own_interval();
        let version = self.forms.sent().version;
        let skew = match takeover::ranks_peers_of(&self.config, self.primary) {
            true => Rank::FIRST.skew(self.pace, interval),
            false => {
                let others = self.config.members.iter().filter(|member| !member.this);
                let highest = others.map(|member| member.priority).max();
                // Of members that are not known, none that may take over is above this router.
                let first = self.effective_priority().max(highest.unwrap_or(self.config.priority));
                timers::skew(version, interval, first)
            }
        };
        timers::silence(&self.config, interval) + skew
    }

    /// Place among the successors of `master`; `None` for rfc.
    pub(super) fn rank(&self, master: Option<Heard>) -> Option<Rank> {
        let yields = self.config.standing == Standing::Yields;
        let is_weakened = yields || self.natural_priority() < self.full_priority();
        let fitness = if is_weakened { Fitness::Weakened } else { Fitness::Full };
        takeover::rank(&self.config, self.primary, master.map(|master| master.address), fitness)
    }

    /// Whether the checks have all spoken, and none recovered a moment ago.
    pub(super) fn is_settled(&self, now: Time) -> bool {
        let recovering = self.recovered.is_some_and(|at| now < at + self.config.recover_delay);
        !self.health.pending && !recovering
    }

    /// What an advert of `theirs`, below our own priority, allows. `rank` is given if it comes
    /// from the router that was current master before it.
    pub(super) fn preempting(
        &self,
        now: Time,
        backup: &Backup,
        source: IpAddr,
        theirs: Priority,
        rank: Option<Rank>,
    ) -> Preempting {
        if !self.is_settled(now) {
            return Preempting::Never;
        }
        if self.leads() {
            // Another's last advert says nothing of the one that serves.
            return match backup.master.is_some_and(|master| master.address == source) {
                true => Preempting::AtOnce(Rank::FIRST),
                false => Preempting::ByTimer,
            };
        }
        // RFC 9568 §6.1: the owner preempts whatever Preempt_Mode says.
        if self.config.preemption == Preemption::NoPreempt && !self.config.priority.is_owner() {
            // Sticky unless unhealthy: a master below its own base priority is asking to be
            // relieved.
            let is_below_its_base = (self.config.members.iter())
                .any(|member| member.address == Some(source) && theirs < member.priority);
            return match rank {
                Some(rank) if is_below_its_base => Preempting::AtOnce(rank),
                // It yields, and rfc is no reason to leave it alone with that.
                None if is_below_its_base && theirs == Standing::LAST_RESORT => Preempting::ByTimer,
                _ => Preempting::Never,
            };
        }
        let delays = backup.lower.is_some_and(|lower| now < lower + self.config.preempt_delay);
        match rank {
            _ if delays => Preempting::Never,
            Some(rank) => Preempting::AtOnce(rank),
            None => Preempting::ByTimer,
        }
    }
}
