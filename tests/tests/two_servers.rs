//! Two servers on one etcd: either one is enough, and no observer misses or repeats anything.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;
use vipfleet_tests::daemons::{Agent, Etcd, PORT, Server, Vipctl};
use vipfleet_tests::fleet::wait_for_nodes;
use vipfleet_tests::kernel;
use vipfleet_tests::lab::Lab;
use vipfleet_tests::pair::{first_file, second_file, wait_for_owners};
use vipfleet_tests::process::Process;
use vipfleet_tests::wait;

struct TwoServers<'lab> {
    etcd: Etcd<'lab>,
    servers: [Server; 2],
    first: Agent,
    _second: Agent,
    terminals: [Vipctl<'lab>; 2],
}

/// Agents prefer different servers, and know both.
fn start(lab: &Lab) -> TwoServers<'_> {
    let control = lab.host("ctl");
    let etcd = Etcd::start(control);
    let store = format!("etcd:{}", etcd.endpoint());
    let servers = [PORT, PORT + 1].map(|port| Server::start_on(control, port, Some(&store)));
    let [one, two] = [servers[0].url(), servers[1].url()];
    let first = Agent::connected(lab.host("n1"), "lb1", &[&one, &two]);
    let second = Agent::connected(lab.host("n2"), "lb2", &[&two, &one]);
    let terminals = [Vipctl::on(control, &one), Vipctl::on(control, &two)];
    wait_for_nodes(&terminals[0]);
    wait_for_nodes(&terminals[1]);
    let import = |node: &str, file: std::path::PathBuf| format!("{node}={}", file.display());
    let definitions = terminals[0].must(&[
        "import",
        "keepalived",
        &import("lb1", first_file()),
        &import("lb2", second_file()),
    ]);
    let outcome = terminals[0].apply(&definitions, &["--wait"]);
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    wait_for_owners(lab, "each host to own its VIP", ["n1", "n2"]);
    TwoServers { etcd, servers, first, _second: second, terminals }
}

#[track_caller]
fn add_vip(lab: &Lab, terminal: &Vipctl<'_>, vip: Ipv4Addr) {
    terminal.must(&["set", "instance", "VI_1", "--add-vip", &vip.to_string(), "--wait"]);
    assert_eq!(kernel::owners(lab, vip), ["n1"]);
}

#[test]
fn a_change_through_either_server_reaches_all_agents_and_one_server_is_enough() {
    let lab = Lab::pair();
    let mut fleet = start(&lab);
    add_vip(&lab, &fleet.terminals[0], Ipv4Addr::new(192, 168, 248, 122));
    add_vip(&lab, &fleet.terminals[1], Ipv4Addr::new(192, 168, 248, 123));
    fleet.servers[0].process().kill();
    wait_for_nodes(&fleet.terminals[1]);
    add_vip(&lab, &fleet.terminals[1], Ipv4Addr::new(192, 168, 248, 124));
}

#[test]
fn etcd_comes_back_and_the_next_change_goes_through() {
    let lab = Lab::pair();
    let mut fleet = start(&lab);
    fleet.etcd.kill();
    let added = "192.168.248.122";
    let outcome = fleet.terminals[0].run(&["set", "instance", "VI_1", "--add-vip", added]);
    assert_ne!(outcome.code, Some(0), "nothing was stored: {outcome:#?}");
    wait_for_owners(&lab, "nothing to move", ["n1", "n2"]);
    fleet.etcd.restart();
    wait::until(
        "a change to go through",
        Duration::from_secs(60),
        || fleet.terminals[1].run(&["set", "instance", "VI_1", "--add-vip", added, "--wait"]),
        |outcome| outcome.code == Some(0),
    );
    assert_eq!(kernel::owners(&lab, Ipv4Addr::new(192, 168, 248, 122)), ["n1"]);
}

/// The complete lines of a watch so far.
fn transitions(watch: &Process) -> Vec<Value> {
    let log = watch.log();
    let complete = log.rfind('\n').map_or("", |end| &log[..end]);
    complete.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn revisions(transitions: &[Value]) -> Vec<u64> {
    transitions.iter().filter_map(|transition| transition["revision"].as_u64()).collect()
}

#[test]
fn a_watch_resumed_at_another_server_sees_every_transition_once() {
    let lab = Lab::pair();
    let mut fleet = start(&lab);
    let from_the_start = ["-o", "json", "watch", "--from-revision", "0"];
    let before = fleet.terminals[0].start("watch-before", &from_the_start);
    wait::until(
        "the first transitions",
        wait::GENEROUS,
        || transitions(&before),
        |seen| seen.len() >= 4,
    );
    fleet.servers[0].process().kill();
    let mut seen = transitions(&before);
    let last = *revisions(&seen).last().expect("transitions carry a revision");
    drop(before);

    // What happens while nobody watches.
    fleet.first.terminate();
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);
    let last_text = last.to_string();
    let resume = ["-o", "json", "watch", "--from-revision", &last_text];
    let after = fleet.terminals[1].start("watch-after", &resume);
    let whole = fleet.terminals[1].start("watch-whole", &from_the_start);
    wait::until(
        "the takeover to be seen",
        wait::GENEROUS,
        || transitions(&after),
        |seen| !seen.is_empty(),
    );
    std::thread::sleep(Duration::from_secs(2));
    seen.extend(transitions(&after));
    let (resumed, whole) = (revisions(&seen), revisions(&transitions(&whole)));
    assert!(resumed.is_sorted_by(|a, b| a < b), "repeated or out of order: {resumed:?}");
    assert_eq!(resumed, whole);
}
