//! Virtual routes and rules: read from documents, judged, and placed.

mod fleet;

use fleet::{SAMPLE, both, broken, fleet, input, lines, read};
use std::collections::BTreeMap;
use vipfleet_model::document::parse;
use vipfleet_model::placement::place;
use vipfleet_model::routing::{RouteKind, VirtualRoute, VirtualRule};
use vipfleet_model::{Definitions, Instance, Name};

/// The sample's instance with more fields.
fn with(fields: &str) -> String {
    let (instance, rest) = SAMPLE.split_once("---").expect("the sample has two documents");
    format!("{instance}{fields}\n---{rest}")
}

fn with_routes(routes: &[&str]) -> String {
    with(&format!("  virtualRoutes:\n{}", items(routes)))
}

fn with_rules(rules: &[&str]) -> String {
    with(&format!("  virtualRules:\n{}", items(rules)))
}

fn items(items: &[&str]) -> String {
    items.iter().map(|item| format!("    - {{{item}}}\n")).collect()
}

fn instance(text: &str) -> Instance {
    let definitions = read(text).0;
    definitions.instances().next().expect("an instance").1.clone()
}

fn route(written: &str) -> VirtualRoute {
    instance(&with_routes(&[written])).virtual_routes.remove(0)
}

fn rules_of(text: &str) -> Vec<String> {
    fleet(text, &both()).iter().map(|it| it.rule.clone()).collect()
}

#[test]
fn a_route_is_read_with_every_field() {
    let read = route(
        "to: 10.0.0.0/8, via: 192.168.248.1, dev: ens33, source: 192.168.248.120, table: 100, \
         metric: 7, scope: site, onLink: true, mtu: 1400",
    );
    assert_eq!(
        read.to_string(),
        "10.0.0.0/8 via 192.168.248.1 dev ens33 src 192.168.248.120 table 100 metric 7 mtu 1400 \
         onlink"
    );
    let barred = route("to: 192.0.2.7, kind: prohibit");
    assert_eq!(
        barred,
        VirtualRoute {
            kind: RouteKind::Prohibit,
            ..VirtualRoute::new("192.0.2.7/32".parse().unwrap())
        }
    );
}

#[test]
fn default_is_of_the_family_of_what_stands_beside_it() {
    assert_eq!(route("to: default, via: 192.168.248.1").to.to_string(), "0.0.0.0/0");
    assert_eq!(route("to: default, dev: ens33").to.to_string(), "0.0.0.0/0");
    assert_eq!(route("to: default, via: '2001:db8::1'").to.to_string(), "::/0");
    assert_eq!(route("dev: ens33, to: default, source: '2001:db8::5'").to.to_string(), "::/0");
}

