//! The interfaces of this node as the loop uses them: their latest state, one VRRP socket per
//! (interface, family), the announcer. Sends and receives; decides nothing.

use super::prepare::PreparedInstance;
use super::source;
use crate::net::{Announcer, Device, InterfaceState, Origin, VrrpSocket};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::BorrowedFd;
use tracing::{info, warn};
use vipfleet_model::{InterfaceFacts, Name, NodeFacts};
use vipfleet_vrrp::Family;

/// RFC 9568 §5.1.1.2 and §5.1.2.2.
const GROUP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));

/// Where one socket is found.
pub(super) type SocketKey = (u32, Family);

#[derive(Debug)]
pub(super) struct Lan {
    interfaces: BTreeMap<String, InterfaceState>,
    sockets: BTreeMap<SocketKey, VrrpSocket>,
    /// Left by the former image of the program, for the instances that come to need them.
    inherited: BTreeMap<SocketKey, VrrpSocket>,
    /// Where no socket could be opened, already said.
    deaf: BTreeSet<SocketKey>,
    announcer: Announcer,
}

impl Lan {
    pub(super) fn new(announcer: Announcer, inherited: Vec<(SocketKey, VrrpSocket)>) -> Self {
        let (interfaces, sockets, deaf) = Default::default();
        let inherited = inherited.into_iter().collect();
        Self { interfaces, sockets, inherited, deaf, announcer }
    }

    /// Every instance runs: nobody will come for the rest.
    pub(super) fn close_inherited(&mut self) {
        self.inherited.clear();
    }

    /// Whether the kernel side has said which interfaces there are; loopback always is one.
    pub(super) fn is_known(&self) -> bool {
        !self.interfaces.is_empty()
    }

    pub(super) fn set_interface(&mut self, state: InterfaceState) {
        let before = self.interfaces.insert(state.name.clone(), state);
        self.close_unless_present(before.map(|it| it.index));
    }

    pub(super) fn remove_interface(&mut self, name: &str) {
        let before = self.interfaces.remove(name);
        self.close_unless_present(before.map(|it| it.index));
    }

    /// A socket on an index that is gone hears nothing ever again.
    fn close_unless_present(&mut self, index: Option<u32>) {
        let Some(index) = index else { return };
        if !self.interfaces.values().any(|it| it.index == index) {
            self.sockets.retain(|(socket_index, _), _| *socket_index != index);
            self.deaf.retain(|(socket_index, _)| *socket_index != index);
        }
    }

    /// Makes sure that there is a socket, if there is an interface.
    pub(super) fn listen(&mut self, interface: &str, family: Family) -> Option<SocketKey> {
        let state = self.interfaces.get(interface)?;
        let key = (state.index, family);
        if !self.sockets.contains_key(&key) {
            let inherited = self.inherited.remove(&key).filter(|it| it.interface() == interface);
            let socket = inherited.map_or_else(|| VrrpSocket::open(interface, key.0, family), Ok);
            match socket {
                Ok(socket) => {
                    info!(interface, "listening for adverts");
                    self.deaf.remove(&key);
                    self.sockets.insert(key, socket);
                }
                Err(error) => {
                    if self.deaf.insert(key) {
                        warn!(interface, %error, "cannot open the VRRP socket; trying again");
                    }
                    return None;
                }
            }
        }
        Some(key)
    }

    /// Why an instance can neither hear nor speak; `None` when it can.
    pub(super) fn obstacle(&self, instance: &PreparedInstance) -> Option<String> {
        let interface = instance.assigned.interface.as_str();
        let Some(state) = self.interfaces.get(interface) else {
            return Some(format!("interface {interface} does not exist"));
        };
        if !state.running {
            return Some(format!("interface {interface} is down"));
        }
        if !self.sockets.contains_key(&(state.index, instance.config.family)) {
            return Some(format!("cannot listen for adverts on {interface}"));
        }
        match self.source(instance) {
            Some(_) => None,
            None => Some(source::missing(state, instance)),
        }
    }

    /// Whether a socket is missing that may be opened later.
    pub(super) fn is_deaf(&self) -> bool {
        !self.deaf.is_empty()
    }

    /// Closes sockets that no instance uses.
    pub(super) fn keep_only(&mut self, used: impl Fn(&SocketKey) -> bool) {
        self.sockets.retain(|key, _| used(key));
    }

    pub(super) fn socket_keys(&self) -> Vec<SocketKey> {
        self.sockets.keys().copied().collect()
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.values().map(std::os::fd::AsFd::as_fd)
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = (SocketKey, &VrrpSocket)> {
        self.sockets.iter().map(|(key, socket)| (*key, socket))
    }

    pub(super) fn socket(&mut self, key: SocketKey) -> Option<&mut VrrpSocket> {
        self.sockets.get_mut(&key)
    }

    /// Sends one message from `source`.
    pub(super) fn send(
        &self,
        key: SocketKey,
        source: IpAddr,
        destination: IpAddr,
        message: &[u8],
    ) -> io::Result<()> {
        let socket = self.sockets.get(&key).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotConnected, "there is no socket on the interface")
        })?;
        socket.send(source, destination, message)
    }

    /// Sends one multicast advert from `source` with the virtual MAC of a device.
    pub(super) fn transmit(
        &self,
        device: &Device,
        source: IpAddr,
        message: &[u8],
    ) -> io::Result<()> {
        let state = self.interfaces.get(&device.parent);
        let index = state.map(|state| state.index).ok_or(io::ErrorKind::NotConnected)?;
        self.announcer.transmit(index, device.mac(), (source, group(device.family)), message)
    }

    /// Announces one address on an interface, with the interface's own MAC or that of a device.
    pub(super) fn announce(
        &self,
        interface: &str,
        address: IpAddr,
        device: Option<&Device>,
    ) -> io::Result<()> {
        let state = self.interfaces.get(interface);
        let virtual_mac = device.map(Device::mac);
        let found = state
            .and_then(|state| Some((state.index, virtual_mac.or(state.mac)?, state.ipv6.role)));
        // Links without an Ethernet address have neither ARP nor neighbour discovery.
        let Some((index, mac, role)) = found else { return Ok(()) };
        self.announcer.announce(index, mac, address, role)
    }

    /// The address that adverts are sent from, while the interface has one.
    pub(super) fn source(&self, instance: &PreparedInstance) -> Option<IpAddr> {
        source::of(self.interfaces.get(&instance.assigned.interface)?, instance)
    }

    /// What the server should know of this node. Loopback is no LAN, a device of ours no news.
    pub(super) fn facts(&self, node: &Name) -> NodeFacts {
        let of_host = |state: &&InterfaceState| state.origin == Origin::Host;
        let lan = self.interfaces.values().filter(|state| state.name != "lo").filter(of_host);
        let interfaces = lan.map(|state| InterfaceFacts {
            name: state.name.clone(),
            addresses: state.addresses.clone(),
            promote_secondaries: state.promote_secondaries,
        });
        NodeFacts { node: node.clone(), interfaces: interfaces.collect() }
    }
}

/// The group that multicast adverts of a family go to.
pub(super) fn group(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => GROUP_V4,
        Family::Ipv6 => GROUP_V6,
    }
}
