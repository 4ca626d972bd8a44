//! Two agents on the two configuration files, with no server at all: what keepalived users get by
//! changing the program and nothing else.

use std::time::Duration;

use vipfleet_tests::daemons::Agent;
use vipfleet_tests::kernel;
use vipfleet_tests::lab::{INTERFACE, Lab};
use vipfleet_tests::pair::{
    VIP_1, VIP_2, first_file, insist_on_owners, second_file, wait_for_owners,
};
use vipfleet_tests::probe::{Losses, Neighbour, Pinger};
use vipfleet_tests::wait;

const COLD: Neighbour = Neighbour::FlushedEvery(Duration::from_millis(20));
/// Longer than the hold, the grace and the second announcement after 5 s.
const AFTERMATH: Duration = Duration::from_secs(6);

fn start_pair(lab: &Lab) -> (Agent, Agent) {
    let first = Agent::standalone(lab.host("n1"), &first_file());
    let second = Agent::standalone(lab.host("n2"), &second_file());
    wait_for_owners(lab, "each host to own its VIP", ["n1", "n2"]);
    (first, second)
}

/// Stops the first agent while a client asks for its VIP.
fn lost_in_a_graceful_stop(lab: &Lab, neighbour: Neighbour) -> Losses {
    let (mut first, _second) = start_pair(lab);
    let pinger = Pinger::start(lab.host("client"), VIP_1, neighbour);
    std::thread::sleep(Duration::from_secs(1));
    let status = first.terminate();
    assert!(status.success(), "the agent ended with {status}");
    wait_for_owners(lab, "the peer to own both VIPs", ["n2", "n2"]);
    std::thread::sleep(AFTERMATH);
    let losses = pinger.finish();
    println!("{losses}");
    assert!(losses.sent > 2_000, "{losses}");
    losses
}

#[test]
fn each_host_owns_its_vip_and_nothing_moves_at_rest() {
    let lab = Lab::pair();
    let _pair = start_pair(&lab);
    insist_on_owners(&lab, Duration::from_secs(8), ["n1", "n2"]);
}

#[test]
fn a_graceful_stop_loses_no_reply_of_a_warm_client() {
    let losses = lost_in_a_graceful_stop(&Lab::pair(), Neighbour::Warm);
    assert_eq!(losses.lost, 0, "{losses}");
}

#[test]
fn a_graceful_stop_loses_no_reply_with_the_bridge_ports_the_other_way_round() {
    let losses = lost_in_a_graceful_stop(&Lab::pair_with_swapped_ports(), Neighbour::Warm);
    assert_eq!(losses.lost, 0, "{losses}");
}

#[test]
fn a_graceful_stop_shows_a_cold_client_no_gap_above_fifty_milliseconds() {
    let losses = lost_in_a_graceful_stop(&Lab::pair(), COLD);
    assert!(losses.neighbour_flushes > 100, "{losses}");
    assert!(losses.longest_gap() <= Duration::from_millis(50), "{losses}");
}

#[test]
fn a_cold_client_sees_no_gap_either_with_the_bridge_ports_the_other_way_round() {
    let losses = lost_in_a_graceful_stop(&Lab::pair_with_swapped_ports(), COLD);
    assert!(losses.neighbour_flushes > 100, "{losses}");
    assert!(losses.longest_gap() <= Duration::from_millis(50), "{losses}");
}

#[test]
fn a_host_that_comes_back_takes_its_vip_back_and_no_reply_is_lost() {
    let lab = Lab::pair();
    let (mut first, _second) = start_pair(&lab);
    first.terminate();
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    std::thread::sleep(Duration::from_millis(500));
    let _back = Agent::standalone(lab.host("n1"), &first_file());
    wait_for_owners(&lab, "the host to take its VIP back", ["n1", "n2"]);
    std::thread::sleep(AFTERMATH);
    let losses = pinger.finish();
    println!("{losses}");
    assert_eq!(losses.lost, 0, "{losses}");
    insist_on_owners(&lab, Duration::from_secs(1), ["n1", "n2"]);
}

#[test]
fn a_silent_death_moves_the_vip_once_and_the_return_is_without_loss() {
    let lab = Lab::pair();
    let _pair = start_pair(&lab);
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    std::thread::sleep(Duration::from_millis(500));
    lab.detach("n1");
    wait::until(
        "the peer to hold both VIPs",
        wait::GENEROUS,
        || kernel::holds(lab.host("n2"), VIP_1),
        |taken| *taken,
    );
    std::thread::sleep(Duration::from_secs(1));
    let losses = pinger.finish();
    println!("{losses}");
    assert_eq!(losses.gaps.len(), 1, "{losses}");
    // Never later than the master-down interval, 3.69 s at priority 80, and its announcement.
    assert!(losses.longest_gap() < Duration::from_secs(5), "{losses}");

    lab.attach("n1");
    wait_for_owners(&lab, "the higher priority to take its VIP back", ["n1", "n2"]);
}

