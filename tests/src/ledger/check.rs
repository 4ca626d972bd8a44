//! The rules of the ledger. One function each.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::document::{Document, Row, Strength, parse};
use super::sources::Sources;

/// What **T** stands for.
const TABLE: &str = "every_situation_answers_every_input_as_the_table_says";
/// What replays the scenarios.
const REPLAY: &str = "every_scenario_leaves_the_trace_that_it_shows";
/// Words that leave a requirement open.
const OPEN: &[&str] = &["no test of its own", "untested", "not tested"];

/// Everything that is wrong with a ledger.
pub fn check(text: &str, sources: &Sources) -> Vec<Finding> {
    let document = parse(text);
    let mut findings = Findings::default();
    for (line, what) in &document.mistakes {
        findings.add(*line, what.clone());
    }
    if document.rows.is_empty() {
        findings.add(1, "no requirement at all");
    }
    for (index, line) in text.lines().enumerate() {
        open_words(index + 1, line, &mut findings);
    }
    for row in &document.rows {
        let places: Vec<_> = row.places.iter().map(|place| (row.line, place.as_str())).collect();
        check_places(&places, sources, &mut findings);
        let tests: Vec<_> = row.tests.iter().map(|test| (row.line, test.as_str())).collect();
        check_tests(&tests, sources, &mut findings);
        answered(row, &mut findings);
    }
    in_order(&document, &mut findings);
    departures(&document, sources, &mut findings);
    counts(&document, &mut findings);
    findings.list.sort();
    findings.list
}

#[derive(Debug, Default)]
struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, line: usize, what: impl Into<String>) {
        self.list.push(Finding { line, what: what.into() });
    }
}

fn open_words(number: usize, line: &str, findings: &mut Findings) {
    if let Some(word) = OPEN.iter().find(|word| line.contains(**word)) {
        findings.add(number, format!("\"{word}\": write the test"));
    }
}

/// `file.rs`, or `file.rs:item` with a name or a `Type::member` that the file defines.
fn check_places(places: &[(usize, &str)], sources: &Sources, findings: &mut Findings) {
    for (line, place) in places {
        let (file, item) = match place.split_once(':') {
            Some((file, item)) => (file, Some(item)),
            None => (*place, None),
        };
        let Some(items) = sources.file(file) else {
            findings.add(*line, format!("`{place}`: there is no file {file}"));
            continue;
        };
        if let Some(item) = item.filter(|item| !items.define(item)) {
            findings.add(*line, format!("`{place}`: {file} defines no {item}"));
        }
    }
}

/// `s:scenario`, `T`, or a test: its name if it is the only one so called, else `file:name`.
fn check_tests(tests: &[(usize, &str)], sources: &Sources, findings: &mut Findings) {
    for (line, test) in tests {
        let what = match (test.split_once(':'), *test) {
            (Some(("s", name)), _) if !sources.has_scenario(name) => {
                Some("no such scenario".into())
            }
            (Some(("s", _)), _) => run_once(REPLAY, None, sources),
            (Some((file, name)), _) => run_once(name, Some(file), sources),
            (None, "T") => run_once(TABLE, None, sources),
            (None, name) => run_once(name, None, sources),
        };
        findings.list.extend(what.map(|what| {
            let what = format!("`{test}`: {what}");
            Finding { line: *line, what }
        }));
    }
}

/// Why `name` does not say which test is meant, if it does not.
fn run_once(name: &str, file: Option<&str>, sources: &Sources) -> Option<String> {
    let files = sources.files_with_test(name);
    match (file, &files[..]) {
        (_, []) => Some(format!("no test {name} is run")),
        (Some(file), files) if files.contains(&file) => None,
        (Some(file), _) => Some(format!("{file} has no test {name}")),
        (None, [_]) => None,
        (None, files) => Some(format!("write which of {} is meant", files.join(", "))),
    }
}

/// Code and a test that would notice, or a departure with its reason.
fn answered(row: &Row, findings: &mut Findings) {
    if !row.departures.is_empty() {
        return;
    }
    let Row { line, section, .. } = row;
    if row.places.is_empty() {
        findings.add(*line, format!("§{section}: neither code nor a departure is named"));
    }
    if row.tests.is_empty() {
        findings.add(*line, format!("§{section}: neither a test nor a departure is named"));
    }
}

/// The order of the RFC, so that a sentence that is missing can be seen.
fn in_order(document: &Document, findings: &mut Findings) {
    let key = |row: &Row| -> Vec<u32> {
        let number = row.section.rsplit(' ').next().unwrap_or_default();
        number.split('.').map(|part| part.parse().unwrap_or(u32::MAX)).collect()
    };
    for pair in document.rows.windows(2) {
        let [before, after] = pair else { continue };
        if before.group() == after.group() && key(before) > key(after) {
            let (late, early) = (&after.section, &before.section);
            findings.add(after.line, format!("§{late} stands behind §{early}: out of order"));
        }
    }
}

fn departures(document: &Document, sources: &Sources, findings: &mut Findings) {
    for (index, departure) in document.departures.iter().enumerate() {
        let (number, expected) = (departure.number, index + 1);
        if number != expected {
            findings.add(departure.line, format!("departure {number} stands as the {expected}."));
        }
        let spans = departure.spans.iter().map(|(line, span)| (*line, span.as_str()));
        let (places, others): (Vec<_>, Vec<_>) = spans.partition(|(_, span)| is_place(span));
        let tests: Vec<_> = others.into_iter().filter(|(_, span)| is_test(span)).collect();
        if tests.is_empty() {
            findings.add(departure.line, format!("departure {number} names no test"));
        }
        check_places(&places, sources, findings);
        check_tests(&tests, sources, findings);
    }
    let defined: BTreeSet<_> = document.departures.iter().map(|it| it.number).collect();
    let mut cited = BTreeSet::new();
    for row in &document.rows {
        for number in &row.departures {
            cited.insert(*number);
            if !defined.contains(number) {
                findings.add(row.line, format!("there is no departure {number}"));
            }
        }
    }
    for departure in document.departures.iter().filter(|it| !cited.contains(&it.number)) {
        let what = format!("departure {} is cited by no requirement", departure.number);
        findings.add(departure.line, what);
    }
}

/// In the prose of a departure other things stand in backticks, too.
fn is_place(span: &str) -> bool {
    span.split(':').next().is_some_and(|file| file.ends_with(".rs"))
}

/// Names of tests are sentences.
fn is_test(span: &str) -> bool {
    span.starts_with("s:") || span.matches('_').count() >= 3
}

/// Exactly as many rows as the head says: a row that went must be taken back there, too.
fn counts(document: &Document, findings: &mut Findings) {
    let mut counted = BTreeMap::<(String, Strength), usize>::new();
    for row in &document.rows {
        *counted.entry((row.group().to_owned(), row.strength)).or_default() += 1;
    }
    for ((group, strength), (line, declared)) in &document.declared {
        let count = counted.remove(&(group.clone(), *strength)).unwrap_or_default();
        if count != *declared {
            let what = format!("§{group}: {declared} {strength:?} rows declared, {count} found");
            findings.add(*line, what);
        }
    }
    for ((group, strength), count) in counted {
        findings.add(1, format!("§{group}: {count} {strength:?} rows, and none declared"));
    }
}

#[cfg(test)]
mod tests;
