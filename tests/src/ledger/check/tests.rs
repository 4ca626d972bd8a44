//! Small ledgers, each with one thing wrong.

use super::super::document::{COUNTS, DEPARTURES, ROWS};
use super::*;

const RULE: &str = "|---|---|---|---|---|";

/// A tree with one file, two tests, one scenario and what the aliases stand for.
fn sources() -> Sources {
    let mut sources = Sources::default();
    sources.add("vrrp/src/packet.rs", "pub fn parse() {} impl Advert { fn read() {} }");
    sources.add("agent/src/lib.rs", "#[cfg(test)] mod tests { #[test] fn it_runs_on_a_host() {} }");
    sources.add(
        "vrrp/tests/engine/main.rs",
        "#[test] fn it_is_discarded() {} #[test] #[ignore] fn it_is_never_run() {}
         #[test] fn every_situation_answers_every_input_as_the_table_says() {}
         #[test] fn every_scenario_leaves_the_trace_that_it_shows() {}",
    );
    sources.add("agent/tests/one.rs", "#[test] fn it_is_of_two() {}");
    sources.add("agent/tests/two.rs", "#[test] fn it_is_of_two() {}");
    sources.add("vrrp/tests/scenarios/it_waits.txt", "");
    sources
}

/// A sound ledger: one MUST that is met, one that is departed from.
fn ledger(met: &str, departed: &str, declared: &str, departures: &str) -> String {
    format!(
        "# Ledger\n\n{COUNTS}\n{RULE}\n{declared}\n\n{ROWS}\n{RULE}\n{met}\n{departed}\n\n\
         {DEPARTURES}, and why\n\n{departures}\n"
    )
}

const MET: &str = "| 5.1 | MUST | d | `packet.rs:parse` | `it_is_discarded` |";
const DEPARTED: &str = "| 5.2 | MUST | d | | departs 1 |";
const DECLARED: &str = "| §5 | 2 | 0 | 0 | 0 |";
const DEPARTURES_LISTED: &str = "1. **Not so.** `use_vmac` `agent/src/lib.rs` `it_runs_on_a_host`";

fn found(text: &str) -> Vec<String> {
    check(text, &sources()).into_iter().map(|finding| finding.to_string()).collect()
}

fn with_row(row: &str) -> Vec<String> {
    found(&ledger(row, DEPARTED, DECLARED, DEPARTURES_LISTED))
}

fn with_departures(departures: &str) -> Vec<String> {
    found(&ledger(MET, DEPARTED, DECLARED, departures))
}

#[test]
fn a_sound_ledger_has_no_finding() {
    for row in [
        MET,
        "| 5.1 | MUST | d | `packet.rs:Advert::read`, and by hand | **T** |",
        "| 5.1 | MUST NOT | d | `agent/src/lib.rs` | `s:it_waits`, `it_runs_on_a_host` |",
        "| 5.1 | MUST | d | nothing is done | (departs 1) |",
        "| 5.1 | MUST | d | `packet.rs` | `agent/tests/two.rs:it_is_of_two` |",
    ] {
        assert_eq!(with_row(row), [""; 0], "{row}");
    }
}

#[test]
fn a_file_that_does_not_exist_is_found() {
    let row = "| 5.1 | MUST | d | `parcel.rs:parse` | `it_is_discarded` |";
    assert_eq!(with_row(row), ["docs/rfc9568.md:9: `parcel.rs:parse`: there is no file parcel.rs"]);
}

#[test]
fn what_stands_under_where_in_backticks_is_a_file() {
    let row = "| 5.1 | MUST | d | `packet.rs:parse` (`vrid-zero`) | `it_is_discarded` |";
    assert_eq!(with_row(row), ["docs/rfc9568.md:9: `vrid-zero`: there is no file vrid-zero"]);
}

#[test]
fn a_function_that_its_file_does_not_define_is_found() {
    for item in ["prase", "Advert::parse", "Packet::read", ""] {
        let row = format!("| 5.1 | MUST | d | `packet.rs:{item}` | `it_is_discarded` |");
        let what = format!("`packet.rs:{item}`: packet.rs defines no {item}");
        assert_eq!(with_row(&row), [format!("docs/rfc9568.md:9: {what}")]);
    }
}

#[test]
fn a_test_that_does_not_run_is_found() {
    for test in ["it_was_renamed", "it_is_never_run", "parse", "s:it_is_discarded"] {
        let row = format!("| 5.1 | MUST | d | `packet.rs:parse` | `{test}` |");
        let found = with_row(&row);
        assert!(found.len() == 1 && found[0].contains(&format!("`{test}`: ")), "{found:?}");
    }
}

