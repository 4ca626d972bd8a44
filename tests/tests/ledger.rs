//! `docs/rfc9568.md` and `docs/traps.md` say what the tree does, and which test would notice if it
//! did not.

use std::path::{Path, PathBuf};

use vipfleet_tests::ledger::{self, sources::Sources};

/// Rows that `docs/traps.md` has to have, by how they begin.
const TRAPS: [&str; 15] = [
    "a client with a cold neighbour",
    "bridge ports in the other order",
    "the lower-priority host started first",
    "SIGSTOP of a BACKUP",
    "two clusters on one VRID",
    "a VIP that is on the host already",
    "a restored store",
    "1,000 IPv6 VIPs",
    "open TCP connections",
    "a crash-looping nginx",
    "adverts every 255 s",
    "a VIP added on one side only",
    "a broken file at SIGHUP",
    "a check script that traps TERM",
    "SIGSTOP of a MASTER",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_situation_that_surprises_has_a_test_that_exists() {
    let path = root().join("docs/traps.md");
    let text = std::fs::read_to_string(path).expect("the list is there");
    let sources = Sources::read(&root()).expect("the tree can be read");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    for trap in TRAPS {
        assert!(rows.iter().any(|row| row[2..].starts_with(trap)), "no row on {trap:?}");
    }
    for row in rows {
        let tests = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        // Every second piece stands between backticks.
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test in {row:?}");
        for name in names {
            let is_there = match name.strip_prefix("s:") {
                Some(scenario) => sources.has_scenario(scenario),
                None => !sources.files_with_test(name).is_empty(),
            };
            assert!(is_there, "docs/traps.md names {name:?}, which is no test: say the new name");
        }
    }
}

#[test]
fn the_ledger_cites_what_exists_and_leaves_no_requirement_open() {
    let root = root();
    let text = std::fs::read_to_string(root.join(ledger::PATH)).expect("the ledger is there");
    let sources = Sources::read(&root).expect("the tree can be read");
    let findings = ledger::check(&text, &sources);
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} findings\n{}", findings.len(), lines.join("\n"));
}
