//! What the kernel says unasked, and reading everything anew. Part of the actor.

use super::actor::{Actor, RETRY};
use super::address::{self, Seen};
use super::clock;
use super::event::{Drift, InterfaceState, Origin};
use super::interface::Link;
use super::ipv6::{self, Ipv6State};
use super::lease::Lease;
use super::place::{Goal, Holding, Place};
use super::sysctl;
use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use std::io;
use std::sync::Arc;

impl Actor {
    pub(super) fn hear_message(&mut self, message: RouteNetlinkMessage) {
        use RouteNetlinkMessage::{DelRoute, DelRule, NewRoute, NewRule};
        if let NewRoute(_) | DelRoute(_) | NewRule(_) | DelRule(_) = message {
            self.hear_routing(&message);
            return;
        }
        match message {
            RouteNetlinkMessage::NewAddress(message) => {
                if let Some(seen) = Seen::from_message(&message).filter(|it| self.is_news(it)) {
                    self.address_is(seen);
                }
                return;
            }
            RouteNetlinkMessage::DelAddress(message) => {
                let seen = Seen::from_message(&message);
                let foreign = |it: &Seen| !self.echoes.take(it.index, it.address);
                if let Some(seen) = seen.filter(foreign) {
                    self.address_went(&seen);
                }
                return;
            }
            RouteNetlinkMessage::NewLink(message) => {
                if let Some(link) = Link::from_message(&message) {
                    self.link_is(link);
                }
            }
            RouteNetlinkMessage::DelLink(message) => {
                // A bridge says so when a port leaves it; the port itself is still there.
                let family = message.header.interface_family;
                if family == netlink_packet_route::AddressFamily::Unspec {
                    self.link_went(message.header.index);
                }
            }
            _ => {}
        }
        (self.links_changed, self.sweep_wanted) = (true, true);
    }

    /// Whether an address is not as we know it: of IPv6 the kernel reports our own claims and
    /// renewals too.
    fn is_news(&self, seen: &Seen) -> bool {
        let Seen { index, address, .. } = *seen;
        let as_we_hold_it = self.held.contains_key(&(index, address))
            && self.mirror.address(index, address).is_some()
            && self.looks_like_ours(seen);
        !as_we_hold_it && !self.echoes.is_awaited(index, address)
    }

    /// Whether an address looks as we add them.
    fn looks_like_ours(&self, seen: &Seen) -> bool {
        seen.is_marked_lease() || (!self.marks && seen.valid.is_some())
    }

    pub(super) fn link_is(&mut self, link: Link) {
        let (index, name) = (link.index, link.name.clone());
        let former = self.mirror.link(index).map(|link| link.name.clone());
        self.mirror.put_link(link);
        self.devices.touch();
        if former.as_ref() == Some(&name) {
            return;
        }
        self.settings.rename(index, &name);
        self.touch_interface(&name);
        if let Some(former) = former {
            self.touch_interface(&former);
        }
    }

    pub(super) fn link_went(&mut self, index: u32) {
        let link = self.mirror.link(index).cloned();
        self.mirror.remove_link(index);
        link.iter().for_each(|link| self.devices.lose(link));
        let name = link.map(|link| link.name);
        let on_it = |(of, _): &&(u32, _)| *of == index;
        let held: Vec<_> = self.held.keys().filter(on_it).copied().collect();
        for (index, address) in held {
            self.give_up(index, address);
        }
        for holding in self.holdings.values_mut().filter(|it| it.route == Some(index)) {
            holding.route = None;
        }
        if let Some(name) = name {
            // Its addresses went with it: nobody deleted them.
            let on_it = |(place, _): &(&Place, &mut Holding)| *place.interface == name;
            let lost = self.holdings.iter_mut().filter(on_it);
            lost.for_each(|(_, holding)| (holding.lost, holding.not_before) = (false, None));
            self.touch_interface(&name);
        }
    }