#[test]
fn a_vip_is_a_lease_and_a_stopped_agent_leaves_the_host_as_it_was() {
    let lab = Lab::pair();
    let host = lab.host("n1");
    let sysctls =
        ["arp_ignore", "arp_announce"].map(|key| format!("net.ipv4.conf.{INTERFACE}.{key}"));
    let before = sysctls.clone().map(|key| host.sysctl(&key));
    let addresses = kernel::addresses(host);
    let routes = kernel::local_routes(host);

    let (mut first, _second) = start_pair(&lab);
    let vip = kernel::address(host, VIP_1).expect("it owns the VIP");
    assert_eq!(vip.prefix, 32);
    let lease = vip.valid.expect("a VIP is never held for ever");
    assert!(lease <= Duration::from_secs(7), "{vip:?}");
    assert_eq!(kernel::address(host, VIP_2), None);

    first.terminate();
    assert_eq!(kernel::addresses(host), addresses);
    assert_eq!(kernel::local_routes(host), routes);
    assert_eq!(sysctls.map(|key| host.sysctl(&key)), before);
}

#[test]
fn a_vip_that_somebody_deletes_is_back_without_an_election() {
    let lab = Lab::pair();
    let _pair = start_pair(&lab);
    let vip = format!("{VIP_1}/32");
    lab.host("n1").must_run("ip", &["address", "del", &vip, "dev", INTERFACE]);
    wait_for_owners(&lab, "the VIP to be added again in place", ["n1", "n2"]);
    insist_on_owners(&lab, Duration::from_secs(5), ["n1", "n2"]);
}

#[test]
fn a_host_whose_link_goes_down_lets_go_and_comes_back() {
    let lab = Lab::pair();
    let _pair = start_pair(&lab);
    lab.host("n1").must_run("ip", &["link", "set", INTERFACE, "down"]);
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);
    lab.host("n1").must_run("ip", &["link", "set", INTERFACE, "up"]);
    wait_for_owners(&lab, "the host to take its VIP back", ["n1", "n2"]);
}

#[test]
fn a_broken_file_at_reload_is_refused_and_nothing_moves() {
    let lab = Lab::pair();
    let file = lab.host("n1").directory().join("lb1.conf");
    std::fs::copy(first_file(), &file).unwrap();
    let mut first = Agent::standalone(lab.host("n1"), &file);
    let _second = Agent::standalone(lab.host("n2"), &second_file());
    wait_for_owners(&lab, "each host to own its VIP", ["n1", "n2"]);

    std::fs::write(&file, "vrrp_instance VI_1 {\n    virtual_router_id 999\n").unwrap();
    first.process().signal(nix::sys::signal::Signal::SIGHUP);
    wait::until(
        "the agent to name the file it refuses",
        wait::GENEROUS,
        || first.process().log(),
        |log| log.contains("lb1.conf"),
    );
    insist_on_owners(&lab, Duration::from_secs(5), ["n1", "n2"]);
    assert!(first.process().is_running());
}

#[test]
fn a_changed_file_at_reload_is_applied_in_place() {
    let lab = Lab::pair();
    let file = lab.host("n1").directory().join("lb1.conf");
    std::fs::copy(first_file(), &file).unwrap();
    let mut first = Agent::standalone(lab.host("n1"), &file);
    let _second = Agent::standalone(lab.host("n2"), &second_file());
    wait_for_owners(&lab, "each host to own its VIP", ["n1", "n2"]);

    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    let text = std::fs::read_to_string(&file).unwrap();
    let more = text.replacen("192.168.248.120", "192.168.248.120\n192.168.248.122", 1);
    std::fs::write(&file, more).unwrap();
    first.process().signal(nix::sys::signal::Signal::SIGHUP);
    let added = std::net::Ipv4Addr::new(192, 168, 248, 122);
    wait::until(
        "the added VIP",
        wait::GENEROUS,
        || kernel::owners(&lab, added),
        |owners| *owners == ["n1"],
    );
    insist_on_owners(&lab, Duration::from_secs(5), ["n1", "n2"]);
    let losses = pinger.finish();
    println!("{losses}");
    assert_eq!(losses.lost, 0, "{losses}");
}
