//! Plays one row on a real kernel: each program in each role, on one segment.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::{Family, ROWS, Row, Story, VIP};
use crate::daemons::{Agent, Keepalived};
use crate::kernel;
use crate::lab::{Host, INTERFACE, Lab};
use crate::process::Process;
use crate::wait;

const VIP_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x248, 0, 0, 0, 0, 0x120);
/// How long two owners have to persist to be no passing doubt.
const PERSISTS: Duration = Duration::from_secs(3);
/// Shorter than the preemption delay of the row that has one.
const STILL_WAITING: Duration = Duration::from_millis(1500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Ours,
    Theirs,
}
use Program::{Ours, Theirs};

impl Program {
    fn other(self) -> Self {
        match self {
            Ours => Theirs,
            Theirs => Ours,
        }
    }
}

#[derive(Debug)]
enum Router {
    Ours(Agent),
    Theirs(Keepalived),
}

impl Router {
    fn process(&mut self) -> &mut Process {
        match self {
            Self::Ours(agent) => agent.process(),
            Self::Theirs(keepalived) => keepalived.process(),
        }
    }

    #[track_caller]
    fn says(&mut self, line: &str) {
        let what = format!("the log to say {line:?}");
        wait::until(&what, wait::GENEROUS, || self.process().log(), |log| log.contains(line));
    }
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
            Story::Tie => scene.tie(),
            Story::Resigns => scene.stop(story),
            Story::Rank | Story::Keeps | Story::Waits => {
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
    routers: [Router; 2],
    lab: Lab,
}

impl<'row> Scene<'row> {
    #[track_caller]
    fn start(row: &'row Row, first: Program, story: Story) -> Self {
        let lab = Lab::pair();
        if row.family == Family::Six {
            prepare_ipv6(&lab);
        }
        let one = begin(&lab, row, first, 0);
        wait_for(&lab, row, "the first to own the VIP", &["n1"]);
        let two = begin(&lab, row, first, 1);
        let scene = Self { row, first, routers: [one, two], lab };
        if !matches!(story, Story::TwoOwners { .. }) {
            scene.rests_on("n1");
        }
        scene
    }

    #[track_caller]
    fn stop(&mut self, story: Story) {
        assert!(self.routers[0].process().terminate().success(), "{:?} ended badly", self.first);
        self.moves_to("n2");
        self.routers[0] = begin(&self.lab, self.row, self.first, 0);
        match story {
            Story::Keeps => return self.rests_on("n2"),
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
        let held = || kernel::holds(self.lab.host(heir), vip(self.row));
        wait::until("the other one to take over", wait::GENEROUS, held, |held| *held);
        self.is_reached();
        self.lab.attach(owner);
        // Both were MASTER: whoever preempts, the higher priority stays.
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
        wait_for(&self.lab, self.row, "both to own the VIP", &["n1", "n2"]);
        let both = || kernel::owners(&self.lab, vip(self.row));
        wait::throughout("two owners", PERSISTS, both, |owners| *owners == ["n1", "n2"]);
        for router in &mut self.routers {
            match router {
                Router::Ours(_) => router.says(ours),
                Router::Theirs(_) => router.says(theirs),
            }
        }
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
        let owners = || kernel::owners(&self.lab, vip(self.row));
        wait::throughout("one owner", period, owners, |owners| *owners == [owner]);
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

fn vip(row: &Row) -> IpAddr {
    match row.family {
        Family::Four => VIP.into(),
        Family::Six => VIP_6.into(),
    }
}

#[track_caller]
fn wait_for(lab: &Lab, row: &Row, what: &str, wanted: &[&str]) {
    let owners = || kernel::owners(lab, vip(row));
    let what = format!("{}: {what}", row.name);
    wait::until(&what, wait::GENEROUS, owners, |owners| *owners == wanted);
}

#[track_caller]
fn begin(lab: &Lab, row: &Row, first: Program, index: usize) -> Router {
    let [own, peer] = if index == 0 { ["n1", "n2"] } else { ["n2", "n1"] };
    let host = lab.host(own);
    let program = if index == 0 { first } else { first.other() };
    let file = file(row, program, host, lab.host(peer), row.priorities[index]);
    match program {
        Ours => Router::Ours(Agent::standalone(host, &file)),
        Theirs => Router::Theirs(Keepalived::start(host, &file)),
    }
}

fn file(row: &Row, program: Program, host: &Host, peer: &Host, priority: u8) -> PathBuf {
    let (extra, more) = match program {
        Ours => (row.ours, ""),
        Theirs => (row.theirs, row.theirs_adds),
    };
    // keepalived becomes MASTER at once only when both say so.
    let state = if priority == 255 { "MASTER" } else { "BACKUP" };
    let link_local = if row.family == Family::Six { "fe80::51" } else { "" };
    let text = format!(
        "vrrp_instance VI_1 {{\n state {state}\n interface {INTERFACE}\n virtual_router_id 51\n \
         priority {priority}\n {both}\n {extra}\n virtual_ipaddress {{\n {link_local}\n {vip}\n \
         {more}\n }}\n}}\n",
        both = row.both.replace("PEER", &peer.address().to_string()),
        vip = vip(row),
    );
    let path = host.directory().join("matrix.conf");
    std::fs::write(&path, text).expect("a writable directory");
    path
}

/// Addresses for the hosts, and link-local ones that may be used.
fn prepare_ipv6(lab: &Lab) {
    for (number, host) in lab.hosts().iter().enumerate() {
        let address = format!("2001:db8:248::{:x}/64", number + 1);
        host.must_run("ip", &["address", "add", &address, "dev", INTERFACE, "nodad"]);
    }
    for host in lab.hosts() {
        let shown = || host.must_run("ip", &["-6", "address", "show", "dev", INTERFACE]);
        let usable = |text: &String| text.contains("fe80::") && !text.contains("tentative");
        wait::until("a usable link-local address", wait::GENEROUS, shown, usable);
    }
}
