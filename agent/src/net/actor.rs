//! The net thread's state and its main loop. Started by [`super::thread`].
//!
//! Everything is level-triggered: wishes and news only mark places as dirty, and each turn takes
//! the next step of every dirty place. A lost message delays a step until the next resync.

use super::address::Seen;
use super::device::Devices;
use super::echo::Echoes;
use super::error::{Fault, NetError};
use super::event::{Event, EventSender};
use super::heartbeat::Heartbeat;
use super::heartbeat::record::Draft;
use super::inbox::Inbox;
use super::interface::Told;
use super::lease::LeaseTerms;
use super::ledger::{self, Entry, Ledger, Writer};
use super::mirror::Mirror;
use super::netlink::{Netlink, Notice};
use super::place::{Ground, Holding, Place};
use super::readiness::Awaited;
use super::request::Desire;
use super::routing::Book;
use super::sysctl::Settings;
use super::thread::Options;
use super::{clock, startup};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use vipfleet_model::Name;
use vipfleet_model::report::AddressReport;
use vipfleet_vrrp::Time;

/// Everything is read anew this often, whatever the news said.
const RESYNC: Duration = Duration::from_secs(10);
/// How often a stale heartbeat is looked at while something waits for it.
const LISTEN: Duration = Duration::from_millis(50);
/// A refused step is tried again, and a repair repeated, after this time.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// What is known of one instance.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) desire: Desire,
    /// In the order of the desire.
    pub(super) places: Vec<Place>,
    pub(super) claimed: bool,
    pub(super) told: Option<(Vec<AddressReport>, bool)>,
}

#[derive(Debug)]
pub(super) struct Actor {
    pub(super) netlink: Netlink,
    pub(super) mirror: Mirror,
    pub(super) settings: Settings,
    pub(super) events: EventSender,
    pub(super) instances: BTreeMap<Name, Instance>,
    pub(super) holdings: BTreeMap<Place, Holding>,
    /// Whose address the kernel shows where: what we hold.
    pub(super) held: BTreeMap<(u32, IpNet), Place>,
    pub(super) echoes: Echoes,
    pub(super) awaited: Awaited,
    /// Places that have, or may have, a next step.
    pub(super) dirty: BTreeSet<Place>,
    /// Instances whose truth may have changed.
    pub(super) touched: BTreeSet<Name>,
    /// Renewals by time.
    pub(super) due: BTreeSet<(Time, Place)>,
    /// Routes and rules that follow.
    pub(super) book: Book,
    /// Of virtual MACs.
    pub(super) devices: Devices,
    /// Whether something waits for a fresh heartbeat.
    pub(super) waits_for_heart: bool,
    /// Whether the ledger on disk is behind.
    pub(super) unwritten: bool,
    pub(super) resync_wanted: bool,
    /// Whether an interface, or a host's own address, may have changed.
    pub(super) links_changed: bool,
    /// Whether there may be leftovers that nobody desires.
    pub(super) sweep_wanted: bool,
    pub(super) writer: Writer,
    /// What the former incarnation wrote, for kernels without marks.
    pub(super) former: Ledger,
    pub(super) marks: bool,
    inbox: Arc<Inbox>,
    pub(super) heartbeat: Arc<Heartbeat>,
    /// What the guard knows.
    pub(super) recorded: Draft,
    /// Number of the guard's last removal that was given up here.
    pub(super) removals_heeded: u64,
    boot: String,
    /// Set by `Reconcile`: leftovers nobody desires are removed from then on.
    reconciled: bool,
    told: Option<Told>,
    next_resync: Time,
}

