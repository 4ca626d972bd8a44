//! `docs/benchmarks.md`: the table with where, when and how it was measured. Pure.

use std::fmt::Write;

use crate::line::{Effort, Row, Subject, Target};
use crate::record::Record;
use crate::table::{self, Cells};

/// Where the document is, relative to the root of the checkout.
pub const PATH: &str = "docs/benchmarks.md";
/// Where its chart is.
pub const CHART: &str = "docs/benchmarks.svg";

const HEAD: &str = "\
# Measured beside keepalived

Written by `make bench`; not to be edited. `make bench ONLY=F4` measures one line and prints it,
`QUICK=1` measures the most telling ones in five minutes; `target/bench` keeps every reading. The
soaks take ten minutes each and are measured only by name: `make bench ONLY=SOAK,SOAK-FLEET`.

The laboratory is a bridge without spanning tree and network namespaces on one machine: hosts `n1`
(priority 100) and `n2` (80), a client, interface `ens33`, 192.168.248.0/24. keepalived is Debian's,
without detailed logging; ours is the release build. Both take turns in one run, and a figure is
minimum / median / maximum of its runs. Where only waiting and echoes count (F1, F2, F4 to F10)
up to seven runs are made at once, each in a laboratory of its own. Absolute times drift from
machine to machine: **compare the ratios**, ours to keepalived's (where it has no such thing, to the
yardstick's).

Clients send an ICMP echo each millisecond; a gap is a run of unanswered ones. F1 to F3 count from
the last advert on the wire, so that the phase of the death within an interval is left out. S1 to S3
are processor time of the whole machine, all threads of the kernel included, less what it takes idle
and what the bench itself and programs take that ran before (`?` when other work keeps it busy), and
beside it that of the processes alone. The kernel's workers count with what they take in the median
second. The yardstick is the least that the work costs by other means: a bare loop of `sendmmsg`
(S1, S3), `ip -batch` (S4), raw etcd (C2).
";

/// The load average that lines themselves leave behind.
const QUIET: f64 = 3.0;

/// The whole document. Every record comes with the rows of its line.
pub fn render(measured: &[(Vec<Row>, Record)]) -> String {
    let mut text = String::from(HEAD);
    conditions(&mut text, measured);
    company(&mut text, measured);
    let cells = |asked: bool| -> Vec<Cells> {
        let rows =
            measured.iter().flat_map(|(rows, record)| rows.iter().map(move |it| (it, record)));
        let wanted = rows.filter(|(row, _)| (row.target != Target::Open) == asked);
        wanted.map(|(row, record)| table::cells(row, record)).collect()
    };
    write!(text, "\n{}", table::markdown(&cells(true))).expect("a String takes all");
    text.push_str("\n![The longest gap of each run](benchmarks.svg)\n");
    let beside = cells(false);
    if !beside.is_empty() {
        let table = table::markdown_beside(&beside);
        write!(text, "\n## Beside them\n\nMeasured in the same runs, with no target.\n\n{table}")
            .expect("a String takes all");
    }
    failures(&mut text, measured);
    text
}

fn conditions(text: &mut String, measured: &[(Vec<Row>, Record)]) {
    let mut seen: Vec<&Record> = Vec::new();
    for (_, record) in measured {
        let same = |it: &&Record| it.machine == record.machine && day(it) == day(record);
        if !seen.iter().any(same) {
            seen.push(record);
        }
    }
    for record in seen {
        let machine = &record.machine;
        let versions = machine.versions.join(", ");
        write!(
            text,
            "\nMeasured on {}: {}, {} GiB, Linux {}; {versions}.\n",
            day(record),
            machine.processor,
            machine.memory,
            machine.kernel
        )
        .expect("a String takes all");
    }
    let quick = measured.iter().filter(|(_, record)| record.effort == Effort::Quick);
    let quick: Vec<&str> = quick.map(|(_, record)| record.id.as_str()).collect();
    if !quick.is_empty() {
        let what = if quick.len() == measured.len() { "all".into() } else { quick.join(", ") };
        writeln!(text, "\nMeasured in a hurry (`QUICK=1`): {what}.").expect("a String takes all");
    }
}

