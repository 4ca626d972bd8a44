//! The rules of the house that no standard tool checks: who may import whom, which licences and
//! which versions come in, how long files get, which words stay out. Run by `make lint`.
//!
//! Licences and advisories are usually the work of cargo-deny. It fetches its advisory database
//! from the network at every run, so the same tree can pass today and fail tomorrow, and cannot be
//! checked on a machine without a way out. The same questions are asked here of `cargo metadata`
//! and of a list in the tree, `tests/house/advisories.txt`: offline, reproducible, and a change
//! of the answer is a change somebody made. What this gives up: an advisory of yesterday is found
//! only when somebody refreshes the list.
//!
//! Sources are read as tokens, never compiled; macros are not expanded.

pub mod advisories;
pub mod layering;
pub mod licences;
pub mod metadata;
pub mod modules;
pub mod paths;
pub mod purity;
pub mod shape;
pub mod tokens;
pub mod tree;
pub mod words;

use std::fmt;
use std::path::Path;

use anyhow::Context;

use self::metadata::Metadata;
use self::tree::SourceFile;

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `file:line`, or the manifest of a package.
    pub place: String,
    /// The rule's name.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Finding {
    fn in_file(
        file: &SourceFile,
        line: usize,
        rule: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let place = format!("{}:{line}", file.path);
        Self { place, rule, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, rule, what, remedy } = self;
        write!(f, "{place}: [{rule}] {what}\n    remedy: {remedy}")
    }
}

/// Checks the whole workspace under `root`.
///
/// # Errors
/// When the tree cannot be read or `cargo metadata` does not work.
pub fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let files = tree::read(root).context("read the source tree")?;
    let metadata = Metadata::of(root)?;
    let list = root.join("tests/house/advisories.txt");
    let list = std::fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    let mut findings = check_files(&files);
    findings.extend(layering::check(&metadata));
    findings.extend(licences::check(&metadata));
    findings.extend(advisories::check(&metadata, &advisories::parse(&list)?));
    Ok(findings)
}

/// Checks the rules that look at one file at a time.
pub fn check_files(files: &[SourceFile]) -> Vec<Finding> {
    files
        .iter()
        .flat_map(|file| {
            [shape::check(file), words::check(file), purity::check(file), modules::check(file)]
        })
        .flatten()
        .collect()
}