    pub(super) fn touch_interface(&mut self, name: &str) {
        let on_it = self.holdings.keys().filter(|place| &*place.interface == name);
        let places: Vec<_> = on_it.cloned().collect();
        places.iter().for_each(|place| self.touch(place));
    }

    fn address_is(&mut self, seen: Seen) {
        (self.links_changed, self.sweep_wanted) = (true, true);
        let kernel = (seen.index, seen.address);
        if !self.looks_like_ours(&seen)
            && let Some(place) = self.held.get(&kernel).cloned()
            && let Some(holding) = self.holdings.get_mut(&place)
        {
            // Changed in place: a deletion would have been said before this.
            if let Some(held) = &mut holding.address {
                held.tampered = true;
            }
            let patience = holding.repaired.map(|at| at + RETRY);
            holding.not_before = patience.filter(|at| *at > clock::now());
        }
        self.mirror.put_address(seen);
        self.touch_address(kernel.0, kernel.1.addr());
    }

    fn address_went(&mut self, seen: &Seen) {
        (self.links_changed, self.sweep_wanted) = (true, true);
        self.mirror.remove_address(seen.index, seen.address);
        self.lose(seen);
        self.touch_address(seen.index, seen.address.addr());
    }

    /// An address that we held is not there any more.
    fn lose(&mut self, seen: &Seen) {
        let Some(place) = self.give_up(seen.index, seen.address) else {
            return;
        };
        let now = clock::now();
        let is_up = self.mirror.link(seen.index).is_some_and(|link| link.running);
        let lease = self.holdings.get_mut(&place).and_then(|holding| holding.lost_lease.take());
        let taken = |lease: Lease| lease.may_have_expired(now) || self.guard_took(lease);
        if lease.is_some_and(taken) {
            self.expire(&place);
            return;
        }
        let Some(holding) = self.holdings.get_mut(&place) else {
            return;
        };
        // The kernel takes the IPv6 addresses of an interface that is set down.
        holding.lost = is_up || seen.address.addr().is_ipv4();
        let patience = holding.repaired.map(|at| at + RETRY);
        holding.not_before = patience.filter(|at| *at > now);
    }

    /// Forgets that we hold an address; returns its place.
    fn give_up(&mut self, index: u32, address: IpNet) -> Option<Place> {
        let place = self.held.remove(&(index, address))?;
        if let Some(holding) = self.holdings.get_mut(&place) {
            holding.lost_lease = holding.address.take().map(|held| held.lease);
            if let Some(due) = holding.due.take() {
                self.due.remove(&(due, place.clone()));
            }
        }
        self.unwritten = true;
        self.devices.touch();
        self.touch(&place);
        Some(place)
    }

    /// An address came or went: the places of its IP, whatever their prefix, may have a step.
    fn touch_address(&mut self, index: u32, ip: std::net::IpAddr) {
        let Some(link) = self.mirror.link(index) else {
            return;
        };
        let interface: Arc<str> = link.name.as_str().into();
        let of = |address| Place { interface: interface.clone(), address };
        let widest = IpNet::new(ip, 0).unwrap_or(IpNet::from(ip));
        let range = self.holdings.range(of(widest)..=of(IpNet::from(ip)));
        let places: Vec<_> = range.map(|(place, _)| place.clone()).collect();
        places.iter().for_each(|place| self.touch(place));
    }

    /// Reads links and addresses and makes up for news that were lost.
    pub(super) async fn resync(&mut self) {
        match self.read_kernel().await {
            Ok(()) => {
                self.resync_wanted = false;
                self.book.reread = true;
                self.devices.recheck(&self.mirror);
                (self.links_changed, self.sweep_wanted) = (true, true);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read the kernel's addresses; trying again");
                self.postpone_resync();
                return;
            }
        }
        let held: Vec<_> = self.held.iter().map(|(at, place)| (*at, place.clone())).collect();
        for ((index, address), place) in held {
            let seen = self.mirror.address(index, address);
            match seen {
                None => {
                    let gone = Seen::bare(index, address);
                    self.lose(&gone);
                }
                Some(seen) if !self.is_leftover(seen) && self.marks => {
                    // Deleted and added by somebody, or changed: without the news there is no
                    // telling, so it is not ours any more.
                    self.give_up(index, address);
                    self.touch(&place);
                }
                Some(_) => {}
            }
        }
        let places: Vec<_> = self.holdings.keys().cloned().collect();
        places.iter().for_each(|place| self.touch(place));
    }

