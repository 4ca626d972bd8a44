//! Other programs that have a hand in our addresses.

use crate::agent::{Agent, state_dir};
use crate::lab::{Pair, until};
use vipfleet_agent::net::{Drift, Event};
use vipfleet_vrrp::Custody;

const VIP: &str = "10.77.0.100/32";

fn expect_drift(agent: &Agent, wanted: Drift) {
    agent.expect(&format!("{wanted:?}"), |event| match event {
        Event::Drift { what, .. } => (*what == wanted).then_some(()),
        _ => None,
    });
}

#[test]
fn an_address_that_somebody_deletes_is_added_again_in_place_and_reported() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    // Twice: the second repair comes after a pause.
    for _ in 0..2 {
        pair.host.ip("addr del 10.77.0.100/32 dev eth0");
        expect_drift(&agent, Drift::Deleted);
        assert!(pair.host.has("eth0", VIP));
        assert!(!pair.host.is_permanent("eth0", VIP));
    }
    let expired = |event: &Event| matches!(event, Event::LeaseExpired { .. });
    assert!(!agent.drain().iter().any(expired));
    agent.shutdown();
}

#[test]
fn flushing_the_interface_brings_every_address_back() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100", "10.77.0.101"], Custody::Serving);
    agent.expect_claimed("a");
    pair.host.ip("addr flush dev eth0");
    until("both to be back", || {
        pair.host.has("eth0", VIP) && pair.host.has("eth0", "10.77.0.101/32")
    });
    agent.shutdown();
}

#[test]
fn an_address_of_ours_made_permanent_by_somebody_is_leased_again_and_goes_when_we_let_go() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    pair.host.ip("addr change 10.77.0.100/32 dev eth0 valid_lft forever preferred_lft forever");
    expect_drift(&agent, Drift::Changed);
    assert!(!pair.host.is_permanent("eth0", VIP));
    agent.desire("a", &["10.77.0.100"], Custody::None);
    until("it to go", || !pair.host.has("eth0", VIP));
    agent.shutdown();
}
