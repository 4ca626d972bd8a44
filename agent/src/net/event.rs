//! What the net thread tells the VRRP thread, and the queue between them.
//!
//! Everything here is state or concerns one address: an event replaces an unread one about the
//! same thing, which bounds the queue by what exists and never makes a slow reader lose the
//! latest.

use super::error::Fault;
use super::ipv6::Ipv6State;
use ipnet::IpNet;
use rustix::event::{EventfdFlags, eventfd};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vipfleet_model::Name;
use vipfleet_model::report::AddressReport;

/// More unread things than this are dropped, newest first, and counted ([`Events::lost`]).
const CAPACITY: usize = 65_536;

/// One piece of news from the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An interface appeared or changed; all of it, once after [`super::Request::WatchInterfaces`].
    Interface(InterfaceState),
    /// No interface has this name any more.
    InterfaceGone { name: String },
    /// Every address of a `Serving` desire is on its interface. Once per claim.
    Claimed { instance: Name, serial: u64 },
    /// What the kernel holds of an instance, whenever that changes.
    Truth {
        instance: Name,
        /// Of the desire that was in force.
        serial: u64,
        /// In the order of the desire.
        addresses: Vec<AddressReport>,
        /// The kernel shows what is desired (foreign addresses count as shown).
        settled: bool,
    },
    /// The kernel dropped an address because nobody renewed its lease. It stays away until the
    /// instance is desired anew.
    LeaseExpired { instance: Name, address: IpAddr },
    /// Somebody else had a hand in an address.
    Drift { instance: Name, address: IpAddr, what: Drift },
    /// Virtual routes and rules that a serving instance lacks, whenever the list changes: each
    /// with the reason.
    Routing { instance: Name, missing: Vec<String> },
    /// What keeps the device of an instance's virtual MAC from being there, or that nothing does.
    Device { instance: Name, obstacle: Option<String> },
    /// A virtual route or rule, or a device, had gone and was put back.
    Restored { instance: Name, what: String },
    /// Once, at the start: what a former incarnation left in the kernel. Desired in time it is
    /// taken over without interruption; else it goes at [`super::Request::Reconcile`].
    Owned(Vec<Leftover>),
    /// The kernel refused. Retried; reported again only when the fault changes.
    Failed { instance: Name, address: Option<IpAddr>, fault: Fault },
    /// Something about the net thread itself, such as a ledger that cannot be written.
    Warning(Fault),
    /// The net thread has let go of everything and ended. Nothing follows.
    Stopped,
}

/// What somebody else did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drift {
    /// Deleted an address before its lease was over; it was added again in place.
    Deleted,
    /// Changed lifetime or mark of an address of ours; its lease was put back in place.
    Changed,
    /// The address is there and not ours: never leased, changed or removed.
    Foreign,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deleted => "another program deleted it; added again in place",
            Self::Changed => "another program changed its lifetime; leased again",
            Self::Foreign => "the host has it already; left as it is",
        })
    }
}

/// An address that a former incarnation of this agent added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub interface: String,
    pub address: IpNet,
    /// Until the kernel drops it by itself.
    pub remaining: Duration,
}

/// An interface as the VRRP loop needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceState {
    pub name: String,
    /// Changes when the interface is deleted and made again: sockets must rejoin.
    pub index: u32,
    /// `None` for links without an Ethernet address.
    pub mac: Option<[u8; 6]>,
    pub mtu: u32,
    /// Administratively up and operational (carrier).
    pub running: bool,
    /// The host's own that may be used, never a VIP of ours: those of IPv4 with the primary first,
    /// as the kernel lists them, then those of IPv6 ([`super::ipv6`] says in what order).
    pub addresses: Vec<IpNet>,
    pub ipv6: Ipv6State,
    /// The host's own setting of `promote_secondaries`, of this interface or of all.
    pub promote_secondaries: bool,
    pub origin: Origin,
}

/// Whose an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Host,
    /// The device of a virtual MAC, made by this agent.
    Agent,
}

/// What an event is about: a later one about the same thing replaces an unread one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Interface(String),
    Claimed(Name),
    Truth(Name),
    LeaseExpired(Name, IpAddr),
    Drift(Name, IpAddr, Drift),
    Routing(Name),
    Device(Name),
    Restored(Name, String),
    Owned,
    Failed(Name, Option<IpAddr>),
    Warning(String),
    Stopped,
}

impl Event {
    fn subject(&self) -> Subject {
        match self {
            Self::Interface(state) => Subject::Interface(state.name.clone()),
            Self::InterfaceGone { name } => Subject::Interface(name.clone()),
            Self::Claimed { instance, .. } => Subject::Claimed(instance.clone()),
            Self::Truth { instance, .. } => Subject::Truth(instance.clone()),
            Self::LeaseExpired { instance, address } => {
                Subject::LeaseExpired(instance.clone(), *address)
            }
            Self::Drift { instance, address, what } => {
                Subject::Drift(instance.clone(), *address, *what)
            }
            Self::Routing { instance, .. } => Subject::Routing(instance.clone()),
            Self::Device { instance, .. } => Subject::Device(instance.clone()),
            Self::Restored { instance, what } => Subject::Restored(instance.clone(), what.clone()),
            Self::Owned(_) => Subject::Owned,
            Self::Failed { instance, address, .. } => Subject::Failed(instance.clone(), *address),
            Self::Warning(fault) => Subject::Warning(fault.what.clone()),
            Self::Stopped => Subject::Stopped,
        }
    }
}

