//! The guard beside the agent: what it takes away and when, and what it leaves alone.

use crate::following::{HERE, NOT_HERE, follows, member};
use crate::lab::{AddressMonitor, Host, Lab, until, wait_for};
use crate::local;
use crate::process::{Agent, Home};
use crate::server::{FLEET, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use vipfleet_model::report::InstanceState;

const VIP: &str = "10.78.0.10";
/// The word of a guard that has taken something away.
const DEAD: &str = "vipfleet-guard: the agent is dead";
const SILENT: &str = "vipfleet-guard: the agent is silent";

/// A guard's process, alive or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guard(i32);

/// The guard of an agent; waits for it.
#[track_caller]
pub(crate) fn of(agent: &Agent) -> Guard {
    wait_for("the guard", || running(agent))
}

fn running(agent: &Agent) -> Option<Guard> {
    let wanted = format!("vipfleet-guard\0--agent\0{}\0", agent.pid());
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(&wanted)
    })
    .map(Guard)
    .next()
}

/// Ends the guard of an agent that a test is done with: at 255 s adverts it would stand by for a
/// quarter of an hour.
pub(crate) fn dismiss(agent: &Agent) {
    if let Some(Guard(pid)) = running(agent) {
        // It may have ended meanwhile.
        kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
    }
}

impl Guard {
    pub(crate) fn pid(self) -> u32 {
        self.0.cast_unsigned()
    }

    pub(crate) fn kill(self) {
        kill(Pid::from_raw(self.0), Signal::SIGKILL).unwrap();
        until("the guard to be gone", || !self.is_running());
    }

    /// One that nobody has waited for yet is not running any more.
    fn is_running(self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0));
        status.is_ok_and(|status| !status.contains("State:\tZ"))
    }

    /// A line of `/proc/PID/status`.
    fn status(self, key: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap().trim().to_owned()
    }
}

/// VRRPv3 at priority 100, `interval` in seconds.
fn config(interval: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n version 3\n interface eth0\n virtual_router_id 51\n \
         priority 100\n advert_int {interval}\n virtual_ipaddress {{ {VIP} }}\n}}\n"
    )
}

/// The same with a virtual MAC.
fn with_own_mac(interval: &str) -> String {
    config(interval).replace("priority 100", "priority 100\n use_vmac")
}

fn master_of(host: &Host, home: &Home, interval: &str) -> Agent {
    let agent = Agent::on(host, home, &config(interval));
    serves(host, home);
    agent
}

fn serves(host: &Host, home: &Home) {
    local::instance(home, "VI_1", |it| it.state == InstanceState::Master);
    until("the address", || host.has(VIP));
    until("masters.json", || {
        let text = std::fs::read_to_string(home.state_dir().join("masters.json"));
        text.is_ok_and(|text| text.contains("VI_1"))
    });
}

#[test]
fn what_a_killed_agent_held_is_taken_away_by_its_guard() {
    // A lease of 14 s, or of 2 s.
    for interval in ["3", "0.1"] {
        let (lab, home) = (Lab::new(), Home::new());
        let mut agent = master_of(&lab.one, &home, interval);
        let guard = of(&agent);
        agent.crash();
        until("the guard to act", || !lab.one.has(VIP));
        agent.expect_log(DEAD);
        until("the guard to end", || !guard.is_running());
    }
}

#[test]
fn the_guard_of_an_agent_that_logs_json_does_too() {
    let (lab, home) = (Lab::new(), Home::new());
    let file = home.write("keepalived.conf", &config("0.1"));
    let mut command = Agent::command(&lab.one, &home);
    command.arg("--log-json").arg("--config").arg(file);
    let mut agent = Agent::start(command, &home);
    serves(&lab.one, &home);
    agent.crash();
    agent.expect_log("\"message\":\"the agent is dead");
    let log = agent.log();
    let lines = log.lines().map(serde_json::from_str::<serde_json::Value>);
    assert!(lines.clone().count() > 1 && lines.into_iter().all(|line| line.is_ok()), "{log}");
}

