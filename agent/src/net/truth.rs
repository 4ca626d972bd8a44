//! What the VRRP thread is told of each instance, and the end of everything. Part of the actor.

use super::actor::{Actor, Instance};
use super::address;
use super::event::Event;
use super::place::Place;
use netlink_packet_route::RouteNetlinkMessage;
use vipfleet_model::Name;
use vipfleet_model::report::AddressReport;
use vipfleet_vrrp::Custody;

impl Actor {
    /// Reports every instance whose truth changed, and each claim that is complete.
    pub(super) fn tell_truths(&mut self) {
        for name in std::mem::take(&mut self.touched) {
            let Some(instance) = self.instances.get(&name) else {
                continue;
            };
            let truth = self.truth(instance);
            let served = instance.places.iter().all(|place| self.is_served(place));
            let claims = instance.desire.custody == Custody::Serving && !instance.claimed;
            let told = instance.told.as_ref() == Some(&truth);
            let Some(instance) = self.instances.get_mut(&name) else {
                continue;
            };
            let serial = instance.desire.serial;
            if claims && served {
                instance.claimed = true;
                self.events.send(Event::Claimed { instance: name.clone(), serial });
            }
            if !told {
                instance.told = Some(truth.clone());
                let (addresses, settled) = truth;
                self.events.send(Event::Truth { instance: name, serial, addresses, settled });
            }
        }
    }

    fn truth(&self, instance: &Instance) -> (Vec<AddressReport>, bool) {
        let addresses = instance.places.iter().map(|place| self.report(place)).collect();
        let settled = |place: &Place| {
            let ground = self.ground(place);
            self.holdings.get(place).is_none_or(|holding| holding.is_settled(ground))
        };
        let routed = self.routing_is_settled(instance);
        (addresses, routed && instance.places.iter().all(settled))
    }

    fn report(&self, place: &Place) -> AddressReport {
        let address = place.address.addr();
        let index = self.mirror.index_of(&place.interface);
        let mut entries = index.into_iter().flat_map(|index| self.mirror.entries(index, address));
        let ours = self.holdings.get(place).is_some_and(|holding| holding.address.is_some());
        let in_kernel = entries.next().is_some();
        let foreign = !ours && self.ground(place).foreign;
        AddressReport { address, in_kernel, foreign }
    }

    /// On its interface, by whomever.
    pub(super) fn is_served(&self, place: &Place) -> bool {
        let ground = self.ground(place);
        let held = self.holdings.get(place).and_then(|holding| holding.address.as_ref());
        held.map_or(ground.foreign, |held| held.is_ready && Some(held.index) == ground.index)
    }

    /// Shutdown: nothing of ours stays, held or left over, and every setting is put back.
    pub(super) async fn let_go_of_everything(&mut self) {
        let names: Vec<Name> = self.instances.keys().cloned().collect();
        for name in names {
            self.instances.remove(&name);
        }
        self.let_go_of_routing().await;
        for (place, holding) in &mut self.holdings {
            holding.wants.clear();
            holding.not_before = None;
            self.dirty.insert(place.clone());
        }
        while self.release().await {}
        self.remove_devices().await;
        self.put_settings_back();
        let stale = self.mirror.addresses().filter(|seen| self.is_leftover(seen));
        let delete = stale.map(|seen| {
            (RouteNetlinkMessage::DelAddress(address::named(seen.index, seen.address)), 0)
        });
        let delete = delete.collect();
        self.netlink.batch(delete).await;
        let ledger = self.ledger();
        let number = self.writer.put(ledger);
        self.writer.written(number).await;
    }
}
