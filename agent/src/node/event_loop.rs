//! The loop of the VRRP thread. Each turn: wake, notice a sleep, drain the sockets, hear the
//! kernel, take commands, and only then fire deadlines: a stalled backup that fires timers
//! before reading what waits for it becomes a false master.

use super::deadlines::Deadlines;
use super::handle::{COMMANDS, Command, NOTICES, Node, Notice, Notices};
use super::health::CheckState;
use super::instance::Instance;
use super::lan::{Lan, SocketKey};
use super::resume::Former;
use super::succession::{Inherited, PastInstance};
use super::wake::Wake;
use crate::net::{
    Announcer, Events, Heartbeat, Leftover, Net, Packet, Request, SuspendWatch, clock,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tracing::{debug, error, warn};
use vipfleet_model::{Name, NodeFacts, NodeReport};
use vipfleet_vrrp::packet;
use vipfleet_vrrp::{Discard, Input, StateName, Time, Vrid};

/// Packets taken from one socket in a turn; the rest waits for the next turn, which comes at
/// once. Far above what a LAN of adverts sends, so that only a flood is cut into pieces.
const BURST: usize = 4096;

/// What the loop is made of.
#[derive(Debug)]
pub struct Options {
    pub node: Name,
    pub boot_id: String,
    /// What a former incarnation was MASTER of.
    pub former: Former,
    pub net: Net,
    pub net_events: Events,
    pub heartbeat: Arc<Heartbeat>,
    /// What the image of the program knew that this one replaced in place.
    pub inherited: Option<Inherited>,
}

#[derive(Debug)]
pub(super) struct EventLoop {
    pub(super) node: Name,
    pub(super) boot_id: String,
    pub(super) former: Former,
    /// Instances that go on where the former image of the program left them.
    pub(super) past: BTreeMap<Name, PastInstance>,
    /// One of them does since this turn began.
    pub(super) carried_on: bool,
    /// What a former incarnation left in the kernel, and when that was; `None` until it is known.
    pub(super) inventory: Option<(Time, Vec<Leftover>)>,
    pub(super) net: Net,
    pub(super) net_events: Events,
    /// Requests of a change that the kernel side takes in together, while one is being made.
    pub(super) together: Option<Vec<Request>>,
    pub(super) heartbeat: Arc<Heartbeat>,
    /// Number of the guard's last removal that was heard of.
    pub(super) removals_heard: u64,
    /// When the heart of this incarnation began to beat.
    pub(super) began: Time,
    suspend: SuspendWatch,
    pub(super) commands: Receiver<Command>,
    wake: Wake,
    pub(super) notices: mpsc::Sender<Notice>,
    /// Transitions that found the notices full since the last one that did not.
    pub(super) transitions_lost: u64,
    pub(super) report: watch::Sender<NodeReport>,
    pub(super) facts: watch::Sender<NodeFacts>,
    pub(super) facts_known: bool,
    pub(super) published: Time,
    pub(super) dirty: bool,
    pub(super) lan: Lan,
    pub(super) lan_changed: bool,
    /// A socket could not be opened and is tried again then.
    pub(super) listen_again: Option<Time>,
    pub(super) instances: BTreeMap<Name, Instance>,
    pub(super) routes: HashMap<(SocketKey, Vrid), Name>,
    pub(super) routes_stale: bool,
    /// Of the assignment: results of others come late and count for nothing.
    pub(super) known_checks: BTreeSet<Name>,
    pub(super) checks: BTreeMap<Name, CheckState>,
    pub(super) deadlines: Deadlines,
    /// The state that all of a sync group were in last.
    pub(super) group_states: BTreeMap<Name, StateName>,
    /// When the next planned move is over, on CLOCK_BOOTTIME.
    pub(super) next_move_end: Option<Duration>,
    pub(super) generation: u64,
    pub(super) hash: String,
    /// The first assignment runs, and the kernel was reconciled with it.
    pub(super) reconciled: bool,
    /// Of the latest desire; never used twice, also not by an instance of the same name.
    pub(super) serial: u64,
    pub(super) stage: Stage,
    /// Reused for every advert sent.
    pub(super) message: Vec<u8>,
}

/// How far the loop is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Running,
    /// Everything has resigned; the successors take over.
    Resigned,
    /// The kernel side was told to let go of everything.
    LettingGo,
    Finished,
}

/// Starts the VRRP thread. Needs CAP_NET_RAW.
pub fn spawn(options: Options) -> io::Result<(Node, Notices, JoinHandle<()>)> {
    let (commands, taken) = sync_channel(COMMANDS);
    let (notices, heard) = mpsc::channel(NOTICES);
    let wake = Wake::new()?;
    let (report, report_seen) = watch::channel(NodeReport::default());
    let nothing = NodeFacts { node: options.node.clone(), interfaces: Vec::new() };
    let (facts, facts_seen) = watch::channel(nothing);
    let node = Node { commands, wake: wake.clone(), report: report_seen, facts: facts_seen };
    let inherited = options.inherited.unwrap_or_default();
    let event_loop = EventLoop {
        node: options.node,
        boot_id: options.boot_id,
        former: options.former,
        past: inherited.instances,
        carried_on: false,
        inventory: None,
        net: options.net,
        net_events: options.net_events,
        together: None,
        removals_heard: options.heartbeat.removal().map_or(0, |removal| removal.number),
        began: options.heartbeat.last(),
        heartbeat: options.heartbeat,
        suspend: SuspendWatch::new(),
        commands: taken,
        wake,
        notices,
        transitions_lost: inherited.transitions_lost,
        report,
        facts,
        facts_known: false,
        published: Time::ZERO,
        dirty: true,
        lan: Lan::new(Announcer::open()?, inherited.sockets),
        lan_changed: false,
        listen_again: None,
        instances: BTreeMap::new(),
        routes: HashMap::new(),
        routes_stale: false,
        known_checks: BTreeSet::new(),
        checks: inherited.checks,
        deadlines: Deadlines::default(),
        group_states: inherited.group_states,
        next_move_end: None,
        generation: 0,
        hash: String::new(),
        reconciled: false,
        serial: 0,
        stage: Stage::Running,
        message: Vec::with_capacity(2048),
    };
    let thread = std::thread::Builder::new().name("vrrp".into()).spawn(|| event_loop.run())?;
    Ok((node, heard, thread))
}

