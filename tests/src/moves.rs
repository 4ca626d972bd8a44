//! Planned moves while a client keeps asking, as scenes for tests and measurements: each returns
//! what the client lost, and insists on nothing but that the move took place.

use std::fmt;
use std::time::{Duration, Instant};

use crate::fleet::Fleet;
use crate::lab::Lab;
use crate::pair::{VIP_1, VIP_2, wait_for_owners};
use crate::probe::{Losses, Neighbour, Pinger};

/// After a move: the former owner's grace, and what a late probe would show of it.
const AFTERMATH: Duration = Duration::from_millis(500);

/// How the instances are defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// `rfc` or `fast`.
    pub takeover: &'static str,
    /// Whether a higher priority takes the VIP back by itself.
    pub preempt: bool,
}

/// Every way in which a move could be held up.
pub const MANNERS: [Manner; 4] = [
    Manner { takeover: "rfc", preempt: true },
    Manner { takeover: "rfc", preempt: false },
    Manner { takeover: "fast", preempt: true },
    Manner { takeover: "fast", preempt: false },
];

/// One move.
#[derive(Debug)]
pub struct Move {
    /// From the command to its return, which `--wait` puts after the last kernel's word.
    pub took: Duration,
    /// What the client lost, by VIP it asked.
    pub losses: Vec<Losses>,
}

impl Move {
    /// Probes without an answer.
    pub fn lost(&self) -> usize {
        self.losses.iter().map(|losses| losses.lost).sum()
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lost, command returned after {:.0?}", self.lost(), self.took)?;
        self.losses.iter().try_for_each(|losses| write!(f, "; {losses}"))
    }
}

/// Has both instances of the pair run in a manner.
#[track_caller]
pub fn set_manner(fleet: &Fleet<'_>, manner: Manner) {
    let preempt = manner.preempt.to_string();
    for instance in ["VI_1", "VI_2"] {
        let fields = ["--takeover", manner.takeover, "--preempt", &preempt, "--wait"];
        fleet.vipctl.must(&[["set", "instance", instance].as_slice(), &fields].concat());
    }
}

/// Runs a command while a client asks both VIPs, until each is with the one named for it.
#[track_caller]
pub fn during(lab: &Lab, fleet: &Fleet<'_>, command: &[&str], owners: [&str; 2]) -> Move {
    let client = lab.host("client");
    let pingers = [VIP_1, VIP_2].map(|vip| Pinger::start(client, vip, Neighbour::Warm));
    let began = Instant::now();
    fleet.vipctl.must(command);
    let took = began.elapsed();
    wait_for_owners(lab, "the VIPs to be where they were moved", owners);
    std::thread::sleep(AFTERMATH);
    Move { took, losses: pingers.map(Pinger::finish).into() }
}

/// VI_1 to the other host and back, each from a fleet in which each host owns its VIP.
#[track_caller]
pub fn switch_over_and_back(lab: &Lab, fleet: &Fleet<'_>, manner: Manner) -> [Move; 2] {
    let out = ["switchover", "VI_1", "--to", "lb2", "--wait"];
    let out = during(lab, fleet, &out, ["n2", "n2"]);
    let clear = ["switchover", "VI_1", "--clear", "--wait"];
    let back = match manner.preempt {
        true => during(lab, fleet, &clear, ["n1", "n2"]),
        false => {
            let back = ["switchover", "VI_1", "--to", "lb1", "--wait"];
            let back = during(lab, fleet, &back, ["n1", "n2"]);
            fleet.vipctl.must(&clear);
            back
        }
    };
    [out, back]
}

/// Everything off the first host, and back.
#[track_caller]
pub fn drain_and_uncordon(lab: &Lab, fleet: &Fleet<'_>) -> [Move; 2] {
    let drained = during(lab, fleet, &["drain", "lb1", "--wait"], ["n2", "n2"]);
    let back = during(lab, fleet, &["uncordon", "lb1", "--wait"], ["n1", "n2"]);
    [drained, back]
}
