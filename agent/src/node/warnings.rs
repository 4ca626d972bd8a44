//! What an operator should still know of an instance, apart from what the engine says: things
//! that happened, for a while, and what the kernel refuses, until it does not any more.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;
use vipfleet_vrrp::Time;

/// How long something that happened is shown.
const SHOWN: Duration = Duration::from_secs(600);

/// Distinct happenings kept; the oldest goes.
const KEPT: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Warnings {
    happened: VecDeque<(Time, String)>,
    refused: BTreeMap<Option<IpAddr>, String>,
}

impl Warnings {
    pub(super) fn happened(&mut self, now: Time, text: String) {
        self.happened.retain(|(_, known)| *known != text);
        if self.happened.len() == KEPT {
            self.happened.pop_front();
        }
        self.happened.push_back((now, text));
    }

    /// The kernel refuses something about an address, or about the instance as a whole.
    pub(super) fn refused(&mut self, address: Option<IpAddr>, text: String) {
        self.refused.insert(address, text);
    }

    /// The kernel shows what is wanted.
    pub(super) fn settled(&mut self) {
        self.refused.clear();
    }

    pub(super) fn standing(&self, now: Time) -> impl Iterator<Item = &String> {
        let recent = self.happened.iter().filter(move |(at, _)| now - *at < SHOWN);
        self.refused.values().chain(recent.map(|(_, text)| text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(warnings: &Warnings, now: Time) -> Vec<&str> {
        warnings.standing(now).map(String::as_str).collect()
    }

    #[test]
    fn what_happened_is_forgotten_after_a_while_and_said_once() {
        let mut warnings = Warnings::default();
        warnings.happened(Time::ZERO, "deleted".into());
        warnings.happened(Time::ZERO + SHOWN / 2, "deleted".into());
        assert_eq!(shown(&warnings, Time::ZERO + SHOWN), ["deleted"]);
        assert!(shown(&warnings, Time::ZERO + SHOWN * 2).is_empty());
    }

    #[test]
    fn what_the_kernel_refuses_stands_until_it_is_settled() {
        let mut warnings = Warnings::default();
        warnings.refused(None, "no".into());
        assert_eq!(shown(&warnings, Time::ZERO + SHOWN * 2), ["no"]);
        warnings.settled();
        assert!(shown(&warnings, Time::ZERO).is_empty());
    }

    #[test]
    fn many_happenings_do_not_grow_without_end() {
        let mut warnings = Warnings::default();
        (0..KEPT * 2).for_each(|number| warnings.happened(Time::ZERO, number.to_string()));
        assert_eq!(shown(&warnings, Time::ZERO).len(), KEPT);
    }
}
