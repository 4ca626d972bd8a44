//! Where rules put their findings down.

use crate::definition::Key;
use crate::finding::{Finding, Place};

/// What a finding follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// The definitions alone: it stays until one of them changes.
    Definitions,
    /// What a host says of itself, which changes without an apply.
    Hosts,
}

pub(super) struct Noted {
    /// The document of the finding first, then those it is also about.
    pub(super) keys: Vec<Key>,
    pub(super) basis: Basis,
    pub(super) finding: Finding,
}

/// The findings of one document.
pub(super) struct Desk<'a> {
    noted: &'a mut Vec<Noted>,
    key: &'a Key,
    basis: Basis,
}

impl<'a> Desk<'a> {
    pub(super) fn new(noted: &'a mut Vec<Noted>, key: &'a Key, basis: Basis) -> Self {
        Self { noted, key, basis }
    }

    pub(super) fn error(
        &mut self,
        rule: &str,
        path: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let place = place(self.key, path);
        self.note(Finding::error(rule, place, message, remedy), Vec::new());
    }

    pub(super) fn warning(
        &mut self,
        rule: &str,
        path: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let place = place(self.key, path);
        self.note(Finding::warning(rule, place, message, remedy), Vec::new());
    }

    /// A finding that is also about other documents.
    pub(super) fn note(&mut self, finding: Finding, others: Vec<Key>) {
        let mut keys = vec![self.key.clone()];
        keys.extend(others);
        self.noted.push(Noted { keys, basis: self.basis, finding });
    }
}

pub(super) fn place(key: &Key, path: impl Into<String>) -> Place {
    Place { document: Some(key.to_string()), path: Some(path.into()), ..Place::default() }
}
