//! From an operator's command to both kernels, and what happens when the server is not there.

use std::net::Ipv4Addr;
use std::time::Duration;

use vipfleet_tests::daemons::{Agent, Vipctl};
use vipfleet_tests::fleet::{Fleet, items};
use vipfleet_tests::kernel;
use vipfleet_tests::lab::Lab;
use vipfleet_tests::pair::{VIP_1, insist_on_owners, owners, wait_for_owners};
use vipfleet_tests::probe::{Neighbour, Pinger};
use vipfleet_tests::wait;

const ADDED: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 122);

#[test]
fn an_import_applied_with_wait_is_in_both_kernels_when_the_command_returns() {
    let lab = Lab::pair();
    let fleet = Fleet::start_empty(&lab);
    let definitions = fleet.import();
    let outcome = fleet.vipctl.apply(&definitions, &["--wait", "-m", "import"]);
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    wait_for_owners(&lab, "each host to own its VIP", ["n1", "n2"]);

    wait::until(
        "the fleet to say so",
        wait::GENEROUS,
        || [fleet.instance("VI_1"), fleet.instance("VI_2")],
        |[one, two]| {
            one["health"] == "ok"
                && two["health"] == "ok"
                && one["owner"] == "lb1"
                && two["owner"] == "lb2"
        },
    );
    let one = fleet.instance("VI_1");
    assert_eq!(one["virtualRouterId"], 51);
    let states: Vec<_> = one["members"]
        .as_array()
        .expect("members")
        .iter()
        .map(|member| (member["node"].clone(), member["state"].clone()))
        .collect();
    assert!(states.contains(&("lb1".into(), "MASTER".into())), "{one:#}");
    assert!(states.contains(&("lb2".into(), "BACKUP".into())), "{one:#}");
    for member in one["members"].as_array().expect("members") {
        let generation = &member["generation"];
        assert_eq!(generation["desired"], generation["accepted"], "{one:#}");
        assert_eq!(generation["desired"], generation["observed"], "{one:#}");
    }
}

#[test]
fn a_vip_that_was_added_with_wait_is_in_the_kernel_when_the_command_returns() {
    let lab = Lab::pair();
    let fleet = Fleet::start(&lab);
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    let added = ADDED.to_string();
    fleet.vipctl.must(&["set", "instance", "VI_1", "--add-vip", &added, "--wait"]);
    assert_eq!(kernel::owners(&lab, ADDED), ["n1"]);
    fleet.vipctl.must(&["set", "instance", "VI_1", "--remove-vip", &added, "--wait"]);
    assert!(kernel::owners(&lab, ADDED).is_empty());
    let losses = pinger.finish();
    println!("{losses}");
    assert_eq!(losses.lost, 0, "no other VIP may notice: {losses}");
}

#[test]
fn a_priority_that_was_changed_with_wait_moves_the_vip_without_loss() {
    let lab = Lab::pair();
    let fleet = Fleet::start(&lab);
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    fleet.vipctl.must(&["set", "instance", "VI_1", "--priority", "lb1=70", "--wait"]);
    wait_for_owners(&lab, "the other host to own both VIPs", ["n2", "n2"]);
    std::thread::sleep(Duration::from_secs(1));
    let losses = pinger.finish();
    println!("{losses}");
    assert_eq!(losses.lost, 0, "{losses}");

    let history = fleet.vipctl.json(&["history", "instance", "VI_1"]);
    assert!(items(&history).len() >= 2, "{history:#}");
}

#[test]
fn the_server_is_killed_and_failover_works_all_the_same() {
    let lab = Lab::pair();
    let mut fleet = Fleet::start(&lab);
    fleet.server.process().kill();
    insist_on_owners(&lab, Duration::from_secs(5), ["n1", "n2"]);
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    std::thread::sleep(Duration::from_millis(500));
    fleet.first.terminate();
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);
    std::thread::sleep(Duration::from_secs(1));
    let losses = pinger.finish();
    println!("{losses}");
    assert_eq!(losses.lost, 0, "{losses}");
}

