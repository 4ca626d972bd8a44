//! The VRRP socket: protocol 112 on one interface. Owned by the VRRP thread, never waits.
//!
//! Checks nothing of VRRP (that is `vrrp::packet`), only takes the IP layer off.

mod incoming;
mod ipv4;
mod ipv6;
mod outgoing;

pub use self::incoming::Incoming;
pub use self::outgoing::Outgoing;

use super::batch::{self, Addressed, Message};
use super::clock;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};
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

/// One datagram, and what the kernel said beside it.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    length: usize,
    /// CLOCK_REALTIME, in nanoseconds.
    stamp: Option<u64>,
    /// How many packets this socket has lost so far.
    overruns: Option<u32>,
    /// The rest is told of IPv6 only: over IPv4 the header is in the buffer.
    source: Option<Ipv6Addr>,
    destination: Option<Ipv6Addr>,
    hop_limit: Option<u8>,
}

/// What [`VrrpSocket::read`] left in the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It was seen empty.
    Nothing,
    /// Perhaps more.
    Waits,
}

/// One raw socket per interface and family.
#[derive(Debug)]
pub struct VrrpSocket {
    socket: Socket,
    family: Family,
    interface: String,
    index: u32,
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

    /// Reads what waits into `incoming`, up to as much as that holds. Own multicasts are not looped
    /// back to this host.
    pub fn read(&mut self, incoming: &mut Incoming) -> io::Result<Rest> {
        let looked = clock::now();
        match incoming.fill(self.socket.as_fd(), self.family, self.empty) {
            Ok(()) => self.overruns = incoming.overruns().unwrap_or(self.overruns),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Rest::Waits),
            Err(error) => return Err(error),
        }
        if incoming.is_full() {
            return Ok(Rest::Waits);
        }
        self.empty = looked;
        Ok(Rest::Nothing)
    }

    /// Sends one VRRP message now, from an address of this host. `WouldBlock` and `ENOBUFS` mean
    /// a full transmit queue, `EINVAL` that `source` is no address of this host any more.
    pub fn send(&self, source: IpAddr, destination: IpAddr, message: &[u8]) -> io::Result<()> {
        let to = self.addressed(source, destination)?;
        let mut outcome = Ok(());
        let one = |_| Message { to: &to, bytes: message };
        batch::send(self.as_fd(), 1, one, |_, fared| outcome = fared);
        outcome
    }

    /// Queues a message in `outgoing`, to leave with [`Self::send_all`]. `sender` is whom to tell
    /// how it fared.
    pub fn queue(
        &self,
        outgoing: &mut Outgoing,
        sender: u32,
        (source, destination): (IpAddr, IpAddr),
        message: &[u8],
    ) -> io::Result<()> {
        outgoing.push(sender, self.addressed(source, destination)?, message);
        Ok(())
    }

    /// Sends everything that was queued, and says how each message fared, by its sender.
    pub fn send_all(&self, outgoing: &mut Outgoing, fared: impl FnMut(u32, io::Result<()>)) {
        outgoing.send(self.as_fd(), fared);
    }

    fn addressed(&self, source: IpAddr, destination: IpAddr) -> io::Result<Addressed> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                ipv4::addressed(self.index, source, destination)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                Ok(ipv6::addressed(self.index, source, destination))
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
