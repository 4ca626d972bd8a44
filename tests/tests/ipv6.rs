//! IPv6 instances: two of ours, and one of ours beside keepalived, each way round. Every host has
//! a dual-stack pair: one instance of each family with one virtual router ID.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use vipfleet_tests::daemons::Program::{self, Ours, Theirs};
use vipfleet_tests::daemons::Router;
use vipfleet_tests::kernel;
use vipfleet_tests::lab::{Host, INTERFACE, Lab};
use vipfleet_tests::probe::{Losses, Neighbour, Pinger};
use vipfleet_tests::wait;

const VIP_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x248, 0, 0, 0, 0, 0x120);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x51);
const VIP_4: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 120);
const COLD: Neighbour = Neighbour::FlushedEvery(Duration::from_millis(20));
/// Longer than the hold, the grace and the second announcement after 5 s.
const AFTERMATH: Duration = Duration::from_secs(6);

/// The lab with IPv6 on it, once the link-local addresses may be used.
fn lab() -> Lab {
    let lab = Lab::pair();
    lab.add_ipv6();
    lab
}

/// A keepalived.conf for one host, in its own directory.
fn file(host: &Host, priority: u8) -> PathBuf {
    let text = format!(
        "vrrp_instance SIX {{\n interface {INTERFACE}\n virtual_router_id 51\n \
         priority {priority}\n advert_int 1\n version 3\n virtual_ipaddress {{\n \
         {LINK_LOCAL}\n {VIP_6}\n }}\n}}\nvrrp_instance FOUR {{\n interface {INTERFACE}\n \
         virtual_router_id 51\n priority {priority}\n advert_int 1\n version 3\n \
         virtual_ipaddress {{\n {VIP_4}\n }}\n}}\n"
    );
    let path = host.directory().join("six.conf");
    std::fs::write(&path, text).expect("a writable directory");
    path
}

fn start(program: Program, host: &Host, priority: u8) -> Router {
    Router::start(program, host, &file(host, priority))
}

/// Waits until all addresses of both families are in this one kernel.
fn wait_for_owner(lab: &Lab, what: &str, wanted: &str) {
    let owners = || {
        [kernel::owners(lab, VIP_6), kernel::owners(lab, LINK_LOCAL), kernel::owners(lab, VIP_4)]
    };
    let alone = vec![wanted.to_owned()];
    wait::until(what, wait::GENEROUS, owners, |seen| seen.iter().all(|it| *it == alone));
}

fn start_pair(lab: &Lab, first: Program, second: Program) -> (Router, Router) {
    let first = start(first, lab.host("n1"), 100);
    let second = start(second, lab.host("n2"), 80);
    wait_for_owner(lab, "the higher priority to own all", "n1");
    (first, second)
}

/// Stops the first while a client asks for its VIP.
fn graceful(first: Program, second: Program, neighbour: Neighbour) -> Losses {
    let lab = lab();
    let (mut router, _peer) = start_pair(&lab, first, second);
    let pinger = Pinger::start(lab.host("client"), VIP_6, neighbour);
    std::thread::sleep(Duration::from_secs(1));
    router.terminate();
    wait_for_owner(&lab, "the peer to own all", "n2");
    std::thread::sleep(AFTERMATH);
    let losses = pinger.finish();
    println!("{first:?} stops, {second:?} takes over: {losses}");
    assert!(losses.sent > 2_000, "{losses}");
    let _back = start(first, lab.host("n1"), 100);
    wait_for_owner(&lab, "the first to take all back", "n1");
    losses
}

fn mac(host: &Host) -> String {
    let shown = host.must_run("ip", &["-o", "link", "show", "dev", INTERFACE]);
    let mut words = shown.split_whitespace().skip_while(|word| *word != "link/ether");
    words.nth(1).expect("an Ethernet address").to_owned()
}

/// Detaches the first; the client, which says nothing meanwhile, learns where the VIP is.
fn silent(first: Program, second: Program) {
    let lab = lab();
    let _pair = start_pair(&lab, first, second);
    let client = lab.host("client");
    let asks = Pinger::start(client, VIP_6, Neighbour::Warm);
    std::thread::sleep(Duration::from_millis(300));
    assert!(asks.finish().sent > 0);
    let known = || client.must_run("ip", &["-6", "neigh", "show", &VIP_6.to_string()]);
    assert!(known().contains(&mac(lab.host("n1"))), "{}", known());
    lab.detach("n1");
    let held = || kernel::holds(lab.host("n2"), VIP_6);
    wait::until("the peer to take over", wait::GENEROUS, held, |taken| *taken);
    let new = mac(lab.host("n2"));
    let took =
        wait::until("the client to be told", wait::GENEROUS, known, |seen| seen.contains(&new));
    println!("{first:?} dies, {second:?} has its VIP; the client knows {took:?} later");
    let asks = Pinger::start(client, VIP_6, Neighbour::Warm);
    std::thread::sleep(Duration::from_secs(1));
    let losses = asks.finish();
    assert_eq!(losses.lost, 0, "{losses}");
    lab.attach("n1");
    wait_for_owner(&lab, "the first to take all back", "n1");
}

#[test]
fn a_graceful_stop_loses_no_reply_of_a_warm_client_over_ipv6() {
    let losses = graceful(Ours, Ours, Neighbour::Warm);
    assert_eq!(losses.lost, 0, "{losses}");
}

#[test]
fn a_graceful_stop_shows_a_cold_client_no_gap_over_ipv6() {
    let losses = graceful(Ours, Ours, COLD);
    assert!(losses.neighbour_flushes > 100, "{losses}");
    assert!(losses.longest_gap() <= Duration::from_millis(50), "{losses}");
}

#[test]
fn keepalived_takes_over_over_ipv6_when_ours_stops_and_hardly_anybody_notices() {
    let losses = graceful(Ours, Theirs, Neighbour::Warm);
    assert!(losses.longest_gap() < Duration::from_millis(300), "{losses}");
}

#[test]
fn ours_takes_over_over_ipv6_when_keepalived_stops() {
    graceful(Theirs, Ours, Neighbour::Warm);
}

#[test]
fn keepalived_takes_over_over_ipv6_when_ours_dies_silently() {
    silent(Ours, Theirs);
}

#[test]
fn ours_takes_over_over_ipv6_when_keepalived_dies_silently() {
    silent(Theirs, Ours);
}