#[test]
fn a_name_that_two_tests_have_is_cited_with_its_file() {
    for (test, what) in [
        ("it_is_of_two", "write which of agent/tests/one.rs, agent/tests/two.rs is meant"),
        ("agent/tests/six.rs:it_is_of_two", "agent/tests/six.rs has no test it_is_of_two"),
    ] {
        let row = format!("| 5.1 | MUST | d | `packet.rs:parse` | `{test}` |");
        assert_eq!(with_row(&row), [format!("docs/rfc9568.md:9: `{test}`: {what}")]);
    }
}

#[test]
fn a_scenario_counts_only_while_something_replays_it() {
    let mut sources = Sources::default();
    sources.add("vrrp/src/packet.rs", "pub fn parse() {}");
    sources.add("vrrp/tests/scenarios/it_waits.txt", "");
    let row = "| 5.1 | MUST | d | `packet.rs:parse` | `s:it_waits`, **T** |";
    let text = ledger(row, "", "| §5 | 1 | 0 | 0 | 0 |", "");
    let found = check(&text, &sources);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|it| it.what.contains("no test every_")), "{found:?}");
}

#[test]
fn a_requirement_without_code_test_or_departure_is_found() {
    let neither = "§5.1: neither a test nor a departure is named";
    let row = "| 5.1 | MUST | d | `packet.rs:parse` | |";
    assert_eq!(with_row(row), [format!("docs/rfc9568.md:9: {neither}")]);
    let row = "| 5.1 | MUST | d | somewhere | `it_is_discarded` |";
    assert_eq!(with_row(row), ["docs/rfc9568.md:9: §5.1: neither code nor a departure is named"]);
    let row = "| 5.1 | MUST | d | `packet.rs:parse` | no test of its own |";
    assert_eq!(
        with_row(row),
        [
            "docs/rfc9568.md:9: \"no test of its own\": write the test".to_owned(),
            format!("docs/rfc9568.md:9: {neither}"),
        ]
    );
}

#[test]
fn a_departure_that_does_not_exist_is_found() {
    let row = "| 5.1 | MUST | d | | departs 1 and 2 |";
    assert_eq!(with_row(row), ["docs/rfc9568.md:9: there is no departure 2"]);
}

#[test]
fn a_departure_that_nobody_cites_is_found() {
    let two = format!("{DEPARTURES_LISTED}\n2. **Forgotten.** `it_runs_on_a_host`");
    assert_eq!(
        with_departures(&two),
        ["docs/rfc9568.md:15: departure 2 is cited by no requirement"]
    );
}

#[test]
fn a_departure_stands_at_its_number_and_names_a_test_that_runs() {
    for (departures, what) in [
        ("2. **Not so.** `it_runs_on_a_host`", "departure 2 stands as the 1."),
        ("1. **Not so.** `use_vmac`", "departure 1 names no test"),
        ("1. **Not so.** `it_runs_on_a_host`, `lib.rs:parse`", "there is no file lib.rs"),
        ("1. **Not so.** `it_runs_on_no_host`", "no test it_runs_on_no_host is run"),
    ] {
        let found = with_departures(departures);
        assert!(found.iter().any(|found| found.ends_with(what)), "{found:?}");
    }
}

#[test]
fn a_row_that_went_is_missed() {
    let found_without = found(&ledger(DEPARTED, "", DECLARED, DEPARTURES_LISTED));
    assert_eq!(found_without, ["docs/rfc9568.md:5: §5: 2 Must rows declared, 1 found"]);
    let row = MET.replace("MUST", "SHOULD");
    assert_eq!(
        with_row(&row),
        [
            "docs/rfc9568.md:5: §5: 0 Should rows declared, 1 found",
            "docs/rfc9568.md:5: §5: 2 Must rows declared, 1 found",
        ]
    );
    let row = MET.replace("5.1", "4.1");
    assert_eq!(
        with_row(&row),
        [
            "docs/rfc9568.md:1: §4: 1 Must rows, and none declared",
            "docs/rfc9568.md:5: §5: 2 Must rows declared, 1 found",
        ]
    );
}

#[test]
fn rows_stand_in_the_order_of_the_rfc() {
    let row = MET.replace("5.1", "5.10");
    assert_eq!(with_row(&row), ["docs/rfc9568.md:10: §5.2 stands behind §5.10: out of order"]);
}

#[test]
fn an_empty_ledger_and_a_broken_table_are_found() {
    assert_eq!(found(""), ["docs/rfc9568.md:1: no requirement at all"]);
    let row = "| 5.1 | MUST | d | `packet.rs:parse` `it_is_discarded` |";
    assert_eq!(
        with_row(row),
        [
            "docs/rfc9568.md:5: §5: 2 Must rows declared, 1 found",
            "docs/rfc9568.md:9: a row has five cells",
        ]
    );
}
