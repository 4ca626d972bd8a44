//! Does what a router wants done, in the order it wants it done.

use super::event_loop::EventLoop;
use super::handle::Notice;
use super::instance::{Instance, state};
use super::lan::{self, Lan};
use crate::net::Request;
use jiff::Timestamp;
use std::net::IpAddr;
use tracing::{debug, info, warn};
use vipfleet_model::Name;
use vipfleet_model::report::TransitionRecord;
use vipfleet_vrrp::{Custody, Destination, Output, ResignReason, Transition, Transmission};
use vipfleet_vrrp::{Discard, Reason};

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
        let Some(instance) = self.instances.get(name) else { return };
        if stopped && instance.leaving {
            self.remove(name);
        } else {
            let next = instance.router.next_deadline();
            self.deadlines.set(name, next);
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
            Output::Changed(transition) => self.changed(name, transition),
            Output::Discarded { source, why } => {
                instance.counters.discard(why);
                debug!(instance = %name, %source, why = why.name(), "advert discarded");
                self.dirty |= why != Discard::OwnAddress;
            }
            Output::Warn(warning) => {
                let text = warning.to_string();
                instance.warn(text.clone());
                self.notice(Notice::Warning { instance: Some(name.clone()), text });
                self.dirty = true;
            }
            Output::Stopped => {}
        }
    }

    pub(super) fn take_custody(&mut self, name: &Name, custody: Custody) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        let desire = instance.desire(custody);
        self.dirty = true;
        if let Err(error) = self.net.request(Request::Desire(desire)) {
            let text = format!("the kernel side did not take custody {custody:?}: {error}");
            self.notice(Notice::Warning { instance: Some(name.clone()), text });
        }
    }

    /// Sends one advert of a router outside its own wish: the goodbye of one that is replaced.
    pub(super) fn transmit(&mut self, name: &Name, transmission: Transmission) {
        if let Some(instance) = self.instances.get_mut(name) {
            transmit(instance, &self.lan, transmission, &mut self.message);
        }
    }

    fn changed(&mut self, name: &Name, transition: Transition) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        let at = Timestamp::now().to_string();
        let reason = transition.reason.to_string();
        info!(
            instance = %name, from = %transition.from, to = %transition.to, reason = %reason,
            priority = %instance.router.effective_priority(), "state changed"
        );
        instance.since.clone_from(&at);
        instance.reason.clone_from(&reason);
        let stopping = transition.reason == Reason::Resigned(ResignReason::Stop);
        let record = TransitionRecord {
            sequence: 0,
            at,
            instance: name.clone(),
            from: state(transition.from),
            to: state(transition.to),
            reason,
            effective_priority: instance.router.effective_priority().get(),
            lost_before: 0,
        };
        let notify = instance.prepared.assigned.notify.clone();
        self.dirty = true;
        self.notice(Notice::Transition { record, notify, stopping });
    }

    /// Never waits: a supervisor that is behind loses notices and is told how many.
    pub(super) fn notice(&mut self, notice: Notice) {
        if let Err(error) = self.notices.try_send(notice) {
            self.notices_lost += 1;
            warn!(%error, lost = self.notices_lost, "a notice of the VRRP thread is lost");
        }
    }
}

/// Sends one advert to the group, or one copy to each unicast peer.
fn transmit(instance: &mut Instance, lan: &Lan, transmission: Transmission, message: &mut Vec<u8>) {
    let (Some(key), Some(source)) = (instance.socket, instance.source) else { return };
    let mut send = |destination: IpAddr| {
        instance.router.encode(transmission, source, destination, message);
        match lan.send(key, source, destination, message) {
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
        let interface = address.dev.as_deref().unwrap_or(instance.interface());
        if let Err(error) = lan.announce(interface, address.ip()) {
            debug!(instance = %instance.name(), address = %address.ip(), %error, "not announced");
        }
    }
}
