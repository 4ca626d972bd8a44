//! A changed file at SIGHUP: in place, and only what changed.

use crate::adverts::Listener;
use crate::lab::{AddressMonitor, Lab, until};
use crate::local;
use crate::process::{Agent, Home};
use nix::sys::signal::Signal;
use std::net::IpAddr;
use std::time::Duration;
use vipfleet_model::report::InstanceState;

const GLOBAL: &str = "global_defs {\n vrrp_version 3\n}\n";

/// An instance at 100 ms adverts.
fn quick(name: &str, vrid: u8, priority: u8, addresses: &[&str]) -> String {
    let addresses = addresses.join("\n ");
    format!(
        "vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n \
         priority {priority}\n advert_int 0.1\n virtual_ipaddress {{\n {addresses}\n }}\n}}\n"
    )
}

fn config(instances: &[String]) -> String {
    format!("{GLOBAL}{}", instances.concat())
}

fn reload(agent: &Agent, home: &Home, text: &str) {
    home.write("keepalived.conf", text);
    agent.signal(Signal::SIGHUP);
}

#[track_caller]
fn wait_for_master(home: &Home, name: &str) {
    local::instance(home, name, |it| it.state == InstanceState::Master);
}

#[test]
fn a_changed_file_is_applied_in_place_and_no_other_instance_misses_an_advert() {
    let (lab, home) = (Lab::new(), Home::new());
    let other = quick("VI_2", 52, 100, &["10.78.0.20"]);
    let before = quick("VI_1", 51, 100, &["10.78.0.10", "10.78.0.11"]);
    let agent = Agent::on(&lab.one, &home, &config(&[before, other.clone()]));
    wait_for_master(&home, "VI_1");
    wait_for_master(&home, "VI_2");
    let (listener, monitor) = (Listener::start(&lab.two), AddressMonitor::start(&lab.one));
    until("adverts of both", || listener.of(51).len() > 3 && listener.of(52).len() > 3);

    let after = quick("VI_1", 51, 120, &["10.78.0.10", "10.78.0.12"]);
    reload(&agent, &home, &config(&[after, other]));
    until("the added address", || lab.one.has("10.78.0.12"));
    until("the removed address to go", || !lab.one.has("10.78.0.11"));
    until("the new priority on the wire", || {
        listener.of(51).last().is_some_and(|it| it.priority == 120)
    });
    let said = listener.of(51).last().unwrap().addresses.clone();
    assert_eq!(said, ["10.78.0.10", "10.78.0.12"].map(|it| it.parse::<IpAddr>().unwrap()));
    let count = listener.of(52).len();
    until("more adverts of the other", || listener.of(52).len() > count + 5);
    assert!(listener.longest_gap(52) < Duration::from_millis(200), "{:?}", listener.of(52));
    assert!(listener.longest_gap(51) < Duration::from_millis(200), "{:?}", listener.of(51));
    assert_eq!(monitor.deletions("10.78.0.10") + monitor.deletions("10.78.0.20"), 0);
    let kept = local::instance(&home, "VI_1", |it| it.priority == 120);
    assert_eq!(kept.state, InstanceState::Master);
}

#[test]
fn a_broken_file_is_refused_with_line_and_column_and_everything_goes_on() {
    let (lab, home) = (Lab::new(), Home::new());
    let good = config(&[quick("VI_1", 51, 100, &["10.78.0.10"])]);
    let mut agent = Agent::on(&lab.one, &home, &good);
    wait_for_master(&home, "VI_1");
    let before = local::report(&home).unwrap();
    reload(&agent, &home, "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 999\n}\n");
    agent.expect_log("keepalived.conf:3:20");
    assert!(agent.is_running());
    let after = local::report(&home).unwrap();
    assert_eq!((after.generation, &after.hash), (before.generation, &before.hash));
    assert!(lab.one.has("10.78.0.10"));

    // Later, a good one is taken.
    reload(&agent, &home, &config(&[quick("VI_1", 51, 100, &["10.78.0.11"])]));
    until("the new address", || lab.one.has("10.78.0.11") && !lab.one.has("10.78.0.10"));
}

#[test]
fn an_address_that_moves_between_instances_stays_on_the_interface() {
    let (lab, home) = (Lab::new(), Home::new());
    let two = |one: &[&str], other: &[&str]| {
        config(&[quick("VI_1", 51, 100, one), quick("VI_2", 52, 100, other)])
    };
    let (a, b, c) = ("10.78.0.10", "10.78.0.20", "10.78.0.30");
    let agent = Agent::on(&lab.one, &home, &two(&[a, c], &[b]));
    until("all three", || [a, b, c].iter().all(|it| lab.one.has(it)));
    let monitor = AddressMonitor::start(&lab.one);
    for turn in 0..5 {
        let swapped = if turn % 2 == 0 { two(&[b], &[c, a]) } else { two(&[a, c], &[b]) };
        let before = local::report(&home).unwrap().generation;
        reload(&agent, &home, &swapped);
        until("the swap to settle", || {
            local::report(&home).is_some_and(|it| it.generation > before && it.settled)
        });
    }
    assert_eq!([a, b, c].map(|it| monitor.deletions(it)), [0, 0, 0]);
}

#[test]
fn another_virtual_router_id_keeps_the_address_and_says_no_goodbye() {
    let (lab, home) = (Lab::new(), Home::new());
    let agent = Agent::on(&lab.one, &home, &config(&[quick("VI_1", 51, 100, &["10.78.0.10"])]));
    wait_for_master(&home, "VI_1");
    let (listener, monitor) = (Listener::start(&lab.two), AddressMonitor::start(&lab.one));
    until("adverts", || listener.of(51).len() > 2);
    reload(&agent, &home, &config(&[quick("VI_1", 61, 100, &["10.78.0.10"])]));
    until("adverts under the new id", || listener.of(61).len() > 5);
    assert!(listener.of(51).iter().all(|it| it.priority == 100), "{:?}", listener.of(51));
    assert_eq!(monitor.deletions("10.78.0.10"), 0);
    let reasons: Vec<_> =
        local::state(&home).unwrap().recent.into_iter().map(|it| it.reason).collect();
    assert!(reasons.iter().any(|it| it == "replaced by virtual router 61 on eth0"), "{reasons:?}");
}