fn company(text: &mut String, measured: &[(Vec<Row>, Record)]) {
    let busy = measured.iter().filter(|(_, record)| record.load_average > QUIET);
    let ids: Vec<&str> = busy.clone().map(|(_, record)| record.id.as_str()).collect();
    let most = busy.map(|(_, record)| record.load_average).fold(0.0, f64::max);
    if !ids.is_empty() {
        let what = if ids.len() == measured.len() { "every line".into() } else { ids.join(", ") };
        writeln!(
            text,
            "\nOther work was on the machine (load average up to {most:.1}) during {what}: there, \
             processor time of the whole machine says nothing, and a ratio little."
        )
        .expect("a String takes all");
    }
}

fn failures(text: &mut String, measured: &[(Vec<Row>, Record)]) {
    let failed: Vec<String> = measured
        .iter()
        .flat_map(|(_, record)| {
            record.failures().map(|(subject, why)| {
                let who = match subject {
                    Subject::Keepalived => "keepalived",
                    Subject::Ours => "ours",
                    Subject::Yardstick => "the yardstick",
                };
                format!("* {}, {who}: {}", record.id, told_shortly(why))
            })
        })
        .collect();
    if !failed.is_empty() {
        let list = failed.join("\n");
        write!(text, "\nRuns that went wrong, and are in no figure:\n\n{list}\n")
            .expect("a String takes all");
    }
}

/// What a run said in one line: how it begins, and how a long one ends.
fn told_shortly(why: &str) -> String {
    const BEGINNING: usize = 80;
    const END: usize = 160;
    let words = why.split_whitespace().collect::<Vec<_>>().join(" ");
    let cells: Vec<char> = words.chars().collect();
    if cells.len() <= BEGINNING + END {
        return words;
    }
    let text = |part: &[char]| part.iter().collect::<String>();
    format!("{} … {}", text(&cells[..BEGINNING]), text(&cells[cells.len() - END..]))
}

fn day(record: &Record) -> &str {
    record.date.split('T').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Unit;
    use crate::record::Run;
    use crate::record::tests::record;

    fn row() -> Row {
        let target = Target::OfKeepalived(0.9);
        Row { id: "F1", work: "a host dies", unit: Unit::Milliseconds, limit: "", target }
    }

    #[test]
    fn the_document_says_where_and_when_and_has_every_row() {
        let mut measured = record(&[300.0], &[90.0]);
        measured.machine.processor = "2 × abacus".into();
        let text = render(&[(vec![row()], measured)]);
        assert!(text.contains("Measured on 2026-01-02: 2 × abacus"), "{text}");
        assert!(text.contains("| F1 | a host dies | 300 / 300 / 300 ms |"), "{text}");
        assert!(!text.contains("went wrong") && !text.contains("in a hurry"), "{text}");
    }

    #[test]
    fn rows_without_a_target_are_in_a_table_of_their_own() {
        let measured = record(&[300.0], &[90.0]);
        let beside = Row { target: Target::Open, ..row() };
        let text = render(&[(vec![row(), beside], measured)]);
        let (asked, open) = text.split_once("## Beside them").unwrap();
        assert_eq!(asked.matches("| F1 |").count(), 1);
        assert!(open.contains("| F1 | a host dies | 300 / 300 / 300 ms |"), "{open}");
        assert!(!open.contains("target |"), "{open}");
    }

    #[test]
    fn other_work_on_the_machine_is_told() {
        let mut measured = record(&[300.0], &[90.0]);
        assert!(!render(&[(vec![row()], measured.clone())]).contains("Other work"));
        measured.load_average = 7.25;
        let text = render(&[(vec![row()], measured)]);
        assert!(text.contains("(load average up to 7.2) during every line"), "{text}");
    }

    #[test]
    fn runs_that_went_wrong_and_hurried_lines_are_named() {
        let mut measured = record(&[300.0], &[90.0]);
        measured.effort = Effort::Quick;
        measured.runs.push(Run { subject: Subject::Ours, outcome: Err("no VIP\nlog".into()) });
        let text = render(&[(vec![row()], measured)]);
        assert!(text.ends_with("\n\n* F1, ours: no VIP log\n"), "{text}");
        assert!(text.contains("(`QUICK=1`): all."), "{text}");
        let long = told_shortly(&format!("gone: {} at last é", "é ".repeat(300)));
        assert!(long.starts_with("gone: é") && long.ends_with("at last é"), "{long}");
        assert_eq!(long.chars().count(), 243);
    }
}
