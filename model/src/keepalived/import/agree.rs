//! Facts on which the hosts of an instance must agree, or of which one is chosen.

use super::super::host::{At, Located, VrrpInstance};
use super::super::report::finding;
use super::{Seat, pair};
use crate::finding::{Findings, Severity};
use crate::name::Name;
use std::fmt::Display;

/// Compares one fact over the seats of an instance.
pub(super) struct Compare<'a, 'f> {
    pub(super) name: &'a Name,
    pub(super) seats: &'a [Seat<'a>],
    pub(super) findings: &'f mut Findings,
}

impl<'a> Compare<'a, '_> {
    /// A fact that members must share: two masters otherwise. An error names both lines.
    pub(super) fn shared<T: PartialEq + Clone>(
        &mut self,
        what: &str,
        pick: impl Fn(&VrrpInstance) -> &Located<T>,
        show: impl Fn(&T) -> String,
    ) -> T {
        let first = self.seats[0];
        let ours = pick(first.instance);
        for seat in &self.seats[1..] {
            let theirs = pick(seat.instance);
            if theirs.value != ours.value {
                let (one, other) = (show(&ours.value), show(&theirs.value));
                let (node, peer) = (first.node, seat.node);
                let message = match one == other {
                    // What must not be shown, such as a password.
                    true => format!("{what} of {node} is not that of {peer}"),
                    false => format!("{what} is {one} on {node} and {other} on {peer}"),
                };
                let remedy = "all members of an instance need the same: correct one file";
                self.push(pair("hosts-disagree", &theirs.at, &ours.at, message, remedy));
            }
        }
        ours.value.clone()
    }

    /// A fact that is each host's own in keepalived and the instance's here: that of the member
    /// with the highest priority is taken, since it decides who takes over from whom.
    pub(super) fn chosen<T: PartialEq + Clone + Display>(
        &mut self,
        what: &str,
        pick: impl Fn(Seat<'a>) -> (T, At),
    ) -> T {
        let highest = self.seats.iter().copied().reduce(|best, seat| {
            let higher = seat.instance.priority.value > best.instance.priority.value;
            if higher { seat } else { best }
        });
        let chosen = highest.unwrap_or(self.seats[0]);
        let (value, at) = pick(chosen);
        for seat in self.seats {
            let (theirs, there) = pick(*seat);
            if theirs != value {
                let message = format!(
                    "{what} is {theirs} on {} and {value} on {}: imported as {value} for all",
                    seat.node, chosen.node
                );
                let remedy = "make the files equal, or set it in the definition";
                let mut differs =
                    finding(Severity::Warning, "per-host-setting", there, message, remedy);
                differs.related.push(at.place());
                self.push(differs);
            }
        }
        value
    }

    pub(super) fn push(&mut self, mut finding: crate::finding::Finding) {
        finding.place.document = Some(format!("Instance {}", self.name));
        self.findings.push(finding);
    }
}