#[test]
fn what_a_frozen_agent_held_is_taken_away_and_on_waking_it_is_backup() {
    for interval in ["3", "0.1"] {
        let (lab, home) = (Lab::new(), Home::new());
        let agent = master_of(&lab.one, &home, interval);
        agent.signal(Signal::SIGSTOP);
        until("the guard to act", || !lab.one.has(VIP));
        agent.expect_log(SILENT);
        agent.signal(Signal::SIGCONT);
        agent.expect_log("the guard took its addresses");
        agent.expect_log("from=MASTER to=BACKUP");
        // Nobody else is there: it is MASTER again in time, and is guarded as before.
        serves(&lab.one, &home);
        assert!(!agent.log().contains("deleted"), "{}", agent.log());
        let before = agent.log().matches(SILENT).count();
        agent.signal(Signal::SIGSTOP);
        until("the guard to act again", || !lab.one.has(VIP));
        until("it to say so", || agent.log().matches(SILENT).count() > before);
    }
}

#[test]
fn the_device_of_a_virtual_mac_goes_with_what_it_served_and_comes_back_with_the_agent() {
    let device = |host: &Host| host.ip("-o link show").contains("vrrp.51@eth0");
    let (lab, home) = (Lab::new(), Home::new());
    let mut agent = Agent::on(&lab.one, &home, &with_own_mac("0.1"));
    serves(&lab.one, &home);
    agent.signal(Signal::SIGSTOP);
    until("the guard to act", || !lab.one.has(VIP) && !device(&lab.one));
    agent.signal(Signal::SIGCONT);
    agent.expect_log("the guard took its addresses");
    serves(&lab.one, &home);
    assert!(device(&lab.one));
    agent.crash();
    until("the guard to act again", || !lab.one.has(VIP) && !device(&lab.one));
}

#[test]
fn without_its_guard_a_killed_agents_address_goes_with_its_lease() {
    let (lab, home) = (Lab::new(), Home::new());
    let mut agent = master_of(&lab.one, &home, "1");
    let guard = of(&agent);
    agent.crash();
    guard.kill();
    until("the kernel to drop the address", || !lab.one.has(VIP));
    assert!(!agent.log().contains(DEAD), "{}", agent.log());
}

#[test]
fn an_agent_that_stops_dismisses_its_guard() {
    let (lab, home) = (Lab::new(), Home::new());
    let mut agent = master_of(&lab.one, &home, "1");
    let guard = of(&agent);
    assert!(agent.terminate().success());
    until("the guard to end", || !guard.is_running());
    let log = agent.log();
    assert!(!log.contains("vipfleet-guard:") && !log.contains("starting another"), "{log}");
}

#[test]
fn the_guard_of_a_crashed_agent_does_nothing_to_the_one_that_carries_on() {
    let (lab, home) = (Lab::new(), Home::new());
    let mut agent = master_of(&lab.one, &home, "1");
    let (guard, monitor) = (of(&agent), AddressMonitor::start(&lab.one));
    agent.crash();
    let again = Agent::standalone(&lab.one, &home);
    let back = local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    assert_eq!(back.reason, "carried on without an election");
    // It looks when the silence of its agent would have been too long.
    until("the former guard to end", || !guard.is_running());
    assert!(of(&again).is_running());
    assert_eq!(monitor.deletions(VIP), 0);
    assert!(!again.log().contains("vipfleet-guard:"), "{}", again.log());
}

#[test]
fn an_address_of_the_host_is_never_taken_away() {
    let (lab, home) = (Lab::new(), Home::new());
    let both = config("1").replace(VIP, &format!("{VIP}\n 10.78.0.11"));
    lab.one.ip(&format!("addr add {VIP}/32 dev eth0"));
    let mut agent = Agent::on(&lab.one, &home, &both);
    until("the other address", || lab.one.has("10.78.0.11"));
    agent.crash();
    until("the guard to act", || !lab.one.has("10.78.0.11"));
    agent.expect_log(DEAD);
    assert!(lab.one.line(VIP).unwrap().contains("forever"));
}

