//! Interfaces that go down, vanish, return and change their names.

use crate::agent::{Agent, state_dir};
use crate::lab::{Pair, until};
use vipfleet_agent::net::{Event, InterfaceState, Request};
use vipfleet_vrrp::Custody;

fn expect_state(
    agent: &Agent,
    what: &str,
    wanted: impl Fn(&InterfaceState) -> bool,
) -> InterfaceState {
    agent.expect(what, |event| match event {
        Event::Interface(state) if state.name == "eth0" && wanted(state) => Some(state.clone()),
        _ => None,
    })
}

fn texts(state: &InterfaceState) -> Vec<String> {
    state.addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn the_loop_is_told_of_links_and_the_hosts_own_addresses_and_never_of_vips() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.request(Request::WatchInterfaces);
    let state = expect_state(&agent, "eth0 running", |state| state.running);
    assert_eq!(state.index, pair.host.index("eth0"));
    assert_eq!(state.mac, Some(pair.host.mac("eth0")));
    assert_eq!(state.mtu, 1500);
    assert!(texts(&state).contains(&"10.77.0.1/24".to_owned()));
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    pair.host.ip("addr add 10.77.0.9/24 dev eth0");
    let state = expect_state(&agent, "the new address", |state| {
        texts(state).contains(&"10.77.0.9/24".to_owned())
    });
    assert_eq!(texts(&state)[0], "10.77.0.1/24", "the primary comes first");
    assert!(!texts(&state).contains(&"10.77.0.100/32".to_owned()));
    pair.host.ip("link set eth0 down");
    expect_state(&agent, "eth0 down", |state| !state.running);
    pair.host.ip("link set eth0 up");
    expect_state(&agent, "eth0 up", |state| state.running);
    // The cable, so to speak.
    pair.client.ip("link set eth0 down");
    expect_state(&agent, "no carrier", |state| !state.running);
    agent.shutdown();
}

#[test]
fn a_deleted_interface_is_told_gone_and_its_addresses_return_with_it() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.request(Request::WatchInterfaces);
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    let index = pair.host.index("eth0");
    pair.host.ip("link del eth0");
    agent.expect("InterfaceGone", |event| match event {
        Event::InterfaceGone { name } => (name == "eth0").then_some(()),
        _ => None,
    });
    // The wish stands: VRRP did not take it back in this test.
    pair.plug();
    let state = expect_state(&agent, "eth0 back", |state| state.running);
    assert_ne!(state.index, index);
    until("the VIP to be back", || pair.host.has("eth0", "10.77.0.100/32"));
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert!(pair.host.has("eth0", "10.77.0.100/32"), "and renewed on the new interface");
    let nobody = |event: &Event| matches!(event, Event::Drift { .. } | Event::LeaseExpired { .. });
    let unjust: Vec<_> = agent.drain().into_iter().filter(nobody).collect();
    assert_eq!(unjust, [], "nobody deleted anything");
    agent.shutdown();
}

#[test]
fn an_interface_that_does_not_exist_yet_gets_its_address_when_it_comes() {
    let (pair, dir) = (Pair::new(), state_dir());
    pair.host.ip("link del eth0");
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect("an unsettled truth", |event| match event {
        Event::Truth { addresses, settled, .. } => {
            (!settled && !addresses[0].in_kernel).then_some(())
        }
        _ => None,
    });
    pair.plug();
    agent.expect_claimed("a");
    assert!(pair.host.has("eth0", "10.77.0.100/32"));
    agent.shutdown();
}

#[test]
fn an_address_does_not_stay_on_an_interface_that_lost_its_name() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.request(Request::WatchInterfaces);
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    pair.host.ip("link set eth0 down");
    pair.host.ip("link set eth0 name wan0");
    until("the VIP to leave", || !pair.host.has("wan0", "10.77.0.100/32"));
    assert!(pair.host.is_permanent("wan0", "10.77.0.1/24"));
    pair.host.ip("link set wan0 name eth0");
    until("the VIP to return", || pair.host.has("eth0", "10.77.0.100/32"));
    agent.shutdown();
}
