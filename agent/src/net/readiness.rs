//! When an IPv6 address that was added is really served. Part of the actor.
//!
//! The kernel says yes to the addition, and a worker of its own makes the route to the address
//! and joins the group of its solicitations a moment later: packets that come in between are
//! lost. Until that route is there the address is not claimed, and a handover route stays.

use super::actor::Actor;
use super::place::Place;
use super::{clock, route};
use netlink_packet_route::RouteNetlinkMessage;
use std::time::Duration;
use vipfleet_vrrp::Time;

/// Between two looks for the route.
const AGAIN: Duration = Duration::from_millis(2);
/// The route may never come: on an interface that is down, or where routing rules were changed.
/// Then the kernel's yes counts.
const PATIENCE: Duration = Duration::from_secs(1);
/// Addresses looked for in one turn.
const CHUNK: usize = 128;

/// Addresses whose route is awaited, and since when.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    places: Vec<(Place, Time)>,
    next: Option<Time>,
}

impl Awaited {
    /// When to look next.
    pub(super) fn next(&self) -> Option<Time> {
        self.next
    }
}

impl Actor {
    /// An address was added; whether it is served at once.
    pub(super) fn await_route(&mut self, place: &Place) -> bool {
        let at_once = place.address.addr().is_ipv4();
        if !at_once {
            self.awaited.places.push((place.clone(), clock::now()));
            self.awaited.next = Some(clock::now());
        }
        at_once
    }

    /// Looks for the routes of addresses that were added.
    pub(super) async fn look_for_routes(&mut self) {
        let now = clock::now();
        if self.awaited.next.is_none_or(|next| now < next) {
            return;
        }
        let mut all = std::mem::take(&mut self.awaited.places);
        let later = all.split_off(all.len().min(CHUNK));
        let index = |place: &Place| {
            let held = self.holdings.get(place)?.address.as_ref();
            held.filter(|it| !it.is_ready).map(|it| it.index)
        };
        let looked: Vec<_> =
            all.into_iter().filter_map(|it| index(&it.0).map(|index| (index, it))).collect();
        let ask = |(index, (place, _)): &(u32, (Place, Time))| {
            RouteNetlinkMessage::GetRoute(route::lookup(*index, place.address.addr()))
        };
        let answers = self.netlink.ask(looked.iter().map(ask).collect()).await;
        for ((_, (place, since)), answer) in looked.into_iter().zip(answers) {
            let is_there = matches!(
                answer, Some(RouteNetlinkMessage::NewRoute(message)) if route::is_kernels(&message)
            );
            if is_there || now.since(since) >= PATIENCE {
                let held = self.holdings.get_mut(&place).and_then(|it| it.address.as_mut());
                held.into_iter().for_each(|it| it.is_ready = true);
                self.touch(&place);
            } else {
                self.awaited.places.push((place, since));
            }
        }
        let at_once = !later.is_empty();
        // Those that were not looked at come first next time.
        let missing = std::mem::replace(&mut self.awaited.places, later);
        self.awaited.places.extend(missing);
        let waits = !self.awaited.places.is_empty();
        self.awaited.next = waits.then(|| if at_once { now } else { clock::now() + AGAIN });
    }
}
