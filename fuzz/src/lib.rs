//! Fuzz targets for everything that reads bytes of others. One function a target takes any bytes
//! and panics when something promised does not hold; the coverage-guided programs in
//! `fuzz_targets/` and the short replay in `tests/` both call it.
//!
//! [`seeds`] makes inputs to begin with from what the tree holds; `corpus/` keeps the inputs that
//! a long run has found worth keeping. Absent: a fuzzer of its own; [`mutation`] is for the
//! replay, which knows nothing of coverage.

pub mod advert;
pub mod announcement;
pub mod definitions;
pub mod keepalived;
pub mod mutation;
pub mod seeds;
pub mod session;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// One function under fuzzing.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    /// Panics when something promised does not hold for these bytes.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> anyhow::Result<Vec<Vec<u8>>>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

pub const TARGETS: [Target; 5] = [
    Target { name: "advert", run: advert::run, seeds: seeds::adverts },
    Target { name: "announcement", run: announcement::run, seeds: seeds::announcements },
    Target { name: "keepalived", run: keepalived::run, seeds: seeds::keepalived },
    Target { name: "definitions", run: definitions::run, seeds: seeds::definitions },
    Target { name: "session", run: session::run, seeds: seeds::session },
];

impl Target {
    /// What long runs have left in the tree, in the order of the names.
    pub fn corpus(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(home().join("corpus").join(self.name))? {
            files.push(entry?.path());
        }
        files.sort();
        files.iter().map(std::fs::read).collect()
    }

    /// Words worth inserting, for targets that read text: libFuzzer's dictionary.
    pub fn dictionary(&self) -> io::Result<Vec<Vec<u8>>> {
        let file = home().join("dictionaries").join(self.name).with_extension("dict");
        match std::fs::read_to_string(file) {
            Ok(text) => Ok(text.lines().filter_map(word).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// The word of one line, `"in quotes"`; `\\`, `\"` and `\n` by a backslash as libFuzzer has them.
fn word(line: &str) -> Option<Vec<u8>> {
    let quoted = line.strip_prefix('"')?.strip_suffix('"')?;
    let text = quoted.replace("\\x0a", "\n").replace("\\\"", "\"").replace("\\\\", "\\");
    Some(text.into_bytes())
}

/// This crate's directory.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
