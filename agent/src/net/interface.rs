//! Links: from netlink to what the VRRP loop is told. Pure.

use super::device;
use super::event::{Event, InterfaceState};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, MacVlanMode};
use std::collections::BTreeMap;

/// A network interface as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) mac: Option<[u8; 6]>,
    pub(super) mtu: u32,
    pub(super) running: bool,
    /// Administratively up.
    pub(super) up: bool,
    /// The interface that it is made on.
    pub(super) parent: Option<u32>,
    /// How, if it is a macvlan.
    pub(super) macvlan: Option<MacVlanMode>,
}

impl Link {
    /// `None` for a message that names no interface, such as a bridge port's.
    pub(super) fn from_message(message: &LinkMessage) -> Option<Self> {
        let flags = message.header.flags;
        let (mut name, mut mac, mut mtu) = (None, None, 0);
        let (mut parent, mut macvlan) = (None, None);
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(it) => name = Some(it.clone()),
                LinkAttribute::Address(it) => mac = <[u8; 6]>::try_from(it.as_slice()).ok(),
                LinkAttribute::Mtu(it) => mtu = *it,
                LinkAttribute::Link(it) => parent = Some(*it),
                LinkAttribute::LinkInfo(it) => macvlan = device::macvlan_mode(it),
                _ => {}
            }
        }
        Some(Self {
            index: message.header.index,
            name: name?,
            mac,
            mtu,
            // IFF_RUNNING is the operational state (RFC 2863), carrier included (netdevice(7)).
            running: flags.contains(LinkFlags::Up | LinkFlags::Running),
            up: flags.contains(LinkFlags::Up),
            parent,
            macvlan,
        })
    }
}

/// What the VRRP loop was last told, by name.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<String, InterfaceState>);

impl Told {
    /// The events that bring the loop from what it knows to `now`: what is gone first.
    pub(super) fn update(&mut self, now: impl IntoIterator<Item = InterfaceState>) -> Vec<Event> {
        let now: BTreeMap<_, _> = now.into_iter().map(|it| (it.name.clone(), it)).collect();
        let gone = self.0.keys().filter(|name| !now.contains_key(*name));
        let mut events: Vec<_> =
            gone.map(|name| Event::InterfaceGone { name: name.clone() }).collect();
        let changed = now.values().filter(|state| self.0.get(&state.name) != Some(state));
        events.extend(changed.map(|state| Event::Interface(state.clone())));
        self.0 = now;
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Ipv6State, Origin};

    fn state(name: &str, index: u32, running: bool) -> InterfaceState {
        InterfaceState {
            name: name.into(),
            index,
            mac: None,
            mtu: 1500,
            running,
            addresses: Vec::new(),
            ipv6: Ipv6State::default(),
            promote_secondaries: false,
            origin: Origin::Host,
        }
    }

    #[test]
    fn the_loop_is_told_what_changed_and_nothing_else() {
        let mut told = Told::default();
        let (a, b) = (state("a", 1, true), state("b", 2, true));
        let first = told.update([a.clone(), b.clone()]);
        assert_eq!(first, [Event::Interface(a.clone()), Event::Interface(b.clone())]);
        assert_eq!(told.update([a.clone(), b]), []);
        let down = state("b", 2, false);
        assert_eq!(told.update([a.clone(), down.clone()]), [Event::Interface(down)]);
        assert_eq!(told.update([a]), [Event::InterfaceGone { name: "b".into() }]);
    }

    #[test]
    fn a_renamed_interface_is_gone_under_its_old_name() {
        let mut told = Told::default();
        told.update([state("eth0", 2, true)]);
        let renamed = state("wan0", 2, true);
        let events = told.update([renamed.clone()]);
        let gone = Event::InterfaceGone { name: "eth0".into() };
        assert_eq!(events, [gone, Event::Interface(renamed)]);
    }
}
