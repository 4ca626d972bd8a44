//! F6 and F7: the nginx process dies on a host that is otherwise well. Counted from its SIGKILL
//! until the VIP is in the kernel of the peer.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use vipfleet_tests::daemons::Nginx;
use vipfleet_tests::kernel::{AddressWatch, Change};
use vipfleet_tests::lab::Lab;
use vipfleet_tests::wait;

use crate::line::{
    ABREAST, Effort, Line, Readings, Row, Subject, Target, Turn, Unit, milliseconds,
};
use crate::scene::Pair;
use crate::setup::{Setup, Tracking};

/// A check that just came up is trusted after 3 s.
const TRUST: Duration = Duration::from_secs(4);
/// keepalived looks this often.
const SCRIPT_INTERVAL: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Process {
    row: Row,
    setup: Setup,
}

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    let line = |id, work, tracking| {
        let (unit, target) = (Unit::Milliseconds, Target::Median(20.0));
        let row = Row { id, work, unit, limit: "one round trip", target };
        let setup = Setup { tracking, ..Setup::single(2, Duration::from_secs(1)) };
        Box::new(Process { row, setup }) as Box<dyn Line>
    };
    vec![
        line("F6", "nginx dies, a fault, 1 s: VIP on the peer", Tracking::Fault),
        line("F7", "nginx dies, weight −30, 1 s: VIP on the peer", Tracking::Weight(30)),
    ]
}

impl Line for Process {
    fn rows(&self) -> Vec<Row> {
        vec![self.row.clone()]
    }

    fn runs(&self, _subject: Subject, effort: Effort) -> usize {
        effort.pick(1, 4)
    }

    fn abreast(&self) -> usize {
        ABREAST
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = Lab::pair();
        let mut first = Nginx::start(lab.host("n1"));
        let _second = Nginx::start(lab.host("n2"));
        let _pair = Pair::start(&lab, subject, &self.setup);
        let IpAddr::V4(vip) = self.setup.vip() else { panic!("this line is of IPv4") };
        let watch = AddressWatch::start(lab.host("n2"));
        thread::sleep(TRUST + turn.phase(SCRIPT_INTERVAL));
        let killed = Instant::now();
        first.crash();
        let added = watch.wait_for(Change::Added, vip, killed, wait::GENEROUS);
        Readings::one(self.row.id, milliseconds(added.duration_since(killed)))
    }
}