    /// Both dumps into the mirror.
    pub(super) async fn read_kernel(&mut self) -> io::Result<()> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let links = self.netlink.dump(request).await?;
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let addresses = self.netlink.dump(request).await?;
        let links = links.iter().filter_map(|message| match message {
            RouteNetlinkMessage::NewLink(message) => Link::from_message(message),
            _ => None,
        });
        let addresses = addresses.iter().filter_map(|message| match message {
            RouteNetlinkMessage::NewAddress(message) => Seen::from_message(message),
            _ => None,
        });
        self.mirror.replace(links, addresses);
        Ok(())
    }

    /// Removes what a former incarnation left and nobody desires.
    pub(super) async fn sweep(&mut self) {
        let left = |seen: &&Seen| {
            !self.held.contains_key(&(seen.index, seen.address)) && self.is_leftover(seen)
        };
        // Wanted ones are adopted by their claim.
        let wanted = |seen: &Seen| {
            let name = self.mirror.link(seen.index).map(|link| link.name.as_str());
            let interface = name.unwrap_or_default().into();
            let holding = self.holdings.get(&Place { interface, address: seen.address });
            holding.is_some_and(|holding| matches!(holding.goal(), Goal::Serving(_)))
        };
        let stale: Vec<_> = self
            .mirror
            .addresses()
            .filter(left)
            .filter(|seen| !wanted(seen))
            .map(|seen| (seen.index, seen.address))
            .collect();
        let delete = |(index, address): &(u32, IpNet)| {
            (RouteNetlinkMessage::DelAddress(address::named(*index, *address)), 0)
        };
        let results = self.netlink.batch(stale.iter().map(delete).collect()).await;
        for ((index, address), result) in stale.into_iter().zip(results) {
            match result {
                Ok(()) => {
                    self.echoes.expect(index, address);
                    tracing::info!(%address, "removed what a former run had left");
                }
                Err(error) => tracing::warn!(%address, %error, "leftover not removed"),
            }
            self.mirror.remove_address(index, address);
            self.touch_address(index, address.addr());
            self.devices.touch();
        }
        self.sweep_routing().await;
    }

    /// Every interface as the VRRP loop should see it.
    pub(super) fn interface_states(&self) -> Vec<InterfaceState> {
        let state = |link: &Link| {
            let mut own = self.mirror.addresses_of(link.index);
            own.retain(|seen| !self.is_own(seen));
            InterfaceState {
                name: link.name.clone(),
                index: link.index,
                mac: link.mac,
                mtu: link.mtu,
                running: link.running,
                addresses: ipv6::usable(&own),
                ipv6: Ipv6State::of(&link.name, &own),
                origin: if self.devices.owns(link.index) { Origin::Agent } else { Origin::Host },
                promote_secondaries: sysctl::promotes_secondaries(&link.name, &self.settings),
            }
        };
        self.mirror.links().map(state).collect()
    }

    /// Says once per claim that an address is the host's own.
    pub(super) fn report_foreign(&mut self, place: &Place) {
        let ground = self.ground(place);
        let Some(holding) = self.holdings.get_mut(place) else {
            return;
        };
        let wanted = matches!(holding.goal(), Goal::Serving(_));
        if wanted && ground.foreign && holding.address.is_none() && !holding.foreign_told {
            holding.foreign_told = true;
            self.report_drift(place, Some(Drift::Foreign));
        }
    }
}
