//! Routes and rules step by step. Part of the actor.

use super::{Entry, Goal, Key, Remembered, Step, Thing, route, rule};
use crate::net::actor::{Actor, Instance, RETRY};
use crate::net::clock;
use crate::net::error::Fault;
use crate::net::event::Event;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::RouteMessage;
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use vipfleet_model::Name;
use vipfleet_vrrp::{Custody, Time};

/// Somebody else's in the way is looked at again after this time, or when it goes.
const FOREIGN_RETRY: Duration = Duration::from_secs(10);

/// A message with its flags; `None` when the kernel need not be asked.
type Request = Option<(RouteNetlinkMessage, u16)>;

/// Everything known of routes and rules.
#[derive(Debug, Default)]
pub(in crate::net) struct Book {
    pub(super) entries: BTreeMap<Key, Entry>,
    /// With our mark in the kernel, as last read; routes as the kernel showed them.
    pub(super) shown: BTreeMap<Key, Option<RouteMessage>>,
    /// What is in the kernel may have changed without a word.
    pub(in crate::net) reread: bool,
    /// Troubles of each instance as they were told last.
    told: BTreeMap<Name, Vec<String>>,
}

impl Book {
    /// When the next refused step is due.
    pub(in crate::net) fn next_try(&self) -> Option<Time> {
        self.entries.values().filter_map(|entry| entry.not_before).min()
    }

    /// For the ledger.
    pub(in crate::net) fn held(&self) -> impl Iterator<Item = Remembered> {
        let held = |(key, entry): (&Key, &Entry)| Remembered::of(key, entry.held.as_ref()?);
        self.entries.iter().filter_map(held)
    }

    pub(super) fn lose(&mut self, key: &Key) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.held.is_some()) else {
            return;
        };
        entry.lost = true;
        let patience = entry.repaired.map(|at| at + RETRY);
        entry.not_before = patience.filter(|at| *at > clock::now());
    }

    fn forget_unwanted(&mut self, wanted: &BTreeSet<&Key>) {
        let Self { entries, shown, .. } = self;
        entries.retain(|key, _| wanted.contains(key) || shown.contains_key(key));
    }
}

impl Actor {
    /// Takes the next step of every route and rule: after claims, and before addresses go.
    pub(in crate::net) async fn follow(&mut self, beat: Time) {
        let used = !self.book.entries.is_empty()
            || self.instances.values().any(|it| !it.desire.following.is_empty());
        if !used {
            return;
        }
        if (self.book.reread || self.links_changed)
            && let Err(error) = self.read_routing().await
        {
            tracing::warn!(%error, "cannot read the kernel's routes; trying again");
        }
        let goals = self.goals(beat);
        let steps = self.routing_steps(&goals);
        let changed = !steps.is_empty();
        let messages = steps.iter().filter_map(|(_, _, message)| message.clone()).collect();
        let mut results = self.netlink.batch(messages).await.into_iter();
        for (key, step, message) in steps {
            let result = match &message {
                Some(_) => results.next().unwrap_or(Err(Errno::CONNRESET)),
                None => Ok(()),
            };
            self.stepped(&key, step, message, result);
        }
        let wanted = goals.iter().map(|(key, _)| key).collect();
        self.book.forget_unwanted(&wanted);
        if changed {
            self.unwritten = true;
            let following = self.instances.iter().filter(|(_, it)| !it.desire.following.is_empty());
            self.touched.extend(following.map(|(name, _)| name.clone()));
        }
        self.tell_troubles();
    }

    /// When routes of a silent VRRP loop go.
    pub(in crate::net) fn routes_end(&self) -> Option<Time> {
        let (now, beat) = (clock::now(), self.heartbeat.last());
        let serving = self
            .instances
            .values()
            .filter(|it| it.desire.custody == Custody::Serving && !it.desire.following.is_empty());
        serving.map(|it| beat + it.desire.lease.valid()).filter(|at| *at > now).min()
    }

