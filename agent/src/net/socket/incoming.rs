//! Room for what one recvmmsg(2) brings, used again for every call and every socket: reading
//! allocates nothing. Called by [`super::VrrpSocket::read`].

use super::{Packet, Taken, ipv4, ipv6};
use crate::net::timestamp::Clocks;
use libc::{c_uint, c_void, cmsghdr, iovec, mmsghdr, msghdr, sockaddr_in6};
use std::array;
use std::fmt;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{from_mut, null_mut, read_unaligned};
use vipfleet_vrrp::{Family, Time};

/// Packets of one system call.
const BATCH: usize = 64;
/// The largest advert (255 addresses of IPv6, 4,088 bytes; raw sockets of IPv6 deliver no header)
/// with room for what may trail it.
const LARGEST: usize = 4608;
/// Ancillary data of one packet: timestamp, overruns, packet info, hop limit.
const CONTROL: usize = 128;

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// A batch of packets. The kernel touches only the pages it fills.
pub struct Incoming {
    bytes: Box<[u8]>,
    taken: [Taken; BATCH],
    filled: usize,
    family: Family,
    clocks: Clocks,
    empty: Time,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("filled", &self.filled).finish_non_exhaustive()
    }
}

impl Default for Incoming {
    fn default() -> Self {
        Self {
            bytes: vec![0; BATCH * LARGEST].into_boxed_slice(),
            taken: [Taken::default(); BATCH],
            filled: 0,
            family: Family::Ipv4,
            clocks: Clocks::read(),
            empty: Time::ZERO,
        }
    }
}

impl Incoming {
    /// Whether the last read filled all the room there is.
    pub(super) fn is_full(&self) -> bool {
        self.filled == BATCH
    }

    /// The kernel's latest count of packets it dropped, if it said one.
    pub(super) fn overruns(&self) -> Option<u32> {
        self.taken[..self.filled].iter().rev().find_map(|taken| taken.overruns)
    }

    /// The packets of the last read, in their order. Whatever has no readable header is left out.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        let slots = self.bytes.chunks_exact(LARGEST).zip(&self.taken[..self.filled]);
        slots.filter_map(|(bytes, taken)| {
            let (envelope, payload) = match self.family {
                Family::Ipv4 => ipv4::open_envelope(bytes, taken)?,
                Family::Ipv6 => ipv6::open_envelope(taken)?,
            };
            let arrived = taken.stamp.map(|at| self.clocks.arrival(at, self.empty));
            let received = arrived.unwrap_or(self.clocks.monotonic);
            Some(Packet { envelope, message: bytes.get(payload)?, received })
        })
    }

    /// Takes what waits in the socket, as far as there is room. Nothing that is read now had come
    /// before the socket was `empty`.
    pub(super) fn fill(
        &mut self,
        socket: BorrowedFd<'_>,
        family: Family,
        empty: Time,
    ) -> io::Result<()> {
        (self.filled, self.family, self.empty) = (0, family, empty);
        let mut controls = [Control([0; CONTROL]); BATCH];
        // SAFETY: all bits zero are a valid value of these structs of the kernel's interface.
        let mut names: [sockaddr_in6; BATCH] = unsafe { zeroed() };
        let mut slots = self.bytes.chunks_exact_mut(LARGEST);
        let mut vectors: [iovec; BATCH] = array::from_fn(|_| match slots.next() {
            Some(slot) => iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: LARGEST },
            None => iovec { iov_base: null_mut(), iov_len: 0 },
        });
        let mut headers: [mmsghdr; BATCH] = array::from_fn(|at| {
            // SAFETY: as above.
            let mut header: msghdr = unsafe { zeroed() };
            header.msg_name = from_mut(&mut names[at]).cast();
            header.msg_namelen = size_of::<sockaddr_in6>() as u32;
            header.msg_iov = from_mut(&mut vectors[at]);
            header.msg_iovlen = 1;
            header.msg_control = controls[at].0.as_mut_ptr().cast::<c_void>();
            header.msg_controllen = CONTROL as _;
            mmsghdr { msg_hdr: header, msg_len: 0 }
        });
        let (fd, room) = (socket.as_raw_fd(), BATCH as c_uint);
        let flags = libc::MSG_DONTWAIT as _;
        // SAFETY: every header points to a name, a vector and a control buffer of the lengths it
        // says, all of which outlive the call; each vector covers a slot of `bytes` of its own.
        let got = unsafe { libc::recvmmsg(fd, headers.as_mut_ptr(), room, flags, null_mut()) };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        self.clocks = Clocks::read();
        for (at, header) in headers.iter().enumerate().take(got) {
            self.taken[at] = take(header, &names[at]);
        }
        self.filled = got;
        Ok(())
    }
}

/// What the kernel said beside one packet.
fn take(header: &mmsghdr, name: &sockaddr_in6) -> Taken {
    let named = i32::from(name.sin6_family) == libc::AF_INET6;
    let mut taken = Taken {
        length: header.msg_len as usize,
        source: named.then(|| name.sin6_addr.s6_addr.into()),
        ..Taken::default()
    };
    let message = &raw const header.msg_hdr;
    // SAFETY: the kernel has filled in the header; cmsg(3)'s macros walk within its control
    // buffer and give pointers to whole messages.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !control.is_null() {
        // SAFETY: not null, so it is a message within the buffer; its data is as long as the
        // kernel's type for it, and read as unaligned.
        unsafe {
            note(&mut taken, control);
            control = libc::CMSG_NXTHDR(message, control);
        }
    }
    taken
}

/// # Safety
/// `control` is a control message that the kernel wrote.
unsafe fn note(taken: &mut Taken, control: *const cmsghdr) {
    // SAFETY: by this function's contract.
    let (level, kind) = unsafe { ((*control).cmsg_level, (*control).cmsg_type) };
    // SAFETY: by this function's contract.
    let data = unsafe { libc::CMSG_DATA(control) };
    // SAFETY: socket(7), ipv6(7): these are the types of the data of these messages.
    unsafe {
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                let time: libc::timespec = read_unaligned(data.cast());
                let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
                let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
                taken.stamp = Some(seconds.saturating_mul(1_000_000_000).saturating_add(nanos));
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                taken.overruns = Some(read_unaligned(data.cast()));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let info: libc::in6_pktinfo = read_unaligned(data.cast());
                taken.destination = Some(info.ipi6_addr.s6_addr.into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                let limit: i32 = read_unaligned(data.cast());
                taken.hop_limit = u8::try_from(limit).ok();
            }
            _ => {}
        }
    }
}
