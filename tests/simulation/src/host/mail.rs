//! What comes to a host's loop, and what goes out of it.

use crate::definition::Definition;
use std::net::IpAddr;
use std::rc::Rc;
use vipfleet_vrrp::{Custody, Discard, Envelope, Health, Time, Transition, Warning};

/// A packet in a socket, with the kernel's timestamp in the host's own time.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) instance: usize,
    pub(crate) from: usize,
    pub(crate) envelope: Envelope,
    pub(crate) bytes: Rc<[u8]>,
    pub(crate) received: Time,
}

/// What the net thread tells the loop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News {
    Claimed { instance: usize, serial: u64 },
    LeaseExpired { instance: usize },
}

/// What the rest of the agent tells the loop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Bring the instance to what it is meant to be now. One that is new nobody has served yet.
    Bring {
        instance: usize,
        is_new: bool,
    },
    /// Checks or the link changed.
    Refresh(usize),
    Stop,
}

/// What a turn brought about.
#[derive(Debug)]
pub(crate) enum Effect {
    Heard { instance: usize, from: usize, priority: u8 },
    Send { instance: usize, priority: u8, destination: IpAddr, bytes: Rc<[u8]> },
    Custody { instance: usize, custody: Custody },
    Announce { instance: usize },
    Changed { instance: usize, transition: Transition },
    Discarded { instance: usize, source: IpAddr, why: Discard },
    Warn { instance: usize, warning: Warning },
    Runs { instance: usize, definition: Rc<Definition>, introduced: bool },
    Healthy { instance: usize, health: Health },
    Left { instance: usize },
    Exited,
}
