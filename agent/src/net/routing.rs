//! Routes and rules that follow the MASTER: what instances want of the kernel, and what a kernel
//! holds once. The step from one to the other is in [`follow`], the messages are beside it.
//!
//! A route has no lease. It goes before the addresses do, when one of them expires, and when the
//! VRRP loop has been silent for as long as a lease; a crash leaves it to the guard, or without
//! one to the next start. Absent: routes of the silent handover ([`super::route`]), which are about
//! one address.

mod follow;
mod hear;
mod ledger;
mod removals;
mod route;
mod rule;

use std::fmt;
use vipfleet_model::routing::{RouteKey, VirtualRoute, VirtualRule};
use vipfleet_vrrp::{Family, Time};

pub(super) use follow::Book;
pub(super) use ledger::Remembered;

/// What one instance wants beside its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Following {
    pub routes: Vec<VirtualRoute>,
    pub rules: Vec<VirtualRule>,
    /// Of rules that name no prefix.
    pub family: Family,
}

impl Default for Following {
    fn default() -> Self {
        Self { routes: Vec::new(), rules: Vec::new(), family: Family::Ipv4 }
    }
}

impl Following {
    pub(super) fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.rules.is_empty()
    }

    fn things(&self) -> impl Iterator<Item = (Key, Thing)> {
        let ipv4 = self.family == Family::Ipv4;
        let routes = self.routes.iter().map(|it| (Key::Route(it.key()), Thing::Route(it.clone())));
        let rules = self.rules.iter().map(move |rule| {
            let key = rule::key(rule, rule.ipv4().unwrap_or(ipv4));
            (key, Thing::Rule(rule.clone()))
        });
        routes.chain(rules)
    }
}

/// What a kernel holds once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Route(RouteKey),
    Rule(rule::Selector),
}

/// A route or rule as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Thing {
    Route(VirtualRoute),
    Rule(VirtualRule),
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route(route) => write!(f, "route {route}"),
            Self::Rule(rule) => write!(f, "rule {rule}"),
        }
    }
}

/// What is known of one route or rule that somebody wants, or that we hold.
#[derive(Debug, Default)]
struct Entry {
    /// As we put it into the kernel; `None` while it is not ours to have there.
    held: Option<Thing>,
    /// It went without our doing; said once it is back.
    lost: bool,
    /// When it was last put back.
    repaired: Option<Time>,
    /// Nothing is tried before.
    not_before: Option<Time>,
    /// Why it is not there.
    trouble: Option<String>,
    /// Some instance wants it there, or kept.
    wanted: bool,
}

/// What all wishes for one key come to, from the least to the most.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Goal {
    Absent,
    /// Neither made nor removed: a handover runs, or the addresses are not there yet.
    Kept,
    Present(Thing),
}

impl Goal {
    fn rank(&self) -> u8 {
        match self {
            Self::Absent => 0,
            Self::Kept => 1,
            Self::Present(_) => 2,
        }
    }
}

/// The next thing to do for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Add(Thing),
    /// Ours already, as it was or with another content.
    Replace(Thing),
    Remove,
}

impl Entry {
    /// `shown`: the kernel shows one with our mark.
    fn step(&self, goal: &Goal, shown: bool) -> Option<Step> {
        match goal {
            Goal::Present(thing) if !shown => Some(Step::Add(thing.clone())),
            Goal::Present(thing) if self.held.as_ref() != Some(thing) => {
                Some(Step::Replace(thing.clone()))
            }
            Goal::Absent if shown => Some(Step::Remove),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_wish_and_kernel_has_its_next_step() {
        let thing = |via: u8| {
            let route = VirtualRoute::new("10.0.0.0/8".parse().unwrap());
            Thing::Route(VirtualRoute { via: Some([192, 0, 2, via].into()), ..route })
        };
        let present = Goal::Present(thing(1));
        let table = [
            (&present, None, false, Some(Step::Add(thing(1)))),
            // Somebody deleted it.
            (&present, Some(1), false, Some(Step::Add(thing(1)))),
            // A former incarnation's, and ours with another gateway.
            (&present, None, true, Some(Step::Replace(thing(1)))),
            (&present, Some(2), true, Some(Step::Replace(thing(1)))),
            (&present, Some(1), true, None),
            (&Goal::Kept, Some(1), true, None),
            (&Goal::Kept, None, true, None),
            (&Goal::Kept, None, false, None),
            (&Goal::Absent, Some(1), true, Some(Step::Remove)),
            (&Goal::Absent, None, true, Some(Step::Remove)),
            (&Goal::Absent, None, false, None),
        ];
        for (goal, held, shown, step) in table {
            let entry = Entry { held: held.map(thing), ..Entry::default() };
            assert_eq!(entry.step(goal, shown), step, "{goal:?}, {held:?}, {shown}");
        }
    }
}
