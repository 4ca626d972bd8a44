//! F1 to F3: a host is gone without a word, its bridge port detached. Counted from the last advert
//! that passed the wire to the first echo that the peer answers.

use std::thread;
use std::time::{Duration, Instant};

use vipfleet_tests::kernel;
use vipfleet_tests::lab::Lab;
use vipfleet_tests::probe::{AdvertWatch, Gap};
use vipfleet_tests::wait;

use crate::clients::{Beside, Clients};
use crate::line::{Effort, Line, Readings, Row, Subject, Target, Turn, Unit, milliseconds};
use crate::scene::{Pair, settling};
use crate::setup::Setup;

/// How long clients ask before and after.
const MARGIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Silent {
    row: Row,
    beside: Beside,
    setup: Setup,
}

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    let row = |id, work, limit, factor| {
        let (unit, target) = (Unit::Milliseconds, Target::OfKeepalived(factor));
        Row { id, work, unit, limit, target }
    };
    let setup = |version, milliseconds| Setup::single(version, Duration::from_millis(milliseconds));
    let lines = [
        Silent {
            beside: Beside { cold: "F1 cold", newcomers: "F1 new TCP", regulars: "F1 open TCP" },
            row: row("F1", "silent host death, v2, 1 s: outage", "3,000 ms", 0.9),
            setup: setup(2, 1000),
        },
        Silent {
            beside: Beside { cold: "F2 cold", newcomers: "F2 new TCP", regulars: "F2 open TCP" },
            row: row("F2", "silent host death, v3, 100 ms: outage", "300 ms", 0.9),
            setup: setup(3, 100),
        },
        Silent {
            beside: Beside { cold: "F3 cold", newcomers: "F3 new TCP", regulars: "F3 open TCP" },
            row: row("F3", "silent host death, v3, 10 ms: outage", "30 ms", 1.0),
            setup: setup(3, 10),
        },
    ];
    lines.into_iter().map(|line| Box::new(line) as Box<dyn Line>).collect()
}

impl Line for Silent {
    fn rows(&self) -> Vec<Row> {
        std::iter::once(self.row.clone()).chain(self.beside.rows()).collect()
    }

    fn runs(&self, effort: Effort) -> usize {
        effort.pick(1, 5)
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = Lab::pair();
        let vip = self.setup.vip();
        let _pair = Pair::start(&lab, subject, &self.setup);
        thread::sleep(settling(&self.setup));
        let adverts = AdvertWatch::start(lab.host("client"), vip);
        let clients = Clients::start(&lab, vip);
        thread::sleep(MARGIN.max(self.setup.interval) + turn.phase(self.setup.interval));
        lab.detach("n1");
        let held = || kernel::holds(lab.host("n2"), vip);
        wait::until("the peer to take over", wait::GENEROUS, held, |held| *held);
        thread::sleep(MARGIN);
        let ended = Instant::now();
        let found = clients.finish();
        let gaps = found.warm.gaps.iter().copied();
        let longest: Option<Gap> = gaps.max_by_key(|gap| gap.length);
        let gap = longest.expect("a host that is gone answers nothing");
        let answered = found.began + gap.start + gap.length;
        assert!(answered < ended, "the client never reached the peer: {}", found.warm);
        let dead = lab.host("n1").address();
        let heard = adverts.heard();
        let last = heard.iter().rfind(|advert| advert.source == dead).expect("it advertised");
        let outage = answered.saturating_duration_since(last.at);
        let readings = Readings::one(self.row.id, milliseconds(outage)).with_gaps([gap.length]);
        self.beside.readings(&found, readings)
    }
}
