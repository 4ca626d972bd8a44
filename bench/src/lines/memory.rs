//! S5: what 250 instances keep resident, everything that the program started included.

use std::thread;
use std::time::Duration;

use vipfleet_tests::lab::Lab;

use crate::accounts::resident;
use crate::line::{Effort, Line, Readings, Row, Subject, Target, Turn, Unit};
use crate::scene::Pair;
use crate::setup::Setup;

/// Past the second announcement of a new master.
const SETTLING: Duration = Duration::from_secs(7);

#[derive(Debug)]
struct Memory;

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    vec![Box::new(Memory)]
}

impl Line for Memory {
    fn rows(&self) -> Vec<Row> {
        let row = |id, work, target| Row { id, work, unit: Unit::Megabytes, limit: "", target };
        vec![
            row("S5", "250 masters under a server: resident memory", Target::Every(24.0)),
            row("S5 backup", "250 backups under a server: resident memory", Target::Every(24.0)),
            row("S5 server", "their server: resident memory", Target::Open),
        ]
    }

    fn runs(&self, _subject: Subject, effort: Effort) -> usize {
        effort.pick(1, 1)
    }

    fn run(&self, subject: Subject, _turn: Turn) -> Readings {
        let lab = Lab::pair();
        let setup = Setup::many(1, Duration::from_secs(1));
        let mut pair = Pair::start(&lab, subject, &setup);
        thread::sleep(SETTLING);
        let [first, second] = pair.processes().map(|process| resident(process.pid()));
        let readings = Readings::one("S5", first).with("S5 backup", second);
        match &mut pair {
            Pair::Fleet(fleet) => {
                readings.with("S5 server", resident(fleet.server.process().pid()))
            }
            Pair::Keepalived(_) | Pair::Standalone(_) => readings,
        }
    }
}
