//! BACKUP (RFC 9568 §6.4.2): listen, and take over when the master is gone.

use super::Router;
use super::priority::Preempting;
use crate::config::Priority;
use crate::output::{Discard, Output, Reason};
use crate::packet::Advertisement;
use crate::state::{Backup, Expected, Heard, State};
use crate::time::Time;
use crate::timers;
use std::net::IpAddr;

impl Router {
    /// Becomes BACKUP with a full Active_Down_Interval ahead, of `master` if one was heard.
    pub(super) fn listen(&mut self, now: Time, master: Option<Heard>, reason: Reason) {
        let interval = master.map_or(self.own_interval(), |master| master.interval);
        let backup = Backup {
            down: now + self.down_interval(interval, master),
            expected: Expected::Silence,
            interval,
            master,
            lower: None,
            parting: None,
            since: now,
        };
        self.enter(now, State::Backup(backup), reason);
    }

    /// RFC 9568 §6.4.2, "If an ADVERTISEMENT is received".
    pub(super) fn heard_as_backup(
        &mut self,
        now: Time,
        mut backup: Backup,
        source: IpAddr,
        advert: &Advertisement<'_>,
    ) {
        let from_master = backup.master.is_some_and(|master| master.address == source);
        let rank = self.rank(backup.master);
        let Some(theirs) = Priority::new(advert.priority) else {
            return self.resignation_heard(now, backup, source);
        };
        let followed = self.follow(now, &mut backup, source, theirs, advert);
        if theirs >= self.effective_priority() {
            backup.lower = None;
            self.restart_down_timer(now, &mut backup, source, advert);
        } else if rank.is_some() && !followed {
            let why = Discard::NotCurrentMaster;
            return self.outputs.push_back(Output::Discarded { source, why });
        } else {
            backup.lower.get_or_insert(now);
            let rank = rank.filter(|_| from_master);
            match self.preempting(now, &backup, source, theirs, rank) {
                Preempting::Never => self.restart_down_timer(now, &mut backup, source, advert),
                // RFC 9568 §6.4.2: "Discard the ADVERTISEMENT"; the timer runs on.
                Preempting::ByTimer => {
                    backup.expected = Expected::Preemption { master: source, theirs };
                }
                Preempting::AtOnce(rank) => {
                    let expected = Expected::Preemption { master: source, theirs };
                    backup.hasten(now + rank.slot(self.pace), expected);
                }
            }
        }
        self.state = State::Backup(backup);
    }

    /// RFC 9568 §6.4.2, "If the Priority in the ADVERTISEMENT is zero": wait the skew only.
    fn resignation_heard(&mut self, now: Time, mut backup: Backup, source: IpAddr) {
        let from_master = backup.master.is_some_and(|master| master.address == source);
        let rank = self.rank(backup.master);
        // A former master repeats its resignation, perhaps after its successor has spoken.
        let is_succeeded = backup.master.is_some_and(|master| {
            let quiet = timers::quiet_master(&self.config, master.interval);
            !from_master && !master.resigned && now - master.at <= quiet
        });
        if is_succeeded || (rank.is_some() && !from_master) {
            let why = Discard::NotCurrentMaster;
            return self.outputs.push_back(Output::Discarded { source, why });
        }
        let wait = match rank {
            Some(rank) => rank.slot(self.pace),
            None => self.skew(backup.interval),
        };
        if let Some(master) = backup.master.as_mut().filter(|_| from_master) {
            master.resigned = true;
        }
        // Repeated for safety, so a repetition must not start the wait again.
        backup.hasten(now + wait, Expected::Resignation { master: source });
        self.state = State::Backup(backup);
    }

    /// RFC 9568 §6.4.2: learn the interval, then start Active_Down_Timer again.
    fn restart_down_timer(
        &mut self,
        now: Time,
        backup: &mut Backup,
        source: IpAddr,
        advert: &Advertisement<'_>,
    ) {
        self.compare_interval(now, source, advert);
        backup.interval = advert.interval;
        backup.down = now + self.down_interval(backup.interval, backup.master);
        backup.expected = Expected::Silence;
    }

    /// Whether the sender is the current master as far as one can tell, remembering it if so.
    ///
    /// A router that outranks the one believed in will be master in a moment, because that one
    /// gives way; one that does not is master only if that one resigned or has stopped.
    fn follow(
        &self,
        now: Time,
        backup: &mut Backup,
        source: IpAddr,
        theirs: Priority,
        advert: &Advertisement<'_>,
    ) -> bool {
        let follows = backup.master.is_none_or(|master| {
            master.address == source
                || master.resigned
                || (theirs, source) > (master.priority, master.address)
                || now - master.at > timers::quiet_master(&self.config, master.interval)
        });
        if follows {
            let interval = advert.interval;
            let (address, priority) = (source, theirs);
            backup.master = Some(Heard { address, priority, interval, at: now, resigned: false });
        }
        follows
    }

    /// A master that gave way sends one last advert, lower than its successor's.
    ///
    /// RFC 9568 §6.4.3 has it go silently, so that a higher master which never heard it (the LAN
    /// was torn) never learns that its clients were taught another address. This advert tells it,
    /// and it announces again; keepalived knows both halves (`higher_prio_send_advert`,
    /// `garp_lower_prio_repeat`). Not sent on old evidence: a master of lower priority would give
    /// way to it.
    fn part(&mut self, now: Time, mut backup: Backup) {
        if backup.parting.is_none_or(|parting| parting > now) {
            return;
        }
        backup.parting = None;
        self.state = State::Backup(backup);
        let ours = (self.effective_priority(), self.primary);
        let is_heard = backup.master.is_some_and(|master| {
            !master.resigned
                && master.outranks(ours)
                && now - master.at <= timers::quiet_master(&self.config, master.interval)
        });
        if is_heard {
            self.transmit(Some(ours.0));
        }
    }

    /// RFC 9568 §6.4.2, "If the Active_Down_Timer fires".
    pub(super) fn backup_fires(&mut self, now: Time, backup: Backup) {
        self.part(now, backup);
        if backup.down > now {
            return;
        }
        let reason = match backup.expected {
            Expected::Silence => Reason::MasterSilent {
                master: backup.master.map(|master| master.address),
                silent: now - backup.master.map_or(backup.since, |master| master.at),
            },
            Expected::Resignation { master } => Reason::MasterResigned { master },
            Expected::Preemption { master, theirs } => {
                let ours = self.effective_priority();
                Reason::Preempted { master, theirs, ours }
            }
        };
        self.elected(now, reason);
    }
}

impl Backup {
    /// Brings the down timer forward, never back.
    fn hasten(&mut self, at: Time, expected: Expected) {
        self.down = self.down.min(at);
        self.expected = expected;
    }
}