    /// What is wanted of every key that somebody names or that we hold, in the order in which
    /// it was written: a later route may need an earlier one.
    fn goals(&mut self, beat: Time) -> Vec<(Key, Goal)> {
        let now = clock::now();
        let mut goals = Vec::<(Key, Goal)>::new();
        let mut at = BTreeMap::<Key, usize>::new();
        let mut waits = false;
        for (name, instance) in &self.instances {
            for (key, thing) in instance.desire.following.things() {
                let goal = match self.stance(name, instance, now.since(beat)) {
                    Stance::Serving => Goal::Present(thing),
                    Stance::Waiting => {
                        waits = true;
                        Goal::Kept
                    }
                    Stance::Leaving => Goal::Kept,
                    Stance::Gone => Goal::Absent,
                };
                let index = *at.entry(key.clone()).or_insert(goals.len());
                match goals.get_mut(index) {
                    None => goals.push((key, goal)),
                    Some(known) if known.1.rank() < goal.rank() => known.1 = goal,
                    Some(_) => {}
                }
            }
        }
        self.waits_for_heart |= waits;
        let orphans = self.book.entries.keys().filter(|key| !at.contains_key(key));
        goals.extend(orphans.map(|key| (key.clone(), Goal::Absent)));
        goals
    }

    fn stance(&self, name: &Name, instance: &Instance, silence: Duration) -> Stance {
        let terms = instance.desire.lease;
        match instance.desire.custody {
            Custody::None => return Stance::Gone,
            Custody::Silent => return Stance::Leaving,
            Custody::Serving => {}
        }
        let mut holdings = instance.places.iter().filter_map(|place| self.holdings.get(place));
        let expired = holdings.any(|it| it.wants.of(name).is_some_and(|want| want.expired));
        // No lease ends a route: what a lease would have done when the loop froze is done here.
        if expired || silence > terms.valid() {
            return Stance::Gone;
        }
        if silence > terms.freshness() {
            return Stance::Waiting;
        }
        // Routes may need the addresses; one that the kernel refuses holds up nothing.
        let refused = |place| self.holdings.get(place).is_some_and(|it| it.fault.is_some());
        let tried = |place| self.is_served(place) || refused(place);
        if instance.places.iter().all(tried) { Stance::Serving } else { Stance::Leaving }
    }

    /// What to do now, removals first, with the message that does it.
    fn routing_steps(&mut self, goals: &[(Key, Goal)]) -> Vec<(Key, Step, Request)> {
        let now = clock::now();
        let (mut removals, mut others) = (Vec::new(), Vec::new());
        for (key, goal) in goals {
            let shown = self.book.shown.get(key);
            let entry = self.book.entries.entry(key.clone()).or_default();
            entry.wanted = *goal != Goal::Absent;
            let step = entry.step(goal, shown.is_some());
            if !matches!(goal, Goal::Present(_)) {
                entry.trouble = None;
            }
            let Some(step) = step else {
                entry.not_before = None;
                if *goal == Goal::Absent {
                    *entry = Entry::default();
                }
                continue;
            };
            if entry.not_before.is_some_and(|at| at > now) {
                continue;
            }
            let index = |dev: &String| self.mirror.index_of(dev).ok_or_else(|| dev.clone());
            match request(key, &step, shown, index) {
                Ok(message) if step == Step::Remove => removals.push((key.clone(), step, message)),
                Ok(message) => others.push((key.clone(), step, message)),
                Err(dev) => {
                    entry.not_before = Some(now + RETRY);
                    entry.trouble = Some(format!("there is no interface {dev}"));
                }
            }
        }
        removals.append(&mut others);
        removals
    }

    fn stepped(&mut self, key: &Key, step: Step, message: Request, result: Result<(), Errno>) {
        let now = clock::now();
        let Book { entries, shown, reread, .. } = &mut self.book;
        let entry = entries.entry(key.clone()).or_default();
        let gone = [Errno::SRCH, Errno::NOENT, Errno::NODEV, Errno::ADDRNOTAVAIL];
        match (step, result) {
            (Step::Add(thing) | Step::Replace(thing), Ok(())) => {
                if let Some((RouteNetlinkMessage::NewRoute(message), _)) = message {
                    shown.insert(key.clone(), Some(message));
                } else {
                    shown.entry(key.clone()).or_default();
                }
                if std::mem::take(&mut entry.lost) {
                    entry.repaired = Some(now);
                    let serves = |it: &Instance| it.desire.custody == Custody::Serving;
                    let wants =
                        |it: &Instance| it.desire.following.things().any(|(k, _)| k == *key);
                    let whose = self.instances.iter().filter(|(_, it)| serves(it) && wants(it));
                    for instance in whose.map(|(name, _)| name.clone()) {
                        self.events.send(Event::Restored { instance, what: thing.to_string() });
                    }
                }
                (entry.held, entry.trouble, entry.not_before) = (Some(thing), None, None);
            }
            (Step::Add(_), Err(Errno::EXIST)) => {
                *reread = true;
                entry.held = None;
                entry.not_before = Some(now + FOREIGN_RETRY);
                entry.trouble = Some("the host has one like it already; left as it is".into());
            }
            (Step::Add(thing) | Step::Replace(thing), Err(error)) => {
                let fault = Fault::routing(&format!("add {thing}"), error);
                entry.not_before = Some(now + RETRY);
                entry.trouble = Some(fault.to_string());
            }
            (Step::Remove, Err(error)) if !gone.contains(&error) => {
                let what = entry.held.as_ref().map_or("it".to_owned(), ToString::to_string);
                let fault = Fault::routing(&format!("remove {what}"), error);
                if entry.trouble.is_none() {
                    self.events.send(Event::Warning(fault.clone()));
                }
                entry.not_before = Some(now + RETRY);
                entry.trouble = Some(fault.to_string());
            }
            (Step::Remove, _) => {
                shown.remove(key);
                *entry = Entry { wanted: entry.wanted, ..Entry::default() };
            }
        }
    }

