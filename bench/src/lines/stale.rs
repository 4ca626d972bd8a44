//! F8: the daemon of the master is killed for good, or frozen, on a host that is otherwise well.
//! The VIP stays in its kernel for a while, beside the one of the new owner. keepalived never
//! removes it: it is watched for so long, and that is its reading.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vipfleet_tests::kernel::{AddressWatch, Change};
use vipfleet_tests::lab::Lab;

use crate::accounts::tree;
use crate::line::{
    ABREAST, Effort, Line, Readings, Row, Subject, Target, Turn, Unit, milliseconds,
};
use crate::scene::{Pair, settling};
use crate::setup::Setup;

const WATCHED: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Stale {
    row: Row,
    /// The time that both kernels had it.
    overlap: &'static str,
    signal: Signal,
    victim: Victim,
    interval: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// What answers for VRRP; a guard of ours lives on. All of keepalived.
    Daemon,
    /// Everything that the daemon started as well.
    Everything,
}

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    let line = |id, overlap, work, bound, signal, victim, milliseconds| {
        let (unit, target) = (Unit::Milliseconds, Target::Every(bound));
        let row = Row { id, work, unit, limit: "master-down interval", target };
        let interval = Duration::from_millis(milliseconds);
        Box::new(Stale { row, overlap, signal, victim, interval }) as Box<dyn Line>
    };
    let (killed, frozen) = (Signal::SIGKILL, Signal::SIGSTOP);
    // The master-down interval of priority 80 and half a second; the lease and two seconds.
    vec![
        line(
            "F8",
            "F8 overlap",
            "SIGKILL of the daemon, 1 s: stale VIP on its host",
            4188.0,
            killed,
            Victim::Daemon,
            1000,
        ),
        line(
            "F8 100ms",
            "F8 100ms overlap",
            "the same, 100 ms",
            869.0,
            killed,
            Victim::Daemon,
            100,
        ),
        line(
            "F8 stop",
            "F8 stop overlap",
            "SIGSTOP of the daemon, 1 s: stale VIP on its host",
            4188.0,
            frozen,
            Victim::Daemon,
            1000,
        ),
        line(
            "F8 stop 100ms",
            "F8 stop 100ms overlap",
            "the same, 100 ms",
            869.0,
            frozen,
            Victim::Daemon,
            100,
        ),
        line(
            "F8 all",
            "F8 all overlap",
            "SIGKILL of the daemon and its guard, 1 s: stale VIP",
            7000.0,
            killed,
            Victim::Everything,
            1000,
        ),
    ]
}

impl Line for Stale {
    fn rows(&self) -> Vec<Row> {
        let (unit, target) = (Unit::Milliseconds, Target::Open);
        let work = "the same: both hosts have it";
        vec![self.row.clone(), Row { id: self.overlap, work, unit, limit: "", target }]
    }

    fn runs(&self, subject: Subject, effort: Effort) -> usize {
        effort.pick(1, if subject == Subject::Ours { 10 } else { 2 })
    }

    fn abreast(&self) -> usize {
        ABREAST
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = Lab::pair();
        let setup = Setup::single(3, self.interval);
        let mut pair = Pair::start(&lab, subject, &setup);
        thread::sleep(settling(&setup) + turn.phase(self.interval));
        let IpAddr::V4(vip) = setup.vip() else { panic!("this line is of IPv4") };
        let [stale, new] = ["n1", "n2"].map(|name| AddressWatch::start(lab.host(name)));
        let [first, _] = pair.processes();
        let mut victims = tree(first.pid());
        if subject == Subject::Ours && self.victim == Victim::Daemon {
            victims.truncate(1);
        }
        let struck = Instant::now();
        for pid in victims {
            kill(Pid::from_raw(pid.cast_signed()), self.signal)
                .unwrap_or_else(|error| panic!("{} to {pid}: {error}", self.signal));
        }
        let taken = new.wait_for(Change::Added, vip, struck, WATCHED);
        while first_removal(&stale, vip, struck).is_none() && struck.elapsed() < WATCHED {
            thread::sleep(Duration::from_millis(5));
        }
        let gone = first_removal(&stale, vip, struck).unwrap_or(struck + WATCHED);
        Readings::one(self.row.id, milliseconds(gone.duration_since(struck)))
            .with(self.overlap, milliseconds(gone.saturating_duration_since(taken)))
    }
}

fn first_removal(watch: &AddressWatch, vip: std::net::Ipv4Addr, since: Instant) -> Option<Instant> {
    let changes = watch.changes();
    let removed = changes
        .iter()
        .find(|seen| seen.change == Change::Removed && seen.address == vip && seen.at >= since);
    removed.map(|seen| seen.at)
}
