//! The fleet that simulated agents belong to: pairs of nodes, each pair on a LAN of its own with
//! one instance, and one check that all of them track.

use ipnet::{IpNet, Ipv4Net};
use std::net::Ipv4Addr;
use vipfleet_model::{Definition, InterfaceFacts, Name, NodeFacts, document};

/// The check that every member tracks.
pub const CHECK: &str = "shared";
const INTERFACE: &str = "eth0";

/// The name of agent `number`.
pub fn node(number: usize) -> Name {
    let name = format!("sim-{number}");
    name.parse().unwrap_or_else(|_| unreachable!("{name} is a valid name"))
}

/// What agent `number` says of itself.
pub fn facts(number: usize) -> NodeFacts {
    let own = Ipv4Net::new_assert(address(number / 2, 1 + number % 2), 24);
    let interface = InterfaceFacts {
        name: INTERFACE.into(),
        addresses: vec![IpNet::V4(own)],
        promote_secondaries: true,
    };
    NodeFacts { node: node(number), interfaces: vec![interface] }
}

/// Host `host` on the LAN of a pair: 10.0.0.0/8 in pieces of 256 addresses.
fn address(pair: usize, host: usize) -> Ipv4Addr {
    let number = 0x0a00_0000 + pair * 256 + host;
    Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX))
}

/// One instance for each whole pair among the first `agents`, and the check, changed `changes`
/// times.
pub fn definitions(agents: usize, changes: u32) -> Vec<Definition> {
    let instances = (0..agents / 2).map(instance);
    let mut definitions: Vec<_> = instances.collect();
    definitions.push(check(changes));
    definitions
}

fn instance(pair: usize) -> Definition {
    let (first, second) = (node(2 * pair), node(2 * pair + 1));
    let vip = address(pair, 100);
    definition(&format!(
        "kind: Instance\nname: VI_{pair}\nspec:\n  virtualRouterId: 51\n  \
         virtualAddresses: [{vip}]\n  track: [{{check: {CHECK}}}]\n  members:\n    \
         - {{node: {first}, interface: {INTERFACE}, priority: 100}}\n    \
         - {{node: {second}, interface: {INTERFACE}, priority: 80}}\n"
    ))
}

/// The shared check; another number of changes is another definition.
pub fn check(changes: u32) -> Definition {
    definition(&format!(
        "kind: Check\nname: {CHECK}\nspec:\n  process: {{name: nginx}}\n  \
         downDelay: {changes}ms\n"
    ))
}

fn definition(text: &str) -> Definition {
    let mut parsed = document::parse(text, None).definitions;
    match parsed.pop() {
        Some(placed) if parsed.is_empty() => placed.value,
        _ => unreachable!("one definition: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use vipfleet_model::{Definitions, placement};

    #[test]
    fn every_agent_has_something_to_run_and_a_change_changes_all_of_it() {
        let facts: BTreeMap<_, _> = (0..600).map(|it| (node(it), facts(it))).collect();
        let placed = |changes| {
            let definitions = definitions(600, changes).into_iter();
            let definitions = definitions.map(|it| (it.key(), it)).collect();
            placement::place(&Definitions(definitions), &facts)
        };
        let (before, after) = (placed(0), placed(1));
        assert_eq!(before.len(), 600);
        assert!(before.values().all(|assignment| assignment.instances.len() == 1));
        assert!(before.iter().all(|(node, assignment)| after[node].hash() != assignment.hash()));
    }

    #[test]
    fn ten_thousand_agents_have_ten_thousand_addresses() {
        let facts = (0..10_000).map(facts);
        let addresses = facts.map(|facts| facts.interfaces[0].addresses[0]);
        assert_eq!(addresses.collect::<BTreeSet<_>>().len(), 10_000);
    }
}
