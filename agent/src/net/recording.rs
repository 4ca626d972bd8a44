//! Writing down for the guard what this agent has, or is about to have, in the kernel. Part of
//! the actor. The record names what is wanted before it is made, so that a crash in between
//! leaves nothing that the guard does not know; what is named and not there costs it nothing.

use super::actor::Actor;
use super::address;
use super::heartbeat::Removal;
use super::heartbeat::record::{Draft, Kind};
use super::lease::{Lease, LeaseTerms};
use super::place::{Holding, Place};
use super::route;
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage};
use netlink_packet_route::RouteNetlinkMessage;
use std::collections::BTreeMap;
use std::time::Duration;
use vipfleet_vrrp::Custody;

impl Actor {
    /// Brings the record up to date.
    pub(super) fn record(&mut self) {
        let mut draft = Draft::default();
        let mut add = |kind, terms, message| {
            let mut message = NetlinkMessage::from(message);
            message.header.flags = NLM_F_REQUEST | NLM_F_ACK;
            message.finalize();
            let mut bytes = vec![0; message.buffer_len()];
            message.serialize(&mut bytes);
            draft.add(kind, terms, &bytes);
        };
        // Devices of virtual MACs that have addresses, with the longest of their terms.
        let mut serving = BTreeMap::new();
        for (place, holding) in &self.holdings {
            let Some(terms) = terms(holding) else { continue };
            let known = || self.index_at(&place.interface);
            if let Some(index) = known().filter(|index| self.devices.owns(*index)) {
                let longest = serving.entry(index).or_insert(terms);
                *longest = longest.longer(terms);
            }
            if let Some(index) = holding.address.as_ref().map(|held| held.index).or_else(known) {
                let message = address::named(index, place.address);
                add(Kind::Address, terms, RouteNetlinkMessage::DelAddress(message));
            }
            if let Some(index) = holding.route.or_else(|| known().filter(|_| is_silent(holding))) {
                let message = route::local(index, place.address.addr());
                add(Kind::Route, terms, RouteNetlinkMessage::DelRoute(message));
            }
        }
        self.routing_removals(&mut add);
        for (index, terms) in serving {
            if let Some(message) = self.devices.removal(index) {
                add(Kind::Link, terms, RouteNetlinkMessage::DelLink(message));
            }
        }
        if !self.is_reconciled() {
            self.heartbeat.inherited().iter().for_each(|entry| draft.copy(entry));
        }
        if draft == self.recorded {
            return;
        }
        if draft.omitted > 0 && self.recorded.omitted == 0 {
            let omitted = draft.omitted;
            tracing::warn!(omitted, "more addresses than the guard can know: leases guard those");
        }
        self.heartbeat.write_record(&draft);
        self.recorded = draft;
    }

    /// Whether the guard has taken away what had this lease.
    pub(super) fn guard_took(&self, lease: Lease) -> bool {
        self.heartbeat.removal().is_some_and(|removal| self.took(removal, lease))
    }

    fn took(&self, removal: Removal, lease: Lease) -> bool {
        self.heartbeat.has_taken(removal, lease.terms, lease.renewed)
    }

    /// Gives up what the guard has taken away since the last look: the VRRP loop stood still, and
    /// nothing of it is put back before it wishes anew.
    pub(super) fn heed_the_guard(&mut self) {
        let Some(removal) = self.heartbeat.removal() else { return };
        if self.removals_heeded == removal.number {
            return;
        }
        self.removals_heeded = removal.number;
        let lost = |(place, holding): (&Place, &Holding)| {
            let lease = holding.address.as_ref()?.lease;
            self.took(removal, lease).then(|| place.clone())
        };
        for place in self.holdings.iter().filter_map(lost).collect::<Vec<_>>() {
            self.expire(&place);
        }
        // Routes and rules went too, and our own word for it may be lost.
        self.resync_wanted = true;
    }
}

/// The terms of what is at a place, or wanted there; `None` when there is nothing to guard.
fn terms(holding: &Holding) -> Option<LeaseTerms> {
    let wanted = holding.wants.iter().filter(|want| want.custody != Custody::None);
    let wanted = wanted.map(|want| want.terms).max_by_key(|terms| terms.master_down);
    let held = || holding.address.as_ref().map(|held| held.lease.terms);
    // A route that nobody wants is on its way out.
    let left = || holding.route.map(|_| LeaseTerms::of(Duration::ZERO));
    wanted.or_else(held).or_else(left)
}

fn is_silent(holding: &Holding) -> bool {
    holding.wants.iter().any(|want| want.custody == Custody::Silent)
}
