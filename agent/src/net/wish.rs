//! Taking in what an instance is wished to be. Part of the actor; touches no kernel.

use super::actor::{Actor, Instance};
use super::clock;
use super::place::{Place, Tenancy};
use super::request::Desire;
use super::wants::Want;
use vipfleet_model::Name;
use vipfleet_vrrp::Custody;

impl Actor {
    /// Replaces an instance's wish, or forgets it.
    pub(super) fn take_wish(&mut self, name: Name, wish: Option<Desire>) {
        let former = self.instances.remove(&name);
        let devices = [former.as_ref().map(|it| &it.desire), wish.as_ref()];
        if devices.into_iter().flatten().any(|it| it.device.is_some()) {
            self.devices.stale = true;
        }
        for place in former.iter().flat_map(|it| &it.places) {
            if let Some(holding) = self.holdings.get_mut(place) {
                holding.wants.withdraw(&name);
                self.dirty.insert(place.clone());
            }
        }
        let Some(desire) = wish else {
            self.events.retract_claim(&name);
            return;
        };
        let serving = desire.custody == Custody::Serving;
        if !serving {
            self.events.retract_claim(&name);
        }
        let places = self.place_wants(&desire);
        let same = former.filter(|former| former.desire.serial == desire.serial);
        let (mut claimed, told) = same.map_or((false, None), |it| (it.claimed, it.told));
        claimed &= serving;
        self.instances.insert(name.clone(), Instance { desire, places, claimed, told });
        self.touched.insert(name);
    }

    /// Notes what a desire wants of each of its places.
    fn place_wants(&mut self, desire: &Desire) -> Vec<Place> {
        let mut places = Vec::with_capacity(desire.addresses.len());
        for spec in &*desire.addresses {
            let interface = spec.dev.as_deref().unwrap_or(&desire.interface).into();
            let place = Place { interface, address: spec.address };
            let (custody, terms) = (desire.custody, desire.lease);
            let want = Want { custody, terms, spec: spec.clone(), expired: false };
            let holding = self.holdings.entry(place.clone()).or_default();
            holding.wants.put(desire.instance.clone(), want);
            let other_terms = |held: &Tenancy| held.lease.terms != terms;
            let relet = holding.address.as_ref().is_some_and(other_terms);
            holding.never_silent &= custody == Custody::Silent;
            if custody != Custody::Serving {
                (holding.fault, holding.not_before, holding.foreign_told) = (None, None, false);
                holding.lost = false;
            }
            if relet && custody == Custody::Serving {
                self.schedule(&place, clock::now());
            }
            self.dirty.insert(place.clone());
            places.push(place);
        }
        places
    }
}
