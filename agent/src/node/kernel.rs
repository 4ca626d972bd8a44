//! What the kernel side says: interfaces, claims, truth, expiries, drift.

use super::event_loop::{EventLoop, Stage};
use super::handle::Notice;
use super::health::health;
use super::instance::Leaving;
use super::resume::Inventory;
use super::sleep::Woken;
use crate::arrival::Arrival;
use crate::net::{Drift, Event, Leftover, clock};
use std::time::Duration;
use tracing::{info, warn};
use vipfleet_model::Name;
use vipfleet_vrrp::{Custody, Input};

/// How often a socket that could not be opened is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

impl EventLoop {
    /// Everything the kernel side has said since. Interfaces are looked at once for all their
    /// news, which come together: a half-known host would look like one that lacks the rest.
    pub(super) fn hear_kernel(&mut self, woken: Woken) {
        while woken.news
            && let Some(event) = self.net_events.try_recv()
        {
            self.hear(event);
        }
        let again = self.listen_again.take_if(|at| *at <= clock::now()).is_some();
        if std::mem::take(&mut self.lan_changed) || again {
            self.interfaces_changed();
        }
        if self.lan.is_deaf() {
            self.listen_again.get_or_insert_with(|| clock::now() + LISTEN_AGAIN);
        }
        if woken.news && !self.reconciled {
            self.start_waiting();
        }
    }

    fn hear(&mut self, event: Event) {
        self.dirty = true;
        match event {
            Event::Interface(state) => {
                info!(
                    interface = %state.name, running = state.running,
                    addresses = ?state.addresses, "interface"
                );
                self.lan.set_interface(state);
                self.lan_changed = true;
            }
            Event::InterfaceGone { name } => {
                warn!(interface = %name, "interface is gone");
                self.lan.remove_interface(&name);
                self.lan_changed = true;
            }
            Event::Claimed { instance, serial } => {
                if self.is_current(&instance, serial) {
                    self.tell(&instance, Input::Claimed);
                }
            }
            Event::Truth { instance: name, serial, addresses, settled } => {
                let current = self.is_current(&name, serial);
                let Some(instance) = self.instances.get_mut(&name) else { return };
                instance.kernel.addresses = addresses;
                instance.kernel.settled = settled && current;
                if instance.kernel.settled {
                    instance.warnings.settled();
                    self.remove_if_gone(&name);
                }
            }
            Event::LeaseExpired { instance, address } => {
                if !self.serves(&instance) {
                    // Let go meanwhile, as one is whose addresses the guard took.
                    return;
                }
                let text = format!("the kernel dropped {address}: its lease ran out");
                self.warn(instance.clone(), text);
                self.tell(&instance, Input::LeaseExpired);
            }
            // Stands as long as the address does: the report shows it from kernel truth.
            Event::Drift { instance, address, what: what @ Drift::Foreign } => {
                self.notice(Notice::Warning {
                    instance: Some(instance),
                    text: format!("{address}: {what}"),
                });
            }
            Event::Drift { instance, address, what } => {
                self.warn(instance, format!("{address}: {what}"));
            }
            Event::Failed { instance: name, address, fault } => {
                let text = fault.to_string();
                if let Some(instance) = self.instances.get_mut(&name) {
                    instance.warnings.refused(address, text.clone());
                }
                self.notice(Notice::Warning { instance: Some(name), text });
            }
            Event::Routing { instance: name, missing } => {
                for text in &missing {
                    let instance = Some(name.clone());
                    self.notice(Notice::Warning { instance, text: text.clone() });
                }
                if let Some(instance) = self.instances.get_mut(&name) {
                    instance.kernel.missing = missing;
                }
            }
            Event::Device { instance: name, obstacle } => {
                let Some(instance) = self.instances.get_mut(&name) else { return };
                instance.kernel.obstacle = obstacle;
                if instance.running {
                    self.refresh(&name);
                }
            }
            Event::Restored { instance, what } => {
                self.warn(instance, format!("{what} was gone; put back"));
            }
            Event::Warning(fault) => {
                self.notice(Notice::Warning { instance: None, text: fault.to_string() });
            }
            Event::Owned(leftovers) => self.take_inventory(leftovers),
            Event::Stopped => self.finish(),
        }
    }

    /// An instance whose addresses the guard has taken away while this loop stood still is not
    /// master any more.
    pub(super) fn hear_guard(&mut self) {
        let Some(removal) = self.heartbeat.removal() else { return };
        if std::mem::replace(&mut self.removals_heard, removal.number) == removal.number {
            return;
        }
        // Nothing has beaten since it stood still.
        let since = self.heartbeat.last();
        let affected = self.instances.iter().filter(|(number, instance)| {
            self.heartbeat.has_taken(removal, instance.terms(*number), since)
        });
        let affected = affected.map(|(_, instance)| instance.name().clone());
        let affected = affected.filter(|name| self.serves(name));
        for name in affected.collect::<Vec<_>>() {
            let silence = removal.silence;
            let text =
                format!("the guard took its addresses: the agent stood still for {silence:?}");
            self.warn(name.clone(), text);
            self.tell(&name, Input::LeaseExpired);
        }
    }

