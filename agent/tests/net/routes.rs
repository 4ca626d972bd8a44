//! Virtual routes and rules on a real kernel: they follow the addresses, and nobody else's is
//! touched.

use crate::agent::{Agent, state_dir};
use crate::lab::{Namespace, Pair, until};
use std::time::Duration;
use vipfleet_agent::net::{Event, Following, Request};
use vipfleet_model::routing::{VirtualRoute, VirtualRule};
use vipfleet_vrrp::{Custody, Family};

const VIP: &str = "10.77.0.100";
const TERMS: Duration = Duration::from_millis(900);

fn json<T: for<'de> serde::Deserialize<'de>>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn following(routes: &[&str], rules: &[&str]) -> Following {
    Following {
        routes: routes.iter().map(|text| json::<VirtualRoute>(text)).collect(),
        rules: rules.iter().map(|text| json::<VirtualRule>(text)).collect(),
        family: Family::Ipv4,
    }
}

/// A default route beyond the client, from the VIP, and a rule that finds it.
fn usual() -> Following {
    following(
        &[
            r#"{"to": "10.99.0.0/16", "via": "10.77.0.2", "source": "10.77.0.100"}"#,
            r#"{"to": "default", "via": "10.77.0.2", "table": 70000, "metric": 7, "mtu": 1400}"#,
            r#"{"to": "10.98.0.0/16", "kind": "blackhole"}"#,
        ],
        &[r#"{"from": "10.77.0.100", "table": 70000, "priority": 90}"#],
    )
}

fn desire(agent: &Agent, custody: Custody, wanted: Following) {
    agent.desire_with("a", &[VIP], custody, TERMS, wanted);
}

/// Everything of ours outside the local table.
fn shown(host: &Namespace) -> String {
    let routes = host.ip("route show table all proto 112").replace("table local", "");
    let routes = routes + &host.ip("-6 route show table all proto 112");
    let local = |line: &&str| !line.starts_with("local ");
    let routes = routes.lines().filter(local).map(|line| format!("{}\n", line.trim()));
    let rules = host.ip("rule show") + &host.ip("-6 rule show");
    let rules = rules.lines().filter(|line| line.contains("proto 112"));
    routes.chain(rules.map(|line| format!("{}\n", line.trim()))).collect()
}

fn missing(agent: &Agent) -> Vec<String> {
    agent.expect("the missing routes", |event| match event {
        Event::Routing { missing, .. } => Some(missing.clone()),
        _ => None,
    })
}

#[test]
fn routes_and_rules_come_after_the_addresses_and_go_with_them() {
    let (pair, dir) = (Pair::new(), state_dir());
    let before = (pair.host.ip("route"), pair.host.ip("rule"));
    let agent = Agent::start(&pair.host, dir.path());
    desire(&agent, Custody::Serving, usual());
    agent.expect_settled("a", true);
    let all = shown(&pair.host);
    for line in [
        "10.99.0.0/16 via 10.77.0.2 dev eth0 src 10.77.0.100",
        "default via 10.77.0.2 dev eth0 table 70000 metric 7 mtu 1400",
        "blackhole 10.98.0.0/16",
        "from 10.77.0.100 lookup 70000 proto 112",
    ] {
        assert!(all.contains(line), "{line} in:\n{all}");
    }
    // The grace serves packets that still come: they need their way back.
    desire(&agent, Custody::Silent, usual());
    agent.expect_settled("a", false);
    assert_eq!(shown(&pair.host), all);
    desire(&agent, Custody::None, usual());
    agent.expect_settled("a", false);
    assert_eq!(shown(&pair.host), "");
    assert_eq!((pair.host.ip("route"), pair.host.ip("rule")), before);
    desire(&agent, Custody::Serving, usual());
    agent.expect_settled("a", true);
    assert_eq!(shown(&pair.host), all);
    agent.shutdown();
    assert_eq!(shown(&pair.host), "");
}

#[test]
fn ipv6_routes_and_rules_follow_too() {
    let (pair, dir) = (Pair::new(), state_dir());
    pair.host.ip("addr add 2001:db8::1/64 dev eth0 nodad");
    let agent = Agent::start(&pair.host, dir.path());
    let wanted = following(
        &[
            r#"{"to": "default", "via": "2001:db8::2", "dev": "eth0"}"#,
            r#"{"to": "2001:db8:9::/48", "via": "fe80::2", "dev": "eth0", "metric": 7}"#,
            r#"{"to": "2001:db8:8::/48", "kind": "unreachable"}"#,
        ],
        &[r#"{"to": "2001:db8:7::/48", "iif": "eth0", "table": 9, "priority": 91}"#],
    );
    desire(&agent, Custody::Serving, wanted.clone());
    agent.expect_settled("a", true);
    let all = shown(&pair.host);
    for line in [
        "default via 2001:db8::2 dev eth0",
        "2001:db8:9::/48 via fe80::2 dev eth0 metric 7",
        "unreachable 2001:db8:8::/48",
        "from all to 2001:db8:7::/48 iif eth0 lookup 9 proto 112",
    ] {
        assert!(all.contains(line), "{line} in:\n{all}");
    }
    pair.host.ip("-6 route del 2001:db8:9::/48 via fe80::2 dev eth0");
    until("the route to be back", || shown(&pair.host) == all);
    desire(&agent, Custody::None, wanted);
    agent.expect_settled("a", false);
    assert_eq!(shown(&pair.host), "");
    agent.shutdown();
}

#[test]
fn what_somebody_deletes_is_put_back_and_said() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    desire(&agent, Custody::Serving, usual());
    agent.expect_settled("a", true);
    let all = shown(&pair.host);
    let restored = |wanted: &str| {
        agent.expect(wanted, |event| match event {
            Event::Restored { instance, what } if instance.as_str() == "a" => {
                what.contains(wanted).then_some(())
            }
            _ => None,
        });
        assert_eq!(shown(&pair.host), all);
    };
    // Twice: the second repair comes after a pause.
    for _ in 0..2 {
        pair.host.ip("route del 10.99.0.0/16");
        restored("route 10.99.0.0/16");
        pair.host.ip("rule del priority 90");
        restored("rule 90:");
    }
    // The kernel takes routes away without a word when their interface goes down.
    pair.host.ip("link set eth0 down");
    until("the routes to go", || !shown(&pair.host).contains("via"));
    pair.host.ip("link set eth0 up");
    until("everything to be back", || shown(&pair.host) == all);
    agent.shutdown();
}

#[test]
fn an_interface_made_again_gets_its_routes_again() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    let wanted = following(&[r#"{"to": "10.99.0.0/16", "dev": "eth0"}"#], &[]);
    desire(&agent, Custody::Serving, wanted);
    agent.expect_settled("a", true);
    let all = shown(&pair.host);
    pair.host.ip("link del eth0");
    until("the route to go", || shown(&pair.host).is_empty());
    pair.plug();
    until("the route to be back", || shown(&pair.host) == all);
    agent.shutdown();
}

#[test]
fn what_the_host_has_already_is_reported_and_left_alone() {
    let (pair, dir) = (Pair::new(), state_dir());
    pair.host.ip("route add 10.99.0.0/16 via 10.77.0.7");
    pair.host.ip("rule add from 10.77.0.100 lookup 70000 priority 90");
    let agent = Agent::start(&pair.host, dir.path());
    desire(&agent, Custody::Serving, usual());
    let said = missing(&agent);
    assert!(said[0].starts_with("route 10.99.0.0/16"), "{said:?}");
    assert!(said[0].contains("the host has one like it already"), "{said:?}");
    until("the others", || shown(&pair.host).contains("blackhole"));
    // When the host's own goes, ours takes its place.
    pair.host.ip("route del 10.99.0.0/16");
    until("ours", || shown(&pair.host).contains("10.99.0.0/16 via 10.77.0.2"));
    agent.shutdown();
    // Kernels that tell rules apart by their maker hold both meanwhile; the host's stays.
    let rules = pair.host.ip("rule show");
    let left = rules.lines().filter(|line| line.starts_with("90:")).collect::<Vec<_>>();
    assert_eq!(left, ["90:\tfrom 10.77.0.100 lookup 70000"]);
    assert!(!pair.host.ip("route show").contains("10.99.0.0/16"));
}

#[test]
fn a_route_that_the_kernel_refuses_holds_up_no_address() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    let wanted = following(
        &[
            r#"{"to": "10.99.0.0/16", "via": "172.31.0.1"}"#,
            r#"{"to": "10.98.0.0/16", "dev": "eth9"}"#,
        ],
        &[],
    );
    desire(&agent, Custody::Serving, wanted);
    let said = missing(&agent).join("\n");
    agent.expect_claimed("a");
    assert!(said.contains("172.31.0.1") && said.contains("write onLink"), "{said}");
    assert!(said.contains("there is no interface eth9"), "{said}");
    // What makes it possible makes it happen.
    pair.host.ip("addr add 172.31.0.2/24 dev eth0");
    until("the route", || shown(&pair.host).contains("10.99.0.0/16 via 172.31.0.1"));
    agent.shutdown();
}

#[test]
fn another_gateway_replaces_the_route_in_place() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    let via = |gateway: &str| {
        following(&[&format!(r#"{{"to": "10.99.0.0/16", "via": "{gateway}"}}"#)], &[])
    };
    desire(&agent, Custody::Serving, via("10.77.0.2"));
    agent.expect_settled("a", true);
    desire(&agent, Custody::Serving, via("10.77.0.3"));
    until("the other gateway", || shown(&pair.host).contains("via 10.77.0.3"));
    assert_eq!(shown(&pair.host).lines().count(), 1);
    desire(&agent, Custody::Serving, following(&[], &[]));
    until("it to go", || shown(&pair.host).is_empty());
    agent.shutdown();
}

#[test]
fn a_restarted_agent_that_serves_on_keeps_its_routes() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    desire(&agent, Custody::Serving, usual());
    agent.expect_settled("a", true);
    let all = shown(&pair.host);
    agent.crash();
    assert_eq!(shown(&pair.host), all);
    let agent = Agent::start(&pair.host, dir.path());
    desire(&agent, Custody::Serving, usual());
    agent.request(Request::Reconcile);
    agent.expect_settled("a", true);
    assert_eq!(shown(&pair.host), all);
    agent.shutdown();
    assert_eq!(shown(&pair.host), "");
}

#[test]
fn routes_of_a_crashed_agent_go_when_nobody_wants_them_any_more() {
    for comes_back_as_backup in [true, false] {
        let (pair, dir) = (Pair::new(), state_dir());
        let agent = Agent::start(&pair.host, dir.path());
        desire(&agent, Custody::Serving, usual());
        agent.expect_settled("a", true);
        agent.crash();
        // With no ledger either: the marks tell.
        let other = state_dir();
        let agent = Agent::start(&pair.host, other.path());
        if comes_back_as_backup {
            desire(&agent, Custody::None, usual());
        } else {
            agent.request(Request::Reconcile);
        }
        until("the leftovers to go", || shown(&pair.host).is_empty());
        agent.shutdown();
    }
}

#[test]
fn an_expired_address_takes_the_routes_along() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    desire(&agent, Custody::Serving, usual());
    agent.expect_settled("a", true);
    agent.stop_heart();
    until("the routes to go", || shown(&pair.host).is_empty());
    until("the address to go", || !pair.host.has("eth0", "10.77.0.100/32"));
    agent.start_heart();
    desire(&agent, Custody::Serving, usual());
    until("everything to be back", || shown(&pair.host).contains("10.99.0.0/16"));
    agent.shutdown();
}

#[test]
fn an_instance_without_addresses_has_routes_that_a_silent_loop_loses() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    let wanted = following(&[r#"{"to": "10.99.0.0/16", "via": "10.77.0.2"}"#], &[]);
    agent.desire_with("a", &[], Custody::Serving, TERMS, wanted);
    agent.expect_claimed("a");
    until("the route", || shown(&pair.host).contains("10.99.0.0/16"));
    agent.stop_heart();
    until("the route to go", || shown(&pair.host).is_empty());
    agent.start_heart();
    until("the route to be back", || shown(&pair.host).contains("10.99.0.0/16"));
    agent.shutdown();
}
