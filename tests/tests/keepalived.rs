//! The peer that the project is measured against, on the two configurations it started from. What
//! keepalived loses here is also the proof that the probers see a loss.

use std::time::Duration;

use vipfleet_tests::daemons::Keepalived;
use vipfleet_tests::kernel;
use vipfleet_tests::lab::Lab;
use vipfleet_tests::pair::{
    VIP_1, VIP_2, first_file, insist_on_owners, second_file, wait_for_owners,
};
use vipfleet_tests::probe::{Neighbour, Pinger};
use vipfleet_tests::wait;

fn start_pair(lab: &Lab) -> (Keepalived, Keepalived) {
    let first = Keepalived::start(lab.host("n1"), &first_file());
    let second = Keepalived::start(lab.host("n2"), &second_file());
    wait_for_owners(lab, "each host to own its VIP", ["n1", "n2"]);
    (first, second)
}

#[test]
fn keepalived_at_rest_gives_each_vip_one_owner() {
    let lab = Lab::pair();
    let _pair = start_pair(&lab);
    insist_on_owners(&lab, Duration::from_secs(3), ["n1", "n2"]);
}

#[test]
fn a_stopped_keepalived_loses_probes_until_its_peer_takes_over() {
    let lab = Lab::pair();
    let (mut first, _second) = start_pair(&lab);
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    let steady = Pinger::start(lab.host("client"), VIP_2, Neighbour::Warm);
    std::thread::sleep(Duration::from_millis(500));
    first.terminate();
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);
    std::thread::sleep(Duration::from_millis(500));
    let (losses, unmoved) = (pinger.finish(), steady.finish());
    println!("VIP that moved: {losses}\nVIP that stayed: {unmoved}");
    // keepalived removes the address first; its peer comes after the skew time, 687 ms.
    assert!(losses.longest_gap() > Duration::from_millis(300), "{losses}");
    assert_eq!(unmoved.lost, 0, "{unmoved}");
}

#[test]
fn a_silent_death_costs_keepalived_the_master_down_interval_and_the_host_comes_back() {
    let lab = Lab::pair();
    let _pair = start_pair(&lab);
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    std::thread::sleep(Duration::from_millis(500));
    lab.detach("n1");
    wait::until(
        "the peer to own both VIPs",
        wait::GENEROUS,
        || kernel::holds(lab.host("n2"), VIP_1),
        |taken| *taken,
    );
    std::thread::sleep(Duration::from_millis(500));
    let losses = pinger.finish();
    println!("{losses}");
    assert!(losses.longest_gap() > Duration::from_secs(2), "{losses}");
    // The dead host does not know that it is dead.
    assert!(kernel::holds(lab.host("n1"), VIP_1));

    lab.attach("n1");
    wait_for_owners(&lab, "the higher priority to take its VIP back", ["n1", "n2"]);
}
