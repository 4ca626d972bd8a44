//! One instance as the loop runs it: the engine's router with what the router does not know.

use super::announce::Announcing;
use super::instances::Number;
use super::lan::SocketKey;
use super::prepared::PreparedInstance;
use super::warnings::Warnings;
use crate::net::{Cadence, Desire, Drift, LeaseTerms, Slot, clock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use tracing::{info, warn};
use vipfleet_model::Name;
use vipfleet_model::report::{AddressReport, InstanceReport, InstanceState};
use vipfleet_vrrp::{Authentication, Custody, Discard, Family, Health, Router, StateName, Time};

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) prepared: Arc<PreparedInstance>,
    pub(super) router: Router,
    /// Latest time handed to the router, which must not go back.
    pub(super) clock: Time,
    pub(super) socket: Option<SocketKey>,
    /// What the router was told last.
    pub(super) health: Option<Health>,
    pub(super) source: Option<IpAddr>,
    /// `Start` or `Resume` was given.
    pub(super) running: bool,
    pub(super) leaving: Leaving,
    /// RFC 3339, when the state was entered.
    pub(super) since: String,
    pub(super) reason: String,
    pub(super) kernel: Kernel,
    pub(super) counters: Counters,
    /// Why its adverts do not leave, if they do not: said once.
    mute: Option<io::ErrorKind>,
    pub(super) announcing: Announcing,
    pub(super) warnings: Warnings,
}

/// Whether an instance is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    /// Resigned for good; the router has not let go yet.
    Resigned,
    /// The router has let go; the kernel has not shown it yet.
    LetGo,
}

/// Kernel truth of one instance.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    /// Serial of the latest desire; the kernel side's news say which one they answer.
    pub(super) desired: u64,
    pub(super) custody: Option<Custody>,
    pub(super) addresses: Vec<AddressReport>,
    pub(super) settled: bool,
    /// What keeps the device of its virtual MAC from being there.
    pub(super) obstacle: Option<String>,
    /// Routes and rules that should be there and are not, with the reason.
    pub(super) missing: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Counters {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) discards: BTreeMap<Discard, u64>,
}

impl Counters {
    pub(super) fn discard(&mut self, why: Discard) {
        *self.discards.entry(why).or_default() += 1;
    }
}

impl Instance {
    pub(super) fn new(
        prepared: Arc<PreparedInstance>,
        router: Router,
        now: Time,
        at: String,
    ) -> Self {
        Self {
            prepared,
            router,
            clock: now,
            socket: None,
            health: None,
            source: None,
            running: false,
            leaving: Leaving::No,
            since: at,
            reason: String::new(),
            kernel: Kernel::default(),
            counters: Counters::default(),
            mute: None,
            announcing: Announcing::default(),
            warnings: Warnings::default(),
        }
    }

    pub(super) fn name(&self) -> &Name {
        &self.prepared.assigned.name
    }

    pub(super) fn interface(&self) -> &str {
        &self.prepared.assigned.interface
    }

    /// Where addresses without an interface of their own sit.
    pub(super) fn home(&self) -> String {
        match &self.prepared.device {
            Some(device) => device.name(),
            None => self.interface().to_owned(),
        }
    }

    pub(super) fn family(&self) -> Family {
        self.prepared.config.family
    }

    /// The next desire for the kernel: complete, so that it replaces the previous one.
    pub(super) fn desire(&mut self, number: Number, serial: u64, custody: Custody) -> Desire {
        self.kernel.desired = serial;
        self.kernel.custody = Some(custody);
        self.kernel.settled = false;
        self.announcing = Announcing::default();
        Desire {
            instance: self.name().clone(),
            serial,
            interface: self.home(),
            device: self.prepared.device.clone(),
            addresses: self.prepared.addresses.clone(),
            following: self.prepared.following.clone(),
            custody,
            lease: self.terms(number),
        }
    }

    /// What its leases and the guard go by.
    pub(super) fn terms(&self, number: Number) -> LeaseTerms {
        let interval = self.router.config().interval;
        let succession = self.router.succession_interval();
        let cadence = Slot::new(number.0).map(|slot| Cadence { interval, succession, slot });
        LeaseTerms { master_down: self.router.master_down_interval(), cadence }
    }

    /// How an advert fared.
    pub(super) fn spoke(&mut self, outcome: io::Result<()>) {
        let fault = match outcome {
            Ok(()) => {
                self.counters.sent += 1;
                None
            }
            Err(error) if self.mute != Some(error.kind()) => {
                warn!(instance = %self.name(), %error, "adverts are not sent");
                Some(error.kind())
            }
            Err(error) => Some(error.kind()),
        };
        if self.mute.is_some() && fault.is_none() {
            info!(instance = %self.name(), "adverts are sent again");
        }
        self.mute = fault;
    }

    /// Signed adverts carry the time of day; others have no use for it.
    pub(super) fn tell_time_of_day(&mut self) {
        if let Authentication::Hmac(_) = self.router.config().authentication {
            self.router.set_wall_clock(clock::time_of_day());
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving != Leaving::No
    }

    /// A former master that still serves, or whose kernel has yet to follow: no second owner.
    fn is_handing_over(&self) -> bool {
        self.router.is_holding() || self.is_leaving()
    }

    /// Why it is in its state. The faults of one that is in FAULT may be others by now than those
    /// that brought it there.
    fn reason(&self) -> String {
        match &self.health {
            Some(health)
                if self.router.state() == StateName::Fault && !health.faults.is_empty() =>
            {
                health.faults.join("; ")
            }
            _ => self.reason.clone(),
        }
    }

    fn warnings(&self, now: Time) -> Vec<String> {
        let of_router = self.router.warnings(now).map(ToString::to_string);
        let serving = self.kernel.custody == Some(Custody::Serving);
        let foreign = self.kernel.addresses.iter().filter(|it| serving && it.foreign);
        let foreign = foreign.map(|it| format!("{}: {}", it.address, Drift::Foreign));
        let missing = self.kernel.missing.iter().filter(|_| serving).cloned();
        let standing = self.warnings.standing(now).cloned();
        of_router.chain(foreign).chain(missing).chain(standing).collect()
    }

    pub(super) fn report(&self, now: Time) -> InstanceReport {
        InstanceReport {
            name: self.name().clone(),
            state: state(self.router.state()),
            since: self.since.clone(),
            reason: self.reason(),
            priority: self.prepared.config.priority.get(),
            effective_priority: self.router.effective_priority().get(),
            holding: self.is_handing_over(),
            master: self.router.master(),
            addresses: self.kernel.addresses.clone(),
            adverts_sent: self.counters.sent,
            adverts_received: self.counters.received,
            discards: self
                .counters
                .discards
                .iter()
                .map(|(why, count)| (why.name().to_owned(), *count))
                .collect(),
            warnings: self.warnings(now),
        }
    }
}

/// The report's word for an engine state.
pub(super) fn state(name: StateName) -> InstanceState {
    match name {
        StateName::Init => InstanceState::Init,
        StateName::Fault => InstanceState::Fault,
        StateName::Backup => InstanceState::Backup,
        StateName::Master => InstanceState::Master,
    }
}
