//! The checkers: each knows one promise, watches the world from outside, and says what broke it.

mod awakening;
mod cold_start;
mod continuity;
mod custody;
mod deletion;
mod duel;
mod election;
mod group;
mod rank;
mod reach;
mod storm;
mod usurper;
mod vacancy;

use crate::plan::{Action, Plan};
use crate::world::World;
use std::fmt;
use vipfleet_vrrp::{Reason, Time};

/// What a checker has to object to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub checker: &'static str,
    pub at: Time,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] at {}: {}", self.checker, self.at, self.what)
    }
}

/// What just happened; the world is already as it left it.
#[derive(Debug)]
pub enum Happening<'a> {
    Sent {
        host: usize,
        instance: usize,
        priority: u8,
    },
    /// A router was handed an advert.
    Heard {
        host: usize,
        instance: usize,
        from: usize,
        priority: u8,
    },
    Changed {
        host: usize,
        instance: usize,
        reason: &'a Reason,
    },
    Kernel {
        host: usize,
        instance: usize,
    },
    /// A client that keeps talking learned whom to talk to.
    Client {
        instance: usize,
    },
    Healthy {
        host: usize,
        instance: usize,
    },
    /// A router got a definition, or is gone.
    Runs {
        host: usize,
        instance: usize,
    },
    Status {
        host: usize,
    },
    /// A step of the plan began or ended.
    Step {
        action: &'a Action,
    },
}

/// One promise.
pub(crate) trait Checker: fmt::Debug {
    fn name(&self) -> &'static str;

    /// Something happened.
    fn see(&mut self, _: &World, _: &Happening<'_>) -> Result<(), String> {
        Ok(())
    }

    /// The world was as it is until `next`, when something is about to happen.
    fn time_passes(&mut self, _: &World, _next: Time) -> Result<(), String> {
        Ok(())
    }

    /// Whether the same world for longer would change nothing for this checker.
    fn is_idle(&self, _: &World) -> bool {
        true
    }

    /// The quiet time is over.
    fn finish(&mut self, _: &World) -> Result<(), String> {
        Ok(())
    }
}

/// All the checkers that apply to a plan.
#[derive(Debug)]
pub(crate) struct Referee {
    checkers: Vec<Box<dyn Checker>>,
    violation: Option<Violation>,
    /// Which state of the world was judged last, if nobody waits for anything in it.
    settled: Option<u64>,
}

impl Referee {
    pub(crate) fn new(plan: &Plan, world: &World) -> Self {
        let mut checkers: Vec<Box<dyn Checker>> = vec![
            Box::new(election::Election),
            Box::new(custody::Custodians::new(world)),
            Box::new(duel::Duel::new(world)),
            Box::new(cold_start::ColdStart),
            Box::new(awakening::Awakening),
            Box::new(usurper::Usurper::new(world)),
            Box::new(rank::Rank::new(world)),
            Box::new(vacancy::Vacancy::new(world)),
            Box::new(storm::Storm::new(world)),
            Box::new(group::Group::new()),
        ];
        if plan.is_lossless() {
            checkers.push(Box::new(reach::Reach::new(plan, world)));
        }
        if deletion::applies_to(plan) {
            checkers.push(Box::new(deletion::Deletion));
        }
        if plan.is_planned() {
            checkers.push(Box::new(continuity::Continuity::new(world)));
        }
        Self { checkers, violation: None, settled: None }
    }

    /// One that objects to nothing.
    pub(crate) fn none() -> Self {
        Self { checkers: Vec::new(), violation: None, settled: None }
    }

    pub(crate) fn see(&mut self, world: &World, happening: &Happening<'_>) {
        self.ask(world.now, |checker| checker.see(world, happening));
    }

    pub(crate) fn time_passes(&mut self, world: &World, next: Time) {
        if self.settled == Some(world.version) {
            return;
        }
        self.ask(next, |checker| checker.time_passes(world, next));
        let idle = self.checkers.iter().all(|checker| checker.is_idle(world));
        self.settled = idle.then_some(world.version);
    }

    pub(crate) fn finish(&mut self, world: &World) {
        self.ask(world.now, |checker| checker.finish(world));
    }

    /// The first objection raised.
    pub(crate) fn violation(&self) -> Option<Violation> {
        self.violation.clone()
    }

    fn ask(&mut self, at: Time, ask: impl Fn(&mut dyn Checker) -> Result<(), String>) {
        for checker in &mut self.checkers {
            if self.violation.is_none()
                && let Err(what) = ask(checker.as_mut())
            {
                self.violation = Some(Violation { checker: checker.name(), at, what });
            }
        }
    }
}
