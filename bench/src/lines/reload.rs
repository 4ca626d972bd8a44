//! R1: one of 250 busy instances gains a VIP, on both hosts, by a changed file and SIGHUP.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use vipfleet_tests::kernel;
use vipfleet_tests::lab::Lab;
use vipfleet_tests::probe::AdvertWatch;
use vipfleet_tests::wait;

use crate::accounts::waited;
use crate::line::{Effort, Line, Readings, Row, Subject, Target, Turn, Unit, milliseconds};
use crate::scene::{Pair, write_file};
use crate::setup::{Role, Setup};
use crate::standstill::{StandstillWatch, fetched};
use crate::wire::{claimed, longest_gap};

const ADDED: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 99);
/// Past the second announcement of a new master.
const SETTLING: Duration = Duration::from_secs(7);
/// Long enough for every timer that the change may have upset.
const AFTERMATH: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Reload;

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    vec![Box::new(Reload)]
}

impl Line for Reload {
    fn rows(&self) -> Vec<Row> {
        let row = |id, work, unit, limit, target| Row { id, work, unit, limit, target };
        vec![
            row(
                "R1",
                "one VIP added to 1 of 250 instances × 4 VIPs at 100 ms: longest advert gap",
                Unit::Milliseconds,
                "100 ms",
                Target::Every(120.0),
            ),
            row("R1 false", "the same: false takeovers", Unit::Count, "0", Target::Every(0.0)),
            row(
                "R1 machine",
                "the same: longest time that the machine itself stood still",
                Unit::Milliseconds,
                "",
                Target::Open,
            ),
            row(
                "R1 fetched",
                "the same: memory of the machine that its host had to fetch first",
                Unit::Count,
                "",
                Target::Open,
            ),
            row(
                "R1 waited",
                "the same: time in all that the master's VRRP thread waited for a processor",
                Unit::Milliseconds,
                "",
                Target::Open,
            ),
        ]
    }

    fn runs(&self, subject: Subject, effort: Effort) -> usize {
        effort.pick(1, if subject == Subject::Ours { 10 } else { 2 })
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = Lab::pair();
        let setup = Setup::many(4, Duration::from_millis(100));
        let mut pair = Pair::start_standalone(&lab, subject, &setup);
        thread::sleep(SETTLING);
        for role in [Role::Higher, Role::Lower] {
            write_file(&lab, &setup, role, Some(ADDED));
        }
        let adverts = AdvertWatch::start(lab.host("client"), ADDED);
        thread::sleep(setup.interval * 2 + turn.phase(setup.interval));
        let [master, _] = pair.processes().map(|it| it.pid());
        let speaker = if subject == Subject::Ours { "vrrp" } else { "keepalived" };
        let (waited_before, fetched_before) = (waited(master, speaker), fetched());
        let standstill = StandstillWatch::start();
        let changed = Instant::now();
        pair.reload();
        let held = || kernel::holds(lab.host("n1"), ADDED);
        wait::until("the added VIP", wait::GENEROUS, held, |held| *held);
        thread::sleep(AFTERMATH);
        let standstill = milliseconds(standstill.finish());
        let waited = waited(master, speaker).saturating_sub(waited_before);
        let fetched = fetched() - fetched_before;
        let heard = adverts.heard();
        let [master, backup] = ["n1", "n2"].map(|name| lab.host(name).address().into());
        Readings::one("R1", milliseconds(longest_gap(&heard, master, changed)))
            .with("R1 false", claimed(&heard, backup).len() as f64)
            .with("R1 machine", standstill)
            .with("R1 fetched", fetched as f64)
            .with("R1 waited", milliseconds(waited))
    }
}
