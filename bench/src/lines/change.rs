//! C1: an operator changes a priority. Counted as `vipctl … --wait` takes, from its start until it
//! knows that the kernels of both members are as the change wants them.

use std::thread;
use std::time::{Duration, Instant};

use vipfleet_tests::daemons::Vipctl;
use vipfleet_tests::lab::Lab;

use crate::line::{Effort, Line, Readings, Row, Subject, Target, Turn, Unit, milliseconds};
use crate::scene::{Pair, settling};
use crate::setup::Setup;
use crate::statistics::percentile;

/// Between two changes, so that what one brings about is over before the next.
const CALM: Duration = Duration::from_millis(200);

#[derive(Debug)]
struct Change;

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    vec![Box::new(Change)]
}

impl Line for Change {
    fn rows(&self) -> Vec<Row> {
        let row = |id, work, target| {
            let limit = "a write and a push";
            Row { id, work, unit: Unit::Milliseconds, limit, target }
        };
        vec![
            row(
                "C1",
                "priority changed → observed in both kernels, embedded store: p50",
                Target::Median(50.0),
            ),
            row("C1 p99", "the same: p99", Target::Open),
            row(
                "C1 start",
                "of which: starting vipctl and asking the server one thing",
                Target::Open,
            ),
        ]
    }

    fn subjects(&self) -> &'static [Subject] {
        &[Subject::Ours]
    }

    fn runs(&self, _subject: Subject, effort: Effort) -> usize {
        effort.pick(1, 2)
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = Lab::pair();
        let setup = Setup::single(3, Duration::from_secs(1));
        let pair = Pair::start(&lab, subject, &setup);
        thread::sleep(settling(&setup));
        let Pair::Fleet(fleet) = &pair else { panic!("ours is a fleet") };
        let changes = turn.effort.pick(10, 50);
        let change = |number: u32| {
            thread::sleep(CALM);
            // Above the peer's: the VIP stays where it is.
            let priority = format!("lb1={}", 101 + number % 2);
            took(&fleet.vipctl, &["set", "instance", "VI_1", "--priority", &priority, "--wait"])
        };
        let changed: Vec<f64> = (0..changes).map(change).collect();
        let asked: Vec<f64> = (0..changes).map(|_| took(&fleet.vipctl, &["version"])).collect();
        let share = |times: &[f64], share| percentile(times, share).expect("some were made");
        Readings::one("C1", share(&changed, 0.5))
            .with("C1 p99", share(&changed, 0.99))
            .with("C1 start", share(&asked, 0.5))
    }
}

fn took(vipctl: &Vipctl<'_>, arguments: &[&str]) -> f64 {
    let began = Instant::now();
    vipctl.must(arguments);
    milliseconds(began.elapsed())
}
