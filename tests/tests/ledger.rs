//! `docs/rfc9568.md` says what the tree does, and which test would notice if it did not.

use std::path::Path;

use vipfleet_tests::ledger::{self, sources::Sources};

#[test]
fn the_ledger_cites_what_exists_and_leaves_no_requirement_open() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join(ledger::PATH)).expect("the ledger is there");
    let sources = Sources::read(&root).expect("the tree can be read");
    let findings = ledger::check(&text, &sources);
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} findings\n{}", findings.len(), lines.join("\n"));
}
