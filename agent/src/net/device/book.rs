//! What is known of devices: who is meant to have one, and which of them are there. Pure.

use super::{Aim, Device};
use crate::net::actor::RETRY;
use crate::net::error::Fault;
use crate::net::interface::Link;
use crate::net::mirror::Mirror;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use std::collections::BTreeMap;
use vipfleet_model::Name;
use vipfleet_vrrp::Time;

/// Everything known of devices, by name.
#[derive(Debug, Default)]
pub(in crate::net) struct Devices {
    pub(super) entries: BTreeMap<String, Entry>,
    /// Wishes or links changed: every device may have a next step.
    pub(in crate::net) stale: bool,
    /// What stands in an instance's way, as it was told last.
    pub(super) told: BTreeMap<Name, String>,
}

/// One device that somebody wants, or that is ours.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) device: Device,
    /// `None`: nobody wants it any more.
    pub(super) aim: Option<Aim>,
    /// Of the one in the kernel, while that is ours.
    pub(super) index: Option<u32>,
    /// It and its parent are set to what addresses need.
    pub(super) prepared: bool,
    /// Index of the parent when it went without our doing; said once it is back.
    pub(super) lost: Option<u32>,
    pub(super) repaired: Option<Time>,
    /// Nothing is tried before.
    pub(super) not_before: Option<Time>,
    pub(super) fault: Option<Fault>,
}

impl Entry {
    pub(super) fn new(device: Device) -> Self {
        let (aim, index, prepared, lost) = (None, None, false, None);
        let (repaired, not_before, fault) = (None, None, None);
        Self { device, aim, index, prepared, lost, repaired, not_before, fault }
    }

    /// The device is wanted, there, and can be given addresses.
    fn is_ready(&self) -> bool {
        self.aim.is_some() && self.prepared && self.fault.is_none()
    }
}

impl Devices {
    /// Something happened that may matter to a device, if there is any.
    pub(in crate::net) fn touch(&mut self) {
        self.stale |= !self.entries.is_empty();
    }

    /// Everything was read anew.
    pub(in crate::net) fn recheck(&mut self, mirror: &Mirror) {
        let gone = |entry: &&mut Entry| entry.index.is_some_and(|it| mirror.link(it).is_none());
        for entry in self.entries.values_mut().filter(gone) {
            (entry.index, entry.prepared) = (None, false);
        }
        self.touch();
    }

    /// Whether an interface is a device of ours.
    pub(in crate::net) fn owns(&self, index: u32) -> bool {
        self.entries.values().any(|entry| entry.index == Some(index))
    }

    /// Where addresses of a wanted device go; the outer `None` for every other interface.
    pub(in crate::net) fn index_of(&self, name: &str) -> Option<Option<u32>> {
        let entry = self.entries.get(name)?;
        Some(entry.index.filter(|_| entry.is_ready()))
    }

    /// What takes a device of ours away, for the guard. It names the MAC as well, since an index
    /// may be given to another link.
    pub(in crate::net) fn removal(&self, index: u32) -> Option<LinkMessage> {
        let entry = self.entries.values().find(|entry| entry.index == Some(index))?;
        let mut message = super::named(index);
        message.attributes = vec![LinkAttribute::Address(entry.device.mac().to_vec())];
        Some(message)
    }

    /// When the next refused step is due.
    pub(in crate::net) fn next_try(&self) -> Option<Time> {
        self.entries.values().filter_map(|entry| entry.not_before).min()
    }

    /// For the ledger: what is ours, and what is about to be.
    pub(in crate::net) fn ours(&self) -> impl Iterator<Item = Device> {
        let ours = self.entries.values().filter(|it| it.index.is_some() || it.aim.is_some());
        // One of another maker is never to be taken for ours.
        ours.filter(|it| it.index.is_some() || it.fault.is_none()).map(|it| it.device.clone())
    }

    /// A link is gone.
    pub(in crate::net) fn lose(&mut self, link: &Link) {
        self.stale = true;
        let entry = self.entries.values_mut().find(|entry| entry.index == Some(link.index));
        if let Some(entry) = entry {
            (entry.index, entry.prepared, entry.lost) = (None, false, link.parent);
            entry.not_before = entry.repaired.map(|at| at + RETRY);
        }
    }
}
