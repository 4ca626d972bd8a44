//! The table: rows and records to text, for a terminal and for a Markdown document. Pure.

use std::fmt::Write;

use crate::line::{Row, Subject, Target, Unit};
use crate::record::Record;
use crate::statistics::Spread;

const HEAD: [&str; 9] =
    ["", "work", "keepalived", "ours", "ratio", "yardstick", "limit", "target", "met"];

/// One rendered row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cells([String; 9]);

/// The cells of a row of `record`.
pub fn cells(row: &Row, record: &Record) -> Cells {
    let spread = |subject| Spread::of(&record.readings(row.id, subject));
    let [theirs, ours, yardstick] =
        [Subject::Keepalived, Subject::Ours, Subject::Yardstick].map(spread);
    let shown = |spread: Option<Spread>| spread.map_or(String::new(), |it| show(it, row.unit));
    Cells([
        row.id.to_owned(),
        row.work.to_owned(),
        shown(theirs),
        shown(ours),
        ratio(ours, theirs.or(yardstick)).map_or(String::new(), |it| format!("{it:.2}")),
        shown(yardstick),
        row.limit.to_owned(),
        target(row),
        verdict(row, record).word().to_owned(),
    ])
}

/// Whether a target is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Met,
    /// It is not.
    Missed,
    /// Nothing is asked.
    Open,
    /// A run went wrong, or what it is compared with was not measured.
    Unknown,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Met => "yes",
            Self::Missed => "**no**",
            Self::Open => "",
            Self::Unknown => "?",
        }
    }
}

/// Judges one row. A run of ours that went wrong is never a target met.
pub fn verdict(row: &Row, record: &Record) -> Verdict {
    let spread = |subject| Spread::of(&record.readings(row.id, subject));
    let ours = spread(Subject::Ours);
    let bound = match row.target {
        Target::Open => return Verdict::Open,
        Target::OfKeepalived(factor) => spread(Subject::Keepalived).map(|it| it.median * factor),
        Target::OfYardstick(factor) => spread(Subject::Yardstick).map(|it| it.median * factor),
        Target::Median(bound) | Target::Every(bound) => Some(bound),
    };
    let (Some(ours), Some(bound)) = (ours, bound) else { return Verdict::Unknown };
    let judged = if let Target::Every(_) = row.target { ours.maximum } else { ours.median };
    let failed = record.failures().any(|(subject, _)| subject == Subject::Ours);
    match (judged <= bound, failed) {
        (false, _) => Verdict::Missed,
        (true, true) => Verdict::Unknown,
        (true, false) => Verdict::Met,
    }
}

/// Ours to theirs, of the medians; None when there is nothing to divide by.
fn ratio(ours: Option<Spread>, theirs: Option<Spread>) -> Option<f64> {
    let theirs = theirs?.median;
    (theirs > 0.0).then_some(ours?.median / theirs)
}

fn target(row: &Row) -> String {
    let with_unit = |bound: f64| match row.unit.symbol() {
        "" => number(bound),
        symbol => format!("{} {symbol}", number(bound)),
    };
    match row.target {
        Target::OfKeepalived(factor) => format!("≤ {factor} × keepalived"),
        Target::OfYardstick(factor) => format!("≤ {factor} × yardstick"),
        Target::Median(bound) => format!("median ≤ {}", with_unit(bound)),
        Target::Every(0.0) => "0".to_owned(),
        Target::Every(bound) => format!("≤ {}", with_unit(bound)),
        Target::Open => String::new(),
    }
}

fn show(spread: Spread, unit: Unit) -> String {
    let Spread { minimum, median, maximum } = spread;
    let all = [minimum, median, maximum].map(number).join(" / ");
    if unit.symbol().is_empty() { all } else { format!("{all} {}", unit.symbol()) }
}

/// Three significant digits are more than a machine repeats.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 99.95 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else if magnitude >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// For a document.
pub fn markdown(rows: &[Cells]) -> String {
    columns(rows, HEAD.len())
}

