//! What the tree has that a ledger can cite.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use super::items::{self, Items};
use crate::house::tree;

/// Protocol traces that a test replays, one file each.
const SCENARIOS: &str = "vrrp/tests/scenarios";
/// Where a path that names no crate begins: the engine is what the ledger is about.
const ENGINE: &str = "vrrp/src";
const CRATES: &[&str] = &["agent", "cli", "deploy", "model", "proto", "server", "tests", "vrrp"];

/// Files with what they define, and the names of all tests.
#[derive(Debug, Default)]
pub struct Sources {
    files: BTreeMap<String, Items>,
    /// Every test with the files that have one of that name.
    tests: BTreeMap<String, BTreeSet<String>>,
    scenarios: BTreeSet<String>,
}

impl Sources {
    /// Reads the checkout under `root`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut sources = Self::default();
        for file in tree::read(root)? {
            sources.add(&file.path, &file.text);
        }
        for entry in fs::read_dir(root.join(SCENARIOS))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            sources.add(&format!("{SCENARIOS}/{name}"), "");
        }
        Ok(sources)
    }

    /// Adds one file.
    pub fn add(&mut self, path: &str, text: &str) {
        if path.ends_with(".rs") {
            for test in items::tests(text) {
                self.tests.entry(test).or_default().insert(path.to_owned());
            }
        }
        let scenario = path.strip_prefix(SCENARIOS).and_then(|rest| rest.strip_suffix(".txt"));
        if let Some(name) = scenario {
            self.scenarios.insert(name.trim_start_matches('/').to_owned());
        }
        self.files.insert(path.to_owned(), Items::of(text));
    }

    /// What a file of the ledger's notation defines; `None` if there is no such file.
    pub fn file(&self, cited: &str) -> Option<&Items> {
        let names_a_crate = cited.split_once('/').is_some_and(|(first, _)| CRATES.contains(&first));
        let path = if names_a_crate { cited.to_owned() } else { format!("{ENGINE}/{cited}") };
        self.files.get(&path)
    }

    /// The files that have a test of this name.
    pub fn files_with_test(&self, name: &str) -> Vec<&str> {
        self.tests.get(name).into_iter().flatten().map(String::as_str).collect()
    }

    /// Whether there is such a scenario.
    pub fn has_scenario(&self, name: &str) -> bool {
        self.scenarios.contains(name)
    }
}