#[test]
fn routes_and_rules_go_with_the_addresses_and_those_of_others_stay() {
    let (lab, home) = (Lab::new(), Home::new());
    let server = Server::start(&lab.one, "10.78.0.1:7700", FLEET);
    let mut agent = Agent::connected(&lab.one, &home, "n1", &[&server.url]);
    server.session().push_accepted(1, &member("n1", &[VIP]));
    until("the route and the rule", || follows(&lab.one) == HERE);
    lab.one.ip("route add 10.99.0.0/16 via 10.78.0.8 table 99 metric 50 proto static");
    lab.one.ip("rule add from 10.78.0.10 table 99 pref 91 protocol static");
    agent.crash();
    until("the guard to act", || !lab.one.has(VIP));
    until("the route and the rule to go", || follows(&lab.one) == NOT_HERE);
    let routes = lab.one.ip("route show table 99");
    assert_eq!(routes.trim(), "10.99.0.0/16 via 10.78.0.8 dev eth0 proto static metric 50");
    assert!(lab.one.ip("rule show").contains("91:"), "{}", lab.one.ip("rule show"));
}

#[test]
fn a_guard_that_ends_is_replaced() {
    let (lab, home) = (Lab::new(), Home::new());
    let mut agent = master_of(&lab.one, &home, "1");
    let first = of(&agent);
    first.kill();
    agent.expect_log("the guard ended; starting another");
    wait_for("another guard", || running(&agent).filter(|guard| *guard != first));
    agent.crash();
    until("the new guard to act", || !lab.one.has(VIP));
    agent.expect_log(DEAD);
}

#[test]
fn a_missing_guard_is_said_loudly_and_stops_nothing() {
    let (lab, home) = (Lab::new(), Home::new());
    let alone = home.path("vipfleet-agent");
    let program = Path::new(env!("CARGO_BIN_EXE_vipfleet-agent"));
    if std::fs::hard_link(program, &alone).is_err() {
        std::fs::copy(program, &alone).unwrap();
    }
    let mut command = lab.one.command(alone.to_str().unwrap());
    command.arg("--state-dir").arg(home.state_dir()).arg("--socket").arg(home.socket());
    command.arg("--config").arg(home.write("keepalived.conf", &config("1")));
    let agent = Agent::start(command, &home);
    agent.expect_log("no guard: ");
    let unguarded = |text: &String| text.starts_with("no guard runs");
    local::instance(&home, "VI_1", |it| {
        it.state == InstanceState::Master && it.warnings.iter().any(unguarded)
    });
    until("the address", || lab.one.has(VIP));
}

#[test]
fn a_guard_can_do_little_and_sleeps_most_of_the_time() {
    let (lab, home) = (Lab::new(), Home::new());
    let agent = master_of(&lab.one, &home, "0.1");
    let guard = of(&agent);
    // CAP_NET_ADMIN alone (capability.h: number 12), and a seccomp filter.
    for (key, value) in [("CapPrm", 1 << 12), ("CapEff", 1 << 12), ("CapInh", 0), ("CapAmb", 0)] {
        assert_eq!(u64::from_str_radix(&guard.status(key), 16), Ok(value), "{key}");
    }
    assert_eq!((guard.status("NoNewPrivs"), guard.status("Seccomp")), ("1".into(), "2".into()));
    let wakes = || guard.status("voluntary_ctxt_switches").parse::<u64>().unwrap();
    let (before, from) = (wakes(), std::time::Instant::now());
    until("a few wake-ups", || wakes() >= before + 5);
    // At most one a heartbeat interval.
    assert!(from.elapsed() >= std::time::Duration::from_millis(500), "{:?}", from.elapsed());
    println!("resident: {}; anonymous: {}", guard.status("VmRSS"), guard.status("RssAnon"));
}
