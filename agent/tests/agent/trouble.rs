//! Interfaces and addresses that others change, and a log that nobody reads.

use crate::adverts::Listener;
use crate::lab::{GENEROUS, Lab, until};
use crate::life::ONE;
use crate::local;
use crate::process::{Agent, Home};
use nix::sys::signal::Signal;
use std::process::Stdio;
use std::time::Instant;
use vipfleet_model::report::InstanceState;

#[test]
fn an_interface_that_goes_down_and_up_is_a_fault_and_its_end() {
    let (lab, home) = (Lab::new(), Home::new());
    let _agent = Agent::on(&lab.one, &home, ONE);
    until("the address", || lab.one.has("10.78.0.10"));
    lab.one.ip("link set eth0 down");
    let down = local::instance(&home, "VI_1", |it| it.state == InstanceState::Fault);
    assert_eq!(down.reason, "interface eth0 is down");
    lab.one.ip("link set eth0 up");
    local::instance(&home, "VI_1", |it| {
        it.state == InstanceState::Master && it.addresses.iter().all(|at| at.in_kernel)
    });
    assert!(lab.one.has("10.78.0.10"));
}

#[test]
fn an_interface_that_is_deleted_and_made_again_is_served_again() {
    let (lab, home) = (Lab::new(), Home::new());
    let _agent = Agent::on(&lab.one, &home, ONE);
    until("the address", || lab.one.has("10.78.0.10"));
    lab.one.ip("link del eth0");
    // It goes down on its way.
    local::instance(&home, "VI_1", |it| {
        it.state == InstanceState::Fault && it.reason == "interface eth0 does not exist"
    });
    lab.plug();
    let listener = Listener::start(&lab.two);
    until("the address on the new interface", || lab.one.has("10.78.0.10"));
    until("adverts on the new wire", || listener.of(51).len() > 1);
}

#[test]
fn an_interface_that_appears_later_is_served_then() {
    let (lab, home) = (Lab::new(), Home::new());
    let _agent = Agent::on(&lab.one, &home, &ONE.replace("eth0", "eth1"));
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Fault);
    lab.one.ip("link add eth1 type veth peer name eth2");
    lab.one.ip("link set eth2 up");
    lab.one.ip("link set eth1 up");
    local::instance(&home, "VI_1", |it| it.reason == "interface eth1 has no IPv4 address");
    lab.one.ip("addr add 10.79.0.1/24 dev eth1");
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    until("the address", || lab.one.has("10.78.0.10"));
}

#[test]
fn adverts_follow_the_primary_address_and_a_named_one_must_be_there() {
    let (lab, home) = (Lab::new(), Home::new());
    let named = ONE.replace(" advert_int", " mcast_src_ip 10.78.0.3\n advert_int");
    let agent = Agent::on(&lab.one, &home, &named);
    let absent = local::instance(&home, "VI_1", |it| it.state == InstanceState::Fault);
    assert_eq!(absent.reason, "source address 10.78.0.3 is not on eth0");
    lab.one.ip("addr add 10.78.0.3/24 dev eth0");
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    lab.one.ip("addr del 10.78.0.3/24 dev eth0");
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Fault);
    home.write("keepalived.conf", ONE);
    agent.signal(Signal::SIGHUP);
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
}

#[test]
fn a_vip_that_somebody_deletes_is_put_back_and_told() {
    let (lab, home) = (Lab::new(), Home::new());
    let _agent = Agent::on(&lab.one, &home, ONE);
    until("the address", || lab.one.has("10.78.0.10"));
    lab.one.ip("addr del 10.78.0.10/32 dev eth0");
    let told = local::instance(&home, "VI_1", |it| !it.warnings.is_empty());
    assert_eq!(told.warnings, ["10.78.0.10: another program deleted it; added again in place"]);
    assert_eq!(told.state, InstanceState::Master);
    assert!(lab.one.has("10.78.0.10"));
}

#[test]
fn the_hosts_own_address_is_never_touched_and_said_as_long_as_it_is_there() {
    let (lab, home) = (Lab::new(), Home::new());
    lab.one.ip("addr add 10.78.0.10/24 dev eth0");
    let before = lab.one.line("10.78.0.10");
    let mut agent = Agent::on(&lab.one, &home, ONE);
    let seen = local::instance(&home, "VI_1", |it| it.addresses.iter().any(|at| at.foreign));
    assert_eq!(seen.warnings, ["10.78.0.10: the host has it already; left as it is"]);
    assert_eq!(lab.one.line("10.78.0.10"), before);
    lab.one.ip("addr del 10.78.0.10/24 dev eth0");
    until("the agent's own", || lab.one.line("10.78.0.10").is_some_and(|it| it.contains("/32")));
    local::instance(&home, "VI_1", |it| it.warnings.is_empty());
    lab.one.ip("addr add 10.78.0.99/32 dev eth0");
    assert!(agent.terminate().success());
    assert!(lab.one.has("10.78.0.99") && !lab.one.has("10.78.0.10"));
}

#[test]
fn a_log_that_nobody_reads_stalls_nothing() {
    let (lab, home) = (Lab::new(), Home::new());
    home.write("keepalived.conf", ONE);
    let mut command = Agent::command(&lab.one, &home);
    command.arg("--config").arg(home.path("keepalived.conf")).env("RUST_LOG", "trace");
    // The pipe is never read: it holds 64 KiB.
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("the address", || lab.one.has("10.78.0.10"));
    let write_blocks = |pid: u32| {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        tasks.flatten().any(|task| {
            let read = |file: &str| std::fs::read_to_string(task.path().join(file));
            read("comm").is_ok_and(|name| name.trim() == "log")
                && read("wchan").is_ok_and(|at| at.contains("pipe_w"))
        })
    };
    let start = Instant::now();
    while !write_blocks(child.id()) {
        assert!(start.elapsed() < GENEROUS, "the pipe never filled");
        local::state(&home);
    }
    let listener = Listener::start(&lab.two);
    until("adverts all the same", || listener.of(51).len() > 2);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM)
        .unwrap();
    until("the agent to end", || child.try_wait().unwrap().is_some());
    assert!(!lab.one.has("10.78.0.10"));
}