impl Actor {
    /// Opens the sockets, reads the kernel and the ledger, repairs what cannot wait.
    pub(super) async fn start(
        options: Options,
        inbox: Arc<Inbox>,
        events: EventSender,
    ) -> Result<Self, NetError> {
        let boot = ledger::boot_id();
        let (former, unread) = Ledger::read(&options.state_dir, &boot);
        let writer = Writer::start(options.state_dir.clone())
            .map_err(|source| NetError::Thread { source })?;
        let mut actor = Self {
            netlink: Netlink::open()?,
            mirror: Mirror::default(),
            settings: Settings::default(),
            events,
            instances: BTreeMap::new(),
            holdings: BTreeMap::new(),
            held: BTreeMap::new(),
            echoes: Echoes::default(),
            awaited: Awaited::default(),
            dirty: BTreeSet::new(),
            touched: BTreeSet::new(),
            due: BTreeSet::new(),
            book: Book::default(),
            devices: Devices::default(),
            waits_for_heart: false,
            unwritten: true,
            resync_wanted: false,
            links_changed: false,
            sweep_wanted: false,
            writer,
            former,
            marks: startup::kernel_marks_addresses(),
            inbox,
            recorded: Draft::default(),
            removals_heeded: options.heartbeat.removal().map_or(0, |removal| removal.number),
            heartbeat: options.heartbeat,
            boot,
            reconciled: false,
            told: None,
            next_resync: clock::now() + RESYNC,
        };
        actor.take_over().await?;
        if let Some(error) = unread {
            actor.events.send(Event::Warning(Fault::ledger("read", &error.to_string())));
        }
        Ok(actor)
    }

    /// Runs until shutdown, or until nobody is left to ask for anything.
    pub(super) async fn run(mut self) {
        loop {
            // The heartbeat is looked at in the turn, before the inbox: whoever sees a beat sees
            // the requests that were posted before it.
            match self.turn().await {
                Turn::Again => {}
                Turn::Wait => self.wait().await,
                Turn::Over => return,
            }
            self.take_news();
        }
    }

    async fn wait(&mut self) {
        let inbox = Arc::clone(&self.inbox);
        let sleep = self.next_wake().since(clock::now());
        let notice = tokio::select! {
            biased;
            () = inbox.posted() => None,
            notice = self.netlink.notice() => Some(notice),
            () = tokio::time::sleep(sleep) => None,
        };
        if let Some(notice) = notice {
            self.hear(notice);
        }
    }

    fn take_news(&mut self) {
        while let Some(notice) = self.netlink.next_notice() {
            self.hear(notice);
        }
    }

    fn hear(&mut self, notice: Notice) {
        match notice {
            Notice::Message(message) => self.hear_message(*message),
            Notice::Lost => {
                self.resync_wanted = true;
                self.echoes.forget();
            }
        }
    }

    /// New sockets for broken ones. Leases run on meanwhile; nothing can be done without.
    async fn reopen(&mut self) {
        self.resync_wanted = true;
        match Netlink::open() {
            Ok(netlink) => {
                self.netlink = netlink;
                self.echoes.forget();
            }
            Err(error) => {
                tracing::error!(%error, "netlink is lost; trying again");
                tokio::time::sleep(LISTEN).await;
            }
        }
    }

    /// One turn: wishes, then claims, then what can wait a moment, in chunks.
    async fn turn(&mut self) -> Turn {
        if self.netlink.is_broken() {
            self.reopen().await;
        }
        self.waits_for_heart = false;
        let beat = self.heartbeat.last();
        let batch = self.inbox.take();
        if batch.once.abandoned {
            return Turn::Over;
        }
        self.heed_the_guard();
        let wished = !batch.wishes.is_empty() || batch.once.reconcile;
        for (name, wish) in batch.wishes {
            self.take_wish(name, wish);
        }
        if batch.once.shutdown {
            self.let_go_of_everything().await;
            return Turn::Over;
        }
        if batch.once.watch_interfaces {
            self.told.get_or_insert_default();
            self.links_changed = true;
        }
        if batch.once.reconcile {
            self.reconciled = true;
            self.devices.touch();
        }
        self.sweep_wanted |= batch.once.reconcile;
        if self.resync_wanted || clock::now() >= self.next_resync {
            self.next_resync = clock::now() + RESYNC;
            self.resync().await;
        }
        self.make_devices().await;
        if wished || self.links_changed || self.resync_wanted {
            self.record();
        }
        self.claim(beat).await;
        self.look_for_routes().await;
        self.follow(beat).await;
        let more_to_release = self.release().await;
        let more_to_renew = self.renew(beat).await;
        if self.reconciled && std::mem::take(&mut self.sweep_wanted) {
            self.sweep().await;
        }
        let more_to_rest = self.rest_devices().await;
        self.tell();
        let again = more_to_release || more_to_renew || more_to_rest || self.resync_wanted;
        if again || self.inbox.has_post() { Turn::Again } else { Turn::Wait }
    }

    /// The kernel could not be read.
    pub(super) fn postpone_resync(&mut self) {
        self.resync_wanted = false;
        self.next_resync = clock::now() + RETRY;
    }

