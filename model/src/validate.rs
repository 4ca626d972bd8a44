//! Whether definitions make sense: alone, together, and on the hosts they name. Called by the
//! server before it stores ([`validate`]) and by vipctl before the wire ([`validate_input`]).
//!
//! Pure; reports every finding, never only the first. Errors refuse. A warning counts only in a
//! document that is being changed, and so does an error that follows from what hosts say about
//! themselves: an address added to some host must not stand in the way of an unrelated apply.
//!
//! Absent: the shape of documents ([`crate::document`]).

mod address;
mod check;
mod desk;
mod hmac;
mod host;
mod member;
mod names;
mod protocol;
mod routing;
mod segment;
mod sharing;
mod sync_group;
mod track;
mod virtual_mac;

use crate::definition::{Definition, Definitions, Key};
use crate::finding::{Findings, Severity};
use crate::name::Name;
use crate::node::NodeFacts;
use desk::{Basis, Desk, Noted};
use std::collections::{BTreeMap, BTreeSet};

/// Every finding about a whole fleet as it would be after a change of the `changed` keys.
pub fn validate(
    definitions: &Definitions,
    nodes: &BTreeMap<Name, NodeFacts>,
    changed: &BTreeSet<Key>,
) -> Findings {
    let noted = examine(definitions, &Known::Fleet(nodes), |key| changed.contains(key));
    let counts = |noted: &Noted| {
        let lasting =
            noted.finding.severity == Severity::Error && noted.basis == Basis::Definitions;
        lasting || noted.keys.iter().any(|key| changed.contains(key))
    };
    noted.into_iter().filter(counts).map(|noted| noted.finding).collect()
}

/// Every finding about an input of which the rest of the fleet is not at hand: nodes cannot be
/// judged, and a check that is not in the input may be in the store.
pub fn validate_input(definitions: &Definitions) -> Findings {
    let noted = examine(definitions, &Known::Input, |_| true);
    noted.into_iter().map(|noted| noted.finding).collect()
}

/// What is at hand beside the definitions.
enum Known<'a> {
    Input,
    Fleet(&'a BTreeMap<Name, NodeFacts>),
}

/// In order of the documents. A finding about two documents is placed in the changed one.
fn examine(
    definitions: &Definitions,
    known: &Known<'_>,
    changed: impl Fn(&Key) -> bool,
) -> Vec<Noted> {
    let mut noted = Vec::new();
    for (key, definition) in &definitions.0 {
        let mut desk = Desk::new(&mut noted, key, Basis::Definitions);
        match definition {
            Definition::Check { spec, .. } => check::examine(&mut desk, spec),
            // Judged against the live fleet by whoever takes the order.
            Definition::Switchover { .. } | Definition::Drain { .. } => {}
            Definition::SyncGroup { spec, .. } => {
                sync_group::examine(&mut desk, key, spec, definitions, known);
            }
            Definition::Instance { spec, .. } => {
                protocol::examine(&mut desk, spec);
                address::examine(&mut desk, spec);
                routing::examine(&mut desk, spec);
                member::examine(&mut desk, spec);
                track::examine(&mut desk, spec, definitions, known);
                if let Known::Fleet(nodes) = known {
                    let mut desk = Desk::new(&mut noted, key, Basis::Hosts);
                    host::examine(&mut desk, spec, nodes);
                }
            }
        }
    }
    let nodes = match known {
        Known::Input => &BTreeMap::new(),
        Known::Fleet(nodes) => *nodes,
    };
    segment::examine(&mut noted, definitions, nodes, &changed);
    sharing::examine(&mut noted, definitions, &changed);
    if let Known::Fleet(nodes) = known {
        host::foreign_addresses(&mut noted, definitions, nodes);
    }
    noted.sort_by(|left, right| left.keys[0].cmp(&right.keys[0]));
    noted
}
