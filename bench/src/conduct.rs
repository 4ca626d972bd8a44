//! Runs a line: every subject in turn, the order of a turn being the opposite of the one before. A
//! run that panics is a failed run, recorded with what it said; the others go on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use vipfleet_tests::lab::make_room_for;

use crate::line::{Effort, Line, Readings, Subject, Turn};
use crate::machine::{Machine, load_average};
use crate::record::{Record, Run};

/// Measures one line, with so many runs of each subject or as many as it asks for. `tell` hears of
/// every run as it ends.
pub fn conduct(
    line: &dyn Line,
    runs: Option<usize>,
    effort: Effort,
    machine: &Machine,
    mut tell: impl FnMut(&Run),
) -> Record {
    let rows = line.rows();
    let id = rows.first().map_or_else(String::new, |row| row.id.to_owned());
    let date = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (load_average, machine) = (load_average(), machine.clone());
    let order = order(line, runs, effort);
    let waiting = &Mutex::new(order.into_iter().enumerate());
    let (ended, ends) = mpsc::channel();
    let mut made = Vec::new();
    make_room_for(line.abreast());
    thread::scope(|scope| {
        for ended in vec![ended; line.abreast()] {
            scope.spawn(move || {
                let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some((place, (subject, turn))) = next() {
                    let outcome = catch_unwind(AssertUnwindSafe(|| line.run(subject, turn)));
                    let outcome: Result<Readings, String> = outcome.map_err(|panic| said(&*panic));
                    let run = Run { subject, outcome };
                    ended.send((place, run)).expect("somebody listens until all have ended");
                }
            });
        }
        for (place, run) in ends {
            tell(&run);
            made.push((place, run));
        }
    });
    made.sort_by_key(|(place, _)| *place);
    let runs = made.into_iter().map(|(_, run)| run).collect();
    Record { id, date, effort, load_average, machine, runs }
}

/// Who does it when. A subject with fewer runs than another has them spread among its.
fn order(line: &dyn Line, runs: Option<usize>, effort: Effort) -> Vec<(Subject, Turn)> {
    let count = |subject: &Subject| runs.unwrap_or_else(|| line.runs(*subject, effort));
    let most = line.subjects().iter().map(count).max().unwrap_or_default();
    let mut order = Vec::new();
    for round in 0..most {
        let mut subjects = line.subjects().to_vec();
        if round % 2 == 1 {
            subjects.reverse();
        }
        for subject in subjects {
            let of = count(&subject);
            let index = round * of / most;
            if (round + 1) * of / most > index {
                order.push((subject, Turn { index, of, effort }));
            }
        }
    }
    order
}

fn said(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|it| (*it).to_owned());
    let built = || panic.downcast_ref::<String>().cloned();
    literal.or_else(built).unwrap_or_else(|| "it panicked without a word".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::line::Subject::{Keepalived, Ours};
    use crate::line::{Row, Target, Unit};

    #[derive(Debug)]
    struct Fragile;

    impl Line for Fragile {
        fn rows(&self) -> Vec<Row> {
            let target = Target::Open;
            vec![Row { id: "X1", work: "breaks", unit: Unit::Count, limit: "", target }]
        }

        fn runs(&self, subject: Subject, effort: Effort) -> usize {
            effort.pick(2, if subject == Ours { 5 } else { 2 })
        }

        fn run(&self, subject: Subject, turn: Turn) -> Readings {
            assert!(subject == Ours || turn.index == 0, "broken at turn {}", turn.index);
            Readings::one("X1", turn.index as f64)
        }
    }

    fn measured(line: &dyn Line, effort: Effort) -> (Record, usize) {
        let mut told = 0;
        let record = conduct(line, None, effort, &Machine::default(), |_| told += 1);
        (record, told)
    }

    fn subjects(record: &Record) -> Vec<Subject> {
        record.runs.iter().map(|run| run.subject).collect()
    }

    #[test]
    fn subjects_alternate_and_a_panic_is_one_failed_run() {
        let (record, told) = measured(&Fragile, Effort::Quick);
        assert_eq!(subjects(&record), [Keepalived, Ours, Ours, Keepalived]);
        assert_eq!((record.id.as_str(), told), ("X1", 4));
        assert_eq!(record.readings("X1", Ours), [0.0, 1.0]);
        let failures: Vec<_> = record.failures().collect();
        assert_eq!(failures, [(Keepalived, "broken at turn 1")]);
    }

    #[test]
    fn fewer_runs_are_spread_among_more() {
        let (record, _) = measured(&Fragile, Effort::Full);
        assert_eq!(subjects(&record), [Ours, Ours, Keepalived, Ours, Ours, Keepalived, Ours]);
        assert_eq!(record.readings("X1", Ours), [0.0, 1.0, 2.0, 3.0, 4.0]);
        let same = conduct(&Fragile, Some(1), Effort::Full, &Machine::default(), |_| {});
        assert_eq!(subjects(&same), [Keepalived, Ours]);
    }

    /// Each of its runs waits until another one is under way.
    #[derive(Debug)]
    struct Sociable(Barrier);

    impl Line for Sociable {
        fn rows(&self) -> Vec<Row> {
            Fragile.rows()
        }

        fn runs(&self, _subject: Subject, _effort: Effort) -> usize {
            2
        }

        fn abreast(&self) -> usize {
            2
        }

        fn run(&self, _subject: Subject, turn: Turn) -> Readings {
            self.0.wait();
            Readings::one("X1", turn.index as f64)
        }
    }

    #[test]
    fn runs_abreast_are_recorded_in_their_order() {
        let (record, told) = measured(&Sociable(Barrier::new(2)), Effort::Full);
        assert_eq!((subjects(&record), told), (vec![Keepalived, Ours, Ours, Keepalived], 4));
        assert_eq!(record.readings("X1", Keepalived), [0.0, 1.0]);
    }
}
