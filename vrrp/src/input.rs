//! What can happen to a virtual router. Everything the driver knows reaches the engine as one of
//! these; deadlines are not an input but a call ([`crate::Router::handle_deadlines`]).

use crate::config::Config;
use crate::group::Follow;
use crate::packet::Advertisement;
use std::net::IpAddr;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input<'p> {
    /// Leave INIT (RFC 9568 §6.4.1 "Startup").
    Start,
    /// The same of an instance that is new, and that nobody has served yet: its other members may
    /// learn of it up to a second later, and whoever ranks below one of them leaves it that time.
    Introduce,
    /// A well-formed advert for this VRID and family arrived on this router's interface.
    Advert { source: IpAddr, advert: Advertisement<'p> },
    /// What the checks, the link and the operator say about this router's fitness. Sent whenever
    /// it changes, and once before `Start`.
    Health(Health),
    /// The primary address of the interface, from which adverts are sent; `None` when it is
    /// gone, which is a fault.
    PrimaryAddress(Option<IpAddr>),
    /// Hand over and go to INIT: agent stop, drain, removal of the instance.
    Resign(ResignReason),
    /// New configuration with the same VRID and family. Only what changed is disturbed.
    Reconfigure(Box<Config>),
    /// The kernel dropped an address because its lease ran out: this process was frozen. The
    /// router is no master any more, whatever it believes.
    LeaseExpired,
    /// The machine was suspended (CLOCK_BOOTTIME ran away from CLOCK_MONOTONIC): let go, listen.
    Suspended,
    /// What the sync group of this router decided.
    Follow(Follow),
    /// Every address is on the interface: announce them. The driver's answer to each
    /// [`crate::Custody::Serving`] output, also when it had nothing to add; adverts do not wait
    /// for it, announcements do.
    Claimed,
    /// A former incarnation of this agent was MASTER within the master-down interval and its
    /// addresses are still leased, or this router comes in the place of another of this node that
    /// is MASTER: carry on as MASTER. Only valid in INIT, instead of `Start`.
    Resume,
}

/// Fitness of this router. Pure data from the agent's tally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Why this router may not serve at all; empty when it may. One line each, as an operator
    /// wants to read it: `check check_nginx is down: process nginx not running`.
    pub faults: Vec<String>,
    /// Sum of the weights of the tracked checks.
    pub weight: i32,
    /// What `weight` is when every tracked check is well. A router below it ranks behind all
    /// others ([`crate::takeover`]), and one that resumes assumes it until its checks have spoken.
    pub full_weight: i32,
    /// Why the weight is not zero, one line each; shown as the reason of what follows from it.
    pub weighted: Vec<String>,
    /// Whether a tracked check has had no first result yet: no preemption before that.
    pub pending: bool,
    /// Whether the faults are of the host itself (link down, address gone) rather than of a
    /// service check: nothing can be held or announced then.
    pub interface_down: bool,
}

/// Why a master is asked to resign. Shown to operators as the reason of the transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResignReason {
    /// The agent is stopping.
    Stop,
    /// The instance is no longer assigned to this node.
    Removed,
    /// The instance is nowhere any more: nobody is to succeed, so nobody is told.
    Deleted,
    /// An operator drained the node.
    Drain,
}