    /// Whether an instance has, or wants, its addresses in the kernel.
    fn serves(&self, name: &Name) -> bool {
        let custody = self.instances.get(name).and_then(|instance| instance.kernel.custody);
        custody.is_some_and(|custody| custody != Custody::None)
    }

    /// Whether news answer the latest desire rather than one that was replaced since.
    fn is_current(&self, instance: &Name, serial: u64) -> bool {
        self.instances.get(instance).is_some_and(|it| it.kernel.desired == serial)
    }

    fn warn(&mut self, name: Name, text: String) {
        if let Some(instance) = self.instances.get_mut(&name) {
            instance.warnings.happened(clock::now(), text.clone());
        }
        self.notice(Notice::Warning { instance: Some(name), text });
    }

    pub(super) fn finish(&mut self) {
        self.stage = Stage::Finished;
        self.notice(Notice::Stopped);
    }

    /// A resigned instance is gone once its router has let go and the kernel shows it. A stopping
    /// agent need not wait: the kernel side lets go of everything before it ends.
    pub(super) fn remove_if_gone(&mut self, name: &Name) {
        let Some(instance) = self.instances.get(name) else { return };
        let shown = instance.kernel.settled || self.is_stopping();
        if instance.leaving == Leaving::LetGo && shown {
            self.remove(name);
        }
    }

    fn take_inventory(&mut self, leftovers: Vec<Leftover>) {
        for leftover in &leftovers {
            let Leftover { interface, address, remaining } = leftover;
            info!(%interface, %address, ?remaining, "left by a former incarnation");
        }
        self.inventory = Some((clock::now(), leftovers));
    }

    /// What a former incarnation left, once it is known, as old as it is by now.
    pub(super) fn inventory(&self) -> Option<Inventory> {
        let (at, leftovers) = self.inventory.as_ref()?;
        let now = clock::now();
        let silence = self.heartbeat.former().map(|it| it.silent + now.since(self.began));
        Some(Inventory { leftovers: leftovers.clone(), age: now - *at, silence })
    }

    /// Starts what waited for the inventory.
    fn start_waiting(&mut self) {
        let waiting = self.instances.values().filter(|instance| !instance.running);
        for name in waiting.map(|instance| instance.name().clone()).collect::<Vec<_>>() {
            self.start(&name, &Arrival::Found);
        }
        self.reconcile();
    }

    /// An interface or its addresses changed: sockets, sources and healths follow.
    fn interfaces_changed(&mut self) {
        self.publish_facts();
        self.refresh_all();
    }

    /// Instances that have not started yet are told when they start.
    pub(super) fn refresh_all(&mut self) {
        let running = self.instances.values().filter(|instance| instance.running);
        for name in running.map(|instance| instance.name().clone()).collect::<Vec<_>>() {
            self.refresh(&name);
        }
    }

    /// Tells the router what changed of its ground: health first, then the source address.
    pub(super) fn refresh(&mut self, name: &Name) {
        let of_others = self.obstacles_of_others(name);
        let Some(instance) = self.instances.get_mut(name) else { return };
        let socket = self.lan.listen(instance.interface(), instance.family());
        self.routes_stale |= !instance.running || instance.socket != socket;
        instance.socket = socket;
        let source = self.lan.source(&instance.prepared);
        let of_device = instance.kernel.obstacle.clone();
        let obstacle = self.lan.obstacle(&instance.prepared).or(of_device);
        let assigned = &instance.prepared.assigned;
        let offset = assigned.priority_offset;
        let mut fitness = health(obstacle, offset, &assigned.track, &self.checks);
        fitness.faults.extend(of_others);
        let new_health = (instance.health.as_ref() != Some(&fitness)).then_some(fitness);
        let new_source = (instance.source != source || instance.health.is_none()).then_some(source);
        instance.source = source;
        if let Some(fitness) = new_health {
            instance.health = Some(fitness.clone());
            self.tell(name, Input::Health(fitness));
        }
        if let Some(source) = new_source {
            self.tell(name, Input::PrimaryAddress(source));
        }
    }

    /// Which packets are for whom, once a turn at most. Until then a packet for an instance that
    /// is gone finds nobody.
    pub(super) fn reroute(&mut self) {
        if !std::mem::take(&mut self.routes_stale) {
            return;
        }
        let routes = self.instances.iter().filter_map(|(number, instance)| {
            Some((instance.socket?, instance.prepared.config.vrid, number))
        });
        self.lan.reroute(routes);
        let intervals = self.instances.values().map(|it| it.prepared.config.interval);
        self.rhythm = intervals.min().unwrap_or_default();
    }
}
