//! The virtual router of RFC 9568 §6.4 as a sans-IO state machine.
//!
//! The agent's VRRP loop drives it; so does every simulated LAN. This file is the frame: what is
//! kept, how inputs are dispatched, when to come back. What happens is told by state, in the
//! RFC's order: `initialize` (§6.4.1), `backup` (§6.4.2), `master` (§6.4.3), and `fault`, which
//! the RFC does not have. `admission` decides which adverts count, `handover` who serves while
//! mastership moves, `reconfigure` what a new configuration disturbs, `standing` what a planned
//! move asks of a router, `together` how a sync group goes as one, `succession` how another image
//! of the program carries on.

mod admission;
mod backup;
mod fault;
mod handover;
mod initialize;
mod master;
mod priority;
mod reconfigure;
mod standing;
mod succession;
mod together;

use crate::config::{Authentication, Config, ConfigError, Priority};
use crate::coordinated::{Forms, Running};
use crate::custody::Keeping;
use crate::departed::Departed;
use crate::encode::Message;
use crate::input::{Health, Input};
use crate::output::{Custody, Discard, Output, Reason, Transition, Transmission, Warning};
use crate::packet::Advertisement;
use crate::state::{Init, State, StateName};
use crate::takeover::Pace;
use crate::time::{Time, WallTime};
use crate::timers;
use crate::trailer::{Replays, Sequence};
use crate::warnings::Warnings;
use std::cell::Cell;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// One virtual router on one interface.
#[derive(Debug)]
pub struct Router {
    config: Config,
    pace: Pace,
    health: Health,
    /// Where adverts are sent from.
    primary: Option<IpAddr>,
    state: State,
    keeping: Keeping,
    forms: Forms,
    departed: Departed,
    /// When this router last became fit again, or woke; no preemption soon after.
    recovered: Option<Time>,
    /// Resumed, and the checks have not all spoken since.
    presumed_fit: bool,
    /// [`Output::Stopped`] is owed once everything is let go.
    stopping: bool,
    warnings: Warnings,
    /// What the driver said of the time of day.
    wall: WallTime,
    /// Of the last trailer sent. Grows with every advert that is encoded.
    sequence: Cell<Sequence>,
    replays: Replays,
    /// Drained by the driver after every call, so bounded by what one call can cause.
    outputs: VecDeque<Output>,
}

