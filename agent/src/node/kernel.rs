//! What the kernel side says: interfaces, claims, truth, expiries, drift.

use super::event_loop::EventLoop;
use super::handle::Notice;
use super::health::health;
use crate::net::{Event, Leftover};
use tracing::{info, warn};
use vipfleet_model::Name;
use vipfleet_vrrp::Input;

impl EventLoop {
    pub(super) fn hear(&mut self, event: Event) {
        self.dirty = true;
        match event {
            Event::Interface(state) => {
                info!(
                    interface = %state.name, running = state.running,
                    addresses = ?state.addresses, "interface"
                );
                self.lan.set_interface(state);
                self.interfaces_changed();
            }
            Event::InterfaceGone { name } => {
                warn!(interface = %name, "interface is gone");
                self.lan.remove_interface(&name);
                self.interfaces_changed();
            }
            Event::Claimed { instance, serial } => {
                if self.is_current(&instance, serial) {
                    self.tell(&instance, Input::Claimed);
                }
            }
            Event::Truth { instance, serial, addresses, settled } => {
                let current = self.is_current(&instance, serial);
                if let Some(instance) = self.instances.get_mut(&instance) {
                    instance.kernel.addresses = addresses;
                    instance.kernel.settled = settled && current;
                }
            }
            Event::LeaseExpired { instance, address } => {
                let text = format!("the kernel dropped {address}: its lease ran out");
                self.warn(instance.clone(), text);
                self.tell(&instance, Input::LeaseExpired);
            }
            Event::Drift { instance, address, what } => {
                self.warn(instance, format!("{address}: {what}"));
            }
            Event::Failed { instance, fault, .. } => self.warn(instance, fault.to_string()),
            Event::Warning(fault) => {
                self.notice(Notice::Warning { instance: None, text: fault.to_string() });
            }
            Event::Owned(leftovers) => self.take_inventory(leftovers),
            Event::Stopped => self.finish(),
        }
    }

    /// Whether news answer the latest desire rather than one that was replaced since.
    fn is_current(&self, instance: &Name, serial: u64) -> bool {
        self.instances.get(instance).is_some_and(|it| it.kernel.desired == serial)
    }

    fn warn(&mut self, name: Name, text: String) {
        if let Some(instance) = self.instances.get_mut(&name) {
            instance.warn(text.clone());
        }
        self.notice(Notice::Warning { instance: Some(name), text });
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
        self.notice(Notice::Stopped);
    }

    fn take_inventory(&mut self, leftovers: Vec<Leftover>) {
        for leftover in &leftovers {
            let Leftover { interface, address, remaining } = leftover;
            info!(%interface, %address, ?remaining, "left by a former incarnation");
        }
        self.leftovers = Some(leftovers);
    }

    /// Starts what waited for the inventory. Called after each batch of news.
    pub(super) fn start_waiting(&mut self) {
        let waiting = self.instances.values().filter(|instance| !instance.running);
        for name in waiting.map(|instance| instance.name().clone()).collect::<Vec<_>>() {
            self.start(&name);
        }
        self.reroute();
        self.reconcile();
    }

    /// An interface or its addresses changed: sockets, sources and healths follow.
    fn interfaces_changed(&mut self) {
        self.publish_facts();
        self.refresh_all();
        self.reroute();
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
        let Some(instance) = self.instances.get_mut(name) else { return };
        let interface = instance.prepared.assigned.interface.clone();
        let (family, assigned) = (instance.family(), &instance.prepared.assigned);
        instance.socket = self.lan.listen(&interface, family);
        let source = self.lan.source(&interface, family, assigned.source_address);
        let fitness = health(&interface, self.lan.link(&interface), &assigned.track, &self.checks);
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

    /// Which packets are for whom.
    pub(super) fn reroute(&mut self) {
        let routes = self.instances.iter().filter_map(|(name, instance)| {
            Some(((instance.socket?, instance.prepared.config.vrid), name.clone()))
        });
        self.routes = routes.collect();
        let Self { lan, routes, .. } = self;
        lan.keep_only(|key| routes.keys().any(|(used, _)| used == key));
    }
}
