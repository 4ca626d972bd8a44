//! MASTER (RFC 9568 §6.4.3 Active): advertise, serve, and give way to a better router.

use super::Router;
use crate::announcer::Announcer;
use crate::config::Priority;
use crate::custody::Keeping;
use crate::output::{Discard, Output, Reason, Warning};
use crate::packet::Advertisement;
use crate::state::{Heard, Master, Rival, State};
use crate::time::Time;
use crate::timers::{self, AFTER_GRACE, WITHIN_GRACE};
use std::net::IpAddr;
use std::time::Duration;

impl Router {
    /// RFC 9568 §6.4.1 and §6.4.2: advert first, then the addresses; the announcements wait for
    /// [`crate::Input::Claimed`].
    pub(super) fn become_master(&mut self, now: Time, reason: Reason) {
        let mut announcer = Announcer::default();
        if self.config.handover {
            announcer.extra_round(now + AFTER_GRACE);
        }
        self.transmit(Some(self.effective_priority()));
        self.serve();
        let advert = now + self.own_interval();
        let master = Master { advert, sent: now, since: now, announcer, rival: None };
        self.enter(now, State::Master(master), reason);
    }

    /// RFC 9568 §6.4.3, "If an ADVERTISEMENT is received".
    pub(super) fn heard_as_master(
        &mut self,
        now: Time,
        mut master: Master,
        source: IpAddr,
        advert: &Advertisement<'_>,
    ) {
        let ours = self.effective_priority();
        let Some(theirs) = Priority::new(advert.priority) else {
            // RFC 9568 §6.4.3: priority 0 is answered with an advert.
            if let Some(rival) = master.rival.as_mut().filter(|rival| rival.address == source) {
                rival.gone = now + AFTER_GRACE;
            }
            return self.answer(now, master);
        };
        let heard = Heard {
            address: source,
            priority: theirs,
            interval: advert.interval,
            at: now,
            resigned: false,
        };
        let overdue = self.is_overdue(now, &master);
        if ours.is_owner() && theirs.is_owner() {
            self.warn(now, Warning::Rival { source, priority: theirs.get() });
            let why = Discard::OwnerConflict;
            self.outputs.push_back(Output::Discarded { source, why });
        } else if heard.outranks((ours, self.primary)) {
            if overdue {
                self.let_go()
            } else {
                self.give_way(now)
            }
            self.listen(now, Some(heard), Reason::Outranked { by: source, theirs, ours });
            self.say_parting(now);
        } else if overdue && !ours.is_owner() {
            // The peers did right to elect another.
            let frozen = now - master.sent;
            self.recovered = Some(now);
            self.let_go();
            self.listen(now, Some(heard), Reason::Overtaken { by: source, frozen });
        } else {
            self.rival_heard(now, master, &heard);
        }
    }

    /// Whether this master was frozen for so long that its peers have elected another by now, or
    /// are about to.
    pub(super) fn is_overdue(&self, now: Time, master: &Master) -> bool {
        now - master.sent >= timers::silence(&self.config, self.own_interval())
    }

    /// RFC 9568 §6.4.3: a lower advert is discarded and answered at once. The rival has announced
    /// the addresses as its own, so they are announced again: soon, when it should have given
    /// way, and once more when it is gone. However long it stays, that is two rounds.
    fn rival_heard(&mut self, now: Time, mut master: Master, heard: &Heard) {
        let source = heard.address;
        if now < master.since + timers::crossing(self.own_interval()) {
            // The predecessor's last, sent before or as it gave way to this router's first.
            master.announcer.extra_round(master.since + AFTER_GRACE);
            return self.answer(now, master);
        }
        if master.rival.is_none() {
            master.announcer.extra_round(now + WITHIN_GRACE);
        }
        let gone = now + timers::quiet(heard.interval).max(AFTER_GRACE);
        master.rival = Some(Rival { address: source, gone });
        self.warn(now, Warning::Rival { source, priority: heard.priority.get() });
        self.answer(now, master);
    }

    /// An advert out of turn: Adver_Timer fires now, and starts again.
    ///
    /// Not sent here: a master that was frozen reads at once what came over a long time, and
    /// answers when it has read it all, once.
    fn answer(&mut self, now: Time, mut master: Master) {
        let soonest = master.sent + timers::reply_spacing(self.own_interval());
        master.advert = master.advert.min(soonest.max(now));
        self.state = State::Master(master);
    }

