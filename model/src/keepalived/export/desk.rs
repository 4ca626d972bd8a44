//! Collects findings while the file is written, and knows how to make a value fit.

use super::Inexpressible;
use crate::finding::{Finding, Findings, Place, Severity};
use crate::name::Name;
use crate::span::Span;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) findings: Findings,
    inexpressible: Inexpressible,
}

/// What keepalived takes of a length of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounding {
    pub(super) step: Duration,
    pub(super) most: Duration,
}

/// A place in an Instance.
pub(super) fn instance(name: &Name, path: impl Into<String>) -> Place {
    let document = Some(format!("Instance {name}"));
    Place { document, path: Some(path.into()), ..Place::default() }
}

/// A place in a SyncGroup.
pub(super) fn sync_group(name: &Name, path: impl Into<String>) -> Place {
    let document = Some(format!("SyncGroup {name}"));
    Place { document, path: Some(path.into()), ..Place::default() }
}

/// A place in a Check.
pub(super) fn check(name: &Name, path: impl Into<String>) -> Place {
    let document = Some(format!("Check {name}"));
    Place { document, path: Some(path.into()), ..Place::default() }
}

impl Desk {
    pub(super) fn new(inexpressible: Inexpressible) -> Self {
        Self { findings: Findings::default(), inexpressible }
    }

    pub(super) fn push(&mut self, finding: Finding) {
        if !self.findings.0.contains(&finding) {
            self.findings.push(finding);
        }
    }

    pub(super) fn error(
        &mut self,
        rule: &str,
        place: Place,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(Finding::error(rule, place, message, remedy));
    }

    pub(super) fn warning(
        &mut self,
        rule: &str,
        place: Place,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(Finding::warning(rule, place, message, remedy));
    }

    /// What keepalived has no word for: refused, or left out if so asked.
    pub(super) fn inexpressible(
        &mut self,
        place: Place,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let mut finding = Finding::error("not-in-keepalived", place, message, remedy);
        if self.inexpressible == Inexpressible::LeaveOut {
            finding.severity = Severity::Warning;
            finding.message.push_str(": left out");
        }
        self.push(finding);
    }

    /// `text` as a word of an ordinary line. The error does not repeat it: it may be secret.
    pub(super) fn word(&mut self, place: &Place, what: &str, text: &str) -> String {
        let word = super::word::ordinary(text);
        if word.is_none() {
            let message = format!("{what} is empty or has one of \" \\ $ ~ or a control character");
            let remedy = "keepalived.conf has no way to write that: choose another";
            self.error("bad-word", place.clone(), message, remedy);
        }
        word.unwrap_or_default()
    }

    /// `span` in steps that keepalived takes, longer rather than shorter.
    pub(super) fn rounded(&mut self, place: Place, span: Span, rounding: Rounding) -> Duration {
        let Rounding { step, most } = rounding;
        let steps = span.0.as_nanos().div_ceil(step.as_nanos()).min(most.as_nanos());
        let nanos = steps.saturating_mul(step.as_nanos()).min(most.as_nanos());
        let taken = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        if taken != span.0 {
            let message = format!(
                "{span} becomes {}: keepalived takes steps of {} up to {}",
                Span(taken),
                Span(step),
                Span(most)
            );
            let remedy = "nothing to do, or write what it takes";
            self.warning("approximated", place, message, remedy);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_becomes_longer_and_never_longer_than_it_may() {
        let rounding = Rounding { step: Duration::from_secs(1), most: Duration::from_secs(60) };
        let table = [(0, 0, 0), (1_000, 1_000, 0), (1_001, 2_000, 1), (3_600_000, 60_000, 1)];
        for (written, expected, findings) in table {
            let mut desk = Desk::new(Inexpressible::Refuse);
            let taken = desk.rounded(Place::default(), Span::from_millis(written), rounding);
            assert_eq!(taken, Duration::from_millis(expected), "{written}");
            assert_eq!(desk.findings.0.len(), findings, "{written}");
        }
        let endless = Span(Duration::MAX);
        let mut desk = Desk::new(Inexpressible::Refuse);
        assert_eq!(desk.rounded(Place::default(), endless, rounding), Duration::from_secs(60));
    }
}
