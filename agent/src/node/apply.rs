//! Commands: a new assignment is diffed per instance, and only what changed is touched.

use super::event_loop::{EventLoop, Stage};
use super::handle::Command;
use super::health::CheckState;
use super::instance::{Instance, Leaving};
use super::prepare::Prepared;
use super::prepared::PreparedInstance;
use crate::arrival::Arrival;
use crate::net::{Request, Slot, clock};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use tracing::{error, info};
use vipfleet_model::Name;
use vipfleet_vrrp::{Custody, Input, ResignReason, Router};

impl EventLoop {
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Apply(prepared) => self.apply(*prepared),
            Command::Check { name, state } => self.take_result(name, state),
            Command::HandOver { ending, answer } => self.hand_over(ending, answer),
            // Too late: it went on by itself.
            Command::GoOn => {}
            Command::Stop => self.stop(),
        }
        self.dirty = true;
    }

    fn take_result(&mut self, name: Name, mut state: CheckState) {
        if !self.known_checks.contains(&name) {
            return;
        }
        if let Some(known) = self.checks.get(&name).filter(|it| it.status == state.status) {
            state.since.clone_from(&known.since);
        }
        self.checks.insert(name, state);
        self.refresh_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stage != Stage::Running
    }

    fn stop(&mut self) {
        if self.is_stopping() {
            // Asked twice: whoever asks does not want to wait for the successors.
            return self.let_go_of_everything();
        }
        self.stage = Stage::Resigned;
        for name in self.instances.keys().cloned().collect::<Vec<_>>() {
            self.leave(&name, ResignReason::Stop);
        }
        self.end_if_empty();
    }

    /// A stopping loop ends once every router has let go and the kernel side has ended.
    fn end_if_empty(&mut self) {
        if self.stage == Stage::Resigned && self.instances.is_empty() {
            self.let_go_of_everything();
        }
    }

    fn let_go_of_everything(&mut self) {
        if matches!(self.stage, Stage::LettingGo | Stage::Finished) {
            return;
        }
        self.stage = Stage::LettingGo;
        self.post_requests();
        if self.net.request(Request::Shutdown).is_err() {
            self.finish();
        }
    }

    fn apply(&mut self, prepared: Prepared) {
        if self.is_stopping() {
            return;
        }
        let Prepared { generation, hash, mut instances, checks, arrival } = prepared;
        self.time_moves(&mut instances);
        info!(generation, instances = instances.len(), "apply");
        (self.generation, self.hash) = (generation, hash);
        self.checks.retain(|name, _| checks.contains(name));
        self.known_checks = checks;
        let gone = self.instances.values().filter(|it| instances.get(it.name()).is_none());
        // One that resigned and still serves has nobody to wait for once it is deleted.
        let gone = gone.filter(|it| !it.is_leaving() || arrival.deletes(it.name()));
        let gone = gone.map(|it| it.name().clone());
        for name in gone.collect::<Vec<_>>() {
            match self.heir(&name, &instances) {
                Some(heir) => self.rename(&name, heir),
                None if arrival.deletes(&name) => self.leave(&name, ResignReason::Deleted),
                None => self.leave(&name, ResignReason::Removed),
            }
        }
        for wanted in instances {
            self.bring(&wanted.assigned.name.clone(), wanted, &arrival);
        }
        let groups = self.instances.values().filter_map(|it| it.prepared.group.as_ref());
        let groups: BTreeSet<_> = groups.map(|group| group.name.clone()).collect();
        self.group_states.retain(|name, _| groups.contains(name));
        self.routes_stale = true;
        self.reconcile();
    }

    /// The kernel is cleaned of leftovers once the first assignment runs: every instance that may
    /// carry on has claimed its addresses by then.
    pub(super) fn reconcile(&mut self) {
        let runs = !self.hash.is_empty() && self.instances.values().all(|it| it.running);
        if runs && !self.reconciled && self.inventory_is_in() {
            self.reconciled = true;
            self.lan.close_inherited();
            self.ask(Request::Reconcile);
        }
    }

    /// Whether the kernel side has said what interfaces there are and what is left over.
    fn inventory_is_in(&self) -> bool {
        self.lan.is_known() && self.inventory.is_some()
    }

    /// Makes one instance what it should be, with the least disturbance.
    fn bring(&mut self, name: &Name, wanted: Arc<PreparedInstance>, arrival: &Arrival) {
        let Some(instance) = self.instances.get_mut(name) else {
            return self.create(name, wanted, arrival);
        };
        if instance.prepared == wanted && !instance.is_leaving() {
            return;
        }
        match instance.prepared.is_same_router(&wanted) {
            true => self.change(name, wanted),
            false => self.replace(name, wanted),
        }
    }

    pub(super) fn create(&mut self, name: &Name, wanted: Arc<PreparedInstance>, arrival: &Arrival) {
        if self.insert(name, wanted).is_some() {
            for fellow in self.fellows(name) {
                self.start(&fellow, arrival);
            }
        }
    }

    pub(super) fn insert(
        &mut self,
        name: &Name,
        wanted: Arc<PreparedInstance>,
    ) -> Option<&mut Instance> {
        let router = match Router::new(wanted.config.clone()) {
            Ok(router) => router,
            Err(cause) => {
                // Impossible after `prepare`; an agent must not die of it all the same.
                error!(instance = %name, %cause, "instance not run");
                return None;
            }
        };
        let at = Timestamp::now().to_string();
        let instance = Instance::new(wanted, router, clock::now(), at);
        Some(self.instances.insert(name.clone(), instance))
    }

    /// Starts a router once the kernel's inventory is in: only then is it known whether its
    /// interface exists, and whether a former incarnation's mastership goes on. One of a sync
    /// group waits until all of it is there.
    pub(super) fn start(&mut self, name: &Name, arrival: &Arrival) {
        if !self.inventory_is_in() || self.fellows(name).is_empty() {
            return;
        }
        self.refresh(name);
        if self.carry_on(name) {
            return;
        }
        let resumes = self.may_resume(name);
        let Some(instance) = self.instances.get_mut(name).filter(|it| !it.running) else { return };
        instance.running = true;
        if resumes {
            info!(instance = %name, "carrying on as MASTER");
            self.tell(name, Input::Resume);
        } else {
            self.take_custody(name, Custody::None);
            let is_new = arrival.creates(name);
            self.tell(name, if is_new { Input::Introduce } else { Input::Start });
        }
    }

    /// Same router, other configuration.
    fn change(&mut self, name: &Name, wanted: Arc<PreparedInstance>) {
        let Some(number) = self.instances.number(name) else { return };
        let Some(instance) = self.instances.at(number) else { return };
        let posted = instance.kernel.desired;
        let terms = instance.terms(number);
        let same_holdings = instance.prepared.addresses == wanted.addresses
            && instance.prepared.device == wanted.device
            && instance.prepared.following == wanted.following;
        let returning = std::mem::replace(&mut instance.leaving, Leaving::No) != Leaving::No;
        let config = Box::new(wanted.config.clone());
        instance.prepared = wanted;
        self.tell(name, Input::Reconfigure(config));
        self.refresh(name);
        if returning {
            self.tell(name, Input::Start);
        }
        // The router speaks of what it knows: addresses on the wire. Labels, excluded addresses
        // and the length of the lease concern the kernel alone.
        let Some(instance) = self.instances.get(name) else { return };
        let same_terms = instance.terms(number) == terms;
        if instance.running && instance.kernel.desired == posted && !(same_holdings && same_terms) {
            let custody = instance.router.custody();
            self.take_custody(name, custody);
        }
    }

    fn leave(&mut self, name: &Name, why: ResignReason) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        if !instance.running {
            return self.remove(name);
        }
        if instance.leaving == Leaving::LetGo {
            return self.remove_if_gone(name);
        }
        instance.leaving = Leaving::Resigned;
        self.tell(name, Input::Resign(why));
    }

    pub(super) fn drop_router(&mut self, name: &Name) {
        if let Some(number) = self.instances.remove(name) {
            self.deadlines.set(number, None);
            if let Some(slot) = Slot::new(number.0) {
                self.heartbeat.clear(slot);
            }
        }
    }

    /// Nothing is left of the instance but what the kernel side may still hold: forget it.
    pub(super) fn remove(&mut self, name: &Name) {
        self.drop_router(name);
        self.ask(Request::Forget { instance: name.clone() });
        self.routes_stale = true;
        self.dirty = true;
        self.end_if_empty();
    }
}
