//! Taking the next step of every dirty place: claims first, then letting go. Part of the actor.

use super::actor::{Actor, RETRY};
use super::address::{self, Seen};
use super::error::Fault;
use super::event::{Drift, Event};
use super::lease::Lease;
use super::place::{Claim, Goal, Place, Step, Tenancy};
use super::{clock, route};
use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use rustix::io::Errno;
use std::time::Duration;
use vipfleet_vrrp::Time;

/// Steps of letting go between two looks at the inbox.
const CHUNK: usize = 50;
/// Time for the news about somebody else's address to arrive.
const LOOK: Duration = Duration::from_millis(50);

/// A claim on its way to the kernel.
struct Claiming {
    place: Place,
    claim: Claim,
    tenancy: Tenancy,
    /// Messages sent for it.
    messages: usize,
}

impl Actor {
    /// Dirty places whose next step is one of `wanted`, and is not to be tried later.
    fn ready(&self, limit: usize, wanted: impl Fn(Step) -> bool) -> Vec<(Place, Step)> {
        let now = clock::now();
        let next = |place: &Place| {
            let holding = self.holdings.get(place)?;
            let due = holding.not_before.is_none_or(|time| time <= now);
            let step = holding.step(self.ground(place)).filter(|step| due && wanted(*step))?;
            Some((place.clone(), step))
        };
        self.dirty.iter().filter_map(next).take(limit).collect()
    }

    /// Puts everything that is to be served on its interface.
    pub(super) async fn claim(&mut self, beat: Time) {
        let steps = self.ready(usize::MAX, |step| matches!(step, Step::Claim(..)));
        let now = clock::now();
        let mut claims = Vec::with_capacity(steps.len());
        for (place, step) in steps {
            let Step::Claim(index, claim) = step else {
                continue;
            };
            let Some(Goal::Serving(want)) = self.holdings.get(&place).map(|it| it.goal()) else {
                continue;
            };
            let (terms, spec) = (want.terms, want.spec.clone());
            if !self.vouched(beat, now, terms) || !self.protect_secondaries(&place, index).await {
                continue;
            }
            let lease = Lease { renewed: now, terms };
            let tenancy = Tenancy { index, lease, spec, is_ready: false, tampered: false };
            claims.push(Claiming { place, claim, tenancy, messages: 1 });
        }
        let mut messages = Vec::with_capacity(claims.len());
        for claiming in &mut claims {
            claiming.messages = push_claim(claiming, &mut messages);
        }
        let mut results = self.netlink.batch(messages).await.into_iter();
        for (position, claiming) in claims.into_iter().enumerate() {
            // A claim of two messages deletes first; the last one adds.
            if claiming.messages > 1 && results.next() == Some(Ok(())) {
                self.echoes.expect(claiming.tenancy.index, claiming.place.address);
            }
            let result = results.next().unwrap_or(Err(Errno::CONNRESET));
            self.claimed(claiming, position, result);
        }
    }

    fn claimed(&mut self, claiming: Claiming, position: usize, result: Result<(), Errno>) {
        let Claiming { place, claim, tenancy, .. } = claiming;
        let now = clock::now();
        let Some(holding) = self.holdings.get_mut(&place) else {
            return;
        };
        match result {
            Ok(()) => {
                let kernel = (tenancy.index, place.address);
                self.mirror.put_address(Seen::leased(kernel.0, kernel.1, tenancy.lease.terms));
                self.held.insert(kernel, place.clone());
                let drift = match claim {
                    Claim::Relet => Some(Drift::Changed),
                    _ if std::mem::take(&mut holding.lost) => Some(Drift::Deleted),
                    _ => None,
                };
                if drift.is_some() {
                    holding.repaired = Some(now);
                }
                (holding.fault, holding.not_before) = (None, None);
                let lease = tenancy.lease;
                // A new lease for an address that is served changes nothing about that.
                let was_ready =
                    claim == Claim::Relet && holding.address.as_ref().is_some_and(|it| it.is_ready);
                let is_ready = was_ready || self.await_route(&place);
                if let Some(holding) = self.holdings.get_mut(&place) {
                    holding.address = Some(Tenancy { is_ready, ..tenancy });
                }
                self.unwritten = true;
                self.schedule_first(&place, lease, position);
                self.report_drift(&place, drift);
            }
            Err(Errno::EXIST) => {
                // Somebody has it and we were not told yet: look before the next try.
                self.resync_wanted = true;
                holding.not_before = Some(now + LOOK);
            }
            Err(error) => {
                if claim == Claim::Remake {
                    holding.address = None;
                    self.held.remove(&(tenancy.index, place.address));
                    self.mirror.remove_address(tenancy.index, place.address);
                }
                self.refused(&place, "add", error);
            }
        }
        self.touch(&place);
    }

