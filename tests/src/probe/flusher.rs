//! Removing the neighbour entry of one address (RTM_DELNEIGH of rtnetlink(7)), again and again.

use std::io::{Read, Write};
use std::net::IpAddr;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use socket2::{Domain, Socket, Type};

use crate::lab::INTERFACE;

const NETLINK_HEADER: usize = 16;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const ASKED: u16 = 5;

/// In the network namespace of the thread that opens it.
pub(super) struct Flusher {
    socket: Socket,
    request: Vec<u8>,
    every: Duration,
    due: Duration,
}

impl Flusher {
    pub(super) fn open(target: IpAddr, every: Duration) -> Self {
        let domain = Domain::from(libc::AF_NETLINK);
        let socket = Socket::new(domain, Type::RAW, None)
            .unwrap_or_else(|error| panic!("open a netlink socket: {error}"));
        let index = if_nametoindex(INTERFACE)
            .unwrap_or_else(|error| panic!("the index of {INTERFACE}: {error}"));
        Self { socket, request: request(target, index), every, due: every }
    }

    /// True when an entry was there and is removed.
    pub(super) fn flush_when_due(&mut self, now: Duration) -> bool {
        if now < self.due {
            return false;
        }
        self.due = now + self.every;
        let sent = (&self.socket).write(&self.request);
        sent.unwrap_or_else(|error| panic!("ask for a removal: {error}"));
        let mut answer = [0; 256];
        let length = (&self.socket).read(&mut answer);
        let length = length.unwrap_or_else(|error| panic!("read the answer: {error}"));
        // An acknowledgement is an error number of zero.
        answer[..length].get(NETLINK_HEADER..NETLINK_HEADER + 4) == Some(&[0; 4])
    }
}

/// `nlmsghdr`, `ndmsg`, and the address as NDA_DST.
fn request(target: IpAddr, index: u32) -> Vec<u8> {
    let (family, address) = match target {
        IpAddr::V4(it) => (libc::AF_INET, it.octets().to_vec()),
        IpAddr::V6(it) => (libc::AF_INET6, it.octets().to_vec()),
    };
    let attribute = 4 + address.len();
    let length = NETLINK_HEADER + 12 + attribute;
    let mut bytes = u32::try_from(length).expect("small").to_ne_bytes().to_vec();
    bytes.extend(libc::RTM_DELNEIGH.to_ne_bytes());
    bytes.extend(ASKED.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([u8::try_from(family).expect("small"), 0, 0, 0]);
    bytes.extend(index.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(u16::try_from(attribute).expect("small").to_ne_bytes());
    bytes.extend(libc::NDA_DST.to_ne_bytes());
    bytes.extend(address);
    bytes
}
