//! Says each thing once. A condition is reported at its onset and again only after it has ended.

use crate::output::Warning;
use std::collections::VecDeque;
use std::mem::discriminant;
use std::net::IpAddr;

/// Conditions remembered at once; beyond that the oldest is forgotten and may be reported again.
/// Bounds what forged source addresses can make us keep.
const REMEMBERED: usize = 64;

#[derive(Clone, Debug, Default)]
pub(crate) struct Warnings {
    standing: VecDeque<Warning>,
}

impl Warnings {
    /// The warning, if this is its onset. One that differs in more than its source and kind (a
    /// new interval, a new reason) counts as new; only a rival's priority does not.
    pub(crate) fn onset(&mut self, warning: Warning) -> Option<Warning> {
        if let Some(known) = self.standing.iter_mut().find(|known| same_subject(known, &warning)) {
            let changed = match &warning {
                Warning::Rival { .. } | Warning::Stranger { .. } => false,
                _ => *known != warning,
            };
            known.clone_from(&warning);
            return changed.then_some(warning);
        }
        if self.standing.len() == REMEMBERED {
            self.standing.pop_front();
        }
        self.standing.push_back(warning.clone());
        Some(warning)
    }

    /// The condition has ended.
    pub(crate) fn end(&mut self, ended: impl Fn(&Warning) -> bool) {
        self.standing.retain(|warning| !ended(warning));
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