impl Router {
    /// A router in INIT. Feed it `Health` and `PrimaryAddress`, then `Start`.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_pace(config, Pace::default())
    }

    /// One whose fast takeover waits otherwise than its peers expect. For measuring only.
    pub fn with_pace(config: Config, pace: Pace) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            forms: Forms::new(&config),
            departed: Departed::default(),
            config,
            pace,
            health: Health::default(),
            primary: None,
            state: State::Init(Init::default()),
            keeping: Keeping::None,
            recovered: None,
            presumed_fit: false,
            stopping: false,
            warnings: Warnings::default(),
            wall: WallTime::default(),
            sequence: Cell::default(),
            replays: Replays::default(),
            outputs: VecDeque::new(),
        })
    }

    /// Mutates once; then drain [`Self::poll_output`].
    ///
    /// `now` is when the input happened: for an advert the kernel's receive timestamp, if there
    /// is one. It may lie before a deadline that has not been fired yet.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Start => self.start(now, Duration::ZERO),
            Input::Introduce => self.introduce(now),
            Input::Resume => self.resume(now),
            Input::Advert { source, advert } => self.advert(now, source, &advert),
            Input::Health(health) => self.health(now, health),
            Input::PrimaryAddress(address) => self.primary_address(now, address),
            Input::Resign(reason) => self.resign(now, reason),
            Input::Reconfigure(config) => self.reconfigure(now, *config),
            Input::LeaseExpired => self.lease_expired(now),
            Input::Suspended => self.suspended(now),
            Input::Claimed => self.claimed(now),
            Input::Follow(follow) => self.follow_group(now, follow),
        }
    }

    /// An advert is judged first, then acted on by state.
    fn advert(&mut self, now: Time, source: IpAddr, advert: &Advertisement<'_>) {
        if let Err(why) = self.admit(now, source, advert) {
            return self.outputs.push_back(Output::Discarded { source, why });
        }
        let leaving = self.is_leaving();
        self.successor_heard(now, advert);
        match self.state {
            // Only a router on its way out still listens.
            State::Init(_) | State::Fault(_) if leaving => {}
            State::Init(_) | State::Fault(_) => {
                let why = Discard::NotRunning;
                self.outputs.push_back(Output::Discarded { source, why });
            }
            State::Backup(backup) => self.heard_as_backup(now, backup, source, advert),
            State::Master(master) => self.heard_as_master(now, master, source, advert),
        }
    }

    /// Fires every deadline that `now` has reached. The driver drains its sockets first, always:
    /// a stalled backup that fires timers before reading becomes a false master.
    pub fn handle_deadlines(&mut self, now: Time) {
        // Every firing moves its deadline beyond `now` or removes it: a late call never catches
        // up on what it missed.
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.forms_fire(now);
            match self.state {
                State::Init(init) => self.init_fires(now, init),
                State::Fault(fault) => self.fault_fires(now, fault),
                State::Backup(backup) => self.backup_fires(now, backup),
                State::Master(master) => self.master_fires(now, master),
            }
            self.keeping_fires(now);
        }
    }

    /// The next thing to do, in order; `None` when there is nothing left.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_deadlines`] next; `None` while nothing is awaited.
    pub fn next_deadline(&self) -> Option<Time> {
        [self.state.deadline(), self.keeping.deadline(), self.forms.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Builds the VRRP message of a transmission into `message` (cleared first), with the
    /// checksum for `source` → `destination`.
    pub fn encode(
        &self,
        transmission: Transmission,
        source: IpAddr,
        destination: IpAddr,
        message: &mut Vec<u8>,
    ) {
        let form = self.forms.sent();
        let advert = Message {
            version: form.version,
            vrid: self.config.vrid,
            priority: transmission.priority.map_or(0, Priority::get),
            interval: form.interval,
            authentication: form.authentication.clone(),
            checksum: self.config.checksum,
            addresses: &self.config.addresses,
        };
        advert.encode(source, destination, message);
        if let Authentication::Hmac(keyring) = &form.authentication {
            let sequence = self.sequence.get().next(self.wall, keyring.freshness);
            self.sequence.set(sequence);
            advert.sign(source, destination, sequence, message);
        }
    }

    /// Says what time of day it is. Needed before an advert is handled or encoded by a router whose
    /// adverts are signed ([`crate::trailer`]), and by no other.
    pub fn set_wall_clock(&mut self, wall: WallTime) {
        self.wall = wall;
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn state(&self) -> StateName {
        self.state.name()
    }

    /// What the kernel should hold for this router now.
    pub fn custody(&self) -> Custody {
        self.keeping.custody()
    }

    /// Whether a former master still serves while its successor takes over.
    pub fn is_holding(&self) -> bool {
        self.keeping.is_temporary()
    }

    /// The current master's address, when another router is master and was heard.
    pub fn master(&self) -> Option<IpAddr> {
        match self.state {
            State::Backup(backup) => backup.master.map(|master| master.address),
            State::Init(_) | State::Fault(_) | State::Master(_) => None,
        }
    }

    /// The warnings whose conditions last, in the order of their onset.
    pub fn warnings(&self, now: Time) -> impl Iterator<Item = &Warning> {
        self.warnings.standing(now, self.warning_patience())
    }

    /// `down_adverts × interval + skew` with the interval in force (v3: the master's).
    pub fn master_down_interval(&self) -> Duration {
        match self.state {
            State::Backup(backup) => self.down_interval(backup.interval, backup.master),
            State::Init(_) | State::Fault(_) | State::Master(_) => {
                self.down_interval(self.forms.sent().interval, None)
            }
        }
    }

    fn transmit(&mut self, priority: Option<Priority>) {
        self.outputs.push_back(Output::Transmit(Transmission { priority }));
    }

    fn warn(&mut self, now: Time, warning: Warning) {
        let onset = self.warnings.onset(now, self.warning_patience(), warning);
        self.outputs.extend(onset.map(Output::Warn));
    }

    /// A condition that was not seen for this long has ended.
    fn warning_patience(&self) -> Duration {
        const LEAST: Duration = Duration::from_secs(60);
        LEAST.max(2 * self.master_down_interval())
    }

    /// Enters `state` and says why.
    fn enter(&mut self, now: Time, state: State, reason: Reason) {
        let (from, to) = (self.state.name(), state.name());
        self.state = state;
        if from != to {
            let transition = Transition { at: now, from, to, reason };
            self.outputs.push_back(Output::Changed(transition));
        }
    }

    fn running(&self) -> Running {
        match self.state {
            State::Init(_) => Running::No,
            State::Fault(_) | State::Backup(_) | State::Master(_) => Running::Yes,
        }
    }

    /// The interval of the adverts this router sends.
    fn own_interval(&self) -> Duration {
        self.forms.sent().interval
    }

    /// Skew_Time of RFC 9568 §6.1 with the given Active_Adver_Interval.
    fn skew(&self, interval: Duration) -> Duration {
        timers::skew(self.forms.sent().version, interval, self.effective_priority())
    }
}
