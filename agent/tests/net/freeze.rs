//! An agent process that is frozen, woken and killed. The agent runs as a child of the test, so
//! that all of its threads can be stopped at once.

use crate::agent::{Agent, state_dir};
use crate::lab::{GENEROUS, Pair, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vipfleet_agent::net::{Event, Request};
use vipfleet_vrrp::Custody;

const VIP: &str = "10.77.0.100/32";

/// The agent process; killed when dropped.
struct Frozen {
    child: Child,
    log: std::path::PathBuf,
}

impl Frozen {
    fn start(pair: &Pair, dir: &Path, master_down: Duration) -> Self {
        let log = dir.join("events");
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "freeze::child", "--nocapture"])
            .env("NETNS", pair.host.name())
            .env("STATE_DIR", dir)
            .env("MASTER_DOWN_MS", master_down.as_millis().to_string())
            .stdout(Stdio::from(std::fs::File::create(&log).unwrap()))
            .spawn()
            .unwrap();
        let frozen = Self { child, log };
        until("the child's claim", || pair.host.has("eth0", VIP));
        frozen
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "the agent process of the tests below"]
fn child() {
    let variable = |name| std::env::var(name).unwrap();
    let namespace = crate::lab::Namespace::join(&variable("NETNS"));
    let agent = Agent::start(&namespace, Path::new(&variable("STATE_DIR")));
    let master_down = Duration::from_millis(variable("MASTER_DOWN_MS").parse().unwrap());
    agent.desire_for("a", &["10.77.0.100"], Custody::Serving, master_down);
    agent.request(Request::Reconcile);
    let start = Instant::now();
    while start.elapsed() < GENEROUS * 4 {
        for event in agent.drain() {
            match event {
                Event::LeaseExpired { .. } => println!("expired"),
                Event::Drift { what, .. } => println!("drift {what:?}"),
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_frozen_agent_loses_its_address_and_does_not_take_it_back_when_it_wakes() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Frozen::start(&pair, dir.path(), Duration::from_millis(900));
    agent.signal(Signal::SIGSTOP);
    let gone = until("the kernel to drop the VIP", || !pair.host.has("eth0", VIP));
    assert!(gone <= Duration::from_secs(2 + 2), "gone after {gone:?}");
    agent.signal(Signal::SIGCONT);
    until("the agent to notice", || agent.said().contains("expired"));
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        assert!(!pair.host.has("eth0", VIP), "back after {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!agent.said().contains("drift"), "nobody else did it: {}", agent.said());
}

#[test]
fn a_freeze_shorter_than_the_lease_costs_nothing() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Frozen::start(&pair, dir.path(), Duration::from_secs(4));
    for _ in 0..3 {
        agent.signal(Signal::SIGSTOP);
        std::thread::sleep(Duration::from_millis(2500));
        agent.signal(Signal::SIGCONT);
        std::thread::sleep(Duration::from_millis(700));
        assert!(pair.host.has("eth0", VIP));
    }
    assert!(!agent.said().contains("expired"));
}

#[test]
fn an_agent_killed_for_good_leaves_no_address_behind() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Frozen::start(&pair, dir.path(), Duration::from_millis(3609));
    agent.signal(Signal::SIGKILL);
    let gone = until("the kernel to drop the VIP", || !pair.host.has("eth0", VIP));
    assert!(gone <= Duration::from_secs(5 + 2), "gone after {gone:?}");
    println!("killed: gone after {gone:?}, lease 5 s");
}

#[test]
fn news_that_were_lost_while_the_agent_stood_still_are_made_up_for() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Frozen::start(&pair, dir.path(), Duration::from_secs(60));
    // More than the socket's buffer takes, and ours among them.
    let mut batch = String::new();
    for number in 0..5000 {
        let (high, low) = (number / 250, number % 250);
        writeln!(batch, "addr add 10.93.{high}.{low}/32 dev lo").unwrap();
        writeln!(batch, "addr del 10.93.{high}.{low}/32 dev lo").unwrap();
    }
    writeln!(batch, "addr del {VIP} dev eth0").unwrap();
    let file = dir.path().join("batch");
    std::fs::write(&file, batch).unwrap();
    agent.signal(Signal::SIGSTOP);
    pair.host.ip(&format!("-batch {}", file.display()));
    assert!(!pair.host.has("eth0", VIP));
    agent.signal(Signal::SIGCONT);
    until("the VIP to be back", || pair.host.has("eth0", VIP));
    until("the report", || agent.said().contains("drift Deleted"));
}
