//! A model of keepalived as the other router on the LAN: RFC timers, skew, no rank, and none of
//! make-before-break. What it says of itself: it lets its addresses go the moment it stops, fails
//! or is outranked, and reads no more of a peer's mind than the RFC does.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;
use vipfleet_vrrp::{
    Advertisement, Config, Custody, Health, Input, Output, Preemption, Priority, Reason,
    ResignReason, StateName, Time, Transition, Transmission, Version,
};

#[derive(Clone, Copy, Debug)]
enum Phase {
    Init,
    Fault,
    Backup { down: Time, preempts: Option<Time> },
    Master { advert: Time, second: Option<Time> },
}

/// One `vrrp_instance` of keepalived.
#[derive(Debug)]
pub(crate) struct Keepalived {
    config: Config,
    address: IpAddr,
    health: Health,
    phase: Phase,
    outputs: VecDeque<Output>,
}

impl Keepalived {
    pub(crate) fn new(config: Config, address: IpAddr) -> Self {
        let (health, outputs) = (Health::default(), VecDeque::new());
        Self { config, address, health, phase: Phase::Init, outputs }
    }

    pub(crate) fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Start | Input::Introduce => self.run(now, Reason::Started),
            Input::Advert { source, advert } => self.heard(now, source, &advert),
            Input::Health(health) => self.health(now, health),
            Input::Reconfigure(config) => self.config = *config,
            Input::Resign(reason) => self.stop(now, reason),
            Input::Claimed => self.announce(),
            // It knows nothing of leases, sleep or former incarnations, and its address is fixed.
            Input::PrimaryAddress(_)
            | Input::LeaseExpired
            | Input::Suspended
            | Input::Resume
            | Input::Follow(_) => {}
        }
    }

    pub(crate) fn handle_deadlines(&mut self, now: Time) {
        match self.phase {
            Phase::Backup { down, .. } if down <= now => {
                let silent = self.config.interval * u32::from(self.config.down_adverts);
                self.become_master(now, Reason::MasterSilent { master: None, silent });
            }
            Phase::Master { mut advert, mut second } => {
                if advert <= now {
                    self.send(Some(self.priority()));
                    advert = now + self.config.interval;
                }
                if second.is_some_and(|at| at <= now) {
                    second = None;
                    self.announce();
                }
                self.phase = Phase::Master { advert, second };
            }
            Phase::Init | Phase::Fault | Phase::Backup { .. } => {}
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Init | Phase::Fault => None,
            Phase::Backup { down, .. } => Some(down),
            Phase::Master { advert, second } => Some(second.map_or(advert, |at| at.min(advert))),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    fn heard(&mut self, now: Time, source: IpAddr, advert: &Advertisement<'_>) {
        let agreed = advert.version == self.config.version
            && advert.authentication == self.config.authentication
            && (advert.version == Version::V3 || advert.interval == self.config.interval);
        if !agreed {
            return;
        }
        match self.phase {
            Phase::Init | Phase::Fault => {}
            Phase::Backup { down, preempts } => {
                self.heard_as_backup(now, down, preempts, advert);
            }
            Phase::Master { .. } => self.heard_as_master(now, source, advert),
        }
    }

    fn heard_as_backup(
        &mut self,
        now: Time,
        down: Time,
        preempts: Option<Time>,
        advert: &Advertisement<'_>,
    ) {
        let Some(theirs) = Priority::new(advert.priority) else {
            let down = down.min(now + self.skew());
            self.phase = Phase::Backup { down, preempts };
            return;
        };
        let again = now + self.down(advert.interval);
        if theirs >= self.priority() {
            self.phase = Phase::Backup { down: again, preempts: None };
            return;
        }
        let preempts = Some(preempts.unwrap_or(now + self.config.preempt_delay));
        let may = self.config.preemption == Preemption::Preempt
            && preempts.is_none_or(|preempts| preempts <= now);
        self.phase = Phase::Backup { down: if may { down } else { again }, preempts };
    }

    fn heard_as_master(&mut self, now: Time, source: IpAddr, advert: &Advertisement<'_>) {
        let ours = self.priority();
        match Priority::new(advert.priority) {
            Some(theirs) if (theirs, source) > (ours, self.address) => {
                self.outputs.push_back(Output::Custody(Custody::None));
                self.listen(now, Reason::Outranked { by: source, theirs, ours });
            }
            lower => {
                self.send(Some(ours));
                if let Phase::Master { advert, second } = &mut self.phase {
                    *advert = now + self.config.interval;
                    // A lower router has announced the addresses as its own:
                    // `garp_lower_prio_repeat` and `garp_lower_prio_delay`.
                    if lower.is_some() {
                        *second = Some(now + self.config.announcements.delay);
                        self.announce();
                    }
                }
            }
        }
    }

    fn health(&mut self, now: Time, health: Health) {
        self.health = health;
        let unfit = !self.health.faults.is_empty();
        match self.phase {
            Phase::Backup { .. } | Phase::Master { .. } if unfit => {
                let reason = Reason::Fault(self.health.faults.clone());
                self.leave(now, Phase::Fault, reason);
            }
            Phase::Fault if !unfit => self.run(now, Reason::FaultCleared),
            Phase::Init | Phase::Fault | Phase::Backup { .. } | Phase::Master { .. } => {}
        }
    }

    fn run(&mut self, now: Time, reason: Reason) {
        if !self.health.faults.is_empty() {
            self.enter(now, Phase::Fault, Reason::Fault(self.health.faults.clone()));
        } else if self.config.priority.is_owner() {
            self.become_master(now, Reason::Owner);
        } else {
            self.listen(now, reason);
        }
    }

    fn stop(&mut self, now: Time, reason: ResignReason) {
        self.leave(now, Phase::Init, Reason::Resigned(reason));
        self.outputs.push_back(Output::Stopped);
    }

    /// Priority 0, then the addresses go, at once.
    fn leave(&mut self, now: Time, phase: Phase, reason: Reason) {
        if let Phase::Master { .. } = self.phase {
            if !self.health.interface_down {
                self.send(None);
            }
            self.outputs.push_back(Output::Custody(Custody::None));
        }
        self.enter(now, phase, reason);
    }

    fn listen(&mut self, now: Time, reason: Reason) {
        let down = now + self.down(self.config.interval);
        self.enter(now, Phase::Backup { down, preempts: None }, reason);
    }

    fn become_master(&mut self, now: Time, reason: Reason) {
        self.send(Some(self.priority()));
        self.outputs.push_back(Output::Custody(Custody::Serving));
        let advert = now + self.config.interval;
        let second = Some(now + self.config.announcements.delay);
        self.enter(now, Phase::Master { advert, second }, reason);
    }

    fn enter(&mut self, at: Time, phase: Phase, reason: Reason) {
        let from = name(self.phase);
        self.phase = phase;
        let to = name(phase);
        if from != to {
            self.outputs.push_back(Output::Changed(Transition { at, from, to, reason }));
        }
    }

    fn announce(&mut self) {
        if let Phase::Master { .. } = self.phase {
            self.outputs.push_back(Output::Announce);
        }
    }

    fn send(&mut self, priority: Option<Priority>) {
        self.outputs.push_back(Output::Transmit(Transmission { priority }));
    }

    fn priority(&self) -> Priority {
        self.config.priority.with_weight(self.health.weight)
    }

    fn down(&self, interval: Duration) -> Duration {
        interval * u32::from(self.config.down_adverts) + self.skew()
    }

    fn skew(&self) -> Duration {
        let unit = match self.config.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => self.config.interval,
        };
        unit * (256 - u32::from(self.priority().get())) / 256
    }
}

fn name(phase: Phase) -> StateName {
    match phase {
        Phase::Init => StateName::Init,
        Phase::Fault => StateName::Fault,
        Phase::Backup { .. } => StateName::Backup,
        Phase::Master { .. } => StateName::Master,
    }
}
