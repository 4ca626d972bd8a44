//! Says each thing once. A condition is reported at its onset and again only after it has ended,
//! or was not seen for so long that its source must be gone.

use crate::output::Warning;
use crate::time::Time;
use std::collections::VecDeque;
use std::mem::discriminant;
use std::net::IpAddr;
use std::time::Duration;

/// Conditions remembered at once; beyond that the oldest is forgotten and may be reported again.
/// Bounds what forged source addresses can make us keep.
const REMEMBERED: usize = 64;

#[derive(Clone, Debug, Default)]
pub(crate) struct Warnings {
    /// Each with when it was last seen.
    standing: VecDeque<(Warning, Time)>,
}

impl Warnings {
    /// The warning, if this is its onset. One that differs in more than its source and kind (a
    /// new interval, a new reason) counts as new; only a rival's priority does not.
    pub(crate) fn onset(
        &mut self,
        now: Time,
        patience: Duration,
        warning: Warning,
    ) -> Option<Warning> {
        let known = self.standing.iter_mut().find(|(known, _)| same_subject(known, &warning));
        if let Some((known, seen)) = known {
            let changed = match &warning {
                Warning::Rival { .. } | Warning::Stranger { .. } => false,
                _ => *known != warning,
            };
            let is_news = changed || now - *seen > patience;
            known.clone_from(&warning);
            *seen = now;
            return is_news.then_some(warning);
        }
        if self.standing.len() == REMEMBERED {
            self.standing.pop_front();
        }
        self.standing.push_back((warning.clone(), now));
        Some(warning)
    }

    /// The condition has ended.
    pub(crate) fn end(&mut self, ended: impl Fn(&Warning) -> bool) {
        self.standing.retain(|(warning, _)| !ended(warning));
    }

    /// What was seen within `patience`. A refused configuration stands until one is accepted.
    pub(crate) fn standing(&self, now: Time, patience: Duration) -> impl Iterator<Item = &Warning> {
        let stands = move |(warning, seen): &&(Warning, Time)| {
            matches!(warning, Warning::ConfigRefused(_)) || now - *seen <= patience
        };
        self.standing.iter().filter(stands).map(|(warning, _)| warning)
    }
}

fn same_subject(one: &Warning, other: &Warning) -> bool {
    discriminant(one) == discriminant(other) && source(one) == source(other)
}

fn source(warning: &Warning) -> Option<IpAddr> {
    match warning {
        Warning::AddressListDiffers { source }
        | Warning::Disagreement { source, .. }
        | Warning::Rival { source, .. }
        | Warning::Stranger { source, .. }
        | Warning::IntervalLearned { source, .. } => Some(*source),
        Warning::ConfigRefused(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::address;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn stranger() -> Warning {
        Warning::Stranger { source: address(9), priority: 1 }
    }

    #[test]
    fn a_condition_that_goes_on_is_said_once_and_stands() {
        let mut warnings = Warnings::default();
        let mut now = Time::ZERO;
        assert!(warnings.onset(now, PATIENCE, stranger()).is_some());
        for _ in 0..10 {
            now = now + PATIENCE / 2;
            assert_eq!(warnings.onset(now, PATIENCE, stranger()), None);
            assert_eq!(warnings.standing(now, PATIENCE).count(), 1);
        }
    }

    #[test]
    fn a_condition_that_was_not_seen_for_long_has_ended_and_may_begin_again() {
        let mut warnings = Warnings::default();
        warnings.onset(Time::ZERO, PATIENCE, stranger());
        let later = Time::ZERO + PATIENCE * 2;
        assert_eq!(warnings.standing(later, PATIENCE).count(), 0);
        assert!(warnings.onset(later, PATIENCE, stranger()).is_some());
    }
}
