//! Runs a line: every subject in turn, the order of a turn being the opposite of the one before. A
//! run that panics is a failed run, recorded with what it said; the others go on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::line::{Effort, Line, Readings, Turn};
use crate::machine::{Machine, load_average};
use crate::record::{Record, Run};

/// Measures one line. `tell` hears of every run as it ends.
pub fn conduct(
    line: &dyn Line,
    runs: usize,
    effort: Effort,
    machine: &Machine,
    mut tell: impl FnMut(&Run),
) -> Record {
    let rows = line.rows();
    let id = rows.first().map_or_else(String::new, |row| row.id.to_owned());
    let date = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (load_average, machine) = (load_average(), machine.clone());
    let mut record = Record { id, date, effort, load_average, machine, runs: Vec::new() };
    for index in 0..runs {
        let mut subjects = line.subjects().to_vec();
        if index % 2 == 1 {
            subjects.reverse();
        }
        for subject in subjects {
            let turn = Turn { index, of: runs, effort };
            let outcome = catch_unwind(AssertUnwindSafe(|| line.run(subject, turn)));
            let outcome: Result<Readings, String> = outcome.map_err(|panic| said(&*panic));
            let run = Run { subject, outcome };
            tell(&run);
            record.runs.push(run);
        }
    }
    record
}

fn said(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|it| (*it).to_owned());
    let built = || panic.downcast_ref::<String>().cloned();
    literal.or_else(built).unwrap_or_else(|| "it panicked without a word".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Subject::{self, Keepalived, Ours};
    use crate::line::{Row, Target, Unit};

    #[derive(Debug)]
    struct Fragile;

    impl Line for Fragile {
        fn rows(&self) -> Vec<Row> {
            let target = Target::Open;
            vec![Row { id: "X1", work: "breaks", unit: Unit::Count, limit: "", target }]
        }

        fn runs(&self, _effort: Effort) -> usize {
            2
        }

        fn run(&self, subject: Subject, turn: Turn) -> Readings {
            assert!(subject == Ours || turn.index == 0, "broken at turn {}", turn.index);
            Readings::one("X1", turn.index as f64)
        }
    }

    #[test]
    fn subjects_alternate_and_a_panic_is_one_failed_run() {
        let mut told = 0;
        let record = conduct(&Fragile, 2, Effort::Quick, &Machine::default(), |_| told += 1);
        let order: Vec<Subject> = record.runs.iter().map(|run| run.subject).collect();
        assert_eq!(order, [Keepalived, Ours, Ours, Keepalived]);
        assert_eq!((record.id.as_str(), told), ("X1", 4));
        assert_eq!(record.readings("X1", Ours), [0.0, 1.0]);
        let failures: Vec<_> = record.failures().collect();
        assert_eq!(failures, [(Keepalived, "broken at turn 1")]);
    }
}