#[test]
fn json_takes_the_short_forms_that_documents_take() {
    let read = |text: &str| serde_json::from_str::<VirtualRoute>(text).map_err(|it| it.to_string());
    let there = read(r#"{"to": "default", "via": "2001:db8::1"}"#).unwrap();
    assert_eq!(there.to.to_string(), "::/0");
    assert!(read(r#"{"to": "everywhere"}"#).unwrap_err().contains("no destination"));
    let rule = serde_json::from_str::<VirtualRule>(
        r#"{"from": "192.0.2.1", "table": 100, "priority": 5}"#,
    );
    assert_eq!(rule.unwrap().to_string(), "5: from 192.0.2.1/32 lookup 100");
}

#[test]
fn a_mark_is_read_in_decimal_and_in_hexadecimal() {
    let mut spec = instance(&with_rules(&["fwmark: 0x10, fwmask: 255, table: 100, priority: 90"]));
    let rule = spec.virtual_rules.remove(0);
    assert_eq!((rule.fwmark, rule.fwmask), (Some(16), Some(255)));
    assert_eq!(rule.to_string(), "90: from all fwmark 0x10/0xff lookup 100");
}

#[test]
fn what_cannot_be_read_is_said_with_its_place() {
    let text = with_routes(&["to: nowhere, via: x, kind: black-hole, metric: -1, vai: y"])
        + &with_rules(&["from: a/b, fwmark: 0xg, table: main"])
            .replacen("kind: Instance\nname: VI_1", "---\nkind: Instance\nname: VI_2", 1)
            .split("---")
            .take(2)
            .collect::<Vec<_>>()
            .join("---");
    insta::assert_snapshot!(lines(&parse(&text, Some("fleet.yaml")).findings));
}

/// The rule that a route breaks, and the route.
const ROUTE_ROWS: &[(&str, &str)] = &[
    ("route-prefix", "to: 10.0.0.1/8, via: 192.168.248.1"),
    ("route-family", "to: 10.0.0.0/8, via: '2001:db8::1'"),
    ("route-family", "to: '2001:db8::/32', dev: ens33, source: 192.168.248.120"),
    ("address-unusable", "to: 10.0.0.0/8, via: 224.0.0.1"),
    ("route-next-hop", "to: 10.0.0.0/8"),
    ("route-next-hop", "to: 10.0.0.0/8, via: 192.168.248.1, onLink: true"),
    ("route-next-hop", "to: '2001:db8::/32', via: 'fe80::1'"),
    ("route-next-hop", "to: 10.0.0.0/8, kind: blackhole, via: 192.168.248.1"),
    ("route-next-hop", "to: 10.0.0.0/8, kind: prohibit, dev: ens33"),
    ("route-next-hop", "to: 10.0.0.0/8, kind: unreachable, mtu: 1400"),
    ("route-source", "to: 10.0.0.0/8, via: 192.168.248.1, source: 192.168.248.2"),
    ("reserved-table", "to: 10.0.0.0/8, dev: ens33, table: 0"),
    ("reserved-table", "to: 10.0.0.0/8, dev: ens33, table: 255"),
    ("route-scope", "to: '2001:db8::/32', dev: ens33, scope: link"),
    ("route-scope", "to: 10.0.0.0/8, via: 192.168.248.1, scope: link"),
    ("route-mtu", "to: 10.0.0.0/8, dev: ens33, mtu: 67"),
    ("route-mtu", "to: '2001:db8::/32', dev: ens33, mtu: 1279"),
    ("interface-name", "to: 10.0.0.0/8, dev: a/b"),
];

const RULE_ROWS: &[(&str, &str)] = &[
    ("rule-family", "from: 10.0.0.0/8, to: '2001:db8::/32', table: 9, priority: 5"),
    ("route-prefix", "from: 10.0.0.1/8, table: 9, priority: 5"),
    ("reserved-table", "from: 10.0.0.0/8, table: 0, priority: 5"),
    ("rule-priority", "from: 10.0.0.0/8, table: 9, priority: 0"),
    ("rule-priority", "from: 10.0.0.0/8, table: 9, priority: 32766"),
    ("rule-priority", "from: 10.0.0.0/8, table: 9, priority: 32767"),
    ("rule-priority", "from: 10.0.0.0/8, table: 9, priority: 40000"),
    ("rule-mark", "fwmask: 0xff, iif: ens33, table: 9, priority: 5"),
    ("rule-mark", "fwmark: 0x100, fwmask: 0xff, table: 9, priority: 5"),
    ("rule-for-all", "table: 9, priority: 5"),
    ("rule-for-all", "from: 0.0.0.0/0, table: 9, priority: 5"),
    ("rule-for-all", "fwmark: 0, table: 9, priority: 5"),
    ("interface-name", "iif: 'ens 33', table: 9, priority: 5"),
    ("interface-name", "oif: '', table: 9, priority: 5"),
];

#[test]
fn every_rule_about_routing_fires_alone_on_what_breaks_it() {
    let mut shown = String::new();
    let routes = ROUTE_ROWS.iter().map(|(rule, written)| (rule, with_routes(&[written])));
    let rules = RULE_ROWS.iter().map(|(rule, written)| (rule, with_rules(&[written])));
    for (rule, text) in routes.chain(rules) {
        let findings = fleet(&text, &both());
        assert_eq!(rules_of(&text), [*rule], "{text}\n{}", lines(&findings));
        assert!(findings.iter().all(|it| it.place.line.is_some()), "{}", lines(&findings));
        shown += &lines(&findings);
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn sound_routes_and_rules_have_no_finding() {
    let routes = [
        "to: default, via: 192.168.248.1",
        "to: default, via: 192.168.248.1, metric: 5",
        "to: default, via: 192.168.248.1, table: 100",
        "to: 10.0.0.0/8, dev: ens33, source: 192.168.248.120",
        "to: 172.16.0.0/12, via: 10.9.9.9, dev: ens33, onLink: true, mtu: 1400",
        "to: 192.0.2.0/24, kind: blackhole",
        "to: default, via: 'fe80::1', dev: ens33",
        "to: '2001:db8::/32', kind: unreachable, metric: 7",
    ];
    assert_eq!(rules_of(&with_routes(&routes)), Vec::<String>::new());
    let rules = [
        "from: 192.168.248.120, table: 100, priority: 100",
        "from: 192.168.248.120, table: 100, priority: 101",
        "to: '2001:db8::/32', iif: ens33, table: 254, priority: 32765",
        "fwmark: 0x10, fwmask: 0xf0, table: 255, priority: 1",
        "oif: ens33, table: 4000000000, priority: 7",
    ];
    assert_eq!(rules_of(&with_rules(&rules)), Vec::<String>::new());
}

#[test]
fn two_routes_that_a_kernel_holds_once_are_duplicates_however_they_are_written() {
    let twice = |one: &str, other: &str| rules_of(&with_routes(&[one, other]));
    let route = "to: 10.0.0.0/8, via: 192.168.248.1";
    assert_eq!(twice(route, "to: 10.0.0.0/8, dev: ens33, table: 254"), ["duplicate-route"]);
    assert_eq!(twice(route, "to: 10.0.0.0/8, kind: blackhole, metric: 0"), ["duplicate-route"]);
    let ipv6 = "to: '2001:db8::/32', dev: ens33";
    assert_eq!(twice(ipv6, "to: '2001:db8::/32', dev: ens33, metric: 1024"), ["duplicate-route"]);
    assert_eq!(twice(ipv6, "to: '2001:db8::/32', dev: ens33, metric: 0"), ["duplicate-route"]);
    let rule = "from: 10.0.0.0/8, table: 9, priority: 5";
    assert_eq!(rules_of(&with_rules(&[rule, rule])), ["duplicate-rule"]);
}

/// A second instance on both hosts.
fn second(fields: &str) -> String {
    format!(
        "---
kind: Instance
name: VI_2
spec:
  virtualRouterId: 52
  virtualAddresses: [192.168.248.121]
  members:
    - {{node: lb1, interface: ens33, priority: 80}}
    - {{node: lb2, interface: ens33, priority: 100}}
{fields}"
    )
}

#[test]
fn two_instances_that_want_one_route_or_one_rule_on_one_host_are_told() {
    let rule = "    - {from: 10.0.0.0/8, table: 9, priority: 5}\n";
    let one = with(&format!(
        "  virtualRoutes:\n    - {{to: default, via: 192.168.248.1}}\n  virtualRules:\n{rule}"
    ));
    let other = second(&format!(
        "  virtualRoutes:\n    - {{to: default, via: 192.168.248.9, table: 254}}\n  \
         virtualRules:\n{rule}"
    ));
    insta::assert_snapshot!(lines(&fleet(&format!("{one}\n{other}"), &both())));
    let apart = "  virtualRoutes:\n    - {to: default, via: 192.168.248.9, metric: 9}\n";
    assert_eq!(rules_of(&format!("{one}\n{}", second(apart))), Vec::<String>::new());
}

#[test]
fn every_member_gets_the_routes_and_rules_of_its_instance() {
    let text = with_routes(&["to: default, via: 192.168.248.1"]).replacen(
        "  virtualRoutes",
        "  virtualRules: [{iif: ens33, table: 9, priority: 5}]\n  virtualRoutes",
        1,
    );
    let definitions: Definitions = read(&text).0;
    let placed = place(&definitions, &BTreeMap::new());
    for node in ["lb1", "lb2"] {
        let assigned = &placed[&node.parse::<Name>().unwrap()].instances[0];
        assert_eq!(assigned.virtual_routes[0].to_string(), "default via 192.168.248.1");
        assert_eq!(assigned.virtual_rules[0].to_string(), "5: from all iif ens33 lookup 9");
    }
}

#[test]
fn an_election_without_addresses_says_so_and_has_none() {
    let bare = with("  electionOnly: ipv4").replace("  virtualAddresses: [192.168.248.120]\n", "");
    assert_eq!(rules_of(&bare), Vec::<String>::new());
    assert_eq!(rules_of(&with("  electionOnly: ipv4")), ["election-only"]);
    let silent = broken(&[("virtualAddresses: [192.168.248.120]", "virtualAddresses: []")]);
    let findings = input(&silent);
    assert!(lines(&findings).contains("electionOnly: ipv4"), "{}", lines(&findings));
}
