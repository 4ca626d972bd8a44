//! An agent that is replaced while it serves: upgraded in place by SIGUSR2, or killed and started
//! again. Neither its peer nor a client may notice.

use std::time::Duration;

use nix::sys::signal::Signal;
use vipfleet_tests::daemons::Agent;
use vipfleet_tests::fleet::{Fleet, wait_for_nodes};
use vipfleet_tests::kernel::{AddressWatch, Change};
use vipfleet_tests::lab::Lab;
use vipfleet_tests::pair::{VIP_1, insist_on_owners, wait_for_owners};
use vipfleet_tests::probe::{Neighbour, Pinger};
use vipfleet_tests::upgrade::{Disturbance, Pace, Scene, transitions, upgrade};
use vipfleet_tests::wait;

/// How often a busy machine may be late with a restart.
const TRIES: usize = 10;

#[track_caller]
fn is_hitless(pace: Pace, disturbance: Disturbance) {
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, pace);
    for _ in 0..TRIES {
        let outcome = scene.play(disturbance);
        println!("{outcome}");
        // A machine that cannot start a program in time shows nothing of what is promised.
        if outcome.away < pace.patience() {
            return assert!(outcome.is_hitless(), "{outcome}");
        }
        scene.settle();
    }
    panic!("the agent was never back in time");
}

#[test]
fn an_upgrade_in_place_at_one_second_loses_nothing() {
    is_hitless(Pace::Second, Disturbance::Upgrade);
}

#[test]
fn an_upgrade_in_place_at_a_tenth_of_a_second_loses_nothing() {
    is_hitless(Pace::TenthOfASecond, Disturbance::Upgrade);
}

#[test]
fn a_crash_and_restart_at_one_second_loses_nothing() {
    is_hitless(Pace::Second, Disturbance::Crash);
}

#[test]
fn a_crash_and_restart_at_a_tenth_of_a_second_loses_nothing() {
    is_hitless(Pace::TenthOfASecond, Disturbance::Crash);
}

#[test]
fn an_agent_of_a_server_is_upgraded_in_place_again_and_again() {
    let lab = Lab::pair();
    let mut fleet = Fleet::start(&lab);
    let before = transitions(&mut fleet.first).len();
    let peer_before = transitions(&mut fleet.second).len();
    let watch = AddressWatch::start(lab.host("n1"));
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    let pid = fleet.first.process().pid();
    for _ in 0..3 {
        upgrade(&mut fleet.first);
    }
    wait_for_nodes(&fleet.vipctl);
    insist_on_owners(&lab, Duration::from_secs(6), ["n1", "n2"]);
    let losses = pinger.finish();
    println!("{losses}");
    assert_eq!(losses.lost, 0, "{losses}");
    assert_eq!(transitions(&mut fleet.first).len(), before);
    assert_eq!(transitions(&mut fleet.second).len(), peer_before);
    assert!(fleet.first.process().is_running() && fleet.first.process().pid() == pid);
    assert!(watch.changes().iter().all(|it| it.change == Change::Added), "{:?}", watch.changes());
    // And it still does what it is told.
    fleet.first.terminate();
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);
}

#[test]
fn what_checks_have_said_and_hooks_have_done_is_known_to_the_next_image() {
    let lab = Lab::pair();
    let host = lab.host("n1");
    let told = host.directory().join("told");
    let instance = |name: &str, vrid: u8, check: &str, hook: &str| {
        format!(
            "vrrp_instance {name} {{\n interface ens33\n virtual_router_id {vrid}\n \
             priority 100\n advert_int 0.1\n virtual_ipaddress {{ 192.168.248.{vrid} }}\n \
             track_script {{ {check} }}\n {hook}\n}}\n"
        )
    };
    // Asked again long after this test: only the first answers are ever known.
    let check = |name: &str, program: &str| {
        format!("vrrp_script {name} {{\n script {program}\n interval 600\n}}\n")
    };
    let text = [
        "global_defs {\n vrrp_version 3\n}\n".to_owned(),
        check("well", "/usr/bin/true"),
        check("ill", "/usr/bin/false"),
        instance(
            "UP",
            151,
            "well",
            &format!("notify_master \"/usr/bin/touch {}\"", told.display()),
        ),
        instance("DOWN", 152, "ill", ""),
    ];
    let file = host.directory().join("checked.conf");
    std::fs::write(&file, text.concat()).unwrap();
    let mut agent = Agent::standalone(host, &file);
    let there = |log: &String| {
        log.contains("instance=UP from=BACKUP to=MASTER") && log.contains("to=FAULT")
    };
    wait::until("a MASTER and a FAULT", wait::GENEROUS, || agent.process().log(), there);
    wait::until("the hook to run", wait::GENEROUS, || told.exists(), |told| *told);
    std::fs::remove_file(&told).unwrap();

    let before = transitions(&mut agent);
    upgrade(&mut agent);
    let again = || transitions(&mut agent);
    let period = Duration::from_secs(3);
    wait::throughout("every state to stay", period, again, |seen| *seen == before);
    assert!(!told.exists(), "the hook ran again");
    let carried = agent.process().log();
    assert!(carried.contains("instance=DOWN state=FAULT"), "{carried}");
}

#[test]
fn a_program_that_does_not_pass_its_self_check_is_refused_and_nothing_moves() {
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, Pace::TenthOfASecond);
    let before = transitions(&mut scene.first).len();
    let mut refused = |script: &str, reason: &str| {
        scene.installed.replace_by(script);
        scene.first.process().signal(Signal::SIGUSR2);
        wait::until(
            reason,
            wait::GENEROUS,
            || scene.first.process().log(),
            |log| log.lines().any(|line| line.contains("not upgraded") && line.contains(reason)),
        );
    };
    refused("#!/bin/sh\necho 'no such option: --self-check' >&2\nexit 2\n", "no such option");
    refused("this is no program", "cannot run the self-check");
    insist_on_owners(&lab, Duration::from_secs(2), ["n1", "n2"]);
    scene.installed.replace_by_itself();
    scene.upgrade();
    insist_on_owners(&lab, Duration::from_secs(2), ["n1", "n2"]);
    assert_eq!(transitions(&mut scene.first).len(), before);
}

#[test]
fn an_agent_that_was_away_for_longer_than_the_master_down_interval_comes_back_as_backup() {
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, Pace::TenthOfASecond);
    scene.first.process().kill();
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);
    let before = transitions(&mut scene.first).len();
    scene.restart();
    wait_for_owners(&lab, "the agent to take its VIP back", ["n1", "n2"]);
    let since = transitions(&mut scene.first).split_off(before);
    let of_first = since.iter().find(|line| line.contains("VI_1")).expect("it was started");
    assert!(of_first.contains("from=INIT to=BACKUP"), "{since:#?}");
}
