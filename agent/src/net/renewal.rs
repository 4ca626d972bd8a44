//! Renewing leases while the VRRP loop vouches for them. Part of the actor.

use super::actor::Actor;
use super::event::Event;
use super::lease::Lease;
use super::place::{Goal, Place};
use super::wants::Want;
use super::{address, clock};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use rustix::io::Errno;
use std::time::Duration;
use vipfleet_vrrp::{Custody, Time};

/// Renewals between two looks at the inbox. IPv6 renewal is quadratic in the kernel.
const CHUNK_V4: usize = 50;
const CHUNK_V6: usize = 16;
/// Due times lie on this grid, so that many small instances share a wake-up.
const GRID: Duration = Duration::from_millis(50);
/// A renewal that failed is tried again after this time; the lease has room for several.
const AGAIN: Duration = Duration::from_millis(200);
/// Chunks that one claim's first renewals are spread over.
const SPREAD: usize = 20;

impl Actor {
    /// The first renewal of the `position`-th address of a claim: spread over the second half of
    /// the period, so that the renewals of a big claim never come in one burst.
    pub(super) fn schedule_first(&mut self, place: &Place, lease: Lease, position: usize) {
        let period = lease.terms.period();
        let slot = u32::try_from(position / CHUNK_V4 % SPREAD).unwrap_or(0);
        let earlier = period / 2 * slot / u32::try_from(SPREAD).unwrap_or(1);
        self.schedule(place, lease.renewed + (period - earlier));
    }

    /// Sets the one due time of a place.
    pub(super) fn schedule(&mut self, place: &Place, at: Time) {
        let Some(holding) = self.holdings.get_mut(place) else {
            return;
        };
        let grid = u64::try_from(GRID.as_nanos()).unwrap_or(u64::MAX);
        // Rounded down: never later than the period allows.
        let at = Time::from_nanos(at.as_nanos() / grid * grid);
        if let Some(old) = holding.due.replace(at) {
            self.due.remove(&(old, place.clone()));
        }
        self.due.insert((at, place.clone()));
    }

    /// Renews up to a chunk of what is due. True when more is due now.
    pub(super) async fn renew(&mut self, beat: Time) -> bool {
        let now = clock::now();
        let (mut four, mut six) = (CHUNK_V4, CHUNK_V6);
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        let chunk = due.take_while(|(_, place)| {
            let room = if place.address.addr().is_ipv6() { &mut six } else { &mut four };
            std::mem::replace(room, room.saturating_sub(1)) > 0
        });
        let chunk: Vec<_> = chunk.map(|(_, place)| place.clone()).collect();
        let (mut messages, mut sent) = (Vec::new(), Vec::new());
        for place in chunk {
            if let Some((message, lease)) = self.renewal(&place, beat, now) {
                messages.push((message, NLM_F_CREATE | NLM_F_REPLACE));
                sent.push((place, lease));
            }
        }
        let results = self.netlink.batch(messages).await;
        let sent_any = !sent.is_empty();
        for ((place, lease), result) in sent.into_iter().zip(results) {
            self.renewed(&place, lease, result);
        }
        let more = self.due.first().is_some_and(|(at, _)| *at <= now);
        more && sent_any
    }

    /// The renewal of one due place. `None` when its lease is over, when there is nothing to
    /// renew any more, or when nobody vouches for it now (then it stays due).
    fn renewal(
        &mut self,
        place: &Place,
        beat: Time,
        now: Time,
    ) -> Option<(RouteNetlinkMessage, Lease)> {
        let holding = self.holdings.get(place)?;
        let (Some(held), Goal::Serving(want)) = (&holding.address, holding.goal()) else {
            self.unschedule(place);
            return None;
        };
        if held.lease.may_have_expired(now) || self.guard_took(held.lease) {
            // We slept through it. The kernel is late with dropping it; a renewal now would
            // bring back an address that another host has taken over.
            self.expire(place);
            return None;
        }
        let (index, spec, terms) = (held.index, want.spec.clone(), want.terms);
        if !self.vouched(beat, now, terms) {
            return None;
        }
        let message = address::leased(index, &spec, terms);
        Some((RouteNetlinkMessage::NewAddress(message), Lease { renewed: now, terms }))
    }

    fn renewed(&mut self, place: &Place, lease: Lease, result: Result<(), Errno>) {
        let Some(holding) = self.holdings.get_mut(place) else {
            return;
        };
        match (result, &mut holding.address) {
            (Ok(()), Some(held)) => {
                held.lease = lease;
                self.schedule(place, lease.renewed + lease.terms.period());
            }
            (Ok(()), None) => {}
            (Err(error), _) => {
                tracing::warn!(address = %place.address, %error, "lease not renewed");
                self.schedule(place, clock::now() + AGAIN);
            }
        }
    }

    fn unschedule(&mut self, place: &Place) {
        if let Some(due) = self.holdings.get_mut(place).and_then(|holding| holding.due.take()) {
            self.due.remove(&(due, place.clone()));
        }
    }

    /// The lease of a place is over: whoever wanted it must wish anew. What is still in the
    /// kernel is let go.
    pub(super) fn expire(&mut self, place: &Place) {
        self.unschedule(place);
        let Some(holding) = self.holdings.get_mut(place) else {
            return;
        };
        let address = place.address.addr();
        let serving = |want: &Want| want.custody == Custody::Serving;
        for (instance, want) in holding.wants.iter_mut().filter(|(_, want)| serving(want)) {
            if !std::mem::replace(&mut want.expired, true) {
                let instance = instance.clone();
                self.events.retract_claim(&instance);
                if let Some(known) = self.instances.get_mut(&instance) {
                    known.claimed = false;
                }
                self.events.send(Event::LeaseExpired { instance, address });
            }
        }
        self.touch(place);
    }
}
