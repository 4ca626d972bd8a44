//! Plays one row on a real kernel: each program in each role, on one segment.

use std::process::Command;
use std::time::Duration;

use super::setup::{TRACKED, file, laboratory, vip, vips};
use super::{ROWS, Row, Story};
use crate::daemons::Program::{self, Ours, Theirs};
use crate::daemons::Router;
use crate::kernel;
use crate::lab::Lab;
use crate::wait;

/// How long two owners have to persist to be no passing doubt.
const PERSISTS: Duration = Duration::from_secs(3);
/// Shorter than two of three intervals of the row where priority 0 must be faster than a timer.
const BEFORE_THE_TIMER: Duration = Duration::from_secs(15);
/// Shorter than two intervals of that row: the last advert may be one interval older than a death.
const TIMER_RUNS: Duration = Duration::from_secs(21);
/// Three intervals of that row and the skew, generously.
const TIMER_ENDS: Duration = Duration::from_secs(34).saturating_add(wait::GENEROUS);
/// Shorter than the preemption delay of the row that has one.
const STILL_WAITING: Duration = Duration::from_millis(1500);

/// Waits for a line of a router's log.
#[track_caller]
fn says(router: &mut Router, line: &str) {
    let what = format!("the log to say {line:?}");
    wait::until(&what, wait::GENEROUS, || router.process().log(), |log| log.contains(line));
}

/// Plays the row of this name in both roles.
///
/// # Panics
/// When there is none, and when it does not go as the row says.
#[track_caller]
pub fn play(name: &str) {
    let row = ROWS.iter().find(|row| row.name == name).expect("a row of the matrix");
    let mut reported = false;
    for (first, story) in [Ours, Theirs].into_iter().zip(row.stories) {
        let mut scene = Scene::start(row, first, story);
        match story {
            Story::TwoOwners { theirs, ours } => scene.two_owners(theirs, ours),
            Story::Tie => {
                scene.stop(story);
                scene.tie();
            }
            Story::Succession => scene.succession(),
            Story::Together => {
                scene.stop(story);
                scene.die(story);
                scene.fault();
            }
            Story::Rank | Story::Keeps | Story::Waits | Story::Resigns => {
                scene.stop(story);
                scene.die(story);
            }
        }
        let agent = scene.routers.iter_mut().find(|router| matches!(router, Router::Ours(_)));
        let log = agent.expect("one of the two is ours").process().log();
        reported |= row.report.is_none_or(|line| log.contains(line));
    }
    assert!(reported, "{name}: our log never says {:?}", row.report);
}

struct Scene<'row> {
    row: &'row Row,
    first: Program,
    /// Before the laboratory, so that they end first.
    routers: Vec<Router>,
    lab: Lab,
}

impl<'row> Scene<'row> {
    #[track_caller]
    fn start(row: &'row Row, first: Program, story: Story) -> Self {
        let lab = laboratory(row);
        let mut routers = vec![begin(&lab, row, first, 0)];
        wait_for(&lab, row, "the first to own the VIP", &["n1"]);
        routers.extend((1..row.priorities.len()).map(|index| begin(&lab, row, first, index)));
        let scene = Self { row, first, routers, lab };
        if !matches!(story, Story::TwoOwners { .. }) {
            scene.rests_on("n1");
        }
        scene
    }

    #[track_caller]
    fn stop(&mut self, story: Story) {
        assert!(self.routers[0].terminate().success(), "{:?} ended badly", self.first);
        if story == Story::Resigns {
            let owners = || owners(&self.lab, self.row);
            wait::until("priority 0 to be obeyed", BEFORE_THE_TIMER, owners, |all| {
                all[0] == ["n2"]
            });
        }
        self.moves_to("n2");
        self.routers[0] = begin(&self.lab, self.row, self.first, 0);
        match story {
            Story::Keeps | Story::Tie => return self.rests_on("n2"),
            Story::Waits => self.stays("n2", STILL_WAITING),
            _ => {}
        }
        self.moves_to("n1");
        self.rests_on("n1");
    }

    /// Who holds the VIP is cut off, and comes back.
    #[track_caller]
    fn die(&mut self, story: Story) {
        let [owner, heir] = if story == Story::Keeps { ["n2", "n1"] } else { ["n1", "n2"] };
        self.lab.detach(owner);
        if story == Story::Resigns {
            self.waits_for_the_timer(heir);
        }
        self.takes_over(heir);
        self.is_reached();
        self.lab.attach(owner);
        // Both were MASTER: whoever preempts, the higher priority stays.
        self.moves_to("n1");
        self.rests_on("n1");
    }

    /// Who is cut off goes on serving where nobody hears it; the heir serves the others.
    #[track_caller]
    fn takes_over(&self, heir: &str) {
        for vip in vips(self.row) {
            let held = || kernel::holds(self.lab.host(heir), vip);
            wait::until("the next in rank to take over", wait::GENEROUS, held, |held| *held);
        }
    }

    /// Nothing tells the heir of a death: it takes over after three intervals and the skew, counted
    /// from the last advert.
    #[track_caller]
    fn waits_for_the_timer(&self, heir: &str) {
        let held = || kernel::holds(self.lab.host(heir), vip(self.row));
        wait::throughout("the heir to wait for its timer", TIMER_RUNS, held, |held| !held);
        wait::until("the timer to end", TIMER_ENDS - TIMER_RUNS, held, |held| *held);
    }

