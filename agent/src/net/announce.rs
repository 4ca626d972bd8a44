//! Gratuitous ARP, unsolicited neighbour advertisements, and adverts that leave with a virtual MAC,
//! over AF_PACKET. Called by the VRRP thread, never waits. When and how often to announce is the
//! engine's business.

use super::advert::Header;
use super::batch::{self, Addressed, Control, Message};
use super::neighbour::Role;
use super::{arp, neighbour};
use nix::libc;
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use std::io::{self, IoSlice};
use std::mem::size_of;
use std::net::IpAddr;
use std::os::fd::AsFd as _;

/// One packet socket for all interfaces; it receives nothing.
#[derive(Debug)]
pub struct Announcer {
    socket: Socket,
    /// Frames that leave with the next [`Self::flush`], with where to.
    queued: Vec<(Addressed, Frame)>,
}

/// Where an announcement goes out, and as whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlet {
    pub index: u32,
    pub mac: [u8; 6],
    /// What a neighbour advertisement says of the host.
    pub role: Role,
}

#[derive(Debug)]
enum Frame {
    Arp([u8; arp::LENGTH]),
    Neighbour([u8; neighbour::LENGTH]),
}

impl Announcer {
    /// Opens the socket. Needs CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        // Protocol 0: nothing is ever delivered to this socket (packet(7)).
        let kind = Type::RAW.nonblocking().cloexec();
        let socket = Socket::new(Domain::PACKET, kind, Some(Protocol::from(0)))?;
        Ok(Self { socket, queued: Vec::new() })
    }

    /// Queues one announcement of `address` out of an interface: gratuitous ARP, or a neighbour
    /// advertisement.
    pub fn queue(&mut self, outlet: Outlet, address: IpAddr) -> io::Result<()> {
        let Outlet { index, mac, role } = outlet;
        let (protocol, to, frame) = match address {
            IpAddr::V4(address) => {
                let frame = Frame::Arp(arp::announcement(mac, address));
                (libc::ETH_P_ARP, arp::BROADCAST, frame)
            }
            IpAddr::V6(address) => {
                let frame = Frame::Neighbour(neighbour::announcement(mac, address, role));
                (libc::ETH_P_IPV6, neighbour::ALL_NODES_MAC, frame)
            }
        };
        let to = link_layer(index, protocol as u16, to)?;
        self.queued.push(((to, Control::NONE), frame));
        Ok(())
    }

    /// Sends everything that was queued and says how each frame fared.
    ///
    /// `WouldBlock` and `ENOBUFS` mean a full transmit queue: the caller's next round announces
    /// again.
    pub fn flush(&mut self, mut fared: impl FnMut(io::Result<()>)) {
        let message = |at: usize| {
            let (to, frame) = &self.queued[at];
            let bytes: &[u8] = match frame {
                Frame::Arp(bytes) => bytes,
                Frame::Neighbour(bytes) => bytes,
            };
            Message { to, bytes }
        };
        batch::send(self.socket.as_fd(), self.queued.len(), message, |_, outcome| fared(outcome));
        self.queued.clear();
    }

    /// Sends one multicast advert out of the interface `index` with `mac` as its source: the
    /// virtual router's, which a device need not be up for.
    pub fn transmit(
        &self,
        index: u32,
        mac: [u8; 6],
        (source, group): (IpAddr, IpAddr),
        message: &[u8],
    ) -> io::Result<()> {
        let header = Header::new(mac, source, group, message.len());
        let header = header.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let to = link_layer(index, header.ether_type, header.to)?;
        let frame = [IoSlice::new(header.as_bytes()), IoSlice::new(message)];
        self.socket.send_to_vectored(&frame, &to)?;
        Ok(())
    }
}

/// A link-layer address on an interface.
fn link_layer(index: u32, protocol: u16, mac: [u8; 6]) -> io::Result<SockAddr> {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is a socket address type smaller than the storage (packet(7)), and all
    // bits zero is a valid value of it.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex =
        i32::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    address.sll_halen = 6;
    address.sll_addr[..6].copy_from_slice(&mac);
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the storage holds a complete sockaddr_ll of that length.
    Ok(unsafe { SockAddr::new(storage, length) })
}
