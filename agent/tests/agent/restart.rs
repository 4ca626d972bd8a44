//! A crash, and what the next incarnation makes of it.

use crate::guard;
use crate::lab::{AddressMonitor, Lab, until, wait_for};
use crate::life::ONE;
use crate::local;
use crate::process::{Agent, Home};
use vipfleet_model::report::InstanceState;

fn config() -> String {
    ONE.replace("255", "100")
}

/// What is left of the lease, in seconds; `None` when the address is gone.
fn remaining(lab: &Lab) -> Option<u64> {
    let line = lab.one.line("10.78.0.10")?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "valid_lft");
    words.nth(1).unwrap().trim_end_matches("sec").parse().ok()
}

fn master(lab: &Lab, home: &Home) -> Agent {
    let agent = Agent::on(&lab.one, home, &config());
    local::instance(home, "VI_1", |it| it.state == InstanceState::Master);
    until("the address", || lab.one.has("10.78.0.10"));
    // What it was MASTER of is on disk a moment later.
    until("masters.json", || {
        let text = std::fs::read_to_string(home.state_dir().join("masters.json"));
        text.is_ok_and(|text| text.contains("VI_1"))
    });
    agent
}

#[test]
fn an_agent_that_crashed_and_is_back_at_once_carries_on() {
    let (lab, home) = (Lab::new(), Home::new());
    let mut agent = master(&lab, &home);
    let monitor = AddressMonitor::start(&lab.one);
    agent.crash();
    assert!(home.socket().exists(), "a crash leaves its socket");
    let _again = Agent::standalone(&lab.one, &home);
    let back = local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    assert_eq!(back.reason, "carried on without an election");
    until("it to settle", || local::report(&home).is_some_and(|it| it.settled));
    assert_eq!(monitor.deletions("10.78.0.10"), 0);
}

#[test]
fn an_agent_that_was_away_for_longer_comes_back_as_backup() {
    let (lab, home) = (Lab::new(), Home::new());
    let mut agent = master(&lab, &home);
    let guard = guard::of(&agent);
    agent.crash();
    guard.kill();
    // Five seconds of lease, of which three may pass: a peer may serve by now.
    wait_for("most of the lease to pass", || remaining(&lab).filter(|left| *left <= 1));
    let _again = Agent::standalone(&lab.one, &home);
    let back = local::instance(&home, "VI_1", |it| it.state == InstanceState::Backup);
    assert_eq!(back.reason, "started");
    until("what was left to be let go", || {
        local::report(&home).is_some_and(|it| it.settled && !lab.one.has("10.78.0.10"))
    });
}

#[test]
fn an_agent_that_was_stopped_carries_nothing_on() {
    let (lab, home) = (Lab::new(), Home::new());
    let mut agent = master(&lab, &home);
    assert!(agent.terminate().success());
    assert!(!lab.one.has("10.78.0.10"));
    let _again = Agent::standalone(&lab.one, &home);
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Backup);
}

#[test]
fn an_agent_started_on_another_interface_does_not_carry_on_there() {
    let (lab, home) = (Lab::new(), Home::new());
    let mut agent = master(&lab, &home);
    lab.one.ip("link add eth1 type veth peer name eth2");
    lab.one.ip("link set eth1 up");
    lab.one.ip("link set eth2 up");
    lab.one.ip("addr add 10.79.0.1/24 dev eth1");
    agent.crash();
    let _again = Agent::on(&lab.one, &home, &config().replace("eth0", "eth1"));
    let back = local::instance(&home, "VI_1", |it| it.state != InstanceState::Init);
    assert_eq!((back.state, back.reason.as_str()), (InstanceState::Backup, "started"));
    until("the address to leave the first interface", || !lab.one.has("10.78.0.10"));
}

#[test]
fn a_killed_master_of_255_second_adverts_leaves_a_lease_that_ends() {
    let (lab, home) = (Lab::new(), Home::new());
    let slow = ONE.replace("advert_int 1", "version 2\n advert_int 255");
    assert_ne!(slow, ONE);
    let mut agent = Agent::on(&lab.one, &home, &slow);
    until("the address", || lab.one.has("10.78.0.10"));
    let lease = remaining(&lab).unwrap();
    assert!((900..=957).contains(&lease), "{lease} s");
    agent.crash();
    // Nobody renews it: the kernel counts it down.
    until("the lease to run", || remaining(&lab).is_some_and(|left| left < lease));
    // The next agent need not wait for the end of it.
    let _next = Agent::on(&lab.one, &home, &slow.replace("10.78.0.10", "10.78.0.11"));
    until("what was left to go", || !lab.one.has("10.78.0.10") && lab.one.has("10.78.0.11"));
}