#[test]
fn an_agent_that_starts_without_a_server_runs_what_it_ran_last() {
    let lab = Lab::pair();
    let mut fleet = Fleet::start(&lab);
    fleet.server.process().kill();
    fleet.first.terminate();
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);
    let _again = Agent::connected(lab.host("n1"), "lb1", &[&fleet.server.url()]);
    wait_for_owners(&lab, "each host to own its VIP again", ["n1", "n2"]);
    insist_on_owners(&lab, Duration::from_secs(3), ["n1", "n2"]);
}

#[test]
fn a_server_that_comes_back_has_everything_and_moves_nothing() {
    let lab = Lab::pair();
    let mut fleet = Fleet::start(&lab);
    fleet.server.process().kill();
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    fleet.server = vipfleet_tests::daemons::Server::start(lab.host("ctl"));
    wait::until(
        "the fleet to be healthy again",
        Duration::from_secs(60),
        || fleet.instance("VI_1"),
        |instance| instance["health"] == "ok" && instance["owner"] == "lb1",
    );
    let losses = pinger.finish();
    assert_eq!(losses.lost, 0, "{losses}");
    assert_eq!(owners(&lab), [["n1"], ["n2"]]);
}

#[test]
fn a_broken_definition_is_refused_with_every_finding_and_changes_nothing() {
    let lab = Lab::pair();
    let fleet = Fleet::start(&lab);
    let before = fleet.instance("VI_1")["revision"].clone();
    let broken = "\
kind: Instance
name: VI_1
spec:
  virtualRouterId: 300
  virtualAddresses: [192.168.248.120]
  version: 2
  advertInterval: 100ms
  members:
    - {node: lb1, interface: ens33, priority: 100}
    - {node: lb2, interface: ens33, priority: 80}
";
    let outcome = fleet.vipctl.apply(broken, &[]);
    assert_eq!(outcome.code, Some(3), "{outcome:#?}");
    for path in ["virtualRouterId", "advertInterval"] {
        assert!(outcome.stderr.contains(path), "{path} is not named: {outcome:#?}");
    }
    assert_eq!(fleet.instance("VI_1")["revision"], before);
    assert_eq!(owners(&lab), [["n1"], ["n2"]]);
}

#[test]
fn a_change_planned_against_an_older_revision_is_refused() {
    let lab = Lab::pair();
    let fleet = Fleet::start(&lab);
    let definitions = fleet.import();
    fleet.vipctl.must(&["set", "instance", "VI_1", "--priority", "lb2=81", "--wait"]);
    let outcome = fleet.vipctl.apply(&definitions, &["--if-revision", "1"]);
    assert_eq!(outcome.code, Some(3), "{outcome:#?}");
}

#[test]
fn waiting_for_a_node_that_is_not_there_times_out_and_names_it() {
    let lab = Lab::pair();
    let mut fleet = Fleet::start(&lab);
    fleet.second.process().kill();
    let added = ADDED.to_string();
    let arguments = ["set", "instance", "VI_1", "--add-vip", &added, "--wait=5s"];
    let outcome = fleet.vipctl.run(&arguments);
    assert_eq!(outcome.code, Some(4), "{outcome:#?}");
    assert!(outcome.stderr.contains("lb2"), "{outcome:#?}");
}

#[test]
fn a_command_that_cannot_reach_a_server_says_which_and_exits_with_five() {
    let lab = Lab::pair();
    let vipctl = Vipctl::on(lab.host("ctl"), "http://127.0.0.1:7799");
    let outcome = vipctl.run(&["get", "instances"]);
    assert_eq!(outcome.code, Some(5), "{outcome:#?}");
    assert!(outcome.stderr.contains("127.0.0.1:7799"), "{outcome:#?}");
}
