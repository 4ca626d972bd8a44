//! One host: its daemons, what waits for them, and the turn of their loop. A turn does what the
//! agent's VRRP thread does, in its order: sockets, then the kernel's news, then orders, and only
//! then deadlines. What the turn wants of the world comes back as effects, in order.

mod group;
mod mail;
mod seat;

pub(crate) use mail::{Effect, News, Order, Packet};

use crate::daemon::Daemon;
use crate::definition::{Definition, address, group, priority};
use crate::mutation::Mutation;
use crate::plan::{Plan, Program};
use seat::Seat;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use vipfleet_vrrp::group::follows;
use vipfleet_vrrp::{
    Config, Destination, Family, Input, Output, ResignReason, Time, Transmission, parse,
};

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) index: usize,
    pub(crate) seats: Vec<Seat>,
    pub(crate) socket: VecDeque<Packet>,
    pub(crate) news: VecDeque<News>,
    pub(crate) orders: VecDeque<Order>,
    pub(crate) woke_from_sleep: bool,
    pub(crate) stopping: bool,
    /// Its clock against the simulator's: what it showed at the beginning, less what it missed.
    pub(crate) clock_ahead: Duration,
    programs: Rc<[Program]>,
    groups: Vec<Vec<usize>>,
    /// When the present turn began.
    now: Time,
    mutation: Mutation,
    effects: Vec<Effect>,
}

impl Host {
    pub(crate) fn new(
        index: usize,
        plan: &Plan,
        definitions: &[Rc<Definition>],
        clock_ahead: Duration,
        mutation: Mutation,
    ) -> Self {
        Self {
            index,
            seats: definitions.iter().cloned().map(Seat::new).collect(),
            socket: VecDeque::new(),
            news: VecDeque::new(),
            orders: VecDeque::new(),
            woke_from_sleep: false,
            stopping: false,
            clock_ahead,
            programs: plan.programs().into(),
            groups: plan.groups.clone(),
            now: Time::ZERO,
            mutation,
            effects: Vec::new(),
        }
    }

    pub(crate) fn program(&self) -> Program {
        self.programs[self.index]
    }

    /// The simulator's time as this host's clock shows it.
    pub(crate) fn local(&self, now: Time) -> Time {
        now + self.clock_ahead
    }