#[derive(Debug, Default)]
struct Unread {
    order: VecDeque<Subject>,
    latest: HashMap<Subject, Event>,
    lost: u64,
}

#[derive(Debug)]
struct Shared {
    unread: Mutex<Unread>,
    /// Readable while something is unread.
    ready: OwnedFd,
}

impl Shared {
    /// The lock is held for a map operation, never over a system call that can block.
    fn lock(&self) -> MutexGuard<'_, Unread> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading end. Pollable: readable while an event is waiting.
#[derive(Debug)]
pub struct Events(Arc<Shared>);

impl Events {
    /// The oldest unread event; never waits.
    pub fn try_recv(&self) -> Option<Event> {
        let mut unread = self.0.lock();
        let subject = unread.order.pop_front()?;
        let event = unread.latest.remove(&subject);
        if unread.order.is_empty() {
            let _ = rustix::io::read(&self.0.ready, &mut [0; 8]);
        }
        event
    }

    /// How many events found the queue full, ever.
    pub fn lost(&self) -> u64 {
        self.0.lock().lost
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.ready.as_fd()
    }
}

/// The writing end, held by the net thread.
#[derive(Clone, Debug)]
pub(super) struct EventSender(Arc<Shared>);

impl EventSender {
    pub(super) fn send(&self, event: Event) {
        self.send_all([event]);
    }

    /// A reader that sees one of them sees all: half a list of interfaces would look like a host
    /// that lacks the other half.
    pub(super) fn send_all(&self, events: impl IntoIterator<Item = Event>) {
        let mut unread = self.0.lock();
        let was_empty = unread.order.is_empty();
        for event in events {
            let subject = event.subject();
            if !unread.latest.contains_key(&subject) {
                if unread.order.len() >= CAPACITY {
                    unread.lost += 1;
                    continue;
                }
                unread.order.push_back(subject.clone());
            }
            unread.latest.insert(subject, event);
        }
        if was_empty && !unread.order.is_empty() {
            let _ = rustix::io::write(&self.0.ready, &1_u64.to_ne_bytes());
        }
    }

    /// Takes back a claim that nobody has read yet: the instance is not served any more.
    pub(super) fn retract_claim(&self, instance: &Name) {
        let mut unread = self.0.lock();
        let subject = Subject::Claimed(instance.clone());
        if unread.latest.remove(&subject).is_some() {
            unread.order.retain(|other| *other != subject);
            if unread.order.is_empty() {
                let _ = rustix::io::read(&self.0.ready, &mut [0; 8]);
            }
        }
    }
}

/// An empty queue.
pub(super) fn queue() -> io::Result<(EventSender, Events)> {
    let ready = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let shared = Arc::new(Shared { unread: Mutex::default(), ready });
    Ok((EventSender(Arc::clone(&shared)), Events(shared)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn is_readable(events: &Events) -> bool {
        let mut fds = [PollFd::new(events, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).unwrap() == 1
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn truth(instance: &str, settled: bool) -> Event {
        Event::Truth { instance: name(instance), serial: 1, addresses: Vec::new(), settled }
    }

    #[test]
    fn the_queue_is_readable_exactly_while_something_is_unread() {
        let (sender, events) = queue().unwrap();
        assert!(!is_readable(&events));
        sender.send(truth("a", true));
        sender.send(truth("b", true));
        assert!(is_readable(&events));
        events.try_recv().unwrap();
        assert!(is_readable(&events));
        events.try_recv().unwrap();
        assert!(!is_readable(&events));
        assert_eq!(events.try_recv(), None);
    }

    #[test]
    fn a_later_truth_replaces_an_unread_one_in_its_place() {
        let (sender, events) = queue().unwrap();
        sender.send(truth("a", false));
        sender.send(truth("b", false));
        sender.send(truth("a", true));
        assert_eq!(events.try_recv(), Some(truth("a", true)));
        assert_eq!(events.try_recv(), Some(truth("b", false)));
        assert_eq!(events.try_recv(), None);
    }

    #[test]
    fn a_claim_taken_back_before_it_was_read_is_never_seen() {
        let (sender, events) = queue().unwrap();
        sender.send(Event::Claimed { instance: name("a"), serial: 1 });
        sender.retract_claim(&name("a"));
        assert!(!is_readable(&events));
        assert_eq!(events.try_recv(), None);
    }

    #[test]
    fn a_full_queue_counts_what_it_drops() {
        let (sender, events) = queue().unwrap();
        for number in 0..=CAPACITY {
            sender.send(Event::InterfaceGone { name: number.to_string() });
        }
        assert_eq!(events.lost(), 1);
    }
}