/// For a document: rows of which nothing is asked.
pub fn markdown_beside(rows: &[Cells]) -> String {
    let limit = HEAD.iter().position(|head| *head == "limit");
    columns(rows, limit.unwrap_or(HEAD.len()))
}

fn columns(rows: &[Cells], count: usize) -> String {
    let mut text = format!("| {} |\n", HEAD[..count].join(" | "));
    text.push_str(&format!("|{}\n", "---|".repeat(count)));
    for Cells(cells) in rows {
        writeln!(text, "| {} |", cells[..count].join(" | ")).expect("a String takes all");
    }
    text
}

/// For a terminal: columns without limits, which the document explains.
pub fn terminal(rows: &[Cells]) -> String {
    const SHOWN: [usize; 8] = [0, 1, 2, 3, 4, 5, 7, 8];
    let head = HEAD.map(str::to_owned);
    let lines: Vec<&[String; 9]> =
        std::iter::once(&head).chain(rows.iter().map(|Cells(cells)| cells)).collect();
    let width = |column: usize| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let widths = SHOWN.map(width);
    let mut text = String::new();
    for line in lines {
        let padded = SHOWN.iter().zip(widths).map(|(column, width)| {
            let cell = line[*column].replace("**", "");
            format!("{cell:width$}")
        });
        let padded: Vec<String> = padded.collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Run;
    use crate::record::tests::record;

    fn row(target: Target) -> Row {
        Row { id: "F1", work: "dies", unit: Unit::Milliseconds, limit: "3 s", target }
    }

    #[test]
    fn a_row_shows_the_spreads_the_ratio_and_whether_the_target_is_met() {
        let record = record(&[300.0, 100.0, 200.0], &[90.0, 110.7, 9.25]);
        let shown = markdown(&[cells(&row(Target::OfKeepalived(0.9)), &record)]);
        let last = shown.lines().last().unwrap();
        assert_eq!(
            last,
            "| F1 | dies | 100 / 200 / 300 ms | 9.25 / 90 / 111 ms | 0.45 |  | 3 s | \
             ≤ 0.9 × keepalived | yes |"
        );
        assert!(shown.lines().all(|line| line.matches('|').count() == 10), "{shown}");
    }

    #[test]
    fn a_median_may_be_met_where_the_worst_run_is_not() {
        let record = record(&[], &[1.0, 2.0, 30.0]);
        assert_eq!(verdict(&row(Target::Median(20.0)), &record), Verdict::Met);
        assert_eq!(verdict(&row(Target::Every(20.0)), &record), Verdict::Missed);
        assert_eq!(verdict(&row(Target::OfKeepalived(1.0)), &record), Verdict::Unknown);
        assert_eq!(verdict(&row(Target::Open), &record), Verdict::Open);
    }

    #[test]
    fn a_run_of_ours_that_went_wrong_is_never_a_target_met() {
        let mut record = record(&[5.0], &[1.0]);
        record.runs.push(Run { subject: Subject::Keepalived, outcome: Err("theirs".into()) });
        assert_eq!(verdict(&row(Target::Every(2.0)), &record), Verdict::Met);
        record.runs.push(Run { subject: Subject::Ours, outcome: Err("ours".into()) });
        assert_eq!(verdict(&row(Target::Every(2.0)), &record), Verdict::Unknown);
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let record = record(&[0.0], &[0.0]);
        let Cells(cells) = cells(&row(Target::Every(0.0)), &record);
        assert_eq!((cells[4].as_str(), cells[7].as_str(), cells[8].as_str()), ("", "0", "yes"));
    }

    #[test]
    fn a_terminal_has_aligned_columns() {
        let record = record(&[300.0], &[90.0]);
        let row = Row { work: "ein Wirt fällt aus", ..row(Target::Every(100.0)) };
        let shown = terminal(&[cells(&row, &record)]);
        let column = |line: &str, of: &str| line.split(of).next().unwrap().chars().count();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(column(lines[0], "keepalived"), column(lines[1], "300"));
    }
}
