//! SOAK: 250 instances under six busy loops for ten minutes while their configuration changes each
//! second. Measured only when it is asked for. keepalived does it for a minute.

mod change;

use std::time::{Duration, Instant};

use vipfleet_tests::kernel::{AddressWatch, Change as AddressChange};
use vipfleet_tests::lab::{INTERFACE, Lab};
use vipfleet_tests::probe::{Neighbour, Pinger};

use self::change::{Ground, Way};
use super::load::Loops;
use crate::churn::Churn;
use crate::growth::MemoryWatch;
use crate::line::{Effort, Line, Readings, Row, Subject, Target, Turn, Unit, milliseconds};
use crate::setup::Setup;
use crate::statistics::percentile;

const LOOPS: usize = 6;
const SEED: u64 = 6;
/// From one change to the next.
const PACE: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// A mebibyte: what an allocator may keep for itself.
const FLAT: f64 = 1.05;

/// The rows of one way to bring changes in.
#[derive(Debug, Clone, Copy)]
struct Ids {
    takeovers: &'static str,
    addresses: &'static str,
    lost: &'static str,
    unfollowed: &'static str,
    growth: [&'static str; 2],
    changes: &'static str,
    follow: &'static str,
    gap: &'static str,
    settled: [&'static str; 2],
    maximum: [&'static str; 2],
    hourly: [&'static str; 2],
}

const FILES: Ids = Ids {
    takeovers: "SOAK",
    addresses: "SOAK addresses",
    lost: "SOAK lost",
    unfollowed: "SOAK unfollowed",
    growth: ["SOAK growth", "SOAK growth backup"],
    changes: "SOAK changes",
    follow: "SOAK follow",
    gap: "SOAK gap",
    settled: ["SOAK memory", "SOAK memory backup"],
    maximum: ["SOAK maximum", "SOAK maximum backup"],
    hourly: ["SOAK slope", "SOAK slope backup"],
};

const SERVER: Ids = Ids {
    takeovers: "SOAK-FLEET",
    addresses: "SOAK-FLEET addresses",
    lost: "SOAK-FLEET lost",
    unfollowed: "SOAK-FLEET unfollowed",
    growth: ["SOAK-FLEET growth", "SOAK-FLEET growth backup"],
    changes: "SOAK-FLEET changes",
    follow: "SOAK-FLEET follow",
    gap: "SOAK-FLEET gap",
    settled: ["SOAK-FLEET memory", "SOAK-FLEET memory backup"],
    maximum: ["SOAK-FLEET maximum", "SOAK-FLEET maximum backup"],
    hourly: ["SOAK-FLEET slope", "SOAK-FLEET slope backup"],
};

#[derive(Debug)]
struct Soak {
    way: Way,
    ids: Ids,
}

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    vec![
        Box::new(Soak { way: Way::Files, ids: FILES }),
        Box::new(Soak { way: Way::Server, ids: SERVER }),
    ]
}

impl Line for Soak {
    fn rows(&self) -> Vec<Row> {
        let row = |id, work, unit, target| Row { id, work, unit, limit: "", target };
        let none = |id, work| Row { limit: "0", ..row(id, work, Unit::Count, Target::Every(0.0)) };
        let of = |ids: [&'static str; 2], works: [&'static str; 2], unit, target| {
            [0, 1].map(|host| row(ids[host], works[host], unit, target))
        };
        let Ids { takeovers, addresses, lost, unfollowed, changes, follow, gap, .. } = self.ids;
        let work = match self.way {
            Way::Files => {
                "250 instances × 4 VIPs, 100 ms, six busy loops, files changed each second, 10 min \
                 (keepalived: 1 min): false takeovers"
            }
            Way::Server => {
                "250 instances × 4 VIPs, 100 ms, six busy loops, definitions changed each second, \
                 10 min: false takeovers"
            }
        };
        let mut rows = vec![
            none(takeovers, work),
            none(addresses, "the same: VIPs that came to the backup's kernel"),
            none(lost, "the same: echoes lost of one VIP"),
            none(unfollowed, "the same: changes that both hosts did not follow within 10 s"),
        ];
        rows.extend(of(
            self.ids.growth,
            [
                "the same: resident memory of the master, last minute less the second one",
                "the same: of the backup",
            ],
            Unit::Megabytes,
            Target::Every(FLAT),
        ));
        rows.extend([
            row(changes, "the same: changes followed", Unit::Count, Target::Open),
            row(
                follow,
                "the same: until kernel and wire show a change, p99",
                Unit::Milliseconds,
                Target::Open,
            ),
            row(
                gap,
                "the same: longest time between two adverts of one router",
                Unit::Milliseconds,
                Target::Open,
            ),
        ]);
        let beside = [
            (
                self.ids.settled,
                [
                    "the same: resident memory of the master in the second minute",
                    "the same: of the backup",
                ],
                Unit::Megabytes,
            ),
            (
                self.ids.maximum,
                [
                    "the same: resident memory of the master at most",
                    "the same: of the backup at most",
                ],
                Unit::Megabytes,
            ),
            (
                self.ids.hourly,
                [
                    "the same: resident memory of the master, slope after the first tenth",
                    "the same: slope of the backup's",
                ],
                Unit::MegabytesPerHour,
            ),
        ];
        rows.extend(
            beside.into_iter().flat_map(|(ids, works, unit)| of(ids, works, unit, Target::Open)),
        );
        rows
    }

    fn subjects(&self) -> &'static [Subject] {
        match self.way {
            Way::Files => &[Subject::Keepalived, Subject::Ours],
            Way::Server => &[Subject::Ours],
        }
    }

    fn runs(&self, _subject: Subject, _effort: Effort) -> usize {
        1
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let period = match subject {
            Subject::Ours => turn.effort.pick(MINUTE, MINUTE * 10),
            _ => MINUTE,
        };
        let lab = Lab::pair();
        let setup = Setup::many(4, Duration::from_millis(100));
        let (client, lower) = (lab.host("client"), lab.host("n2"));
        client.must_run("ip", &["route", "add", "10.0.0.0/8", "dev", INTERFACE]);
        let mut ground = Ground::start(&lab, self.way, subject, Churn::new(setup, SEED));
        let roots = ground.processes().map(|process| process.pid());
        let arrivals = AddressWatch::start(lower);
        let pinger = Pinger::start(client, setup.vip(), Neighbour::Warm);
        let loops = Loops::start(LOOPS);
        ground.listen();
        let memory = MemoryWatch::start(&roots, period);

        let began = Instant::now();
        let mut followed = Vec::new();
        let mut unfollowed = 0;
        while began.elapsed() < period {
            let next = Instant::now() + PACE;
            match ground.change() {
                Ok(took) => followed.push(milliseconds(took)),
                Err(late) => {
                    eprintln!("  after {:.1} s: {late}", began.elapsed().as_secs_f64());
                    unfollowed += 1;
                }
            }
            ground.listen_until(next);
        }
        let (losses, memory) = (pinger.finish(), memory.finish());
        ground.listen();
        drop(loops);
        let seen = arrivals.changes();
        let added = seen.iter().filter(|it| it.change == AddressChange::Added).count();
        ground.tell_takeovers(began);
        ground.must_move_whole();

        let ids = &self.ids;
        let tally = ground.tally();
        let mut readings = Readings::one(ids.takeovers, tally.takeovers().len() as f64)
            .with(ids.addresses, added as f64)
            .with(ids.lost, losses.lost as f64)
            .with(ids.unfollowed, f64::from(unfollowed))
            .with(ids.changes, followed.len() as f64)
            .with(ids.gap, milliseconds(tally.longest_gap()))
            .with_gaps(losses.gaps.iter().map(|gap| gap.length).max());
        if let Some(slow) = percentile(&followed, 0.99) {
            readings = readings.with(ids.follow, slow);
        }
        for (host, growth) in memory.iter().enumerate() {
            let of = [
                (ids.growth, growth.growth()),
                (ids.settled, growth.settled()),
                (ids.maximum, growth.maximum()),
                (ids.hourly, growth.hourly()),
            ];
            for (id, value) in of {
                readings = readings.with(id[host], value.expect("it was sampled in every tenth"));
            }
        }
        readings
    }
}
