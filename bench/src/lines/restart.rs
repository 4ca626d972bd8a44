//! F10: the daemon of the master is replaced by a newer one, or crashes and is started again at
//! once, as a package and a service manager do it.

use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vipfleet_tests::lab::Lab;
use vipfleet_tests::probe::{AdvertWatch, Neighbour, Pinger};
use vipfleet_tests::wait;

use crate::accounts::tree;
use crate::line::{ABREAST, Effort, Line, Readings, Row, Subject, Target, Turn, Unit};
use crate::scene::{Router, settling, wait_for_all};
use crate::setup::{Role, Setup};
use crate::wire::takeovers;

/// How long clients ask before.
const MARGIN: Duration = Duration::from_millis(500);
/// Longer than the lease, and past the second announcement of whoever took over, after 5 s.
const AFTERMATH: Duration = Duration::from_secs(7);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replacement {
    /// Ours in place, by SIGUSR2; keepalived has to be stopped and started.
    Upgrade,
    /// SIGKILL, and started again.
    Crash,
}

#[derive(Debug)]
struct Restart {
    row: Row,
    takeovers: &'static str,
    replacement: Replacement,
    interval: Duration,
}

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    let line = |id, takeovers, work, replacement, milliseconds| {
        let row = Row { id, work, unit: Unit::Count, limit: "0", target: Target::Every(0.0) };
        let interval = Duration::from_millis(milliseconds);
        Box::new(Restart { row, takeovers, replacement, interval }) as Box<dyn Line>
    };
    vec![
        line(
            "F10",
            "F10 moves",
            "upgrade of the daemon, 1 s: echoes lost",
            Replacement::Upgrade,
            1000,
        ),
        line(
            "F10 100ms",
            "F10 100ms moves",
            "upgrade of the daemon, 100 ms: echoes lost",
            Replacement::Upgrade,
            100,
        ),
        line(
            "F10 crash",
            "F10 crash moves",
            "crash of the daemon and restart, 1 s: echoes lost",
            Replacement::Crash,
            1000,
        ),
        line(
            "F10 crash 100ms",
            "F10 crash 100ms moves",
            "crash of the daemon and restart, 100 ms: echoes lost",
            Replacement::Crash,
            100,
        ),
    ]
}

impl Line for Restart {
    fn rows(&self) -> Vec<Row> {
        let target = Target::Every(0.0);
        let work = "the same: takeovers by the peer";
        let takeovers = Row { id: self.takeovers, work, unit: Unit::Count, limit: "0", target };
        vec![self.row.clone(), takeovers]
    }

    fn runs(&self, subject: Subject, effort: Effort) -> usize {
        effort.pick(1, if subject == Subject::Ours { 10 } else { 3 })
    }

    fn abreast(&self) -> usize {
        ABREAST
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = Lab::pair();
        let setup = Setup::single(3, self.interval);
        let mut first = Router::start(&lab, subject, &setup, Role::Higher);
        wait_for_all(lab.host("n1"), &setup);
        let _second = Router::start(&lab, subject, &setup, Role::Lower);
        thread::sleep(settling(&setup));
        let client = lab.host("client");
        let adverts = AdvertWatch::start(client, setup.vip());
        let pinger = Pinger::start(client, setup.vip(), Neighbour::Warm);
        thread::sleep(MARGIN + turn.phase(self.interval));
        match (self.replacement, subject) {
            (Replacement::Upgrade, Subject::Ours) => first.process().signal(Signal::SIGUSR2),
            (Replacement::Upgrade, _) => drop(first.process().terminate()),
            (Replacement::Crash, Subject::Ours) => first.process().kill(),
            // Its parent alone does no VRRP; the child that does would live on.
            (Replacement::Crash, _) => {
                let all = tree(first.process().pid());
                for pid in &all {
                    let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
                }
                first.process().wait(MARGIN);
                // Its pid files name all of them: the next one does not start while one is there.
                let left = || all.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists());
                wait::until("all of it to be gone", wait::GENEROUS, left, |left| !left);
            }
        }
        if !first.process().is_running() {
            first = Router::start(&lab, subject, &setup, Role::Higher);
        }
        thread::sleep(AFTERMATH);
        assert!(first.process().is_running(), "the daemon is gone:\n{}", first.process().log());
        let losses = pinger.finish();
        let lower = lab.host("n2").address().into();
        let moves = takeovers(&adverts.heard(), lower, self.interval);
        Readings::one(self.row.id, losses.lost as f64)
            .with(self.takeovers, moves as f64)
            .with_gaps(losses.gaps.iter().map(|gap| gap.length).max())
    }
}
