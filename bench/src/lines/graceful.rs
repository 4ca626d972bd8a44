//! F4 and F5: the master is stopped as an operator would stop it, with SIGTERM.

use std::thread;
use std::time::Duration;

use vipfleet_tests::kernel;
use vipfleet_tests::wait;

use crate::clients::{Beside, Clients};
use crate::line::{ABREAST, Effort, Line, Readings, Row, Subject, Target, Turn, Unit};
use crate::scene::{Pair, laboratory, settling};
use crate::setup::{Family, Setup};

/// How long clients ask before.
const MARGIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Graceful {
    row: Row,
    beside: Beside,
    setup: Setup,
}

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    let line = |id, work, beside, setup| {
        let row = Row { id, work, unit: Unit::Count, limit: "0", target: Target::Every(0.0) };
        Box::new(Graceful { row, beside, setup }) as Box<dyn Line>
    };
    let [second, tenth] = [1000, 100].map(Duration::from_millis);
    let over_ipv6 = |interval| Setup { family: Family::Six, ..Setup::single(3, interval) };
    vec![
        line(
            "F4",
            "graceful stop, v2, 1 s: echoes lost",
            Beside::rows_of("F4 cold", "F4 new TCP", "F4 open TCP"),
            Setup::single(2, second),
        ),
        line(
            "F5",
            "graceful stop, v3, 100 ms: echoes lost",
            Beside::rows_of("F5 cold", "F5 new TCP", "F5 open TCP"),
            Setup::single(3, tenth),
        ),
        line(
            "F4 IPv6",
            "graceful stop, IPv6, 1 s: echoes lost",
            Beside::rows_of("F4 IPv6 cold", "F4 IPv6 new TCP", "F4 IPv6 open TCP"),
            over_ipv6(second),
        ),
        line(
            "F5 IPv6",
            "graceful stop, IPv6, 100 ms: echoes lost",
            Beside::rows_of("F5 IPv6 cold", "F5 IPv6 new TCP", "F5 IPv6 open TCP"),
            over_ipv6(tenth),
        ),
    ]
}

impl Line for Graceful {
    fn rows(&self) -> Vec<Row> {
        std::iter::once(self.row.clone()).chain(self.beside.rows()).collect()
    }

    fn runs(&self, subject: Subject, effort: Effort) -> usize {
        match (subject, self.setup.family) {
            (Subject::Ours, Family::Four) => effort.pick(1, 10),
            _ => effort.pick(1, 3),
        }
    }

    fn abreast(&self) -> usize {
        ABREAST
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = laboratory(&self.setup);
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
