//! One instance as the loop runs it: the engine's router with what the router does not know.

use super::lan::SocketKey;
use super::prepare::PreparedInstance;
use crate::net::{Desire, LeaseTerms};
use std::collections::BTreeMap;
use std::net::IpAddr;
use vipfleet_model::Name;
use vipfleet_model::report::{AddressReport, InstanceReport, InstanceState};
use vipfleet_vrrp::{Custody, Discard, Family, Health, Router, StateName, Time};

/// Distinct warnings kept for the report; the oldest goes.
const WARNINGS: usize = 8;

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) prepared: PreparedInstance,
    pub(super) router: Router,
    /// Latest time handed to the router, which must not go back.
    pub(super) clock: Time,
    pub(super) socket: Option<SocketKey>,
    /// What the router was told last.
    pub(super) health: Option<Health>,
    pub(super) source: Option<IpAddr>,
    /// `Start` or `Resume` was given.
    pub(super) running: bool,
    /// Resigned for good; removed once the router has let go.
    pub(super) leaving: bool,
    /// RFC 3339, when the state was entered.
    pub(super) since: String,
    pub(super) reason: String,
    pub(super) kernel: Kernel,
    pub(super) counters: Counters,
    pub(super) warnings: Vec<String>,
}

/// Kernel truth of one instance.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    /// Counts the desires posted; the kernel side's news say which one they answer.
    pub(super) desired: u64,
    pub(super) addresses: Vec<AddressReport>,
    pub(super) settled: bool,
}

#[derive(Debug, Default)]
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
    pub(super) fn new(prepared: PreparedInstance, router: Router, now: Time, at: String) -> Self {
        Self {
            prepared,
            router,
            clock: now,
            socket: None,
            health: None,
            source: None,
            running: false,
            leaving: false,
            since: at,
            reason: String::new(),
            kernel: Kernel::default(),
            counters: Counters::default(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn name(&self) -> &Name {
        &self.prepared.assigned.name
    }

    pub(super) fn interface(&self) -> &str {
        &self.prepared.assigned.interface
    }

    pub(super) fn family(&self) -> Family {
        self.prepared.config.family
    }

    /// The next desire for the kernel: complete, so that it replaces the previous one.
    pub(super) fn desire(&mut self, custody: Custody) -> Desire {
        self.kernel.desired += 1;
        self.kernel.settled = false;
        Desire {
            instance: self.name().clone(),
            serial: self.kernel.desired,
            interface: self.interface().to_owned(),
            addresses: self.prepared.addresses.clone(),
            custody,
            lease: LeaseTerms { master_down: self.router.master_down_interval() },
        }
    }

    pub(super) fn warn(&mut self, text: String) {
        self.warnings.retain(|known| *known != text);
        if self.warnings.len() == WARNINGS {
            self.warnings.remove(0);
        }
        self.warnings.push(text);
    }

    pub(super) fn report(&self) -> InstanceReport {
        InstanceReport {
            name: self.name().clone(),
            state: state(self.router.state()),
            since: self.since.clone(),
            reason: self.reason.clone(),
            priority: self.prepared.config.priority.get(),
            effective_priority: self.router.effective_priority().get(),
            holding: self.router.is_holding(),
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
            warnings: self.warnings.clone(),
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
