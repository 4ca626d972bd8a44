//! Gratuitous ARP, unsolicited neighbour advertisements, and adverts that leave with a virtual MAC,
//! over AF_PACKET. Called by the VRRP thread, never waits. When and how often to announce is the
//! engine's business.

use super::advert::Header;
use super::neighbour::Role;
use super::{arp, neighbour};
use nix::libc;
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use std::io::{self, IoSlice};
use std::mem::size_of;
use std::net::IpAddr;

/// One packet socket for all interfaces; it receives nothing.
#[derive(Debug)]
pub struct Announcer {
    socket: Socket,
}

impl Announcer {
    /// Opens the socket. Needs CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        // Protocol 0: nothing is ever delivered to this socket (packet(7)).
        let kind = Type::RAW.nonblocking().cloexec();
        let socket = Socket::new(Domain::PACKET, kind, Some(Protocol::from(0)))?;
        Ok(Self { socket })
    }

    /// Sends one announcement of `address` out of the interface `index`, from `mac`: gratuitous
    /// ARP, or a neighbour advertisement that says what `role` the host has.
    ///
    /// `WouldBlock` and `ENOBUFS` mean a full transmit queue: the caller's next round announces
    /// again.
    pub fn announce(
        &self,
        index: u32,
        mac: [u8; 6],
        address: IpAddr,
        role: Role,
    ) -> io::Result<()> {
        match address {
            IpAddr::V4(address) => {
                let to = link_layer(index, libc::ETH_P_ARP as u16, arp::BROADCAST)?;
                self.socket.send_to(&arp::announcement(mac, address), &to)?;
            }
            IpAddr::V6(address) => {
                let to = link_layer(index, libc::ETH_P_IPV6 as u16, neighbour::ALL_NODES_MAC)?;
                self.socket.send_to(&neighbour::announcement(mac, address, role), &to)?;
            }
        }
        Ok(())
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
