//! Addresses of the host's own: never leased, changed or removed.

use crate::agent::{Agent, state_dir};
use crate::lab::{Pair, until};
use std::time::Duration;
use vipfleet_agent::net::{Drift, Event, Request};
use vipfleet_vrrp::Custody;

fn expect_foreign(agent: &Agent) {
    agent.expect("Drift::Foreign", |event| match event {
        Event::Drift { what: Drift::Foreign, .. } => Some(()),
        _ => None,
    });
}

#[test]
fn a_permanent_address_survives_every_sequence_including_a_crash_and_a_restart() {
    for hosts_own in ["10.77.0.100/32", "10.77.0.100/24"] {
        let (pair, dir) = (Pair::new(), state_dir());
        pair.host.ip(&format!("addr add {hosts_own} dev eth0"));
        let is_untouched = || pair.host.is_permanent("eth0", hosts_own);
        let agent = Agent::start(&pair.host, dir.path());
        agent.desire("a", &["10.77.0.100"], Custody::Serving);
        expect_foreign(&agent);
        // It counts as served: the owner of an address (priority 255) is its MASTER.
        agent.expect("a foreign truth", |event| match event {
            Event::Truth { addresses, settled: true, .. } => {
                (addresses[0].in_kernel && addresses[0].foreign).then_some(())
            }
            _ => None,
        });
        agent.request(Request::Reconcile);
        for custody in [Custody::Silent, Custody::None, Custody::Serving, Custody::None] {
            agent.desire("a", &["10.77.0.100"], custody);
            std::thread::sleep(Duration::from_millis(50));
            assert!(is_untouched(), "{hosts_own} after {custody:?}");
        }
        agent.desire("a", &["10.77.0.100"], Custody::Serving);
        // Longer than the lease: nobody renews it, nobody lets it run out.
        std::thread::sleep(Duration::from_secs(5));
        assert!(is_untouched(), "{hosts_own} after a lease's time");
        agent.crash();
        let agent = Agent::start(&pair.host, dir.path());
        agent.request(Request::Reconcile);
        agent.desire("a", &["10.77.0.100"], Custody::Serving);
        agent.desire("a", &["10.77.0.100"], Custody::None);
        std::thread::sleep(Duration::from_millis(200));
        agent.shutdown();
        assert!(is_untouched(), "{hosts_own} after a restart and a shutdown");
        let shown = pair.host.ip("-o addr show dev eth0");
        assert_eq!(shown.matches("10.77.0.100").count(), 1, "nothing was added beside it: {shown}");
    }
}

#[test]
fn an_address_that_its_host_gives_up_is_claimed_by_the_master() {
    let (pair, dir) = (Pair::new(), state_dir());
    pair.host.ip("addr add 10.77.0.100/24 dev eth0");
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    expect_foreign(&agent);
    pair.host.ip("addr del 10.77.0.100/24 dev eth0");
    until("the claim", || pair.host.has("eth0", "10.77.0.100/32"));
    agent.shutdown();
}

#[test]
fn an_address_that_another_program_put_in_place_of_ours_is_left_to_it() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    let batch = dir.path().join("batch");
    let lines = "addr del 10.77.0.100/32 dev eth0\naddr add 10.77.0.100/32 dev eth0\n";
    std::fs::write(&batch, lines).unwrap();
    // Both within one batch, so that the second is there before ours is back.
    agent.stop_heart();
    std::thread::sleep(Duration::from_millis(700));
    pair.host.ip(&format!("-batch {}", batch.display()));
    agent.start_heart();
    expect_foreign(&agent);
    agent.desire("a", &["10.77.0.100"], Custody::None);
    std::thread::sleep(Duration::from_secs(1));
    agent.shutdown();
    assert!(pair.host.is_permanent("eth0", "10.77.0.100/32"));
}

#[test]
fn secondaries_of_the_host_survive_when_a_vip_with_a_subnet_goes() {
    let (pair, dir) = (Pair::new(), state_dir());
    pair.host.set("eth0", "promote_secondaries", 0);
    pair.host.enter(|| {
        std::fs::write("/proc/sys/net/ipv4/conf/all/promote_secondaries", "0").unwrap();
    });
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.88.0.100/24"], Custody::Serving);
    agent.expect_claimed("a");
    // The VIP is the primary of 10.88.0.0/24, the host's address its secondary.
    pair.host.ip("addr add 10.88.0.1/24 dev eth0");
    let line = pair.host.address("eth0", "10.88.0.1/24").unwrap();
    assert!(line.contains("secondary"), "{line}");
    agent.desire("a", &["10.88.0.100/24"], Custody::None);
    until("the VIP to go", || !pair.host.has("eth0", "10.88.0.100/24"));
    assert!(pair.host.is_permanent("eth0", "10.88.0.1/24"));
    until("the setting to be put back", || pair.host.setting("eth0", "promote_secondaries") == 0);
    agent.shutdown();
}