    /// Takes up to a chunk of the other steps. True when there may be more.
    pub(super) async fn release(&mut self) -> bool {
        let steps = self.ready(CHUNK, |step| !matches!(step, Step::Claim(..)));
        let taken = !steps.is_empty();
        let mut messages = Vec::with_capacity(steps.len());
        let mut sent = Vec::with_capacity(steps.len());
        let silent = self.silence(&steps).await;
        for (place, step) in steps {
            let ip = place.address.addr();
            let message = match step {
                Step::AddRoute(index) if !silent.contains(&index) => {
                    if let Some(holding) = self.holdings.get_mut(&place) {
                        holding.never_silent = true;
                    }
                    continue;
                }
                Step::AddRoute(index) => (
                    RouteNetlinkMessage::NewRoute(route::local(index, ip)),
                    // Beside the kernel's own route to the address, which goes with the address.
                    NLM_F_CREATE | NLM_F_APPEND,
                ),
                Step::DropRoute(index) => {
                    (RouteNetlinkMessage::DelRoute(route::local(index, ip)), 0)
                }
                Step::DropAddress(index) | Step::Claim(index, _) => {
                    let message = address::named(index, place.address);
                    (RouteNetlinkMessage::DelAddress(message), 0)
                }
            };
            messages.push(message);
            sent.push((place, step));
        }
        let results = self.netlink.batch(messages).await;
        for ((place, step), result) in sent.into_iter().zip(results) {
            self.released(&place, step, result);
        }
        if taken {
            self.put_settings_back();
        }
        self.forget_the_settled();
        taken
    }

    fn released(&mut self, place: &Place, step: Step, result: Result<(), Errno>) {
        let Some(holding) = self.holdings.get_mut(place) else {
            return;
        };
        let gone = [Errno::ADDRNOTAVAIL, Errno::SRCH, Errno::NODEV];
        match (step, result) {
            (Step::AddRoute(index), Ok(()) | Err(Errno::EXIST)) => holding.route = Some(index),
            (Step::AddRoute(_), Err(error)) => {
                holding.never_silent = true;
                self.refused(place, "add the handover route of", error);
            }
            (_, Err(error)) if !gone.contains(&error) => self.refused(place, "remove", error),
            (Step::DropRoute(_), _) => holding.route = None,
            (Step::DropAddress(index) | Step::Claim(index, _), result) => {
                if result.is_ok() {
                    self.echoes.expect(index, place.address);
                }
                holding.address = None;
                (holding.fault, holding.not_before) = (None, None);
                if let Some(due) = holding.due.take() {
                    self.due.remove(&(due, place.clone()));
                }
                self.held.remove(&(index, place.address));
                self.mirror.remove_address(index, place.address);
                self.devices.touch();
                // Routes from the address went with it, without a word.
                self.book.reread = true;
                // What the kernel did to the secondaries of a primary, we were not told.
                self.resync_wanted |= place.address.prefix_len() < place.address.max_prefix_len();
            }
        }
        self.unwritten = true;
        self.touch(place);
    }

    /// Drops from the dirty set what has no next step, and from memory what nobody wants.
    fn forget_the_settled(&mut self) {
        let mut settled = Vec::new();
        for place in &self.dirty {
            let ground = self.ground(place);
            if self.holdings.get(place).is_none_or(|holding| holding.step(ground).is_none()) {
                settled.push(place.clone());
            }
        }
        for place in settled {
            self.report_foreign(&place);
            self.touch(&place);
            self.dirty.remove(&place);
            if self.holdings.get(&place).is_some_and(|holding| holding.is_over()) {
                self.holdings.remove(&place);
            }
        }
    }

    fn refused(&mut self, place: &Place, verb: &str, error: Errno) {
        // An interface that is going away takes its addresses along; there is news coming.
        if error != Errno::NODEV {
            let (address, interface) = (place.address, &place.interface);
            self.fail(place, Fault::kernel(&format!("{verb} {address} on {interface}"), error));
        } else if let Some(holding) = self.holdings.get_mut(place) {
            holding.not_before = Some(clock::now() + RETRY);
        }
    }

    /// Reports a fault unless it is the one that was reported last, and has it tried again.
    pub(super) fn fail(&mut self, place: &Place, fault: Fault) {
        let Some(holding) = self.holdings.get_mut(place) else {
            return;
        };
        holding.not_before = Some(clock::now() + RETRY);
        if holding.fault.as_ref() != Some(&fault) {
            let address = Some(place.address.addr());
            for instance in holding.wants.instances().cloned() {
                self.events.send(Event::Failed { instance, address, fault: fault.clone() });
            }
            holding.fault = Some(fault);
        }
    }

    pub(super) fn report_drift(&self, place: &Place, what: Option<Drift>) {
        let (Some(what), Some(holding)) = (what, self.holdings.get(place)) else {
            return;
        };
        let address = place.address.addr();
        for instance in holding.wants.instances().cloned() {
            self.events.send(Event::Drift { instance, address, what });
        }
    }
}

/// The messages of a claim; the last one adds.
fn push_claim(claiming: &Claiming, messages: &mut Vec<(RouteNetlinkMessage, u16)>) -> usize {
    let Claiming { place, claim, tenancy, .. } = claiming;
    let add = address::leased(tenancy.index, &tenancy.spec, tenancy.lease.terms);
    let add = RouteNetlinkMessage::NewAddress(add);
    match claim {
        Claim::Exclusive => messages.push((add, NLM_F_CREATE | NLM_F_EXCL)),
        Claim::Adopt | Claim::Relet => messages.push((add, NLM_F_CREATE | NLM_F_REPLACE)),
        Claim::Remake => {
            let old = address::named(tenancy.index, place.address);
            messages.push((RouteNetlinkMessage::DelAddress(old), 0));
            messages.push((add, NLM_F_CREATE | NLM_F_EXCL));
            return 2;
        }
    }
    1
}
