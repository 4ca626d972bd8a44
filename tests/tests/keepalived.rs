//! The peer that the project is measured against, on the two configurations it started from. What
//! keepalived loses here is also the proof that the probers see a loss.

use std::net::Ipv4Addr;
use std::time::Duration;

use vipfleet_tests::daemons::{Keepalived, samples};
use vipfleet_tests::kernel;
use vipfleet_tests::lab::Lab;
use vipfleet_tests::probe::{Neighbour, Pinger};
use vipfleet_tests::wait;

const VIP_1: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 120);
const VIP_2: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 121);

fn start_pair(lab: &Lab) -> (Keepalived, Keepalived) {
    let start = |host, file| Keepalived::start(lab.host(host), &samples().join(file));
    let pair = (
        start("n1", "lb1.keepalived.conf"),
        start("n2", "lb2.keepalived.conf"),
    );
    wait_for_owners(lab, "each host to own its VIP", ["n1", "n2"]);
    pair
}

fn wait_for_owners(lab: &Lab, what: &str, owners: [&str; 2]) {
    wait::until(
        what,
        wait::GENEROUS,
        || [kernel::owners(lab, VIP_1), kernel::owners(lab, VIP_2)],
        |seen| *seen == owners.map(|owner| vec![owner.to_owned()]),
    );
}

#[test]
fn keepalived_at_rest_gives_each_vip_one_owner() {
    let lab = Lab::pair();
    let _pair = start_pair(&lab);
    wait::throughout(
        "one owner for each VIP",
        Duration::from_secs(3),
        || {
            [
                kernel::owners(&lab, VIP_1).len(),
                kernel::owners(&lab, VIP_2).len(),
            ]
        },
        |owners| *owners == [1, 1],
    );
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
    assert!(
        losses.longest_gap() > Duration::from_millis(300),
        "{losses}"
    );
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
    wait_for_owners(
        &lab,
        "the higher priority to take its VIP back",
        ["n1", "n2"],
    );
}
