//! Which instance is due next. Costs nothing for an instance that waits.

use std::collections::{BTreeMap, BTreeSet};
use vipfleet_model::Name;
use vipfleet_vrrp::Time;

/// One deadline per instance, ordered.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    ordered: BTreeSet<(Time, Name)>,
    of: BTreeMap<Name, Time>,
}

impl Deadlines {
    /// Replaces the deadline of an instance; `None` when it awaits nothing.
    pub(crate) fn set(&mut self, instance: &Name, at: Option<Time>) {
        if self.of.get(instance).copied() == at {
            return;
        }
        if let Some(old) = self.of.remove(instance) {
            self.ordered.remove(&(old, instance.clone()));
        }
        if let Some(at) = at {
            self.of.insert(instance.clone(), at);
            self.ordered.insert((at, instance.clone()));
        }
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.ordered.first().map(|(at, _)| *at)
    }

    /// The earliest instance that is due at `now`.
    pub(crate) fn due(&self, now: Time) -> Option<Name> {
        self.ordered.first().filter(|(at, _)| *at <= now).map(|(_, name)| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_due_first_and_a_new_deadline_replaces_the_old() {
        let (one, two): (Name, Name) = ("one".parse().unwrap(), "two".parse().unwrap());
        let at = Time::from_nanos;
        let mut deadlines = Deadlines::default();
        deadlines.set(&one, Some(at(10)));
        deadlines.set(&two, Some(at(20)));
        assert_eq!(deadlines.next(), Some(at(10)));
        assert_eq!(deadlines.due(at(9)), None);
        deadlines.set(&one, Some(at(30)));
        assert_eq!(deadlines.due(at(20)), Some(two.clone()));
        deadlines.set(&two, None);
        assert_eq!(deadlines.next(), Some(at(30)));
    }
}
