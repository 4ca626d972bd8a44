//! An agent that dies or freezes without a word: the kernel takes its VIPs away.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vipfleet_tests::daemons::Agent;
use vipfleet_tests::kernel::{self, Address, AddressWatch, Change};
use vipfleet_tests::lab::{Host, INTERFACE, Lab};
use vipfleet_tests::pair::{
    VIP_1, VIP_2, first_file, insist_on_owners, second_file, wait_for_owners,
};
use vipfleet_tests::wait;

/// Lease plus two seconds at 1 s adverts.
const PROMISE: Duration = Duration::from_secs(7);

fn start_pair(lab: &Lab) -> (Agent, Agent) {
    let first = Agent::standalone(lab.host("n1"), &first_file());
    let second = Agent::standalone(lab.host("n2"), &second_file());
    wait_for_owners(lab, "each host to own its VIP", ["n1", "n2"]);
    (first, second)
}

fn gone_after(watch: &AddressWatch, since: Instant) -> Duration {
    let gone = watch.wait_for(Change::Removed, VIP_1, since, wait::GENEROUS);
    gone.duration_since(since)
}

/// The pair's files with `nopreempt`: whoever has a VIP keeps it.
fn nopreempt_file(host: &Host, original: PathBuf) -> PathBuf {
    let text = std::fs::read_to_string(original).expect("a sample of the project");
    let mut changed = Vec::new();
    for line in text.lines() {
        changed.push(line.replace("state MASTER", "state BACKUP"));
        if line.trim_start().starts_with("vrrp_instance") {
            changed.push("    nopreempt".to_owned());
        }
    }
    changed.push(String::new());
    let file = host.directory().join("nopreempt.conf");
    std::fs::write(&file, changed.join("\n")).expect("the host's directory is writable");
    file
}

#[test]
fn a_killed_agents_vip_is_gone_within_the_lease_and_has_one_owner_afterwards() {
    let lab = Lab::pair();
    let (mut first, _second) = start_pair(&lab);
    let watch = AddressWatch::start(lab.host("n1"));
    let killed = Instant::now();
    first.process().kill();
    let took = gone_after(&watch, killed);
    println!("gone {took:?} after SIGKILL");
    assert!(took <= PROMISE, "{took:?}");
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);
    insist_on_owners(&lab, Duration::from_secs(3), ["n2", "n2"]);
}

#[test]
fn an_agent_that_is_killed_and_started_again_owns_its_vip_again() {
    let lab = Lab::pair();
    let (mut first, _second) = start_pair(&lab);
    first.process().kill();
    let _again = Agent::standalone(lab.host("n1"), &first_file());
    wait_for_owners(&lab, "each host to own its VIP", ["n1", "n2"]);
    insist_on_owners(&lab, Duration::from_secs(8), ["n1", "n2"]);
}

#[test]
fn a_frozen_agents_vip_is_gone_within_the_lease_and_on_waking_it_stays_away() {
    let lab = Lab::pair();
    let (one, two) = (lab.host("n1"), lab.host("n2"));
    let mut first = Agent::standalone(one, &nopreempt_file(one, first_file()));
    // Alone first, so that it is master of VI_1 although it does not preempt.
    wait_for_owners(&lab, "the lone host to own both VIPs", ["n1", "n1"]);
    let _second = Agent::standalone(two, &nopreempt_file(two, second_file()));
    let watch = AddressWatch::start(one);
    let frozen = Instant::now();
    first.process().signal(Signal::SIGSTOP);
    let took = gone_after(&watch, frozen);
    println!("gone {took:?} after SIGSTOP");
    assert!(took <= PROMISE, "{took:?}");
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);

    first.process().signal(Signal::SIGCONT);
    insist_on_owners(&lab, Duration::from_secs(8), ["n2", "n2"]);
}

#[test]
fn a_frozen_backup_that_wakes_disturbs_nobody() {
    let lab = Lab::pair();
    let (_first, mut second) = start_pair(&lab);
    let watch = AddressWatch::start(lab.host("n2"));
    second.process().signal(Signal::SIGSTOP);
    wait_for_owners(&lab, "the first to own both VIPs", ["n1", "n1"]);
    let woken = Instant::now();
    second.process().signal(Signal::SIGCONT);
    wait_for_owners(&lab, "the second to take its own VIP back", ["n1", "n2"]);
    insist_on_owners(&lab, Duration::from_secs(5), ["n1", "n2"]);
    let strayed = watch
        .changes()
        .into_iter()
        .any(|seen| seen.at >= woken && seen.address == VIP_1 && seen.change == Change::Added);
    assert!(!strayed, "a stalled backup took a VIP whose master never went away");
}

#[test]
fn an_address_that_was_on_the_host_before_is_never_leased_changed_or_removed() {
    let lab = Lab::pair();
    let host = lab.host("n1");
    let vip = format!("{VIP_1}/32");
    host.must_run("ip", &["address", "add", &vip, "dev", INTERFACE]);
    let untouched = |address: &Option<Address>| {
        address.as_ref().is_some_and(|address| address.valid.is_none() && address.prefix == 32)
    };
    let seen = || kernel::address(host, VIP_1);
    let mut first = Agent::standalone(host, &first_file());
    wait::until(
        "the agent to be master of the other VIP",
        wait::GENEROUS,
        || kernel::holds(host, VIP_2),
        |held| *held,
    );
    wait::throughout("the host's own address", Duration::from_secs(8), seen, untouched);
    first.terminate();
    assert!(untouched(&seen()), "{:?}", seen());

    let mut killed = Agent::standalone(host, &first_file());
    wait::until(
        "the agent to be master again",
        wait::GENEROUS,
        || kernel::holds(host, VIP_2),
        |held| *held,
    );
    killed.process().kill();
    wait::until(
        "the leased VIP to be gone",
        wait::GENEROUS,
        || kernel::holds(host, VIP_2),
        |held| !held,
    );
    assert!(untouched(&seen()), "{:?}", seen());
}
