//! One host runs keepalived, the other one runs ours, on the same two files, each way round.

use std::time::Duration;

use vipfleet_tests::daemons::Program::{self, Ours, Theirs};
use vipfleet_tests::daemons::Router;
use vipfleet_tests::kernel;
use vipfleet_tests::lab::Lab;
use vipfleet_tests::pair::{VIP_1, first_file, insist_on_owners, second_file, wait_for_owners};
use vipfleet_tests::probe::{Losses, Neighbour, Pinger};
use vipfleet_tests::wait;

fn start_pair(lab: &Lab, first: Program, second: Program) -> (Router, Router) {
    let pair = (
        Router::start(first, lab.host("n1"), &first_file()),
        Router::start(second, lab.host("n2"), &second_file()),
    );
    wait_for_owners(lab, "each host to own its VIP", ["n1", "n2"]);
    pair
}

fn at_rest(first: Program, second: Program) {
    let lab = Lab::pair();
    let _pair = start_pair(&lab, first, second);
    insist_on_owners(&lab, Duration::from_secs(8), ["n1", "n2"]);
}

/// Stops the first, then starts it again: failover, and preemption back.
fn graceful(first: Program, second: Program) -> Losses {
    let lab = Lab::pair();
    let (mut router, _peer) = start_pair(&lab, first, second);
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    std::thread::sleep(Duration::from_millis(500));
    router.terminate();
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);
    std::thread::sleep(Duration::from_secs(1));
    let losses = pinger.finish();
    println!("{first:?} stops, {second:?} takes over: {losses}");

    let _back = Router::start(first, lab.host("n1"), &first_file());
    wait_for_owners(&lab, "the first to take its VIP back", ["n1", "n2"]);
    insist_on_owners(&lab, Duration::from_secs(3), ["n1", "n2"]);
    losses
}

/// Detaches the first, then attaches it again.
fn silent(first: Program, second: Program) {
    let lab = Lab::pair();
    let _pair = start_pair(&lab, first, second);
    lab.detach("n1");
    let took = wait::until(
        "the peer to take over",
        wait::GENEROUS,
        || kernel::holds(lab.host("n2"), VIP_1),
        |taken| *taken,
    );
    println!("{first:?} dies, {second:?} has its VIP after {took:?}");
    lab.attach("n1");
    wait_for_owners(&lab, "the first to take its VIP back", ["n1", "n2"]);
    insist_on_owners(&lab, Duration::from_secs(3), ["n1", "n2"]);
}

#[test]
fn ours_and_keepalived_share_the_vips_at_rest() {
    at_rest(Ours, Theirs);
}

#[test]
fn keepalived_and_ours_share_the_vips_at_rest() {
    at_rest(Theirs, Ours);
}

#[test]
fn keepalived_takes_over_when_ours_stops_and_hardly_anybody_notices() {
    let losses = graceful(Ours, Theirs);
    // Ours serves until keepalived has it; keepalived alone loses 688 ms here.
    assert!(losses.longest_gap() < Duration::from_millis(300), "{losses}");
}

#[test]
fn ours_takes_over_when_keepalived_stops() {
    graceful(Theirs, Ours);
}

#[test]
fn keepalived_takes_over_when_ours_dies_silently() {
    silent(Ours, Theirs);
}

#[test]
fn ours_takes_over_when_keepalived_dies_silently() {
    silent(Theirs, Ours);
}

#[test]
fn whoever_starts_first_the_priorities_decide() {
    let lab = Lab::pair();
    let _lower = Router::start(Ours, lab.host("n2"), &second_file());
    wait_for_owners(&lab, "the lone host to own both VIPs", ["n2", "n2"]);
    let _higher = Router::start(Theirs, lab.host("n1"), &first_file());
    wait_for_owners(&lab, "each host to own its VIP", ["n1", "n2"]);
}