    /// Whether the kernel shows what an instance wants of routes and rules, or has refused it.
    pub(in crate::net) fn routing_is_settled(&self, instance: &Instance) -> bool {
        let Book { entries, shown, .. } = &self.book;
        let settled = |key: &Key| {
            let entry = entries.get(key);
            match instance.desire.custody {
                Custody::Serving => {
                    entry.is_some_and(|it| it.held.is_some() || it.trouble.is_some())
                }
                Custody::Silent => true,
                Custody::None => !shown.contains_key(key) || entry.is_some_and(|it| it.wanted),
            }
        };
        instance.desire.following.things().all(|(key, _)| settled(&key))
    }

    /// Tells each instance whose list of missing routes and rules is another by now.
    fn tell_troubles(&mut self) {
        let Book { entries, told, .. } = &mut self.book;
        told.retain(|name, _| self.instances.contains_key(name));
        for (name, instance) in &self.instances {
            let serving = instance.desire.custody == Custody::Serving;
            let things = instance.desire.following.things().filter(|_| serving);
            let missing: Vec<_> = things
                .filter_map(|(key, thing)| {
                    let entry = entries.get(&key)?;
                    let another = matches!((&entry.held, &thing),
                        (Some(held), Thing::Route(_)) if *held != thing);
                    let trouble = match &entry.trouble {
                        Some(trouble) => trouble,
                        None if another => "another instance has a route in its place",
                        None => return None,
                    };
                    Some(format!("{thing} is missing: {trouble}"))
                })
                .collect();
            if told.get(name).map_or(!missing.is_empty(), |known| *known != missing) {
                told.insert(name.clone(), missing.clone());
                self.events.send(Event::Routing { instance: name.clone(), missing });
            }
        }
    }
}

/// How an instance stands to its routes.
enum Stance {
    Serving,
    /// For a heartbeat.
    Waiting,
    /// What is there stays, nothing is made.
    Leaving,
    Gone,
}

/// The message of a step; `Err` with the interface that does not exist.
fn request(
    key: &Key,
    step: &Step,
    shown: Option<&Option<RouteMessage>>,
    index: impl Fn(&String) -> Result<u32, String>,
) -> Result<Request, String> {
    let flags = match step {
        Step::Add(_) => NLM_F_CREATE | NLM_F_EXCL,
        Step::Replace(_) => NLM_F_CREATE | NLM_F_REPLACE,
        Step::Remove => return Ok(Some((removal(key, shown), 0))),
    };
    Ok(match (key, step) {
        (_, Step::Add(Thing::Route(route)) | Step::Replace(Thing::Route(route))) => {
            let index = route.dev.as_ref().map(index).transpose()?;
            Some((RouteNetlinkMessage::NewRoute(route::message(route, index)), flags))
        }
        // A rule is nothing but its key: one that is there already is as it should be.
        (Key::Rule(selector), Step::Add(_)) => {
            Some((RouteNetlinkMessage::NewRule(rule::message(selector)), flags))
        }
        _ => None,
    })
}

pub(super) fn removal(key: &Key, shown: Option<&Option<RouteMessage>>) -> RouteNetlinkMessage {
    match (key, shown) {
        (Key::Rule(selector), _) => RouteNetlinkMessage::DelRule(rule::message(selector)),
        (Key::Route(_), Some(Some(shown))) => RouteNetlinkMessage::DelRoute(route::removal(shown)),
        (Key::Route(key), _) => RouteNetlinkMessage::DelRoute(route::named(key)),
    }
}
