//! The VRRP socket: protocol 112 on one interface. Owned by the VRRP thread, never waits.
//!
//! Checks nothing of VRRP (that is `vrrp::packet`), only takes the IP layer off.

use super::clock;
use super::timestamp::Clocks;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use vipfleet_vrrp::packet::Envelope;
use vipfleet_vrrp::{Family, Time};

/// The VRRP group of IPv4 (RFC 9568 §5.1.1.2).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// IANA's protocol number of VRRP (RFC 9568 §5.1.1.4).
const PROTOCOL: i32 = 112;
/// RFC 9568 §5.1.1.3.
const TTL: u32 = 255;
/// Internetwork control, as keepalived and routers mark their adverts.
const TOS: u32 = 0xc0;
/// Control traffic, ahead of everything in the default queueing discipline (tc-prio(8)).
const PRIORITY: i32 = 7;
/// The most that needs no CAP_NET_ADMIN (socket(7)).
const PRIORITY_UNPRIVILEGED: i32 = 6;
/// About 8,000 adverts with the kernel's bookkeeping of each: three seconds of stall at 250
/// instances and 100 ms. Not more: a flood may fill it.
const RECEIVE_BUFFER: usize = 4 << 20;
/// The largest advert (255 addresses and authentication, 1,036 bytes) with the largest IP header.
const LARGEST: usize = 2048;

/// What came out of the socket.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'b> {
    /// From the IP header.
    pub envelope: Envelope,
    /// The IP payload.
    pub message: &'b [u8],
    /// When the kernel took it from the wire.
    pub received: Time,
}

/// One raw socket per interface and family.
#[derive(Debug)]
pub struct VrrpSocket {
    socket: Socket,
    interface: String,
    index: u32,
    buffer: Box<[u8; LARGEST]>,
    control: Vec<u8>,
    /// When the socket was last seen empty.
    empty: Time,
    /// The kernel's count of this socket, and that of the sockets before a rejoin.
    overruns: u32,
    overruns_before: u64,
}

impl VrrpSocket {
    /// Opens the socket of an interface, which must exist but need not be up. Needs CAP_NET_RAW.
    /// `Unsupported` for IPv6.
    pub fn open(interface: &str, index: u32, family: Family) -> io::Result<Self> {
        if family == Family::Ipv6 {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("VRRP over IPv6 on {interface} is not supported"),
            ));
        }
        let empty = clock::now();
        Ok(Self {
            socket: open_v4(interface, index)?,
            interface: interface.to_owned(),
            index,
            buffer: Box::new([0; LARGEST]),
            control: nix::cmsg_space!(libc::timespec, u32),
            empty,
            overruns: 0,
            overruns_before: 0,
        })
    }

    /// Joins again after the interface came back under a new index. The file descriptor changes.
    pub fn rejoin(&mut self, index: u32) -> io::Result<()> {
        self.empty = clock::now();
        self.socket = open_v4(&self.interface, index)?;
        self.index = index;
        self.overruns_before += u64::from(std::mem::take(&mut self.overruns));
        Ok(())
    }

    /// The next packet; `None` when the socket is drained. The caller bounds how many it takes
    /// in a row. Own multicasts are not looped back to this host.
    pub fn receive(&mut self) -> io::Result<Option<Packet<'_>>> {
        let looked = clock::now();
        loop {
            let (length, stamp) = match self.take() {
                Ok(taken) => taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.empty = looked;
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let Some((envelope, payload)) = open_envelope(&self.buffer[..length]) else {
                continue;
            };
            let clocks = Clocks::read();
            let received = stamp.map_or(clocks.monotonic, |at| clocks.arrival(at, self.empty));
            return Ok(Some(Packet { envelope, message: &self.buffer[payload], received }));
        }
    }

    /// One datagram into the buffer: its length and the kernel's timestamp.
    fn take(&mut self) -> io::Result<(usize, Option<u64>)> {
        let mut slices = [IoSliceMut::new(self.buffer.as_mut_slice())];
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<()>(fd, &mut slices, Some(&mut self.control), flags)?;
        let mut stamp = None;
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::ScmTimestampns(time) => {
                    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
                    let nanos = u64::try_from(time.tv_nsec()).unwrap_or(0);
                    stamp = Some(seconds.saturating_mul(1_000_000_000).saturating_add(nanos));
                }
                ControlMessageOwned::RxqOvfl(dropped) => self.overruns = dropped,
                _ => {}
            }
        }
        Ok((message.bytes, stamp))
    }

    /// Sends one VRRP message now, from an address of this host. `WouldBlock` and `ENOBUFS` mean
    /// a full transmit queue, `EINVAL` that `source` is no address of this host any more.
    pub fn send(&self, source: IpAddr, destination: IpAddr, message: &[u8]) -> io::Result<()> {
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let index = i32::try_from(self.index).map_err(|_| io::ErrorKind::InvalidInput)?;
        let in_addr = |address: Ipv4Addr| libc::in_addr { s_addr: u32::from(address).to_be() };
        // The source by ip(7)'s IP_PKTINFO: bind(2) would also filter what is received.
        let from = libc::in_pktinfo {
            ipi_ifindex: index,
            ipi_spec_dst: in_addr(source),
            ipi_addr: in_addr(Ipv4Addr::UNSPECIFIED),
        };
        sendmsg(
            self.socket.as_raw_fd(),
            &[IoSlice::new(message)],
            &[ControlMessage::Ipv4PacketInfo(&from)],
            MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
            Some(&SockaddrIn::from(SocketAddrV4::new(destination, 0))),
        )?;
        Ok(())
    }

    /// Packets that the kernel dropped because nobody read them in time, ever.
    pub fn overruns(&self) -> u64 {
        self.overruns_before + u64::from(self.overruns)
    }

    pub fn interface(&self) -> &str {
        &self.interface
    }

    pub fn index(&self) -> u32 {
        self.index
    }
}

