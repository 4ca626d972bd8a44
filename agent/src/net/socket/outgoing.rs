//! Messages that leave a socket together. Filled by the VRRP loop as its routers speak, emptied by
//! [`super::VrrpSocket::send_all`]; allocates nothing once it has grown.

use crate::net::batch::{self, Addressed, Message};
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

/// What waits to be sent.
#[derive(Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
    queued: Vec<Queued>,
}

struct Queued {
    sender: u32,
    to: Addressed,
    /// Where it ends in the bytes; it begins where the one before it ends.
    end: usize,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("queued", &self.queued.len()).finish_non_exhaustive()
    }
}

impl Outgoing {
    pub(super) fn push(&mut self, sender: u32, to: Addressed, message: &[u8]) {
        self.bytes.extend_from_slice(message);
        self.queued.push(Queued { sender, to, end: self.bytes.len() });
    }

    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    pub(super) fn send(
        &mut self,
        socket: BorrowedFd<'_>,
        mut fared: impl FnMut(u32, io::Result<()>),
    ) {
        let message = |at: usize| {
            let begin = at.checked_sub(1).map_or(0, |before| self.queued[before].end);
            let Queued { to, end, .. } = &self.queued[at];
            Message { to, bytes: &self.bytes[begin..*end] }
        };
        let sender = |at: usize| self.queued[at].sender;
        batch::send(socket, self.queued.len(), message, |at, outcome| fared(sender(at), outcome));
        self.queued.clear();
        self.bytes.clear();
    }
}
