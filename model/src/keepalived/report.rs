//! Collects findings while the reader works, and knows the files they point into.

use super::cell::Pos;
use super::host::{At, HostConfig, Located};
use super::source::NamedText;
use crate::finding::{Finding, Findings, Severity};
use std::sync::Arc;

/// Findings kept; a hostile file must not fill the memory with them.
const MAX_FINDINGS: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Report {
    names: Vec<Arc<str>>,
    texts: Vec<NamedText>,
    findings: Vec<Finding>,
    dropped: usize,
}

impl Report {
    /// Registers a file that has been read; `None` when there are too many.
    pub(super) fn add_file(&mut self, text: NamedText) -> Option<u16> {
        let number = u16::try_from(self.names.len()).ok()?;
        self.names.push(text.name.as_str().into());
        self.texts.push(text);
        Some(number)
    }

    pub(super) fn file_name(&self, file: u16) -> &str {
        self.names.get(usize::from(file)).map_or("", |name| name)
    }

    pub(super) fn at(&self, pos: Pos) -> At {
        let file = self.names.get(usize::from(pos.file)).cloned().unwrap_or_else(|| "".into());
        At { file, line: pos.line, column: pos.column }
    }

    pub(super) fn located<T>(&self, value: T, pos: Pos) -> Located<T> {
        Located { value, at: self.at(pos) }
    }

    pub(super) fn error(
        &mut self,
        pos: Pos,
        rule: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(finding(Severity::Error, rule, self.at(pos), message, remedy));
    }

    pub(super) fn warning(
        &mut self,
        pos: Pos,
        rule: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(finding(Severity::Warning, rule, self.at(pos), message, remedy));
    }

    pub(super) fn push(&mut self, finding: Finding) {
        let full = self.findings.len() >= MAX_FINDINGS;
        if full {
            self.dropped += 1;
        } else if self.findings.last() != Some(&finding) {
            self.findings.push(finding);
        }
    }

    pub(super) fn finish(mut self, mut host: HostConfig) -> (HostConfig, Findings) {
        // As they stand in the files, whatever found them when.
        let names = &self.names;
        self.findings.sort_by_key(|finding| {
            let place = &finding.place;
            let file = names.iter().position(|name| Some(&**name) == place.file.as_deref());
            (file, place.line, place.column)
        });
        if self.dropped > 0 {
            let message = format!("{} further findings are not shown", self.dropped);
            let at = At { file: host.file.clone(), line: 1, column: 1 };
            let remedy = "mend those shown first";
            let last = finding(Severity::Error, "too-many-findings", at, message, remedy);
            self.findings.push(last);
        }
        host.texts = self.texts;
        (host, Findings(self.findings))
    }
}

/// A finding at one place.
pub(super) fn finding(
    severity: Severity,
    rule: &str,
    at: At,
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    Finding {
        severity,
        rule: rule.to_owned(),
        place: at.place(),
        message: message.into(),
        remedy: remedy.into(),
        related: Vec::new(),
    }
}
