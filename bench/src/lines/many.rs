//! S4: the host that has 1,000 VIPs is gone. Counted in the peer's kernel, from the first of them
//! to the last; the yardstick is `ip -batch` adding as many.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use vipfleet_tests::kernel::{AddressWatch, Change};
use vipfleet_tests::lab::{Host, INTERFACE, Lab};

use crate::line::{Effort, Line, Readings, Row, Subject, Target, Turn, Unit, milliseconds};
use crate::scene::{Pair, wait_for_all};
use crate::setup::Setup;

/// Past the second announcement of a new master.
const SETTLING: Duration = Duration::from_secs(7);

#[derive(Debug)]
struct Many {
    row: Row,
    setup: Setup,
}

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    let line = |id, work, target, interval| {
        let row = Row { id, work, unit: Unit::Milliseconds, limit: "the yardstick", target };
        Box::new(Many { row, setup: Setup::many(4, interval) }) as Box<dyn Line>
    };
    vec![
        line(
            "S4",
            "1,000 VIPs of 250 instances move, 100 ms: first to last",
            Target::OfYardstick(1.2),
            Duration::from_millis(100),
        ),
        line("S4 1s", "the same, 1 s", Target::Open, Duration::from_secs(1)),
    ]
}

impl Line for Many {
    fn rows(&self) -> Vec<Row> {
        vec![self.row.clone()]
    }

    fn subjects(&self) -> &'static [Subject] {
        &[Subject::Keepalived, Subject::Ours, Subject::Yardstick]
    }

    fn runs(&self, _subject: Subject, effort: Effort) -> usize {
        effort.pick(1, if self.row.target == Target::Open { 2 } else { 5 })
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = Lab::pair();
        let heir = lab.host("n2");
        let watch = AddressWatch::start(heir);
        if subject == Subject::Yardstick {
            return Readings::one(self.row.id, self.batch(heir, &watch));
        }
        let _pair = Pair::start_standalone(&lab, subject, &self.setup);
        thread::sleep(SETTLING + turn.phase(self.setup.interval));
        let dead = Instant::now();
        lab.detach("n1");
        wait_for_all(heir, &self.setup);
        Readings::one(self.row.id, spread(&watch, dead, self.setup.vips().count()))
    }
}

impl Many {
    fn batch(&self, host: &Host, watch: &AddressWatch) -> f64 {
        let mut commands = String::new();
        for vip in self.setup.vips() {
            writeln!(commands, "address add {vip}/32 dev {INTERFACE}").expect("a String takes all");
        }
        let file = host.directory().join("batch");
        std::fs::write(&file, commands)
            .unwrap_or_else(|error| panic!("write {}: {error}", file.display()));
        let began = Instant::now();
        host.must_run("ip", &["-batch", &file.to_string_lossy()]);
        wait_for_all(host, &self.setup);
        spread(watch, began, self.setup.vips().count())
    }
}

/// From the first address that was added after `since` to the last one's first appearance.
fn spread(watch: &AddressWatch, since: Instant, wanted: usize) -> f64 {
    // The kernel had them all before the watch may have read of them.
    thread::sleep(Duration::from_millis(200));
    let mut first: BTreeMap<Ipv4Addr, Instant> = BTreeMap::new();
    for seen in watch.changes() {
        if seen.change == Change::Added && seen.at >= since {
            first.entry(seen.address).or_insert(seen.at);
        }
    }
    assert_eq!(first.len(), wanted, "addresses that were seen to come");
    let begin = first.values().min().expect("some were wanted");
    let end = first.values().max().expect("some were wanted");
    milliseconds(end.duration_since(*begin))
}