    /// In the end of this turn, when everything that came has been read.
    fn say_parting(&mut self, now: Time) {
        if let State::Backup(backup) = &mut self.state {
            backup.parting = Some(now);
        }
    }

    /// What the peers believe of this router's priority is out of date.
    pub(super) fn priority_changed(&mut self, now: Time, before: Priority) {
        let priority = self.effective_priority();
        if priority == before {
            return;
        }
        match &mut self.state {
            State::Master(master) => {
                master.sent = now;
                master.advert = now + self.forms.sent().interval;
                self.transmit(Some(priority));
            }
            State::Backup(_) => self.reconsider_preemption(now),
            State::Init(_) | State::Fault(_) => {}
        }
    }

    /// The addresses are on the interface. Of a master that resigned before they were: it holds
    /// them until it is succeeded, and its clients still ask its predecessor.
    pub(super) fn claimed(&mut self, now: Time) {
        if let State::Master(mut master) = self.state {
            master.announcer.claimed(now, self.config.announcements);
            self.announce(now, master);
        } else if let Keeping::Holding { .. } = self.keeping {
            self.outputs.push_back(Output::Announce);
        }
    }

    /// RFC 9568 §6.4.3, "If the Adver_Timer fires"; and our own deadlines as master.
    pub(super) fn master_fires(&mut self, now: Time, mut master: Master) {
        let interval = self.own_interval();
        if master.advert <= now {
            self.transmit(Some(self.effective_priority()));
            master.sent = now;
            master.advert = next_advert(master.advert, now, interval);
        }
        if let Some(rival) = master.rival.filter(|rival| rival.gone <= now) {
            master.rival = None;
            master.announcer.extra_round(now);
            self.warnings.end(|warning| {
                matches!(warning, Warning::Rival { source, .. } if *source == rival.address)
            });
        }
        self.announce(now, master);
    }

    fn announce(&mut self, now: Time, mut master: Master) {
        if master.announcer.fire(now, self.config.announcements) {
            self.outputs.push_back(Output::Announce);
        }
        self.state = State::Master(master);
    }

    /// The kernel dropped an address by itself: this process was frozen and is not master.
    pub(super) fn lease_expired(&mut self, now: Time) {
        self.let_go();
        if let State::Master(_) = self.state {
            self.recovered = Some(now);
            self.listen(now, None, Reason::LeaseExpired);
        }
        self.stop_if_let_go();
    }

    /// The machine slept: others were master meanwhile, and what was heard before says nothing.
    pub(super) fn suspended(&mut self, now: Time) {
        self.let_go();
        if let State::Backup(_) | State::Master(_) = self.state {
            self.recovered = Some(now);
            self.listen(now, None, Reason::Suspended);
        }
        self.stop_if_let_go();
    }
}

/// One interval after the last was due, so that wake-ups that are late do not add up; one
/// interval from now if that much was missed.
///
/// And on a grid of tenths of the interval, so that routers that share a host advertise together:
/// a batch costs the host, and the peer that hears it, hardly more than one advert. It makes one
/// interval up to a tenth shorter, after an advert that was not on the grid; never one longer.
fn next_advert(due: Time, now: Time, interval: Duration) -> Time {
    let next = due + interval;
    let next = if next > now { next } else { now + interval };
    let together = next.round_down(interval / 10);
    if together > now { together } else { next }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn at(micros: u64) -> Time {
        Time::from_nanos(micros * 1000)
    }

    #[test]
    fn adverts_of_one_host_fall_on_a_grid_and_no_interval_is_longer_for_it() {
        assert_eq!(next_advert(at(3_456), at(3_460), INTERVAL), at(100_000));
        assert_eq!(next_advert(at(100_000), at(100_900), INTERVAL), at(200_000));
        // One that was late by more than an interval.
        assert_eq!(next_advert(at(100_000), at(234_567), INTERVAL), at(330_000));
        // Late by almost an interval: the next one is due soon, and never in the past.
        assert_eq!(next_advert(at(103_456), at(203_400), INTERVAL), at(203_456));
    }
}
