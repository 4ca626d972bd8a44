//! Definitions as text: read, judged, placed; written and read back equal; and shown to people
//! without their secrets.

use std::collections::{BTreeMap, BTreeSet};
use vipfleet_model::document::{Parsed, parse, to_json, to_yaml};
use vipfleet_model::instance::Authentication;
use vipfleet_model::placement::place_node;
use vipfleet_model::redaction::unredact;
use vipfleet_model::validate::validate;
use vipfleet_model::{Definition, Definitions, Name};

/// Reads one input.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let parsed = parse(&text, Some("fleet.yaml"));
    for finding in parsed.judge().iter() {
        assert!(!finding.message.is_empty() && !finding.remedy.is_empty(), "{finding:?}");
        assert!(!finding.rule.is_empty() && !finding.place.to_string().is_empty(), "{finding:?}");
    }
    let read: Vec<Definition> = values(&parsed);
    if read.is_empty() {
        return;
    }
    survives(&read, to_yaml(&read));
    survives(&read, to_json(&read));
    read.iter().for_each(hides_its_secret);
    placed(read.into_iter().collect());
}

fn values(parsed: &Parsed) -> Vec<Definition> {
    parsed.definitions.iter().map(|placed| placed.value.clone()).collect()
}

fn survives(read: &[Definition], written: String) {
    let again = parse(&written, None);
    assert!(again.findings.is_empty(), "{:?} in:\n{written}", again.findings);
    assert_eq!(values(&again), read, "{written}");
}

/// What is shown does not depend on the secret, and stands for the stored one.
fn hides_its_secret(definition: &Definition) {
    let shown = definition.redacted();
    let mut other = definition.clone();
    if let Definition::Instance { spec, .. } = &mut other
        && let Authentication::Pass { password } = &mut spec.authentication
    {
        *password = vipfleet_model::secret::Secret::new("another");
    }
    assert_eq!(shown, other.redacted());
    assert_eq!(format!("{definition:?}"), format!("{other:?}"));
    let mut back = shown;
    assert!(unredact(&mut back, Some(definition)).is_empty());
    assert_eq!(back, *definition);
}

/// The fleet is judged, and every member is given what it must run.
fn placed(definitions: Definitions) {
    let facts = BTreeMap::new();
    let changed: BTreeSet<_> = definitions.0.keys().cloned().collect();
    let findings = validate(&definitions, &facts, &changed);
    let members: BTreeSet<Name> = definitions
        .instances()
        .flat_map(|(_, instance)| instance.members.iter().map(|member| member.node.clone()))
        .collect();
    for node in members {
        let assignment = place_node(&definitions, &facts, &node);
        for instance in &assignment.instances {
            let config = instance.engine_config();
            assert!(config.is_ok() || findings.has_errors(), "{config:?} and no finding");
        }
    }
}
