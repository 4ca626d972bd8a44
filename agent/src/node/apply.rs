//! Commands: a new assignment is diffed per instance, and only what changed is touched.

use super::event_loop::EventLoop;
use super::handle::Command;
use super::instance::Instance;
use super::prepare::{Prepared, PreparedInstance};
use super::resume;
use crate::net::{LeaseTerms, Request, clock};
use jiff::Timestamp;
use tracing::{error, info};
use vipfleet_model::Name;
use vipfleet_vrrp::{Custody, Input, ResignReason, Router, StateName, Transmission};

impl EventLoop {
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Apply(prepared) => self.apply(*prepared),
            Command::Check { name, state } => {
                self.checks.insert(name, state);
                self.refresh_all();
            }
            Command::ForgetCheck { name } => {
                self.checks.remove(&name);
                self.refresh_all();
            }
            Command::Stop => self.stop(),
        }
        self.dirty = true;
    }

    fn stop(&mut self) {
        self.stopping = true;
        for name in self.instances.keys().cloned().collect::<Vec<_>>() {
            self.leave(&name, ResignReason::Stop);
        }
        self.end_if_empty();
    }

    /// A stopping loop ends once every router has let go.
    fn end_if_empty(&mut self) {
        if self.stopping
            && self.instances.is_empty()
            && self.net.request(Request::Shutdown).is_err()
        {
            self.finish();
        }
    }

    fn apply(&mut self, prepared: Prepared) {
        if self.stopping {
            return;
        }
        info!(generation = prepared.generation, instances = prepared.instances.len(), "apply");
        self.generation = prepared.generation;
        self.hash = prepared.hash;
        let gone = |name: &&Name| !prepared.instances.contains_key(*name);
        for name in self.instances.keys().filter(gone).cloned().collect::<Vec<_>>() {
            self.leave(&name, ResignReason::Removed);
        }
        for (name, wanted) in prepared.instances {
            self.bring(&name, wanted);
        }
        self.reroute();
        self.reconcile();
    }

    /// The kernel is cleaned of leftovers once the first assignment runs: every instance that may
    /// carry on has claimed its addresses by then.
    pub(super) fn reconcile(&mut self) {
        let runs = !self.hash.is_empty() && self.instances.values().all(|it| it.running);
        if runs && !self.reconciled && self.inventory_is_in() {
            self.reconciled = self.net.request(Request::Reconcile).is_ok();
        }
    }

    /// Whether the kernel side has said what interfaces there are and what is left over.
    fn inventory_is_in(&self) -> bool {
        self.lan.is_known() && self.leftovers.is_some()
    }

    /// Makes one instance what it should be, with the least disturbance.
    fn bring(&mut self, name: &Name, wanted: PreparedInstance) {
        let Some(instance) = self.instances.get_mut(name) else {
            return self.create(name, wanted);
        };
        if instance.prepared == wanted && !instance.leaving {
            return;
        }
        let before = &instance.prepared;
        let same_router = before.assigned.interface == wanted.assigned.interface
            && before.config.vrid == wanted.config.vrid
            && before.config.family == wanted.config.family;
        match same_router {
            true => self.change(name, wanted),
            false => self.replace(name, wanted),
        }
    }

    fn create(&mut self, name: &Name, wanted: PreparedInstance) {
        let router = match Router::new(wanted.config.clone()) {
            Ok(router) => router,
            // Impossible after `prepare`; an agent must not die of it all the same.
            Err(cause) => return error!(instance = %name, %cause, "instance not run"),
        };
        let at = Timestamp::now().to_string();
        let instance = Instance::new(wanted, router, clock::now(), at);
        self.instances.insert(name.clone(), instance);
        self.start(name);
    }

    /// Starts a router once the kernel's inventory is in: only then is it known whether its
    /// interface exists, and whether a former incarnation's mastership goes on.
    pub(super) fn start(&mut self, name: &Name) {
        if !self.inventory_is_in() {
            return;
        }
        self.refresh(name);
        let leftovers = self.leftovers.as_deref().unwrap_or_default();
        let Some(instance) = self.instances.get_mut(name).filter(|it| !it.running) else { return };
        instance.running = true;
        let config = &instance.prepared.config;
        let lease = LeaseTerms { master_down: instance.router.master_down_interval() };
        let (former, boot_id) = (&self.former, &self.boot_id);
        if resume::may_resume(name, config, lease, former, boot_id, leftovers) {
            info!(instance = %name, "carrying on as MASTER");
            self.tell(name, Input::Resume);
        } else {
            self.take_custody(name, Custody::None);
            self.tell(name, Input::Start);
        }
    }

    /// Same router, other configuration.
    fn change(&mut self, name: &Name, wanted: PreparedInstance) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        let posted = instance.kernel.desired;
        let lease = instance.router.master_down_interval();
        let same_addresses = instance.prepared.addresses == wanted.addresses;
        let returning = std::mem::take(&mut instance.leaving);
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
        let same_lease = instance.router.master_down_interval() == lease;
        if instance.running && instance.kernel.desired == posted && !(same_addresses && same_lease)
        {
            let custody = instance.router.custody();
            self.take_custody(name, custody);
        }
    }

    /// Another VRID, family or interface is another router. The old one says goodbye; on the
    /// same interface the new one carries a mastership on, so that the addresses stay.
    fn replace(&mut self, name: &Name, wanted: PreparedInstance) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        let was_master = instance.router.state() == StateName::Master;
        let stays = instance.interface() == wanted.assigned.interface
            && instance.family() == wanted.config.family;
        if was_master {
            self.transmit(name, Transmission { priority: None });
        }
        let posted = self.instances.remove(name).map_or(0, |instance| instance.kernel.desired);
        self.deadlines.set(name, None);
        let Ok(router) = Router::new(wanted.config.clone()) else { return };
        let at = Timestamp::now().to_string();
        let mut instance = Instance::new(wanted, router, clock::now(), at);
        instance.kernel.desired = posted;
        instance.running = was_master && stays;
        self.instances.insert(name.clone(), instance);
        if was_master && stays {
            self.refresh(name);
            self.tell(name, Input::Resume);
        } else {
            self.start(name);
        }
    }

    fn leave(&mut self, name: &Name, why: ResignReason) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        let was_running = instance.running;
        instance.leaving = true;
        if was_running {
            self.tell(name, Input::Resign(why));
        } else {
            self.remove(name);
        }
    }

    /// The router has let go: forget it.
    pub(super) fn remove(&mut self, name: &Name) {
        self.instances.remove(name);
        self.deadlines.set(name, None);
        if let Err(error) = self.net.request(Request::Forget { instance: name.clone() }) {
            error!(instance = %name, %error, "the kernel side did not hear of the removal");
        }
        self.reroute();
        self.dirty = true;
        self.end_if_empty();
    }
}
