//! How an agent starts and ends.

use crate::lab::{Lab, until};
use crate::local;
use crate::process::{Agent, Home};
use nix::sys::signal::Signal;
use std::os::unix::fs::FileTypeExt as _;
use std::time::{Duration, Instant};
use vipfleet_model::report::InstanceState;

pub(crate) const ONE: &str = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n \
    priority 255\n advert_int 1\n virtual_ipaddress { 10.78.0.10 }\n}\n";

#[test]
fn a_stopped_agent_leaves_nothing_behind() {
    let (lab, home) = (Lab::new(), Home::new());
    let (peer_home, before) = (Home::new(), lab.one.state());
    let mut agent = Agent::on(&lab.one, &home, ONE);
    until("the address", || lab.one.has("10.78.0.10"));
    let _peer = Agent::on(&lab.two, &peer_home, &ONE.replace("255", "100"));
    local::instance(&peer_home, "VI_1", |it| it.state == InstanceState::Backup);
    assert!(std::fs::metadata(home.socket()).unwrap().file_type().is_socket());

    assert_eq!(agent.terminate().code(), Some(0));
    until("the peer to serve", || lab.two.has("10.78.0.10"));
    assert_eq!(lab.one.state(), before);
    assert!(!home.socket().exists());
}

#[test]
fn an_agent_with_backups_only_stops_at_once_and_has_let_go() {
    let (lab, home, peer_home) = (Lab::new(), Home::new(), Home::new());
    let _peer = Agent::on(&lab.two, &peer_home, ONE);
    until("the peer to serve", || lab.two.has("10.78.0.10"));
    let before = lab.one.state();
    // Left by a former incarnation that was MASTER: it goes with the agent that finds it.
    let mut former = Agent::on(&lab.one, &home, &ONE.replace("51", "77").replace("0.10", "0.77"));
    until("its address", || lab.one.has("10.78.0.77"));
    former.crash();
    let mut agent = Agent::on(&lab.one, &home, &ONE.replace("255", "100"));
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Backup);
    let asked = Instant::now();
    assert_eq!(agent.terminate().code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert_eq!(lab.one.state(), before);
}

#[test]
fn an_agent_that_is_told_twice_does_not_wait_for_a_successor() {
    let (lab, home) = (Lab::new(), Home::new());
    let before = lab.one.state();
    let mut agent = Agent::on(&lab.one, &home, ONE);
    until("the address", || lab.one.has("10.78.0.10"));
    agent.signal(Signal::SIGTERM);
    // Nobody comes: it would hold on for more than three seconds.
    local::instance(&home, "VI_1", |it| it.holding && it.state == InstanceState::Init);
    assert!(lab.one.has("10.78.0.10"));
    let asked = Instant::now();
    assert_eq!(agent.terminate().code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(lab.one.state(), before);
}

#[test]
fn an_agent_whose_instances_cannot_run_stops_as_well() {
    let (lab, home) = (Lab::new(), Home::new());
    let mut agent = Agent::on(&lab.one, &home, &ONE.replace("eth0", "eth9"));
    let waiting = local::instance(&home, "VI_1", |it| it.state == InstanceState::Fault);
    assert_eq!(waiting.reason, "interface eth9 does not exist");
    assert_eq!(agent.terminate().code(), Some(0));

    // Told before it had time to start anything.
    let mut hasty = Agent::on(&lab.one, &home, ONE);
    hasty.expect_log("apply");
    assert_eq!(hasty.terminate().code(), Some(0));
    assert!(!lab.one.has("10.78.0.10"));
}

#[test]
fn a_second_agent_on_the_same_state_or_socket_is_refused_and_touches_nothing() {
    let (lab, home) = (Lab::new(), Home::new());
    let _first = Agent::on(&lab.one, &home, ONE);
    until("the address", || lab.one.has("10.78.0.10"));
    let refused = |mut command: std::process::Command| {
        command.arg("--config").arg(home.path("keepalived.conf"));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let same_state = refused(Agent::command(&lab.one, &home));
    assert!(same_state.contains("in use by another agent"), "{same_state}");

    let elsewhere = Home::new();
    let same_socket =
        refused(Agent::command_with(&lab.one, &elsewhere.state_dir(), &home.socket()));
    assert!(same_socket.contains("another agent listens there"), "{same_socket}");
    assert!(lab.one.has("10.78.0.10"));
    assert!(home.socket().exists());
}

#[test]
fn a_broken_file_at_the_start_is_refused_before_anything_is_touched() {
    let (lab, home) = (Lab::new(), Home::new());
    let before = lab.one.state();
    let mut agent = Agent::on(&lab.one, &home, "vrrp_instance VI_1 {\n interface eth0\n}\n");
    assert_eq!(agent.wait().code(), Some(1));
    assert!(agent.log().contains("keepalived.conf:1:"), "{}", agent.log());
    assert!(!home.state_dir().exists());
    assert_eq!(lab.one.state(), before);
}

#[test]
fn the_local_api_says_states_and_what_the_kernel_shows() {
    let (lab, home) = (Lab::new(), Home::new());
    let _agent = Agent::on(&lab.one, &home, ONE);
    let seen = local::instance(&home, "VI_1", |it| it.addresses.iter().any(|at| at.in_kernel));
    assert_eq!(seen.state, InstanceState::Master);
    assert!(!seen.addresses[0].foreign);
    assert!(lab.one.has("10.78.0.10"));
    let state = local::state(&home).unwrap();
    assert_eq!((state.mode.as_str(), state.connected_to.as_str()), ("config", ""));
    let facts = state.facts.unwrap();
    let interface = facts.interfaces.iter().find(|it| it.name == "eth0").unwrap();
    assert_eq!(interface.addresses, ["10.78.0.1/24"], "a VIP is no address of the host");
    let reasons: Vec<_> = state.recent.iter().map(|it| it.reason.as_str()).collect();
    assert_eq!(reasons, ["owner of the addresses (priority 255)"]);
}
