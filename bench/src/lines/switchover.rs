//! F9: an operator moves a VIP to the other host and back, with `vipctl switchover`. keepalived has
//! no such verb.

use std::thread;
use std::time::{Duration, Instant};

use vipfleet_tests::lab::Lab;
use vipfleet_tests::probe::{Neighbour, Pinger};

use crate::line::{
    ABREAST, Effort, Line, Readings, Row, Subject, Target, Turn, Unit, milliseconds,
};
use crate::scene::{Pair, settling, wait_for_all};
use crate::setup::Setup;

/// How long clients ask before each move and after.
const MARGIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Switchover {
    row: Row,
    took: &'static str,
    interval: Duration,
}

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    let line = |id, took, work, milliseconds| {
        let row = Row { id, work, unit: Unit::Count, limit: "0", target: Target::Every(0.0) };
        let interval = Duration::from_millis(milliseconds);
        Box::new(Switchover { row, took, interval }) as Box<dyn Line>
    };
    vec![
        line("F9", "F9 took", "planned switchover and back, 1 s: echoes lost", 1000),
        line("F9 100ms", "F9 100ms took", "planned switchover and back, 100 ms: echoes lost", 100),
    ]
}

impl Line for Switchover {
    fn rows(&self) -> Vec<Row> {
        let (unit, target) = (Unit::Milliseconds, Target::Open);
        let work = "the same: until the command knows that the VIP has moved";
        vec![self.row.clone(), Row { id: self.took, work, unit, limit: "", target }]
    }

    fn subjects(&self) -> &'static [Subject] {
        &[Subject::Ours]
    }

    fn runs(&self, _subject: Subject, effort: Effort) -> usize {
        effort.pick(1, 10)
    }

    fn abreast(&self) -> usize {
        ABREAST
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = Lab::pair();
        let setup = Setup::single(3, self.interval);
        let pair = Pair::start(&lab, subject, &setup);
        thread::sleep(settling(&setup));
        let Pair::Fleet(fleet) = &pair else { panic!("ours is a fleet") };
        let pinger = Pinger::start(lab.host("client"), setup.vip(), Neighbour::Warm);
        thread::sleep(MARGIN + turn.phase(self.interval));
        let began = Instant::now();
        fleet.vipctl.must(&["switchover", "VI_1", "--to", "lb2", "--wait"]);
        let took = began.elapsed();
        wait_for_all(lab.host("n2"), &setup);
        thread::sleep(MARGIN);
        fleet.vipctl.must(&["switchover", "VI_1", "--clear", "--wait"]);
        wait_for_all(lab.host("n1"), &setup);
        thread::sleep(MARGIN);
        let losses = pinger.finish();
        Readings::one(self.row.id, losses.lost as f64)
            .with(self.took, milliseconds(took))
            .with_gaps(losses.gaps.iter().map(|gap| gap.length).max())
    }
}
