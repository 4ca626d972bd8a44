//! The kernel of one host as far as one instance is concerned, and the agent's net thread: what is
//! on the interface, under which lease, and what is wanted instead.

use std::time::Duration;
use vipfleet_vrrp::{Custody, Time};

/// A lease ends this much later than it should, at most.
pub(crate) const EXPIRY_LATENESS: Duration = Duration::from_secs(2);
/// An agent takes an address that vanishes this close to its end for one whose lease ran out.
const EXPIRY_EARLY: Duration = Duration::from_millis(100);
/// A renewal nobody vouched for is looked at again after this.
pub(crate) const RENEW_AGAIN: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) renewed: Time,
    pub(crate) ends: Time,
}

impl Lease {
    pub(crate) fn may_have_expired(&self, now: Time) -> bool {
        now + EXPIRY_EARLY >= self.ends
    }
}

/// Something the kernel side will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KernelEvent {
    /// Carry out the wish of that number, unless a later one replaced it.
    Apply(u64),
    /// Renew the lease of that number.
    Renew(u64),
    /// Drop what is held under the lease of that number.
    Expire(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) held: Custody,
    pub(crate) wanted: Custody,
    /// Number of the wish.
    pub(crate) serial: u64,
    /// `None` for addresses that stay: keepalived's, and routes.
    pub(crate) lease: Option<Lease>,
    /// Number of the lease.
    pub(crate) epoch: u64,
}

impl Default for Kernel {
    fn default() -> Self {
        let (held, wanted) = (Custody::None, Custody::None);
        Self { held, wanted, serial: 0, lease: None, epoch: 0 }
    }
}

impl Kernel {
    /// A new wish; returns its number.
    pub(crate) fn wish(&mut self, custody: Custody) -> u64 {
        self.wanted = custody;
        self.serial += 1;
        self.serial
    }

    /// A new lease; returns its number.
    pub(crate) fn lease(&mut self, lease: Lease) -> u64 {
        self.lease = Some(lease);
        self.epoch += 1;
        self.epoch
    }

    pub(crate) fn drop_all(&mut self) {
        self.held = Custody::None;
        self.lease = None;
        self.epoch += 1;
    }

    /// The machine's clock stood still for `span`.
    pub(crate) fn slept(&mut self, span: Duration) -> Option<(u64, Lease)> {
        let lease = self.lease.as_mut()?;
        lease.renewed = lease.renewed + span;
        lease.ends = lease.ends + span;
        self.epoch += 1;
        Some((self.epoch, *lease))
    }
}
