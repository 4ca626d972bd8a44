//! Another router in the place of one: another VRID, family, interface or name. Where it can, it
//! carries a mastership on without listening first: then the addresses stay with this host, and
//! are on the new interface before they leave the old one.
//!
//! Its first advert is heard like any other: whoever ranks higher where it comes to takes over.

use super::event_loop::EventLoop;
use super::prepared::{PreparedInstance, PreparedInstances};
use crate::arrival::Arrival;
use crate::net::Request;
use std::sync::Arc;
use vipfleet_model::Name;
use vipfleet_vrrp::{Input, StateName, Transmission};

impl EventLoop {
    /// Another VRID, family or interface.
    ///
    /// On the same interface the old one falls silent: a resignation would have peers that hear of
    /// the change a moment later take the addresses too. On another one it says goodbye: peers
    /// that stay behind need not wait, and those on the same LAN hear the new one at once.
    pub(super) fn replace(&mut self, name: &Name, wanted: Arc<PreparedInstance>) {
        let Some(instance) = self.instances.get(name) else { return };
        let state = instance.router.state();
        let stays = instance.interface() == wanted.assigned.interface;
        let same_family = instance.family() == wanted.config.family;
        let carries_on = state == StateName::Master
            && same_family
            && (stays || self.can_serve_elsewhere(name, &wanted));
        if state == StateName::Master && !(stays && same_family) {
            self.transmit(name, Transmission { priority: None });
        }
        let (vrid, interface) = (wanted.config.vrid, &wanted.assigned.interface);
        self.record_end(name, format!("replaced by virtual router {vrid} on {interface}"));
        self.drop_router(name);
        match carries_on {
            true => self.carry_mastership(name, wanted),
            false => self.create(name, wanted, &Arrival::Found),
        }
    }

    /// Who is the same router as an instance that is gone, under another name. One that is not
    /// MASTER has nothing to hand on; a virtual MAC belongs to an instance by name.
    pub(super) fn heir(
        &self,
        name: &Name,
        wanted: &PreparedInstances,
    ) -> Option<Arc<PreparedInstance>> {
        let former = self.instances.get(name)?;
        if former.router.state() != StateName::Master || former.prepared.device.is_some() {
            return None;
        }
        let is_heir = |prepared: &&Arc<PreparedInstance>| {
            let is_new = !self.instances.contains_key(&prepared.assigned.name);
            is_new && prepared.device.is_none() && former.prepared.is_same_router(prepared)
        };
        wanted.iter().find(is_heir).cloned()
    }

    /// The same router under another name. The kernel side hears of both in one turn.
    pub(super) fn rename(&mut self, name: &Name, wanted: Arc<PreparedInstance>) {
        let heir = wanted.assigned.name.clone();
        self.record_end(name, format!("renamed to {heir}"));
        self.drop_router(name);
        self.ask(Request::Forget { instance: name.clone() });
        self.carry_mastership(&heir, wanted);
    }

    /// Whether a MASTER may carry on at once on another interface. A device of a virtual MAC has
    /// to be made there first.
    fn can_serve_elsewhere(&mut self, name: &Name, wanted: &PreparedInstance) -> bool {
        let former = self.instances.get(name).and_then(|it| it.prepared.device.as_ref());
        if former.is_some() || wanted.device.is_some() {
            return false;
        }
        self.lan.listen(&wanted.assigned.interface, wanted.config.family);
        self.lan.obstacle(wanted).is_none()
    }

    fn record_end(&mut self, name: &Name, reason: String) {
        let state = self.instances.get(name).map(|it| it.router.state());
        if let Some(state) = state.filter(|it| *it != StateName::Init) {
            self.record(name, (state, StateName::Init), reason, false);
        }
    }

    fn carry_mastership(&mut self, name: &Name, wanted: Arc<PreparedInstance>) {
        if let Some(instance) = self.insert(name, wanted) {
            instance.running = true;
            self.refresh(name);
            self.tell(name, Input::Resume);
        }
    }
}
