//! Announcing addresses: the first time at once, all of them together; the repetitions at a pace.
//! When a host dies, its peer gets a thousand addresses in a moment, and five announcements of
//! each back to back are more than some switches and most clients' neighbour tables take in.

use super::event_loop::EventLoop;
use super::instance::Instance;
use super::instances::Number;
use super::lan::Lan;
use crate::net::clock;
use std::collections::VecDeque;
use std::time::Duration;
use tracing::debug;
use vipfleet_model::Name;
use vipfleet_vrrp::Time;

/// Repetitions that leave together, this often: 32,000 frames a second, about 20 Mbit/s. A
/// thousand addresses take 31 ms a round.
const TOGETHER: usize = 32;
const APART: Duration = Duration::from_millis(1);
/// Rounds that an instance may be owed; more say nothing that these do not.
const OWED: u8 = 8;

/// Whose repetitions are under way.
#[derive(Debug, Default)]
pub(super) struct Repetitions {
    queue: VecDeque<Number>,
    next: Time,
}

impl Repetitions {
    /// When to come back.
    pub(super) fn due(&self) -> Option<Time> {
        (!self.queue.is_empty()).then_some(self.next)
    }
}

/// How far an instance is with announcing.
#[derive(Debug, Default)]
pub(super) struct Announcing {
    has_begun: bool,
    /// Rounds to go, the one under way included.
    owed: u8,
    /// The address that comes next in it.
    next: usize,
}

impl EventLoop {
    /// A router wants every address announced once.
    pub(super) fn announce(&mut self, name: &Name) {
        let Some(number) = self.instances.number(name) else { return };
        let Some(instance) = self.instances.at(number) else { return };
        if !std::mem::replace(&mut instance.announcing.has_begun, true) {
            (0..instance.prepared.addresses.len())
                .for_each(|at| announce(instance, at, &mut self.lan));
        } else if instance.announcing.owed == 0 {
            instance.announcing = Announcing { has_begun: true, owed: 1, next: 0 };
            self.repetitions.queue.push_back(number);
        } else {
            instance.announcing.owed = OWED.min(instance.announcing.owed + 1);
        }
    }

    /// The next repetitions, if it is time. Who serves no more owes none.
    pub(super) fn repeat_announcements(&mut self, now: Time) {
        if self.repetitions.due().is_none_or(|due| now < due) {
            return;
        }
        let mut room = TOGETHER;
        while room > 0
            && let Some(number) = self.repetitions.queue.pop_front()
        {
            let Some(instance) = self.instances.at(number) else { continue };
            let count = instance.prepared.addresses.len();
            while room > 0 && instance.announcing.owed > 0 && instance.announcing.next < count {
                announce(instance, instance.announcing.next, &mut self.lan);
                instance.announcing.next += 1;
                room -= 1;
            }
            if instance.announcing.next >= count {
                instance.announcing.next = 0;
                instance.announcing.owed = instance.announcing.owed.saturating_sub(1);
                if instance.announcing.owed > 0 {
                    self.repetitions.queue.push_back(number);
                }
            } else if instance.announcing.owed > 0 {
                self.repetitions.queue.push_front(number);
            }
        }
        self.repetitions.next = clock::now() + APART;
    }
}

/// One announcement of one address.
fn announce(instance: &Instance, at: usize, lan: &mut Lan) {
    let Some(address) = instance.prepared.addresses.get(at) else { return };
    let own = address.dev.as_deref().unwrap_or(instance.interface());
    // Addresses with an interface of their own are not on the device.
    let home = instance.prepared.device.as_ref().filter(|_| address.dev.is_none());
    let elsewhere = instance.prepared.assigned.garp.interfaces.iter().map(String::as_str);
    for interface in std::iter::once(own).chain(elsewhere.filter(|it| *it != own)) {
        let device = home.filter(|_| interface == instance.interface());
        if let Err(error) = lan.announce(interface, address.ip(), device) {
            let (instance, address) = (instance.name(), address.ip());
            debug!(%instance, %address, interface, %error, "not announced");
        }
    }
}
