//! F4 and F5: the master is stopped as an operator would stop it, with SIGTERM.

use std::thread;
use std::time::Duration;

use vipfleet_tests::kernel;
use vipfleet_tests::lab::Lab;
use vipfleet_tests::wait;

use crate::clients::{Beside, Clients};
use crate::line::{Effort, Line, Readings, Row, Subject, Target, Turn, Unit};
use crate::scene::{Pair, settling};
use crate::setup::Setup;

/// How long clients ask before.
const MARGIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Graceful {
    row: Row,
    beside: Beside,
    setup: Setup,
}

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    let row = |id, work| {
        let (unit, target) = (Unit::Count, Target::Every(0.0));
        Row { id, work, unit, limit: "0", target }
    };
    let setup = |version, milliseconds| Setup::single(version, Duration::from_millis(milliseconds));
    let lines = [
        Graceful {
            row: row("F4", "graceful stop, v2, 1 s: echoes lost"),
            beside: Beside { cold: "F4 cold", newcomers: "F4 new TCP", regulars: "F4 open TCP" },
            setup: setup(2, 1000),
        },
        Graceful {
            row: row("F5", "graceful stop, v3, 100 ms: echoes lost"),
            beside: Beside { cold: "F5 cold", newcomers: "F5 new TCP", regulars: "F5 open TCP" },
            setup: setup(3, 100),
        },
    ];
    lines.into_iter().map(|line| Box::new(line) as Box<dyn Line>).collect()
}

impl Line for Graceful {
    fn rows(&self) -> Vec<Row> {
        std::iter::once(self.row.clone()).chain(self.beside.rows()).collect()
    }

    fn runs(&self, effort: Effort) -> usize {
        effort.pick(1, 10)
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = Lab::pair();
        let vip = self.setup.vip();
        let mut pair = Pair::start(&lab, subject, &self.setup);
        thread::sleep(settling(&self.setup));
        let clients = Clients::start(&lab, vip);
        thread::sleep(MARGIN + turn.phase(self.setup.interval));
        let [first, _] = pair.processes();
        first.terminate();
        let held = || kernel::owners(&lab, vip);
        wait::until("the peer alone to own the VIP", wait::GENEROUS, held, |it| *it == ["n2"]);
        // In a full run past the second announcement, 5 s later.
        thread::sleep(turn.effort.pick(MARGIN, Duration::from_millis(5500)));
        let found = clients.finish();
        let readings = Readings::one(self.row.id, found.warm.lost as f64)
            .with_gaps(found.warm.gaps.iter().map(|gap| gap.length).max());
        self.beside.readings(&found, readings)
    }
}
