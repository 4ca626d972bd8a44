//! Does what a router wants done, in the order it wants it done.

use super::event_loop::EventLoop;
use super::handle::Notice;
use super::instance::{Instance, Leaving, state};
use super::lan::{self, Lan};
use crate::net::{Request, RequestError};
use jiff::Timestamp;
use std::net::IpAddr;
use tracing::{debug, info, warn};
use vipfleet_model::Name;
use vipfleet_model::report::TransitionRecord;
use vipfleet_vrrp::{Custody, Destination, Output, Reason, ResignReason};
use vipfleet_vrrp::{StateName, Transition, Transmission};

impl EventLoop {
    /// Drains one router and files its next deadline. Called after every call into it.
    pub(super) fn drain(&mut self, name: &Name) {
        let mut stopped = false;
        while let Some(output) =
            self.instances.get_mut(name).and_then(|instance| instance.router.poll_output())
        {
            stopped |= output == Output::Stopped;
            self.perform(name, output);
        }
        let Some(instance) = self.instances.get_mut(name) else { return };
        self.deadlines.set(name, instance.router.next_deadline());
        if stopped && instance.leaving == Leaving::Resigned {
            instance.leaving = Leaving::LetGo;
            self.remove_if_gone(name);
        }
    }

    fn perform(&mut self, name: &Name, output: Output) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        match output {
            Output::Transmit(transmission) => {
                transmit(instance, &self.lan, transmission, &mut self.message);
            }
            Output::Custody(custody) => self.take_custody(name, custody),
            Output::Announce => announce(instance, &self.lan),
            Output::Elected(reason) => self.elect(name, &reason),
            Output::Changed(transition) => self.changed(name, transition),
            Output::Discarded { source, why } => {
                instance.counters.discard(why);
                debug!(instance = %name, %source, why = why.name(), "advert discarded");
            }
            Output::Warn(warning) => {
                let text = warning.to_string();
                self.notice(Notice::Warning { instance: Some(name.clone()), text });
                self.dirty = true;
            }
            Output::Stopped => {}
        }
    }

    pub(super) fn take_custody(&mut self, name: &Name, custody: Custody) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        self.serial += 1;
        let desire = instance.desire(self.serial, custody);
        self.dirty = true;
        self.ask(Request::Desire(desire));
    }

    /// Asks the kernel side, now or with the rest of the change that is being made.
    pub(super) fn ask(&mut self, request: Request) {
        match &mut self.together {
            Some(requests) => requests.push(request),
            None => self.ask_all([request]),
        }
    }

    pub(super) fn ask_all(&mut self, requests: impl IntoIterator<Item = Request>) {
        // One that has ended has said so; one that was told to end lets go of everything.
        if let Err(error @ RequestError::Full(_)) = self.net.request_all(requests) {
            let text = format!("the kernel does not follow: {error}");
            self.notice(Notice::Warning { instance: None, text });
        }
    }

    /// Sends one advert of a router outside its own wish: the goodbye of one that is replaced.
    pub(super) fn transmit(&mut self, name: &Name, transmission: Transmission) {
        if let Some(instance) = self.instances.get_mut(name) {
            transmit(instance, &self.lan, transmission, &mut self.message);
        }
    }

    fn changed(&mut self, name: &Name, transition: Transition) {
        let Transition { from, to, reason, .. } = &transition;
        let ends = matches!(reason, Reason::Resigned(ResignReason::Stop | ResignReason::Removed));
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

/// Sends one advert to the group, or one copy to each unicast peer.
fn transmit(instance: &mut Instance, lan: &Lan, transmission: Transmission, message: &mut Vec<u8>) {
    let (Some(key), Some(source)) = (instance.socket, instance.source) else { return };
    instance.tell_time_of_day();
    let mut send = |destination: IpAddr| {
        instance.router.encode(transmission, source, destination, message);
        // Over unicast the kernel finds the way, and the interface's own MAC goes with it.
        let sent = match &instance.prepared.device {
            Some(device) if destination.is_multicast() => lan.transmit(device, source, message),
            _ => lan.send(key, source, destination, message),
        };
        match sent {
            Ok(()) => instance.counters.sent += 1,
            Err(error) => {
                let instance = &instance.prepared.assigned.name;
                warn!(%instance, %destination, %error, "advert not sent");
            }
        }
    };
    match &instance.prepared.config.destination {
        Destination::Multicast => send(lan::group(instance.prepared.config.family)),
        Destination::Unicast(peers) => peers.iter().copied().for_each(send),
    }
}

/// One announcement of every address. A full transmit queue is no failure: a later round says
/// the same.
fn announce(instance: &Instance, lan: &Lan) {
    for address in instance.prepared.addresses.iter() {
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
}
