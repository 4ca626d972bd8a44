//! Where adverts of one (interface, family) come in and go out: the socket, what is to be sent,
//! whose packets these are. And which of all ports have packets waiting.

use super::instances::Number;
use super::lan::SocketKey;
use crate::net::{Outgoing, VrrpSocket};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tracing::warn;
use vipfleet_vrrp::{Family, Vrid};

/// Ports asked for at once.
const AT_ONCE: usize = 32;

pub(super) struct Port {
    pub(super) socket: VrrpSocket,
    pub(super) outgoing: Outgoing,
    /// By VRID.
    members: Box<[Option<Number>; 256]>,
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Port {
    pub(super) fn new(socket: VrrpSocket) -> Self {
        Self { socket, outgoing: Outgoing::default(), members: Box::new([None; 256]) }
    }

    pub(super) fn forget_members(&mut self) {
        self.members.fill(None);
    }

    pub(super) fn enter(&mut self, vrid: Vrid, number: Number) {
        self.members[usize::from(vrid.get())] = Some(number);
    }

    pub(super) fn member(&self, vrid: Vrid) -> Option<Number> {
        self.members[usize::from(vrid.get())]
    }

    pub(super) fn has_members(&self) -> bool {
        self.members.iter().any(Option::is_some)
    }
}

/// The ports with packets: an epoll instance, so that those without cost nothing. A socket leaves
/// it when it is closed.
#[derive(Debug)]
pub(super) struct Ready {
    epoll: OwnedFd,
    keys: Vec<SocketKey>,
}

impl Ready {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, keys: Vec::new() })
    }

    pub(super) fn watch(&self, key: SocketKey, socket: &VrrpSocket) -> io::Result<()> {
        let data = EventData::new_u64(data(key));
        Ok(epoll::add(&self.epoll, socket, data, EventFlags::IN)?)
    }

    /// Asks which of `ports` have packets.
    pub(super) fn look(&mut self, ports: usize) {
        self.keys.clear();
        // The kernel begins with those it did not name last time.
        while self.keys.len() < ports {
            let mut room = [MaybeUninit::<Event>::uninit(); AT_ONCE];
            match epoll::wait(&self.epoll, &mut room, Some(&Timespec::default())) {
                Ok((events, _)) => {
                    self.keys.extend(events.iter().filter_map(|event| key(event.data.u64())));
                    if events.len() < AT_ONCE {
                        return;
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return warn!(%error, "cannot look for packets"),
            }
        }
    }

    /// The `at`-th port that had some.
    pub(super) fn key(&self, at: usize) -> Option<SocketKey> {
        self.keys.get(at).copied()
    }
}

fn data((index, family): SocketKey) -> u64 {
    u64::from(index) << 1 | u64::from(family == Family::Ipv6)
}

fn key(data: u64) -> Option<SocketKey> {
    let family = if data & 1 == 0 { Family::Ipv4 } else { Family::Ipv6 };
    Some((u32::try_from(data >> 1).ok()?, family))
}

impl AsFd for Ready {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
