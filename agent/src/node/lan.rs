//! The interfaces of this node as the loop uses them: their latest state, a port per (interface,
//! family), the announcer. Sends and receives; decides nothing.

use super::instances::Number;
use super::port::{Port, Ready};
use super::prepared::PreparedInstance;
use super::source;
use crate::net::{Announcer, Device, Incoming, InterfaceState, Origin, Outlet, Rest, VrrpSocket};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd as _, BorrowedFd};
use tracing::{debug, info, warn};
use vipfleet_model::{InterfaceFacts, Name, NodeFacts};
use vipfleet_vrrp::{Family, Vrid};

/// RFC 9568 §5.1.1.2 and §5.1.2.2.
const GROUP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));

/// Where one socket is found.
pub(super) type SocketKey = (u32, Family);

#[derive(Debug)]
pub(super) struct Lan {
    interfaces: BTreeMap<String, InterfaceState>,
    ports: BTreeMap<SocketKey, Port>,
    ready: Ready,
    /// Ports with something to send.
    speaking: Vec<SocketKey>,
    /// Left by the former image of the program, for the instances that come to need them.
    inherited: BTreeMap<SocketKey, VrrpSocket>,
    /// Where no socket could be opened, already said.
    deaf: BTreeSet<SocketKey>,
    announcer: Announcer,
}

impl Lan {
    /// Knows no interface yet. Needs CAP_NET_RAW.
    pub(super) fn new(inherited: Vec<(SocketKey, VrrpSocket)>) -> io::Result<Self> {
        let (interfaces, ports, speaking, deaf) = Default::default();
        let (ready, announcer) = (Ready::new()?, Announcer::open()?);
        let inherited = inherited.into_iter().collect();
        Ok(Self { interfaces, ports, ready, speaking, inherited, deaf, announcer })
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
            self.ports.retain(|(port_index, _), _| *port_index != index);
            self.deaf.retain(|(socket_index, _)| *socket_index != index);
        }
    }

    /// Makes sure that there is a socket, if there is an interface.
    pub(super) fn listen(&mut self, interface: &str, family: Family) -> Option<SocketKey> {
        let state = self.interfaces.get(interface)?;
        let key = (state.index, family);
        if !self.ports.contains_key(&key) {
            let inherited = self.inherited.remove(&key).filter(|it| it.interface() == interface);
            let opened = inherited
                .map_or_else(|| VrrpSocket::open(interface, key.0, family), Ok)
                .and_then(|socket| self.ready.watch(key, &socket).map(|()| Port::new(socket)));
            match opened {
                Ok(port) => {
                    info!(interface, "listening for adverts");
                    self.deaf.remove(&key);
                    self.ports.insert(key, port);
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
        if !self.ports.contains_key(&(state.index, instance.config.family)) {
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

    /// Whose packets come from where: everybody's socket and VRID. Closes the ports of nobody.
    pub(super) fn reroute(&mut self, routes: impl Iterator<Item = (SocketKey, Vrid, Number)>) {
        self.ports.values_mut().for_each(Port::forget_members);
        for (key, vrid, number) in routes {
            if let Some(port) = self.ports.get_mut(&key) {
                port.enter(vrid, number);
            }
        }
        self.ports.retain(|_, port| port.has_members());
    }

    /// Whose packets these are.
    pub(super) fn addressee(&self, key: SocketKey, vrid: Vrid) -> Option<Number> {
        self.ports.get(&key)?.member(vrid)
    }

    /// Readable while a packet waits anywhere.
    pub(super) fn readable(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = (SocketKey, &VrrpSocket)> {
        self.ports.iter().map(|(key, port)| (*key, &port.socket))
    }

    /// Asks the kernel where packets wait now; [`Self::ready`] then says it.
    pub(super) fn look(&mut self) {
        self.ready.look(self.ports.len());
    }

    /// Where the `at`-th of those packets wait.
    pub(super) fn ready(&self, at: usize) -> Option<SocketKey> {
        self.ready.key(at)
    }

    /// Reads a batch of what waits at a port.
    pub(super) fn read(&mut self, key: SocketKey, incoming: &mut Incoming) -> io::Result<Rest> {
        match self.ports.get_mut(&key) {
            Some(port) => port.socket.read(incoming),
            None => Ok(Rest::Nothing),
        }
    }

    /// Queues one message from `source`, to leave with [`Self::send_all`].
    pub(super) fn queue(
        &mut self,
        key: SocketKey,
        sender: Number,
        (source, destination): (IpAddr, IpAddr),
        message: &[u8],
    ) -> io::Result<()> {
        let port = self.ports.get_mut(&key).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotConnected, "there is no socket on the interface")
        })?;
        if port.outgoing.is_empty() {
            self.speaking.push(key);
        }
        port.socket.queue(&mut port.outgoing, sender.0, (source, destination), message)
    }

    /// Sends what is queued: the adverts of a port with one system call. Says how each fared.
    pub(super) fn send_all(&mut self, mut fared: impl FnMut(Number, io::Result<()>)) {
        for key in self.speaking.drain(..) {
            if let Some(Port { socket, outgoing, .. }) = self.ports.get_mut(&key) {
                socket.send_all(outgoing, |sender, outcome| fared(Number(sender), outcome));
            }
        }
        // A full transmit queue is no failure: a later round says the same.
        self.announcer.flush(|outcome| {
            if let Err(error) = outcome {
                debug!(%error, "an address is not announced");
            }
        });
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

    /// Queues an announcement of one address on an interface, with the interface's own MAC or that
    /// of a device, to leave with [`Self::send_all`].
    pub(super) fn announce(
        &mut self,
        interface: &str,
        address: IpAddr,
        device: Option<&Device>,
    ) -> io::Result<()> {
        let state = self.interfaces.get(interface);
        let virtual_mac = device.map(Device::mac);
        let outlet = state.and_then(|state| {
            let mac = virtual_mac.or(state.mac)?;
            Some(Outlet { index: state.index, mac, role: state.ipv6.role })
        });
        // Links without an Ethernet address have neither ARP nor neighbour discovery.
        outlet.map_or(Ok(()), |outlet| self.announcer.queue(outlet, address))
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