#[test]
fn another_interface_has_the_address_before_the_old_one_lets_go_and_its_peers_are_told() {
    let lab = Lab::new();
    lab.plug_second_wire();
    let text = |interface: &str, priority| {
        let text = config(&[quick("VI_1", 51, priority, &["10.78.0.10"])]);
        text.replace("eth0", interface)
    };
    let (home, other_home) = (Home::new(), Home::new());
    let agent = Agent::on(&lab.one, &home, &text("eth0", 100));
    wait_for_master(&home, "VI_1");
    let other = Agent::on(&lab.two, &other_home, &text("eth0", 80));
    local::instance(&other_home, "VI_1", |it| it.state == InstanceState::Backup);
    let (listener, monitor) = (Listener::start(&lab.two), AddressMonitor::start(&lab.one));
    until("adverts", || listener.of(51).len() > 2);

    reload(&agent, &home, &text("eth1", 100));
    until("the move", || monitor.moves("10.78.0.10") == ["+eth1", "-eth0"]);
    until("the goodbye", || listener.of(51).last().is_some_and(|it| it.priority == 0));
    // Who stays behind serves there, and gives way where it comes to.
    wait_for_master(&other_home, "VI_1");
    let reasons = |home: &Home| -> Vec<String> {
        local::state(home).unwrap().recent.into_iter().map(|it| it.reason).collect()
    };
    let said = reasons(&other_home);
    assert!(said.iter().any(|it| it == "10.78.0.1 resigned"), "{said:?}");
    reload(&other, &other_home, &text("eth1", 80));
    local::instance(&other_home, "VI_1", |it| it.state == InstanceState::Backup);
    until("one owner", || !lab.two.has("10.78.0.10"));
    assert!(lab.one.line("10.78.0.10").unwrap().contains("eth1"));
    let said = reasons(&home);
    assert!(said.iter().any(|it| it == "replaced by virtual router 51 on eth1"), "{said:?}");
    assert_eq!(said.len(), 4, "{said:?}");
}

#[test]
fn a_master_whose_new_interface_is_not_there_says_goodbye_and_lets_go() {
    let (lab, home) = (Lab::new(), Home::new());
    let text = config(&[quick("VI_1", 51, 100, &["10.78.0.10"])]);
    let agent = Agent::on(&lab.one, &home, &text);
    wait_for_master(&home, "VI_1");
    let listener = Listener::start(&lab.two);
    until("adverts", || listener.of(51).len() > 2);
    reload(&agent, &home, &text.replace("eth0", "eth1"));
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Fault);
    until("the goodbye", || listener.of(51).last().is_some_and(|it| it.priority == 0));
    until("the address to go", || !lab.one.has("10.78.0.10"));
    // It is MASTER there once it can be.
    lab.plug_second_wire();
    wait_for_master(&home, "VI_1");
}

#[test]
fn an_instance_of_another_name_carries_on() {
    let (lab, home) = (Lab::new(), Home::new());
    let named = |name: &str| config(&[quick(name, 51, 100, &["10.78.0.10"])]);
    let agent = Agent::on(&lab.one, &home, &named("VI_1"));
    wait_for_master(&home, "VI_1");
    let (listener, monitor) = (Listener::start(&lab.two), AddressMonitor::start(&lab.one));
    for name in ["VI_2", "VI_1", "VI_3"] {
        let count = listener.of(51).len();
        reload(&agent, &home, &named(name));
        wait_for_master(&home, name);
        until("it to settle", || {
            let report = local::report(&home);
            report.is_some_and(|it| it.settled && it.instances.len() == 1)
        });
        until("more adverts", || listener.of(51).len() > count + 3);
    }
    assert!(listener.of(51).iter().all(|it| it.priority == 100), "{:?}", listener.of(51));
    assert_eq!(monitor.deletions("10.78.0.10"), 0);
}

#[test]
fn a_removed_instance_is_settled_only_once_its_address_is_gone_and_may_come_back_meanwhile() {
    let (lab, home) = (Lab::new(), Home::new());
    let both =
        config(&[quick("VI_1", 51, 100, &["10.78.0.10"]), quick("VI_2", 52, 100, &["10.78.0.20"])]);
    let one = config(&[quick("VI_2", 52, 100, &["10.78.0.20"])]);
    let agent = Agent::on(&lab.one, &home, &both);
    wait_for_master(&home, "VI_1");
    let before = local::report(&home).unwrap().generation;
    reload(&agent, &home, &one);
    until("the removal to settle", || {
        let Some(report) = local::report(&home) else { return false };
        let settled = report.generation > before && report.settled;
        if settled {
            assert!(!lab.one.has("10.78.0.10"), "settled too early");
            assert_eq!(report.instances.len(), 1);
        }
        settled
    });
    // Back, gone, and back again before anything can settle.
    for text in [&both, &one, &both] {
        let generation = local::report(&home).unwrap().generation;
        reload(&agent, &home, text);
        until("the file to be read", || {
            local::report(&home).is_some_and(|it| it.generation > generation)
        });
    }
    wait_for_master(&home, "VI_1");
    until("it to settle", || local::report(&home).is_some_and(|it| it.settled));
    assert!(lab.one.has("10.78.0.10"));
}