    /// The first two stop in turn and return, then they are cut off in turn and return.
    #[track_caller]
    fn succession(&mut self) {
        for (gone, heir) in [(0, "n2"), (1, "n3")] {
            assert!(self.routers[gone].terminate().success(), "n{} ended badly", gone + 1);
            self.moves_to(heir);
        }
        for (back, owner) in [(1, "n2"), (0, "n1")] {
            self.routers[back] = begin(&self.lab, self.row, self.first, back);
            self.moves_to(owner);
        }
        for (gone, heir) in [("n1", "n2"), ("n2", "n3")] {
            self.lab.detach(gone);
            self.takes_over(heir);
            assert!(heir == "n3" || !kernel::holds(self.lab.host("n3"), vip(self.row)));
            self.is_reached();
        }
        self.lab.attach("n1");
        self.lab.attach("n2");
        self.moves_to("n1");
        self.rests_on("n1");
    }

    /// What only the second instance tracks goes, and comes back.
    #[track_caller]
    fn fault(&mut self) {
        self.lab.host("n1").must_run("ip", &["link", "set", TRACKED, "down"]);
        self.moves_to("n2");
        self.rests_on("n2");
        self.lab.host("n1").must_run("ip", &["link", "set", TRACKED, "up"]);
        self.moves_to("n1");
        self.rests_on("n1");
    }

    /// Both are master until the LAN heals; n2 has the higher address.
    #[track_caller]
    fn tie(&mut self) {
        self.lab.detach("n1");
        wait_for(&self.lab, self.row, "both to own the VIP", &["n1", "n2"]);
        self.lab.attach("n1");
        self.moves_to("n2");
        self.rests_on("n2");
    }

    #[track_caller]
    fn two_owners(&mut self, theirs: &str, ours: &str) {
        self.both_own();
        for router in &mut self.routers {
            match router {
                Router::Ours(_) => says(router, ours),
                Router::Theirs(_) => says(router, theirs),
            }
        }
        assert!(self.routers[0].terminate().success(), "{:?} ended badly", self.first);
        self.moves_to("n2");
        self.routers[0] = begin(&self.lab, self.row, self.first, 0);
        self.both_own();
        self.lab.detach("n1");
        self.is_reached();
        self.lab.attach("n1");
        self.both_own();
    }

    #[track_caller]
    fn both_own(&self) {
        wait_for(&self.lab, self.row, "both to own the VIP", &["n1", "n2"]);
        let both = || kernel::owners(&self.lab, vip(self.row));
        wait::throughout("two owners", PERSISTS, both, |owners| *owners == ["n1", "n2"]);
    }

    #[track_caller]
    fn moves_to(&self, owner: &str) {
        let what = format!("{owner} to be the only owner, {:?} being n1", self.first);
        wait_for(&self.lab, self.row, &what, &[owner]);
        self.is_reached();
    }

    #[track_caller]
    fn rests_on(&self, owner: &str) {
        // A machine that stalls for longer than three adverts of 10 ms may move the VIP rightly.
        if !self.row.both.contains("0.01") {
            self.stays(owner, Duration::from_secs(1));
        }
        self.is_reached();
    }

    #[track_caller]
    fn stays(&self, owner: &str, period: Duration) {
        let owners = || owners(&self.lab, self.row);
        let alone = |all: &Vec<Vec<String>>| all.iter().all(|owners| *owners == [owner]);
        wait::throughout("one owner", period, owners, alone);
    }

    #[track_caller]
    fn is_reached(&self) {
        let answers = || {
            let mut ping = Command::new("ping");
            ping.args(["-n", "-c", "1", "-W", "1"]).arg(vip(self.row).to_string());
            self.lab.host("client").run(ping, wait::GENEROUS).status.success()
        };
        wait::until("the client to reach the VIP", wait::GENEROUS, answers, |it| *it);
    }
}

/// Who has each VIP in its kernel.
fn owners(lab: &Lab, row: &Row) -> Vec<Vec<String>> {
    vips(row).map(|vip| kernel::owners(lab, vip)).collect()
}

#[track_caller]
fn wait_for(lab: &Lab, row: &Row, what: &str, wanted: &[&str]) {
    let owners = || owners(lab, row);
    let what = format!("{}: {what}", row.name);
    let as_wanted = |all: &Vec<Vec<String>>| all.iter().all(|owners| *owners == wanted);
    wait::until(&what, wait::GENEROUS, owners, as_wanted);
}

#[track_caller]
fn begin(lab: &Lab, row: &Row, first: Program, index: usize) -> Router {
    let names = &["n1", "n2", "n3"][..row.priorities.len()];
    let host = lab.host(names[index]);
    let peers = names.iter().filter(|name| **name != names[index]);
    let peers: Vec<_> = peers.map(|name| lab.host(name).address().to_string()).collect();
    let program = if index.is_multiple_of(2) { first } else { first.other() };
    let file = file(row, program, host, &peers.join("\n "), row.priorities[index]);
    Router::start(program, host, &file)
}
