//! Planned moves on a real kernel, through vipctl, server and agents: no client notices.

use std::time::{Duration, Instant};

use serde_json::Value;
use vipfleet_tests::daemons::{Nginx, samples};
use vipfleet_tests::fleet::{Fleet, items};
use vipfleet_tests::lab::Lab;
use vipfleet_tests::moves::{
    MANNERS, Manner, drain_and_uncordon, set_manner, switch_over_and_back,
};
use vipfleet_tests::pair::{VIP_1, insist_on_owners, wait_for_owners};
use vipfleet_tests::probe::{Neighbour, Pinger};
use vipfleet_tests::wait;

/// Round trips of each manner; `VIPFLEET_RUNS` asks for more of them.
fn runs() -> usize {
    let asked = std::env::var("VIPFLEET_RUNS");
    asked.map_or(1, |runs| runs.parse().expect("VIPFLEET_RUNS is a number"))
}

#[test]
fn a_switchover_and_the_return_lose_nothing_in_any_manner() {
    let lab = Lab::pair();
    let fleet = Fleet::start(&lab);
    let mut lost = 0;
    for manner in MANNERS {
        set_manner(&fleet, manner);
        for run in 0..runs() {
            let [out, back] = switch_over_and_back(&lab, &fleet, manner);
            println!("{manner:?}, run {run}: out {out}\n  back {back}");
            lost += out.lost() + back.lost();
        }
    }
    assert_eq!(lost, 0, "probes were lost");
}

#[test]
fn a_drain_and_its_end_lose_nothing() {
    let lab = Lab::pair();
    let fleet = Fleet::start(&lab);
    let mut lost = 0;
    for takeover in ["rfc", "fast"] {
        set_manner(&fleet, Manner { takeover, preempt: true });
        for run in 0..runs() {
            let [drained, back] = drain_and_uncordon(&lab, &fleet);
            println!("{takeover}, run {run}: drain {drained}\n  uncordon {back}");
            lost += drained.lost() + back.lost();
        }
    }
    assert_eq!(lost, 0, "probes were lost");
}

#[test]
fn a_move_is_seen_in_every_view_and_in_the_history() {
    let lab = Lab::pair();
    let fleet = Fleet::start(&lab);
    fleet.vipctl.must(&[
        "switchover",
        "VI_1",
        "--to",
        "lb2",
        "--for",
        "1h",
        "-m",
        "ours",
        "--wait",
    ]);
    let instance = fleet.instance("VI_1");
    assert_eq!(instance["switchover"]["to"], "lb2", "{instance:#}");
    assert_eq!(instance["switchover"]["order"]["message"], "ours", "{instance:#}");
    assert!(instance["switchover"]["order"]["until"].is_string(), "{instance:#}");
    let status = fleet.vipctl.must(&["status"]);
    assert!(status.contains("override → lb2 for "), "{status}");

    fleet.vipctl.must(&["drain", "lb1", "--wait"]);
    let nodes = fleet.vipctl.must(&["get", "nodes"]);
    assert!(nodes.contains("drained until uncordoned"), "{nodes}");
    let history = fleet.vipctl.json(&["history"]);
    let kinds = items(&history).iter().map(|it| it["changes"][0]["kind"].clone());
    assert_eq!(kinds.take(2).collect::<Vec<_>>(), ["Drain", "Switchover"], "{history:#}");

    let refused = fleet.vipctl.run(&["switchover", "VI_1", "--to", "lb1"]);
    assert_eq!(refused.code, Some(3), "{refused:#?}");
    assert!(refused.stderr.contains("lb1 is drained"), "{refused:#?}");
}

#[test]
fn a_move_to_a_host_whose_nginx_is_down_is_refused_with_the_reason() {
    let lab = Lab::pair();
    let _first = Nginx::start(lab.host("n1"));
    let mut second = Nginx::start(lab.host("n2"));
    let fleet = Fleet::start(&lab);
    let text = std::fs::read_to_string(samples().join("definitions.yaml")).expect("a sample");
    let outcome = fleet.vipctl.apply(&text, &["--wait"]);
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    wait_for_owners(&lab, "each host to own its VIP", ["n1", "n2"]);
    second.crash();
    wait_for_owners(&lab, "the first to own both VIPs", ["n1", "n1"]);
    // VIPs move without the server, which hears of it a moment later and judges by what it heard.
    wait::until("the fleet to know", wait::GENEROUS, || fleet.instance("VI_1"), is_down_on_lb2);
    for command in [["switchover", "VI_1", "--to", "lb2"].as_slice(), &["drain", "lb1"]] {
        let refused = fleet.vipctl.run(&[command, &["--wait"]].concat());
        assert_eq!(refused.code, Some(3), "{refused:#?}");
        assert!(refused.stderr.contains("lb2 is in FAULT"), "{refused:#?}");
    }
    insist_on_owners(&lab, Duration::from_secs(1), ["n1", "n1"]);
}

fn is_down_on_lb2(instance: &Value) -> bool {
    let mut members = instance["members"].as_array().into_iter().flatten();
    members.any(|member| member["node"] == "lb2" && member["state"] == "FAULT")
}

#[test]
fn an_override_ends_by_itself_while_the_server_is_dead() {
    const LASTS: Duration = Duration::from_secs(8);
    let lab = Lab::pair();
    let mut fleet = Fleet::start(&lab);
    let ordered = Instant::now();
    fleet.vipctl.must(&["switchover", "VI_1", "--to", "lb2", "--for", "8s", "--wait"]);
    wait_for_owners(&lab, "the target to own both VIPs", ["n2", "n2"]);
    fleet.server.process().kill();
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    wait_for_owners(&lab, "the VIP to return", ["n1", "n2"]);
    let returned = ordered.elapsed();
    std::thread::sleep(Duration::from_millis(500));
    let losses = pinger.finish();
    println!("returned after {returned:.1?} of {LASTS:?}: {losses}");
    assert!(returned >= LASTS, "{returned:?}");
    assert_eq!(losses.lost, 0, "{losses}");
}
