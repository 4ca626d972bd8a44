//! What the tests of validation share: reading, judging, and hosts to judge against.

use std::collections::{BTreeMap, BTreeSet};
use vipfleet_model::document::{locate, parse};
use vipfleet_model::validate::{validate, validate_input};
use vipfleet_model::{Definitions, Findings, InterfaceFacts, Key, Name, NodeFacts, Placed};

pub(crate) const SAMPLE: &str = include_str!("../sample.yaml");

pub(crate) type Nodes = BTreeMap<Name, NodeFacts>;

pub(crate) fn read(text: &str) -> (Definitions, Vec<Placed<vipfleet_model::Definition>>) {
    let parsed = parse(text, Some("fleet.yaml"));
    assert_eq!(parsed.findings, Findings::default(), "{text}");
    let definitions = parsed.definitions.iter().map(|it| it.value.clone()).collect();
    (definitions, parsed.definitions)
}

pub(crate) fn keys(definitions: &Definitions) -> BTreeSet<Key> {
    definitions.0.keys().cloned().collect()
}

/// Findings about a whole fleet of which every document is changed.
pub(crate) fn fleet(text: &str, nodes: &Nodes) -> Findings {
    let (definitions, placed) = read(text);
    let mut findings = validate(&definitions, nodes, &keys(&definitions));
    locate(&mut findings, &placed);
    findings
}

pub(crate) fn input(text: &str) -> Findings {
    let (definitions, placed) = read(text);
    let mut findings = validate_input(&definitions);
    locate(&mut findings, &placed);
    findings
}

pub(crate) fn lines(findings: &Findings) -> String {
    let related = |places: &[vipfleet_model::Place]| {
        places.iter().map(|place| format!("    see {place}\n")).collect::<String>()
    };
    findings.iter().map(|it| format!("[{}] {it}\n{}", it.rule, related(&it.related))).collect()
}

pub(crate) fn host(node: &str, interfaces: &[(&str, &[&str])]) -> (Name, NodeFacts) {
    let interface = |(name, addresses): &(&str, &[&str])| InterfaceFacts {
        name: (*name).into(),
        addresses: addresses.iter().map(|it| it.parse().expect("an address")).collect(),
        promote_secondaries: false,
    };
    let node = node.parse::<Name>().expect("a name");
    let interfaces = interfaces.iter().map(interface).collect();
    (node.clone(), NodeFacts { node, interfaces })
}

pub(crate) fn both() -> Nodes {
    Nodes::from([
        host("lb1", &[("ens33", &["192.168.248.2/24"])]),
        host("lb2", &[("ens33", &["192.168.248.3/24"])]),
    ])
}

/// The sample with pieces replaced.
pub(crate) fn broken(replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(SAMPLE.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old:?} is not in the sample");
        text.replace(old, new)
    })
}
