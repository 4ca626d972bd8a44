//! Does what a router wants done, in the order it wants it done.

use super::event_loop::EventLoop;
use super::handle::Notice;
use super::instance::{Instance, Leaving, state};
use super::instances::Number;
use super::lan::{self, Lan};
use crate::net::{Heartbeat, Request, RequestError, Slot};
use jiff::Timestamp;
use std::net::IpAddr;
use tracing::{debug, info, warn};
use vipfleet_model::Name;
use vipfleet_model::report::TransitionRecord;
use vipfleet_vrrp::{Custody, Destination, Output, Reason, ResignReason};
use vipfleet_vrrp::{StateName, Transition, Transmission};

impl EventLoop {
    /// Drains one router and files its next deadline. Called after every call into it.
    pub(super) fn drain(&mut self, number: Number) {
        let mut has_stopped = false;
        while let Some(instance) = self.instances.at(number) {
            match instance.router.poll_output() {
                None => break,
                Some(Output::Transmit(transmission)) => {
                    advertising(&self.heartbeat, number);
                    transmit((number, instance), &mut self.lan, transmission, &mut self.message);
                }
                Some(Output::Discarded { source, why }) => {
                    instance.counters.discard(why);
                    debug!(instance = %instance.name(), %source, why = why.name(), "discarded");
                }
                Some(Output::Stopped) => has_stopped = true,
                Some(output) => {
                    let name = instance.name().clone();
                    self.perform(&name, output);
                }
            }
        }
        if let Some(instance) = self.instances.at(number) {
            self.deadlines.set(number, instance.router.next_deadline());
            if has_stopped && instance.leaving == Leaving::Resigned {
                instance.leaving = Leaving::LetGo;
                let name = instance.name().clone();
                self.remove_if_gone(&name);
            }
        }
    }

    /// What is not done on the path of every advert.
    fn perform(&mut self, name: &Name, output: Output) {
        match output {
            Output::Transmit(transmission) => self.transmit(name, transmission),
            Output::Custody(custody) => self.take_custody(name, custody),
            Output::Announce => self.announce(name),
            Output::Elected(reason) => self.elect(name, &reason),
            Output::Changed(transition) => self.changed(name, transition),
            Output::Warn(warning) => {
                let text = warning.to_string();
                self.notice(Notice::Warning { instance: Some(name.clone()), text });
                self.dirty = true;
            }
            Output::Discarded { .. } | Output::Stopped => {}
        }
    }

    pub(super) fn take_custody(&mut self, name: &Name, custody: Custody) {
        let Some(number) = self.instances.number(name) else { return };
        let Some(instance) = self.instances.at(number) else { return };
        self.serial += 1;
        let desire = instance.desire(number, self.serial, custody);
        self.dirty = true;
        self.ask(Request::Desire(desire));
    }

    /// Asks the kernel side, together with the rest of this turn: an address that one instance
    /// loses and another gains must not leave the kernel, and the claims of a thousand are one
    /// batch. The adverts of the turn go before.
    pub(super) fn ask(&mut self, request: Request) {
        self.requests.push(request);
    }

    pub(super) fn post_requests(&mut self) {
        if self.requests.is_empty() {
            return;
        }
        // One that has ended has said so; one that was told to end lets go of everything.
        if let Err(error @ RequestError::Full(_)) = self.net.request_all(self.requests.drain(..)) {
            let text = format!("the kernel does not follow: {error}");
            self.notice(Notice::Warning { instance: None, text });
        }
    }

    /// Adverts and announcements leave, those of a port at once.
    pub(super) fn speak(&mut self) {
        let Self { lan, instances, .. } = self;
        lan.send_all(|number, outcome| {
            if let Some(instance) = instances.at(number) {
                instance.spoke(outcome);
            }
        });
    }

    /// Sends one advert of a router outside its own wish: the goodbye of one that is replaced.
    pub(super) fn transmit(&mut self, name: &Name, transmission: Transmission) {
        let Some(number) = self.instances.number(name) else { return };
        if let Some(instance) = self.instances.at(number) {
            advertising(&self.heartbeat, number);
            transmit((number, instance), &mut self.lan, transmission, &mut self.message);
        }
    }

    fn changed(&mut self, name: &Name, transition: Transition) {
        let Transition { from, to, reason, .. } = &transition;
        let ends = matches!(reason, Reason::Resigned(why) if *why != ResignReason::Drain);
        self.record(name, (*from, *to), reason.to_string(), ends);
        self.group_follows(name, &transition);
        self.group_settles(name, *to, ends);
    }

    /// Tells the world of a change of state.
    pub(super) fn record(
        &mut self,
        name: &Name,
        (from, to): (StateName, StateName),
        reason: String,
        ends: bool,
    ) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        let priority = instance.router.effective_priority();
        info!(instance = %name, %from, %to, %reason, %priority, "state changed");
        let at = Timestamp::now().to_string();
        instance.since.clone_from(&at);
        instance.reason.clone_from(&reason);
        let record = TransitionRecord {
            sequence: 0,
            at,
            instance: name.clone(),
            from: state(from),
            to: state(to),
            reason,
            effective_priority: priority.get(),
            lost_before: self.transitions_lost,
        };
        let notify = instance.prepared.assigned.notify.clone();
        self.dirty = true;
        self.notice(Notice::Transition { record, notify, ends });
    }

    /// Never waits: a supervisor that is behind loses notices and learns how many transitions.
    pub(super) fn notice(&mut self, notice: Notice) {
        let is_transition = matches!(notice, Notice::Transition { .. });
        match (self.notices.try_send(notice), is_transition) {
            (Ok(()), true) => self.transitions_lost = 0,
            (Ok(()), false) => {}
            (Err(error), _) => {
                self.transitions_lost += u64::from(is_transition);
                warn!(%error, "a notice of the VRRP thread is lost");
            }
        }
    }
}

/// Tells the guard from when on the peers of this instance count. It leaves at the end of the turn:
/// later, if at all, so that the guard errs on the early side.
fn advertising(heartbeat: &Heartbeat, number: Number) {
    if let Some(slot) = Slot::new(number.0) {
        heartbeat.advert_leaves(slot);
    }
}

/// Queues one advert to the group, or one copy to each unicast peer.
fn transmit(
    (number, instance): (Number, &mut Instance),
    lan: &mut Lan,
    transmission: Transmission,
    message: &mut Vec<u8>,
) {
    let (Some(key), Some(source)) = (instance.socket, instance.source) else { return };
    instance.tell_time_of_day();
    let group = [lan::group(instance.prepared.config.family)];
    let destinations: &[IpAddr] = match &instance.prepared.config.destination {
        Destination::Multicast => &group,
        Destination::Unicast(peers) => peers,
    };
    let mut outcome = None;
    for destination in destinations {
        instance.router.encode(transmission, source, *destination, message);
        // Over unicast the kernel finds the way, and the interface's own MAC goes with it.
        let device = instance.prepared.device.as_ref().filter(|_| destination.is_multicast());
        match device.map(|device| lan.transmit(device, source, message)) {
            Some(sent) => outcome = Some(sent),
            None => {
                let queued = lan.queue(key, number, (source, *destination), message);
                outcome = queued.err().map(Err).or(outcome);
            }
        }
    }
    if let Some(outcome) = outcome {
        instance.spoke(outcome);
    }
}
