//! F1 to F3, and over IPv6: a host is gone without a word, its bridge port detached. Counted from
//! the last advert that passed the wire to the first echo that the peer answers.

use std::thread;
use std::time::{Duration, Instant};

use vipfleet_tests::kernel;
use vipfleet_tests::probe::{Advert, AdvertWatch, Gap};
use vipfleet_tests::wait;

use crate::clients::{Beside, Clients};
use crate::line::{
    ABREAST, Effort, Line, Readings, Row, Subject, Target, Turn, Unit, milliseconds,
};
use crate::scene::{Pair, laboratory, settling};
use crate::setup::{Family, Role, Setup};

/// How long clients ask before and after.
const MARGIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Silent {
    row: Row,
    beside: Beside,
    setup: Setup,
}

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    let line = |id, work, limit, factor, beside, setup| {
        let (unit, target) = (Unit::Milliseconds, Target::OfKeepalived(factor));
        let row = Row { id, work, unit, limit, target };
        Box::new(Silent { row, beside, setup }) as Box<dyn Line>
    };
    let [second, tenth, hundredth] = [1000, 100, 10].map(Duration::from_millis);
    let over_ipv6 = |interval| Setup { family: Family::Six, ..Setup::single(3, interval) };
    vec![
        line(
            "F1",
            "silent host death, v2, 1 s: outage",
            "3,000 ms",
            0.9,
            Beside::rows_of("F1 cold", "F1 new TCP", "F1 open TCP"),
            Setup::single(2, second),
        ),
        line(
            "F2",
            "silent host death, v3, 100 ms: outage",
            "300 ms",
            0.9,
            Beside::rows_of("F2 cold", "F2 new TCP", "F2 open TCP"),
            Setup::single(3, tenth),
        ),
        line(
            "F3",
            "silent host death, v3, 10 ms: outage",
            "30 ms",
            1.0,
            Beside::rows_of("F3 cold", "F3 new TCP", "F3 open TCP"),
            Setup::single(3, hundredth),
        ),
        line(
            "F1 IPv6",
            "silent host death, IPv6, 1 s: outage",
            "3,000 ms",
            0.9,
            Beside::rows_of("F1 IPv6 cold", "F1 IPv6 new TCP", "F1 IPv6 open TCP"),
            over_ipv6(second),
        ),
        line(
            "F2 IPv6",
            "silent host death, IPv6, 100 ms: outage",
            "300 ms",
            0.9,
            Beside::rows_of("F2 IPv6 cold", "F2 IPv6 new TCP", "F2 IPv6 open TCP"),
            over_ipv6(tenth),
        ),
    ]
}

impl Line for Silent {
    fn rows(&self) -> Vec<Row> {
        std::iter::once(self.row.clone()).chain(self.beside.rows()).collect()
    }

    fn runs(&self, _subject: Subject, effort: Effort) -> usize {
        match self.setup.family {
            Family::Four => effort.pick(1, 5),
            Family::Six => effort.pick(1, 3),
        }
    }

    fn abreast(&self) -> usize {
        // Of three intervals of 10 ms each millisecond counts.
        if self.setup.interval < Duration::from_millis(100) { 1 } else { ABREAST }
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = laboratory(&self.setup);
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
        let gap = longest.expect("n1 had the VIP: its end is a gap");
        let answered = found.began + gap.start + gap.length;
        assert!(answered < ended, "the client never reached the peer: {}", found.warm);
        let heard = adverts.heard();
        let of_the_dead = |advert: &&Advert| advert.priority == Role::Higher.priority();
        let last = heard.iter().rfind(of_the_dead).expect("it advertised");
        let outage = answered.saturating_duration_since(last.at);
        let readings = Readings::one(self.row.id, milliseconds(outage)).with_gaps([gap.length]);
        self.beside.readings(&found, readings)
    }
}