impl AsFd for VrrpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open_v4(interface: &str, index: u32) -> io::Result<Socket> {
    let kind = Type::RAW.nonblocking().cloexec();
    let socket = Socket::new(Domain::IPV4, kind, Some(Protocol::from(PROTOCOL)))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // Between the two calls above, packets of any interface were queued.
    discard_queued(&socket);
    socket.set_multicast_all_v4(false)?;
    socket.set_multicast_loop_v4(false)?;
    socket.set_multicast_ttl_v4(TTL)?;
    socket.set_ttl_v4(TTL)?;
    socket.set_tos_v4(TOS)?;
    // After the TOS, which sets a priority of its own (ip(7)).
    if setsockopt(&socket, sockopt::Priority, &PRIORITY).is_err() {
        setsockopt(&socket, sockopt::Priority, &PRIORITY_UNPRIVILEGED)?;
    }
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(&socket, sockopt::RxqOvfl, &1)?;
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        // Without CAP_NET_ADMIN net.core.rmem_max is the limit; more adverts may overrun.
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    rustix::net::sockopt::set_ip_multicast_if_with_ifindex(
        &socket,
        &Ipv4Addr::UNSPECIFIED,
        &Ipv4Addr::UNSPECIFIED,
        index,
    )?;
    socket.join_multicast_v4_n(&GROUP, &InterfaceIndexOrAddress::Index(index))?;
    Ok(socket)
}

fn discard_queued(socket: &Socket) {
    let mut byte = [MaybeUninit::uninit()];
    while socket.recv(&mut byte).is_ok() {}
}

/// Takes the IPv4 header off: raw sockets deliver it (raw(7)). `None` for what the kernel never
/// delivers, a header that does not fit.
fn open_envelope(datagram: &[u8]) -> Option<(Envelope, Range<usize>)> {
    let header = usize::from(datagram.first()? & 0x0f) * 4;
    if header < 20 || datagram.len() < header {
        return None;
    }
    let address = |at: usize| {
        let octets = <[u8; 4]>::try_from(datagram.get(at..at + 4)?).ok()?;
        Some(IpAddr::from(octets))
    };
    let total = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
    let end = total.clamp(header, datagram.len());
    let envelope = Envelope { source: address(12)?, destination: address(16)?, ttl: datagram[8] };
    Some((envelope, header..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 datagram with `options` bytes of options and `trailer` bytes after its end.
    fn datagram(options: usize, payload: &[u8], trailer: usize) -> Vec<u8> {
        let header = 20 + options;
        let mut bytes = vec![0; header];
        bytes[0] = 0x40 | u8::try_from(header / 4).unwrap();
        let total = u16::try_from(header + payload.len()).unwrap();
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        bytes[8] = 255;
        bytes[9] = 112;
        bytes[12..16].copy_from_slice(&[192, 0, 2, 1]);
        bytes[16..20].copy_from_slice(&GROUP.octets());
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len() + trailer, 0xee);
        bytes
    }

    #[test]
    fn the_payload_starts_where_the_header_says_and_ends_where_the_datagram_ends() {
        for options in [0, 4, 40] {
            for trailer in [0, 6] {
                let bytes = datagram(options, b"advert", trailer);
                let (envelope, payload) = open_envelope(&bytes).unwrap();
                assert_eq!(&bytes[payload], b"advert", "{options} bytes of options");
                assert_eq!(envelope.source, IpAddr::from([192, 0, 2, 1]));
                assert_eq!(envelope.destination, IpAddr::from(GROUP));
                assert_eq!(envelope.ttl, 255);
            }
        }
    }

    #[test]
    fn no_bytes_whatsoever_make_it_panic() {
        let whole = datagram(8, b"advert", 0);
        for length in 0..whole.len() {
            open_envelope(&whole[..length]);
        }
        for first in 0..=255 {
            let mut bytes = whole.clone();
            bytes[0] = first;
            bytes[2] = first;
            open_envelope(&bytes);
        }
    }

    #[test]
    fn ipv6_is_refused_with_a_reason() {
        let error = VrrpSocket::open("eth0", 1, Family::Ipv6).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("eth0"));
    }
}
