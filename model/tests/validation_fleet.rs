//! Definitions held against each other, against their hosts, and against what is changed.

mod fleet;

use fleet::{Nodes, SAMPLE, both, broken, fleet, host, input, keys, lines, read};
use std::collections::BTreeSet;
use vipfleet_model::Severity::{Error, Warning};
use vipfleet_model::validate::{validate, validate_input};
use vipfleet_model::{Findings, Key, Severity};

#[test]
fn what_hosts_say_of_themselves_is_held_against_the_definition() {
    let nodes = |lb1: &[(&str, &[&str])]| {
        Nodes::from([host("lb1", lb1), host("lb2", &[("ens33", &["192.168.248.3/24"])])])
    };
    let own = "192.168.248.120/24";
    let rows: &[(&str, Nodes, String)] = &[
        (
            "unknown-node",
            Nodes::from([host("lb2", &[("ens33", &["192.168.248.3/24"])])]),
            SAMPLE.into(),
        ),
        ("unknown-interface", nodes(&[("eth0", &["192.168.248.2/24"])]), SAMPLE.into()),
        ("interface-without-address", nodes(&[("ens33", &["fe80::1/64"])]), SAMPLE.into()),
        ("vip-own-address", nodes(&[("ens33", &["192.168.248.2/24", own])]), SAMPLE.into()),
        ("owner-without-address", both(), broken(&[("priority: 100", "priority: 255")])),
        ("vip-outside-subnet", both(), broken(&[("[192.168.248.120]", "[10.9.9.9]")])),
        ("address-reserved", both(), broken(&[("[192.168.248.120]", "[192.168.248.255]")])),
        ("promote-secondaries", both(), broken(&[("[192.168.248.120]", "[192.168.248.120/24]")])),
        ("duplicate-member-address", nodes(&[("ens33", &["192.168.248.3/24"])]), SAMPLE.into()),
    ];
    let mut shown = String::new();
    for (rule, nodes, text) in rows {
        let findings = fleet(text, nodes);
        let rules = findings.iter().map(|it| it.rule.as_str()).collect::<Vec<_>>();
        assert_eq!(rules, [*rule], "{}", lines(&findings));
        shown += &lines(&findings);
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_host_that_owns_the_address_may_have_priority_255() {
    let text = broken(&[("priority: 100", "priority: 255")]);
    let nodes = Nodes::from([
        host("lb1", &[("ens33", &["192.168.248.2/24", "192.168.248.120/24"])]),
        host("lb2", &[("ens33", &["192.168.248.3/24"])]),
    ]);
    assert_eq!(lines(&fleet(&text, &nodes)), "");
}

/// Instances `name: id vip nodes…` on eth0.
fn instances(rows: &[(&str, u8, &str, &[&str])]) -> String {
    let one = |(name, id, vip, nodes): &(&str, u8, &str, &[&str])| {
        let members = nodes.iter().zip((1..=100).rev()).map(|(node, priority)| {
            format!("{{node: {node}, interface: eth0, priority: {priority}}}")
        });
        format!(
            "{{kind: Instance, name: {name}, spec: {{virtualRouterId: {id}, virtualAddresses: \
             [{vip}], members: [{}]}}}}\n",
            members.collect::<Vec<_>>().join(", ")
        )
    };
    rows.iter().map(one).collect::<Vec<_>>().join("---\n")
}

fn rules(findings: &Findings) -> Vec<(&str, Severity)> {
    findings.iter().map(|it| (it.rule.as_str(), it.severity)).collect()
}

#[test]
fn one_id_on_one_segment_belongs_to_one_instance() {
    let shared =
        instances(&[("a", 7, "10.0.0.10", &["n1", "n2"]), ("b", 7, "10.0.0.11", &["n2", "n3"])]);
    insta::assert_snapshot!(lines(&input(&shared)));
    // n1 – n2 – n3: a and c share no node, and are on one segment all the same.
    let joined = instances(&[
        ("a", 7, "10.0.0.10", &["n1", "n2"]),
        ("b", 8, "10.0.0.11", &["n2", "n3"]),
        ("c", 7, "10.0.0.12", &["n3", "n4"]),
    ]);
    assert_eq!(rules(&input(&joined)), [("duplicate-vrid", Error)]);
}

#[test]
fn one_id_on_two_segments_is_sound_until_their_hosts_say_they_share_a_subnet() {
    let text =
        instances(&[("a", 7, "10.0.0.10", &["n1", "n2"]), ("b", 7, "10.0.0.11", &["n3", "n4"])]);
    assert_eq!(rules(&input(&text)), []);
    let nodes = |second: &str| {
        let second = second.to_owned();
        ["n1", "n2", "n3", "n4"]
            .iter()
            .enumerate()
            .map(|(index, node)| {
                let net = if index < 2 { "10.0.0" } else { &second };
                host(node, &[("eth0", &[&format!("{net}.{}/24", index + 1), "169.254.1.1/16"])])
            })
            .collect::<Nodes>()
    };
    let errors = |nodes| {
        let findings = fleet(&text, &nodes);
        findings
            .iter()
            .filter(|it| it.severity == Error)
            .map(|it| it.rule.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(errors(nodes("10.0.0")), ["duplicate-vrid"]);
    assert_eq!(errors(nodes("10.0.1")), Vec::<String>::new());
}

#[test]
fn two_virtual_macs_of_one_id_on_one_host_would_need_one_device_twice() {
    let text = |mac: &str| {
        let instance = |name: &str, interface: &str, vip: &str, mac: &str| {
            format!(
                "kind: Instance\nname: {name}\nspec:\n  virtualRouterId: 7\n  \
                 virtualAddresses: [{vip}]\n  virtualMac: {mac}\n  members:\n    \
                 - {{node: n1, interface: {interface}, priority: 100}}\n"
            )
        };
        let first = instance("a", "eth0", "10.0.0.10", "true");
        format!("{first}---\n{}", instance("b", "eth1", "10.0.1.10", mac))
    };
    let errors = |text: &str| {
        let findings = input(text);
        let errors = findings.iter().filter(|it| it.severity == Error);
        errors.map(|it| it.rule.clone()).collect::<Vec<_>>()
    };
    assert_eq!(errors(&text("true")), ["shared-virtual-mac"]);
    assert_eq!(errors(&text("false")), Vec::<String>::new());
}

#[test]
fn an_address_of_two_instances_is_an_error_on_one_segment_and_a_warning_elsewhere() {
    let near =
        instances(&[("a", 7, "10.0.0.10", &["n1", "n2"]), ("b", 8, "10.0.0.10", &["n1", "n2"])]);
    let far =
        instances(&[("a", 7, "10.0.0.10", &["n1", "n2"]), ("b", 8, "10.0.0.10", &["n3", "n4"])]);
    assert_eq!(rules(&input(&near)), [("duplicate-vip", Error)]);
    assert_eq!(rules(&input(&far)), [("duplicate-vip", Warning)]);
}

#[test]
fn the_changed_document_of_two_gets_the_finding() {
    let text =
        instances(&[("a", 7, "10.0.0.10", &["n1", "n2"]), ("b", 7, "10.0.0.11", &["n1", "n2"])]);
    let (definitions, _) = read(&text);
    for key in keys(&definitions) {
        let findings = validate(&definitions, &Nodes::new(), &BTreeSet::from([key.clone()]));
        let error = findings.iter().find(|it| it.severity == Error).unwrap();
        assert_eq!(error.place.document, Some(key.to_string()));
        assert_ne!(error.related[0].document, error.place.document);
    }
}

#[test]
fn warnings_about_documents_that_do_not_change_are_left_out_and_errors_are_not() {
    let warned = broken(&[("priority: 80", "priority: 100")]);
    let refused = broken(&[("{check: check_nginx_alive}", "{check: nobody}")]);
    let count = |text: &str| {
        let (definitions, _) = read(text);
        let other =
            BTreeSet::from([Key { kind: vipfleet_model::Kind::Check, name: "x".parse().unwrap() }]);
        validate(&definitions, &both(), &other).0.len()
    };
    assert_eq!(count(&warned), 0);
    assert_eq!(count(&refused), 1);
}

#[test]
fn an_address_that_a_host_got_since_does_not_stand_in_the_way_of_another_change() {
    let (definitions, _) = read(SAMPLE);
    let nodes = Nodes::from([host("lb1", &[("ens33", &["192.168.248.120/24"])])]);
    let check = definitions.0.keys().next().unwrap().clone();
    assert!(!validate(&definitions, &nodes, &BTreeSet::from([check])).has_errors());
    assert!(validate(&definitions, &nodes, &keys(&definitions)).has_errors());
}

#[test]
fn an_address_of_a_host_outside_the_instance_is_a_warning() {
    let mut nodes = both();
    nodes.extend([host("db1", &[("eth0", &["192.168.248.120/24"])])]);
    assert_eq!(rules(&fleet(SAMPLE, &nodes)), [("vip-foreign-address", Warning)]);
}

#[test]
fn ten_thousand_instances_are_validated_without_quadratic_work() {
    let rows = (0..10_000u32).map(|number| {
        let [_, a, b, c] = number.to_be_bytes();
        let node = |offset: u32| format!("n{}", (number / 10 * 2 + offset) % 2_000);
        let (first, second) = (node(0), node(1));
        let id = number % 10 + 1;
        format!(
            "{{kind: Instance, name: i{number}, spec: {{virtualRouterId: {id}, virtualAddresses: \
             [10.{a}.{b}.{c}], members: [{{node: {first}, interface: eth0, priority: 100}}, \
             {{node: {second}, interface: eth0, priority: 90}}]}}}}\n"
        )
    });
    let text = rows.collect::<Vec<_>>().join("---\n");
    let start = std::time::Instant::now();
    let (definitions, _) = read(&text);
    let findings = validate_input(&definitions);
    // Comparing each with each would take hours here; this is no measurement.
    assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
    assert_eq!(rules(&findings), []);
}
