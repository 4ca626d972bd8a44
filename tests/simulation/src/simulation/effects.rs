//! Does what a host's turn wants done, and keeps the world's record of it.

use super::{Elected, Event, Simulation};
use crate::checker::Happening;
use crate::definition::{Definition, address};
use crate::host::{Effect, Packet};
use crate::mutation::Mutation;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use vipfleet_vrrp::{Custody, Envelope, Reason, StateName, Time};

/// From an announcement to the client that heard it.
const TO_CLIENT: Duration = Duration::from_micros(200);

impl Simulation<'_> {
    pub(super) fn perform(&mut self, host: usize, effects: Vec<Effect>) {
        for effect in effects {
            let now = self.world.now;
            self.trace.effect(now, host, &effect);
            match effect {
                Effect::Heard { instance, from, priority } => {
                    self.judge(&Happening::Heard { host, instance, from, priority });
                }
                Effect::Send { instance, priority, destination, bytes } => {
                    self.send(host, instance, destination, bytes);
                    self.judge(&Happening::Sent { host, instance, priority });
                }
                Effect::Custody { instance, custody } => self.wish(host, instance, custody),
                Effect::Announce { instance } => {
                    self.schedule(now + TO_CLIENT, Event::Announced { instance, host });
                }
                Effect::Changed { instance, transition } => {
                    let resumed = transition.reason == Reason::Resumed;
                    self.changed(host, instance, transition.to, resumed);
                    let reason = &transition.reason;
                    self.judge(&Happening::Changed { host, instance, reason });
                }
                Effect::Runs { instance, definition, introduced } => {
                    let seat = &mut self.world.seats[host][instance];
                    let before = seat.priority(host);
                    (seat.definition, seat.introduced) = (Some(definition), introduced);
                    seat.told = now;
                    if seat.priority(host) != before {
                        seat.priority_since = now;
                    }
                    self.judge(&Happening::Runs { host, instance });
                }
                Effect::Healthy { instance, health } => self.healthy(host, instance, &health),
                Effect::Left { instance } => {
                    let seat = &mut self.world.seats[host][instance];
                    (seat.definition, seat.recovered) = (None, None);
                    self.judge(&Happening::Runs { host, instance });
                }
                Effect::Exited => self.exited(host),
                Effect::Discarded { .. } | Effect::Warn { .. } => {}
            }
        }
    }

    fn changed(&mut self, host: usize, instance: usize, to: StateName, resumed: bool) {
        let now = self.world.now;
        let seat = &mut self.world.seats[host][instance];
        (seat.state, seat.former_since, seat.since) = (to, seat.since, now);
        // What it waited as a BACKUP is still to be judged when it is MASTER.
        if to != StateName::Master {
            let introduced = std::mem::take(&mut seat.introduced);
            let waits = |it: &Rc<Definition>| {
                it.startup_delay.is_zero() && it.is_outranked(host, seat.priority(host))
            };
            seat.patient = introduced && seat.definition.as_ref().is_some_and(waits);
        }
        if self.mutation == Mutation::AddressesGoneBeforeSuccessor && to == StateName::Init {
            return self.wish(host, instance, Custody::None);
        }
        if to == StateName::Master {
            seat.elected += 1;
            self.unserved[instance] = false;
            self.elected.push(Elected { at: now, host, instance });
            seat.presumed = resumed && seat.pending;
        }
    }

    fn send(&mut self, from: usize, instance: usize, destination: IpAddr, bytes: Rc<[u8]>) {
        self.adverts += 1;
        let family = self.plan.instances[instance].family;
        let lan = self.world.lans[instance];
        let source = address(family, from);
        for to in self.world.others(from) {
            let theirs = address(family, to);
            if !destination.is_multicast() && destination != theirs {
                continue;
            }
            let envelope = Envelope { source, destination, ttl: 255 };
            for at in
                self.world.networks[lan].arrivals(from, to, self.world.now).into_iter().flatten()
            {
                let (bytes, received) = (bytes.clone(), Time::ZERO);
                let packet = Packet { instance, from, envelope, bytes, received };
                self.schedule(at, Event::Arrive { to, packet });
            }
        }
    }
}