    /// Everything the VRRP thread should know by now, and the disk.
    fn tell(&mut self) {
        self.tell_truths();
        if std::mem::take(&mut self.links_changed)
            && let Some(mut told) = self.told.take()
        {
            let now = self.interface_states();
            self.events.send_all(told.update(now));
            self.told = Some(told);
        }
        if std::mem::take(&mut self.unwritten) {
            self.record();
            let ledger = self.ledger();
            self.writer.put(ledger);
        }
        if let Some(outcome) = self.writer.news()
            && let Some(error) = outcome.error
        {
            self.events.send(Event::Warning(Fault::ledger("write", &error)));
        }
    }

    pub(super) fn ledger(&self) -> Ledger {
        let entry = |place: &Place| Entry {
            interface: place.interface.as_ref().to_owned(),
            address: place.address,
        };
        let ours = |holding: &Holding| holding.address.is_some() || holding.route.is_some();
        let owned = self.holdings.iter().filter(|(_, holding)| ours(holding));
        Ledger {
            boot: self.boot.clone(),
            addresses: owned.map(|(place, _)| entry(place)).collect(),
            settings: self.settings.borrowed().cloned().collect(),
            routing: self.book.held().collect(),
            devices: self.devices.ours().collect(),
        }
    }

    /// Whether the kernel was cleaned of what a former incarnation left.
    pub(super) fn is_reconciled(&self) -> bool {
        self.reconciled
    }

    fn next_wake(&self) -> Time {
        let now = clock::now();
        let retries = self.dirty.iter().filter_map(|place| self.holdings.get(place)?.not_before);
        let renewal = self.due.first().map(|(time, _)| *time);
        let devices = self.devices.next_try();
        let routing = devices.into_iter().chain(self.book.next_try()).chain(self.routes_end());
        let others = [self.next_resync].into_iter().chain(self.awaited.next()).chain(routing);
        let next = retries.chain(renewal).chain(others).min().unwrap_or(now);
        // A renewal that waits for a heartbeat is due already and must not make the loop spin.
        if self.waits_for_heart { self.next_resync.min(now + LISTEN) } else { next }
    }

    /// What the kernel shows at a place.
    pub(super) fn ground(&self, place: &Place) -> Ground {
        let Some(index) = self.index_at(&place.interface) else {
            return Ground::default();
        };
        let ip = place.address.addr();
        let at_place = self.mirror.address(index, place.address);
        let held = self.held.contains_key(&(index, place.address));
        Ground {
            index: Some(index),
            foreign: self.mirror.entries(index, ip).any(|seen| !self.is_own(seen)),
            leftover: !held && at_place.is_some_and(|seen| self.is_leftover(seen)),
        }
    }

    /// Where addresses of an interface go. On a device of a virtual MAC only while it is as it
    /// should be.
    pub(super) fn index_at(&self, interface: &str) -> Option<u32> {
        self.devices.index_of(interface).unwrap_or_else(|| self.mirror.index_of(interface))
    }

    /// Whether an address is ours, held or left over: not the host's own.
    pub(super) fn is_own(&self, seen: &Seen) -> bool {
        self.held.contains_key(&(seen.index, seen.address)) || self.is_leftover(seen)
    }

    /// Whether an address that we do not hold was added by a former incarnation. Never one
    /// without an end.
    pub(super) fn is_leftover(&self, seen: &Seen) -> bool {
        let listed = || {
            let link = self.mirror.link(seen.index);
            link.is_some_and(|link| self.former.lists(&link.name, seen.address))
        };
        seen.is_marked_lease() || (!self.marks && seen.valid.is_some() && listed())
    }

    /// Whether the VRRP loop vouched for its leases by `beat`.
    pub(super) fn vouched(&mut self, beat: Time, now: Time, terms: LeaseTerms) -> bool {
        let fresh = now.since(beat) <= terms.freshness();
        self.waits_for_heart |= !fresh;
        fresh
    }

    /// Marks a place for the next turn, and its instances for the next report.
    pub(super) fn touch(&mut self, place: &Place) {
        if let Some(holding) = self.holdings.get(place) {
            self.touched.extend(holding.wants.instances().cloned());
            self.dirty.insert(place.clone());
        }
    }
}

enum Turn {
    Again,
    Wait,
    Over,
}