impl EventLoop {
    fn run(mut self) {
        // Timers of this thread fire when they are due, not up to 50 µs later (prctl(2)).
        if let Err(error) = nix::sys::prctl::set_timerslack(1) {
            debug!(%error, "timer slack stays as it is");
        }
        if let Err(error) = self.net.request(Request::WatchInterfaces) {
            error!(%error, "interfaces cannot be watched");
        }
        while self.stage != Stage::Finished {
            self.sleep();
            self.turn();
        }
    }

    fn turn(&mut self) {
        // The heart beats with the time at which draining began: a loop that freezes on its way
        // must not vouch for leases it is about to give up.
        let began = clock::now();
        self.wake.clear();
        if let Some(slept) = self.suspend.slept() {
            warn!(?slept, "the machine was suspended");
            self.tell_all(|| Input::Suspended);
        }
        // Before the sockets: a former master must not answer the adverts of its successor.
        self.hear_guard();
        self.drain_sockets();
        self.hear_kernel();
        while let Ok(command) = self.commands.try_recv() {
            self.obey(command);
        }
        self.hear_what_waited();
        self.end_moves();
        self.fire();
        self.reroute();
        self.publish(clock::now());
        self.heartbeat.beat(began);
    }

    /// Until a packet, an event, a command or the next deadline; never longer than a heartbeat.
    fn sleep(&self) {
        let now = clock::now();
        let next = self.publish_at().min(now + Heartbeat::INTERVAL);
        let next = self.deadlines.next().map_or(next, |deadline| deadline.min(next));
        let wait = next.since(now);
        let timeout = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        let mut fds = vec![
            PollFd::new(&self.wake, PollFlags::IN),
            PollFd::new(&self.net_events, PollFlags::IN),
        ];
        fds.extend(self.lan.descriptors().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                error!(%error, "cannot wait for packets");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    pub(super) fn drain_sockets(&mut self) {
        for key in self.lan.socket_keys() {
            for _ in 0..BURST {
                let Some(socket) = self.lan.socket(key) else { break };
                let heard = match socket.receive() {
                    Ok(Some(packet)) => deliver(key, packet, &self.routes, &mut self.instances),
                    Ok(None) => break,
                    Err(error) => {
                        warn!(%error, "cannot read a VRRP socket");
                        break;
                    }
                };
                if let Some(name) = heard {
                    self.drain(&name);
                }
            }
        }
    }

    fn fire(&mut self) {
        let now = clock::now();
        while let Some(name) = self.deadlines.due(now) {
            match self.instances.get_mut(&name) {
                Some(instance) => {
                    instance.clock = instance.clock.max(now);
                    instance.router.handle_deadlines(instance.clock);
                }
                None => self.deadlines.set(&name, None),
            }
            self.drain(&name);
        }
    }

    /// Hands one input to one router and does what it wants.
    pub(super) fn tell(&mut self, name: &Name, input: Input<'_>) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        instance.clock = instance.clock.max(clock::now());
        instance.router.handle(instance.clock, input);
        self.drain(name);
    }

    pub(super) fn tell_all(&mut self, input: impl Fn() -> Input<'static>) {
        for name in self.instances.keys().cloned().collect::<Vec<_>>() {
            self.tell(&name, input());
        }
    }
}

/// Parses a packet and hands it to the router it is for; returns whose outputs to drain.
fn deliver(
    key: SocketKey,
    packet: Packet<'_>,
    routes: &HashMap<(SocketKey, Vrid), Name>,
    instances: &mut BTreeMap<Name, Instance>,
) -> Option<Name> {
    let Packet { envelope, message, received } = packet;
    let advert = match packet::parse(envelope, message) {
        Ok(advert) => advert,
        Err(why) => {
            blame(key, message, why, routes, instances);
            debug!(source = %envelope.source, why = why.name(), "packet discarded");
            return None;
        }
    };
    let Some(name) = routes.get(&(key, advert.vrid)) else {
        let why = Discard::UnknownVrid.name();
        debug!(source = %envelope.source, vrid = %advert.vrid, why, "advert discarded");
        return None;
    };
    let instance = instances.get_mut(name)?;
    instance.counters.received += 1;
    instance.tell_time_of_day();
    instance.clock = instance.clock.max(received);
    let source = envelope.source;
    instance.router.handle(instance.clock, Input::Advert { source, advert });
    Some(name.clone())
}

/// A malformed packet counts at the instance whose VRID it names, if it is long enough to name
/// one (second byte in both versions, RFC 9568 §5.2, RFC 3768 §5.3).
fn blame(
    key: SocketKey,
    message: &[u8],
    why: Discard,
    routes: &HashMap<(SocketKey, Vrid), Name>,
    instances: &mut BTreeMap<Name, Instance>,
) {
    let vrid = message.get(1).copied().and_then(Vrid::new);
    let name = vrid.and_then(|vrid| routes.get(&(key, vrid)));
    if let Some(instance) = name.and_then(|name| instances.get_mut(name)) {
        instance.counters.discard(why);
    }
}
