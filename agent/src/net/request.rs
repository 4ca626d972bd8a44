//! What the VRRP thread asks of the net thread.

use super::device::Device;
use super::lease::LeaseTerms;
use super::routing::Following;
use std::sync::Arc;
use vipfleet_model::{Name, VirtualAddress};
use vipfleet_vrrp::Custody;

/// One wish. Desires are state and replace each other per instance; the rest are one-time.
#[derive(Clone, Debug)]
pub enum Request {
    /// Bring the kernel to this state of one instance, and keep it there.
    Desire(Desire),
    /// The instance is gone from this node: hold nothing for it, say nothing more about it.
    Forget { instance: Name },
    /// The first assignment runs: whatever a former incarnation of this agent left in the
    /// kernel and nobody desires by now is removed.
    Reconcile,
    /// Report every interface now and every change from now on ([`super::Event::Interface`]).
    WatchInterfaces,
    /// Let go of everything, restore what was changed, and end ([`super::Event::Stopped`]).
    Shutdown,
}

/// The complete desired state of one instance. Posting an equal one again changes nothing, except
/// that it claims anew what a lease expiry had taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desire {
    pub instance: Name,
    /// Names this desire: [`super::Event::Claimed`] and [`super::Event::Truth`] say which one they
    /// answer. A new number is claimed and told anew, also when nothing else changed.
    pub serial: u64,
    /// Where addresses without a `dev` of their own sit.
    pub interface: String,
    /// To be made for it, and up while it serves.
    pub device: Option<Device>,
    pub addresses: Arc<[VirtualAddress]>,
    /// Routes and rules that are there while the addresses are served.
    pub following: Arc<Following>,
    pub custody: Custody,
    pub lease: LeaseTerms,
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The net thread ended (it was shut down, or failed: see the log).
    #[error("the net thread has ended")]
    Stopped,
    /// More instances at once than the inbox takes; nothing was queued.
    #[error("the net thread's inbox holds {0} instances already")]
    Full(usize),
}
