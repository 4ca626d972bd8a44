//! The loop of the VRRP thread. Each turn: wake, notice a sleep, drain the sockets, hear the
//! kernel, take commands, and only then fire deadlines: a stalled backup that fires timers
//! before reading what waits for it becomes a false master. What the turn has to say leaves in
//! its end, all of it together.
//!
//! A turn costs what is due in it, however many instances and sockets there are, and the path of
//! an advert, in and out, allocates nothing, formats nothing and takes no lock.

use super::announce::Repetitions;
use super::deadlines::Deadlines;
use super::handle::{COMMANDS, Command, NOTICES, Node, Notice, Notices};
use super::health::CheckState;
use super::instances::{Instances, Number};
use super::lan::{Lan, SocketKey};
use super::resume::Former;
use super::sleep::{self, Woken};
use super::succession::{Inherited, PastInstance};
use super::wake::Wake;
use crate::net::{
    Events, Heartbeat, Incoming, Leftover, Net, Packet, Request, Rest, SuspendWatch, clock,
};
use crate::realtime::{self, RealtimePriority};
use std::collections::{BTreeMap, BTreeSet};
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

/// Batches of packets taken from one socket in a turn; the rest waits for the next turn, which
/// comes at once. Far above what a LAN of adverts sends, so that only a flood is cut into pieces.
const BURST: usize = 64;

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
    /// How the thread is to be scheduled; `None` as any other.
    pub realtime: Option<RealtimePriority>,
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
    /// What this turn asks of the kernel side.
    pub(super) requests: Vec<Request>,
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
    pub(super) instances: Instances,
    pub(super) routes_stale: bool,
    /// The shortest interval of all instances, and until when packets wait to be read.
    pub(super) rhythm: Duration,
    quiet: Time,
    pub(super) repetitions: Repetitions,
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
        requests: Vec::new(),
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
        lan: Lan::new(inherited.sockets)?,
        lan_changed: false,
        listen_again: None,
        instances: Instances::default(),
        routes_stale: false,
        rhythm: Duration::ZERO,
        quiet: Time::ZERO,
        repetitions: Repetitions::default(),
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
    let thread = std::thread::Builder::new().name("vrrp".into()).spawn(move || {
        // It was rehearsed before anything was touched.
        if let Some(Err(error)) = options.realtime.map(realtime::enter) {
            error!(%error, "the VRRP thread is not realtime");
        }
        event_loop.run();
    })?;
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
        let mut incoming = Box::default();
        while self.stage != Stage::Finished {
            let woken = self.sleep();
            self.turn(woken, &mut incoming);
        }
    }

    /// Until a packet, an event, a command or the next deadline; never longer than a heartbeat.
    fn sleep(&mut self) -> Woken {
        let next = self.publish_at().min(clock::now() + Heartbeat::INTERVAL);
        let due = self.deadlines.next().into_iter().chain(self.repetitions.due());
        let until = due.fold(next, Time::min);
        sleep::sleep((&self.wake, &self.net_events, self.lan.readable()), self.quiet, until)
    }

    fn turn(&mut self, woken: Woken, incoming: &mut Incoming) {
        // Only what is due by now fires: a loop that freezes on its way has not heard what came
        // meanwhile. The heart beats with the same time, so that it does not vouch for leases it
        // is about to give up.
        let began = clock::now();
        if woken.rung {
            self.wake.clear();
        }
        if let Some(slept) = self.suspend.slept() {
            warn!(?slept, "the machine was suspended");
            self.tell_all(|| Input::Suspended);
        }
        if realtime::was_taken_back() {
            let text = "the VRRP thread ran for too long without a pause and is not realtime any \
                        more; after the cause is found, send SIGUSR2 or restart the agent";
            self.notice(Notice::Warning { instance: None, text: text.into() });
        }
        // Before the sockets: a former master must not answer the adverts of its successor.
        self.hear_guard();
        self.drain_sockets(incoming);
        self.hear_kernel(woken);
        while woken.rung
            && let Ok(command) = self.commands.try_recv()
        {
            self.obey(command);
        }
        self.hear_what_waited(incoming);
        self.end_moves();
        self.fire(began);
        self.repeat_announcements(began);
        self.speak();
        self.post_requests();
        self.reroute();
        self.publish(clock::now());
        self.heartbeat.beat(began);
    }

    pub(super) fn drain_sockets(&mut self, incoming: &mut Incoming) {
        self.lan.look();
        let (mut at, mut packets, mut more) = (0, 0, false);
        while let Some(key) = self.lan.ready(at) {
            more |= self.drain_socket(key, incoming, &mut packets) == Rest::Waits;
            at += 1;
        }
        self.quiet = match packets > 0 && !more {
            true => clock::now() + sleep::pause(self.rhythm, packets),
            false => Time::ZERO,
        };
    }

    fn drain_socket(&mut self, key: SocketKey, incoming: &mut Incoming, read: &mut usize) -> Rest {
        for _ in 0..BURST {
            let rest = match self.lan.read(key, incoming) {
                Ok(rest) => rest,
                Err(error) => {
                    warn!(%error, "cannot read a VRRP socket");
                    return Rest::Nothing;
                }
            };
            for packet in incoming.packets() {
                *read += 1;
                if let Some(number) = self.deliver(key, packet) {
                    self.drain(number);
                }
            }
            if rest == Rest::Nothing {
                return rest;
            }
        }
        Rest::Waits
    }

    /// Parses a packet and hands it to the router it is for; returns whose outputs to drain.
    fn deliver(&mut self, key: SocketKey, packet: Packet<'_>) -> Option<Number> {
        let Packet { envelope, message, received } = packet;
        let source = envelope.source;
        let advert = match packet::parse(envelope, message) {
            Ok(advert) => advert,
            Err(why) => {
                self.blame(key, message, why);
                debug!(%source, why = why.name(), "packet discarded");
                return None;
            }
        };
        let Some(number) = self.lan.addressee(key, advert.vrid) else {
            let why = Discard::UnknownVrid.name();
            debug!(%source, vrid = %advert.vrid, why, "advert discarded");
            return None;
        };
        let instance = self.instances.at(number)?;
        instance.counters.received += 1;
        instance.tell_time_of_day();
        instance.clock = instance.clock.max(received);
        instance.router.handle(instance.clock, Input::Advert { source, advert });
        Some(number)
    }

    /// A malformed packet counts at the instance whose VRID it names, if it is long enough to name
    /// one (second byte in both versions, RFC 9568 §5.2, RFC 3768 §5.3).
    fn blame(&mut self, key: SocketKey, message: &[u8], why: Discard) {
        let vrid = message.get(1).copied().and_then(Vrid::new);
        let number = vrid.and_then(|vrid| self.lan.addressee(key, vrid));
        if let Some(instance) = number.and_then(|number| self.instances.at(number)) {
            instance.counters.discard(why);
        }
    }

    /// Every router whose deadline `now` has reached.
    fn fire(&mut self, now: Time) {
        while let Some(number) = self.deadlines.due(now) {
            match self.instances.at(number) {
                Some(instance) => {
                    instance.clock = instance.clock.max(now);
                    instance.router.handle_deadlines(instance.clock);
                }
                None => self.deadlines.set(number, None),
            }
            self.drain(number);
        }
    }

    /// Hands one input to one router and does what it wants.
    pub(super) fn tell(&mut self, name: &Name, input: Input<'_>) {
        let Some(number) = self.instances.number(name) else { return };
        let Some(instance) = self.instances.at(number) else { return };
        instance.clock = instance.clock.max(clock::now());
        instance.router.handle(instance.clock, input);
        self.drain(number);
    }

    pub(super) fn tell_all(&mut self, input: impl Fn() -> Input<'static>) {
        for name in self.instances.keys().cloned().collect::<Vec<_>>() {
            self.tell(&name, input());
        }
    }
}