    /// When the loop must wake for a deadline, in the simulator's time.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        if self.mutation == Mutation::DeadlinesForgotten && self.index == 1 {
            return None;
        }
        let deadlines = self.seats.iter().filter_map(|seat| seat.daemon.as_ref()?.next_deadline());
        deadlines.min().map(|local| Time::ZERO + local.since(Time::ZERO + self.clock_ahead))
    }

    /// The process is gone, with all it knew.
    pub(crate) fn forget(&mut self) {
        for seat in &mut self.seats {
            (seat.daemon, seat.leaving, seat.first_advert) = (None, false, None);
        }
        self.socket.clear();
        self.news.clear();
        self.orders.clear();
        (self.stopping, self.woke_from_sleep) = (false, false);
    }

    /// A new process: what is meant to run starts, and carries on where it may.
    pub(crate) fn boot(&mut self, now: Time, resumes: &[bool]) -> Vec<Effect> {
        self.now = now;
        for (instance, resumes) in resumes.iter().enumerate() {
            let input = if *resumes { Input::Resume } else { Input::Start };
            self.start(now, instance, input);
        }
        std::mem::take(&mut self.effects)
    }

    /// One turn of the loop.
    pub(crate) fn turn(&mut self, now: Time) -> Vec<Effect> {
        self.now = now;
        if std::mem::take(&mut self.woke_from_sleep) && self.mutation != Mutation::SuspendNotTold {
            for instance in 0..self.seats.len() {
                self.tell(now, instance, Input::Suspended);
            }
        }
        if self.mutation == Mutation::DeadlinesBeforeDraining {
            self.fire(now);
        }
        while let Some(packet) = self.socket.pop_front() {
            self.receive(&packet);
        }
        while let Some(news) = self.news.pop_front() {
            self.hear(now, news);
        }
        while let Some(order) = self.orders.pop_front() {
            self.obey(now, order);
        }
        self.fire(now);
        if self.stopping && self.seats.iter().all(|seat| seat.daemon.is_none()) {
            self.stopping = false;
            self.effects.push(Effect::Exited);
        }
        std::mem::take(&mut self.effects)
    }

    fn fire(&mut self, now: Time) {
        let local = self.local(now);
        for instance in 0..self.seats.len() {
            let seat = &mut self.seats[instance];
            let Some(daemon) = &mut seat.daemon else { continue };
            if daemon.next_deadline().is_some_and(|deadline| deadline <= local) {
                seat.clock = seat.clock.max(local);
                daemon.handle_deadlines(seat.clock);
                let next = daemon.next_deadline();
                assert!(next.is_none_or(|next| next > local), "a deadline that does not move");
                self.drain(instance);
            }
        }
    }

    fn receive(&mut self, packet: &Packet) {
        let instance = packet.instance;
        let seat = &mut self.seats[instance];
        let Some(daemon) = &mut seat.daemon else { return };
        let source = packet.envelope.source;
        match parse(packet.envelope, &packet.bytes) {
            Ok(advert) => {
                let (from, priority) = (packet.from, advert.priority);
                self.effects.push(Effect::Heard { instance, from, priority });
                seat.clock = seat.clock.max(packet.received);
                daemon.handle(seat.clock, Input::Advert { source, advert });
                self.drain(instance);
            }
            Err(why) => self.effects.push(Effect::Discarded { instance, source, why }),
        }
    }

    fn hear(&mut self, now: Time, news: News) {
        match news {
            News::Claimed { instance, serial } => {
                if self.seats[instance].kernel.serial == serial {
                    self.tell(now, instance, Input::Claimed);
                }
            }
            News::LeaseExpired { instance } => self.tell(now, instance, Input::LeaseExpired),
        }
    }

    fn obey(&mut self, now: Time, order: Order) {
        match order {
            Order::Refresh(instance) => self.refresh(now, instance),
            Order::Bring { .. } if self.stopping => {}
            Order::Bring { instance, is_new } => self.bring(now, instance, is_new),
            Order::Stop => {
                self.stopping = true;
                for instance in 0..self.seats.len() {
                    self.leave(now, instance, ResignReason::Stop);
                }
            }
        }
    }

    fn bring(&mut self, now: Time, instance: usize, is_new: bool) {
        let seat = &mut self.seats[instance];
        let definition = seat.definition.clone();
        if seat.drained || !definition.is_member(self.index) {
            let is_deleted = !definition.exists && self.mutation != Mutation::DeletionNotTold;
            let reason = if is_deleted { ResignReason::Deleted } else { ResignReason::Removed };
            return self.leave(now, instance, reason);
        }
        if seat.daemon.is_none() {
            return self.start(now, instance, if is_new { Input::Introduce } else { Input::Start });
        }
        let returning = std::mem::take(&mut seat.leaving);
        // Said first: what it does at once, it does by the new definition.
        let runs = Effect::Runs { instance, definition: definition.clone(), introduced: false };
        self.effects.push(runs);
        if self.mutation != Mutation::RedefinitionIgnored {
            let config = self.config(instance, &definition);
            self.tell(now, instance, Input::Reconfigure(Box::new(config)));
        }
        self.refresh(now, instance);
        if returning {
            self.tell(now, instance, Input::Start);
        }
    }

    fn start(&mut self, now: Time, instance: usize, input: Input<'_>) {
        let seat = &mut self.seats[instance];
        let definition = seat.definition.clone();
        if seat.drained || !definition.is_member(self.index) {
            return;
        }
        seat.leaving = false;
        let primary = address(definition.family, self.index);
        let daemon = Daemon::new(
            self.config(instance, &definition),
            definition.pace,
            primary,
            self.program(),
        );
        self.seats[instance].daemon = Some(daemon);
        let primary = Some(primary);
        let introduced = matches!(input, Input::Introduce);
        self.effects.push(Effect::Runs { instance, definition, introduced });
        self.refresh(now, instance);
        self.tell(now, instance, Input::PrimaryAddress(primary));
        let is_told = self.mutation != Mutation::CreationNotTold;
        self.tell(now, instance, if introduced && !is_told { Input::Start } else { input });
    }

    fn config(&self, instance: usize, definition: &Definition) -> Config {
        let mut config = definition.config(self.index, &self.programs);
        config.election = self.election(instance);
        if self.mutation == Mutation::RanksReversed {
            for member in &mut config.members {
                member.priority = priority((255 - member.priority.get()).max(1));
            }
        }
        if self.mutation == Mutation::PrioritiesReversed {
            config.priority = priority((255 - config.priority.get()).max(1));
        }
        config
    }

    fn refresh(&mut self, now: Time, instance: usize) {
        let seat = &self.seats[instance];
        if seat.daemon.is_some() {
            let health = seat.tally.health(seat.definition.full_weight);
            self.effects.push(Effect::Healthy { instance, health: health.clone() });
            self.tell(now, instance, Input::Health(health));
        }
    }

    fn leave(&mut self, now: Time, instance: usize, reason: ResignReason) {
        self.seats[instance].leaving = true;
        self.tell(now, instance, Input::Resign(reason));
    }

    fn tell(&mut self, now: Time, instance: usize, input: Input<'_>) {
        let local = self.local(now);
        let seat = &mut self.seats[instance];
        let Some(daemon) = &mut seat.daemon else { return };
        seat.clock = seat.clock.max(local);
        daemon.handle(seat.clock, input);
        self.drain(instance);
    }

    fn drain(&mut self, instance: usize) {
        let mut stopped = false;
        while let Some(output) = self.poll(instance) {
            match output {
                Output::Transmit(transmission) => self.transmit(instance, transmission),
                Output::Custody(custody) => {
                    self.effects.push(Effect::Custody { instance, custody });
                }
                // No instance of a plan is in a sync group.
                Output::Announce => self.effects.push(Effect::Announce { instance }),
                Output::Elected(reason) => self.elect(instance, &reason),
                Output::Changed(transition) => {
                    let follow = follows(&transition);
                    self.effects.push(Effect::Changed { instance, transition });
                    self.group_follows(instance, follow);
                }
                Output::Discarded { source, why } => {
                    self.effects.push(Effect::Discarded { instance, source, why });
                }
                Output::Warn(warning) => self.effects.push(Effect::Warn { instance, warning }),
                Output::Stopped => stopped = true,
            }
        }
        let seat = &mut self.seats[instance];
        if stopped && seat.leaving {
            (seat.daemon, seat.leaving) = (None, false);
            self.effects.push(Effect::Left { instance });
        }
    }

    fn poll(&mut self, instance: usize) -> Option<Output> {
        self.seats[instance].daemon.as_mut()?.poll_output()
    }

    /// Encoded at the moment of sending, once for each destination.
    fn transmit(&mut self, instance: usize, transmission: Transmission) {
        let seat = &mut self.seats[instance];
        let Some(daemon) = &seat.daemon else { return };
        let family: Family = daemon.config().family;
        let source = address(family, self.index);
        let destinations = match &daemon.config().destination {
            Destination::Multicast => vec![group(family)],
            Destination::Unicast(peers) => peers.clone(),
        };
        for destination in destinations {
            let mut bytes = Vec::new();
            daemon.encode(transmission, source, destination, &mut bytes);
            let mut bytes: Rc<[u8]> = bytes.into();
            if self.mutation == Mutation::StaleAdvert && transmission.priority.is_some() {
                bytes = seat.first_advert.get_or_insert(bytes).clone();
            }
            let copies = if self.mutation == Mutation::AdvertsRepeated { 300 } else { 1 };
            for _ in 0..copies {
                let (priority, bytes) = (bytes[2], bytes.clone());
                self.effects.push(Effect::Send { instance, priority, destination, bytes });
            }
        }
    }
}
