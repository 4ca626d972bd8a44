//! The VRRP socket: protocol 112 on one interface. Owned by the VRRP thread, never waits.
//!
//! Checks nothing of VRRP (that is `vrrp::packet`), only takes the IP layer off.

mod ipv4;
mod ipv6;

use super::clock;
use super::timestamp::Clocks;
use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use vipfleet_vrrp::packet::Envelope;
use vipfleet_vrrp::{Family, Time};

/// The VRRP group of IPv4 (RFC 9568 §5.1.1.2).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// The VRRP group of IPv6 (RFC 9568 §5.1.2.2).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// IANA's protocol number of VRRP (RFC 9568 §5.1.1.4).
const PROTOCOL: i32 = 112;
/// TTL or hop limit (RFC 9568 §5.1.1.3 and §5.1.2.3).
pub(super) const TTL: u32 = 255;
/// Internetwork control, as keepalived and routers mark their adverts.
pub(super) const TRAFFIC_CLASS: u32 = 0xc0;
/// Control traffic, ahead of everything in the default queueing discipline (tc-prio(8)).
const PRIORITY: i32 = 7;
/// The most that needs no CAP_NET_ADMIN (socket(7)).
const PRIORITY_UNPRIVILEGED: i32 = 6;
/// About 8,000 adverts with the kernel's bookkeeping of each: three seconds of stall at 250
/// instances and 100 ms. Not more: a flood may fill it.
const RECEIVE_BUFFER: usize = 4 << 20;
/// The largest advert (255 addresses of IPv6, 4,088 bytes; raw sockets of IPv6 deliver no header)
/// with room for what may trail it.
const LARGEST: usize = 4608;

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

/// One datagram in the buffer, and what the kernel said beside it.
#[derive(Debug, Default)]
struct Taken {
    length: usize,
    /// CLOCK_REALTIME, in nanoseconds.
    stamp: Option<u64>,
    /// The rest is told of IPv6 only: over IPv4 the header is in the buffer.
    source: Option<Ipv6Addr>,
    destination: Option<Ipv6Addr>,
    hop_limit: Option<u8>,
}

/// One raw socket per interface and family.
#[derive(Debug)]
pub struct VrrpSocket {
    socket: Socket,
    family: Family,
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
    pub fn open(interface: &str, index: u32, family: Family) -> io::Result<Self> {
        let empty = clock::now();
        Ok(Self::adopt(open(interface, index, family)?, interface, index, family, empty))
    }

    /// Goes on with a socket that another image of this program opened for the same interface:
    /// what waits in it is read, and its membership of the group never ends. `empty` is when that
    /// image last looked.
    pub fn adopt(
        socket: impl Into<Socket>,
        interface: &str,
        index: u32,
        family: Family,
        empty: Time,
    ) -> Self {
        Self {
            socket: socket.into(),
            family,
            interface: interface.to_owned(),
            index,
            buffer: Box::new([0; LARGEST]),
            control: nix::cmsg_space!(libc::timespec, u32, libc::in6_pktinfo, i32),
            empty,
            overruns: 0,
            overruns_before: 0,
        }
    }

    /// Joins again after the interface came back under a new index. The file descriptor changes.
    pub fn rejoin(&mut self, index: u32) -> io::Result<()> {
        self.empty = clock::now();
        self.socket = open(&self.interface, index, self.family)?;
        self.index = index;
        self.overruns_before += u64::from(std::mem::take(&mut self.overruns));
        Ok(())
    }

    /// The next packet; `None` when the socket is drained. The caller bounds how many it takes
    /// in a row. Own multicasts are not looped back to this host.
    pub fn receive(&mut self) -> io::Result<Option<Packet<'_>>> {
        let looked = clock::now();
        loop {
            let taken = match self.take() {
                Ok(taken) => taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.empty = looked;
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let opened = match self.family {
                Family::Ipv4 => ipv4::open_envelope(self.buffer.as_slice(), &taken),
                Family::Ipv6 => ipv6::open_envelope(&taken),
            };
            let Some((envelope, payload)) = opened else {
                continue;
            };
            let clocks = Clocks::read();
            let arrived = taken.stamp.map(|at| clocks.arrival(at, self.empty));
            let received = arrived.unwrap_or(clocks.monotonic);
            return Ok(Some(Packet { envelope, message: &self.buffer[payload], received }));
        }
    }

    /// One datagram into the buffer.
    fn take(&mut self) -> io::Result<Taken> {
        let mut slices = [IoSliceMut::new(self.buffer.as_mut_slice())];
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut self.control), flags)?;
        let source = message.address.as_ref().and_then(SockaddrStorage::as_sockaddr_in6);
        let source = source.map(nix::sys::socket::SockaddrIn6::ip);
        let mut taken = Taken { length: message.bytes, source, ..Taken::default() };
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::ScmTimestampns(time) => {
                    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
                    let nanos = u64::try_from(time.tv_nsec()).unwrap_or(0);
                    let stamp = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
                    taken.stamp = Some(stamp);
                }
                ControlMessageOwned::RxqOvfl(dropped) => self.overruns = dropped,
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    taken.destination = Some(info.ipi6_addr.s6_addr.into());
                }
                ControlMessageOwned::Ipv6HopLimit(limit) => {
                    taken.hop_limit = u8::try_from(limit).ok();
                }
                _ => {}
            }
        }
        Ok(taken)
    }

    /// Sends one VRRP message now, from an address of this host. `WouldBlock` and `ENOBUFS` mean
    /// a full transmit queue, `EINVAL` that `source` is no address of this host any more.
    pub fn send(&self, source: IpAddr, destination: IpAddr, message: &[u8]) -> io::Result<()> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                ipv4::send(&self.socket, self.index, (source, destination), message)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                ipv6::send(&self.socket, self.index, (source, destination), message)
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
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

fn open(interface: &str, index: u32, family: Family) -> io::Result<Socket> {
    match family {
        Family::Ipv4 => ipv4::open(interface, index),
        Family::Ipv6 => ipv6::open(interface, index),
    }
}

/// A raw socket of one interface.
fn bound(domain: Domain, interface: &str) -> io::Result<Socket> {
    let kind = Type::RAW.nonblocking().cloexec();
    let socket = Socket::new(domain, kind, Some(Protocol::from(PROTOCOL)))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // Between the two calls above, packets of any interface were queued.
    let mut byte = [MaybeUninit::uninit()];
    while socket.recv(&mut byte).is_ok() {}
    Ok(socket)
}

/// What both families need: priority, timestamps, room.
fn prepare(socket: &Socket) -> io::Result<()> {
    if setsockopt(socket, sockopt::Priority, &PRIORITY).is_err() {
        setsockopt(socket, sockopt::Priority, &PRIORITY_UNPRIVILEGED)?;
    }
    setsockopt(socket, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(socket, sockopt::RxqOvfl, &1)?;
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        // Without CAP_NET_ADMIN net.core.rmem_max is the limit; more adverts may overrun.
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    Ok(())
}
