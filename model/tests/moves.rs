//! Planned moves on their way into assignments and statuses.

use std::collections::BTreeMap;
use vipfleet_model::document::parse;
use vipfleet_model::moves::{AssignedMove, Drain, Moves, Order, Switchover};
use vipfleet_model::ownership::InstanceStatus;
use vipfleet_model::placement::{place, place_node};
use vipfleet_model::{Definition, Definitions, Name};
use vipfleet_vrrp::Standing;

const FLEET: &str = "
kind: Instance
name: a
spec: {virtualRouterId: 51, virtualAddresses: [192.0.2.10], members: [
  {node: lb1, interface: eth0, priority: 150}, {node: lb2, interface: eth0, priority: 100},
  {node: lb3, interface: eth0, priority: 50}, {node: old, interface: eth0, priority: 40, \
       address: 192.0.2.9, external: true}]}
---
kind: Instance
name: b
spec: {virtualRouterId: 52, virtualAddresses: [192.0.2.11], members: [
  {node: lb1, interface: eth0, priority: 150}, {node: lb2, interface: eth0, priority: 100}]}
---
kind: Instance
name: c
spec: {virtualRouterId: 53, virtualAddresses: [192.0.2.12], members: [
  {node: lb1, interface: eth0, priority: 100}, {node: lb2, interface: eth0, priority: 150}]}
---
kind: SyncGroup
name: both
spec: {instances: [a, b]}
";

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn order(until: Option<&str>) -> Order {
    Order {
        by: "ana".into(),
        message: "new kernel".into(),
        since: "2026-03-04T12:00:00Z".into(),
        until: until.map(str::to_owned),
    }
}

fn switchover(instance: &str, to: &str) -> Definition {
    let spec = Switchover { to: name(to), order: order(Some("2026-03-04T13:00:00Z")) };
    Definition::Switchover { name: name(instance), spec }
}

fn drain(node: &str) -> Definition {
    Definition::Drain { name: name(node), spec: Drain { order: order(None) } }
}

fn fleet(moves: impl IntoIterator<Item = Definition>) -> Definitions {
    let declared = parse(FLEET, None).definitions.into_iter().map(|placed| placed.value);
    declared.chain(moves).collect()
}

/// By instance and node: what the move makes of it.
fn roles(definitions: &Definitions) -> BTreeMap<String, String> {
    let mut roles = BTreeMap::new();
    for (node, assignment) in place(definitions, &BTreeMap::new()) {
        assert_eq!(place_node(definitions, &BTreeMap::new(), &node), assignment);
        for instance in assignment.instances {
            if let Some(AssignedMove { role, until }) = instance.planned_move {
                let until = until.map_or("for good".to_owned(), |until| until[11..16].to_owned());
                roles.insert(format!("{} {node}", instance.name), format!("{role:?} {until}"));
            }
        }
    }
    roles
}

fn shown(roles: &BTreeMap<String, String>) -> Vec<String> {
    roles.iter().map(|(seat, role)| format!("{seat}: {role}")).collect()
}

#[test]
fn without_a_move_nothing_is_assigned_of_one() {
    assert_eq!(shown(&roles(&fleet([]))), [""; 0]);
}

#[test]
fn a_switchover_has_the_target_lead_and_all_others_follow_until_it_ends() {
    let roles = roles(&fleet([switchover("c", "lb1")]));
    assert_eq!(shown(&roles), ["c lb1: Leads 13:00", "c lb2: Follows 13:00"]);
}

#[test]
fn the_instances_of_a_sync_group_go_along() {
    let roles = roles(&fleet([switchover("b", "lb2")]));
    assert_eq!(
        shown(&roles),
        [
            "a lb1: Follows 13:00",
            "a lb2: Leads 13:00",
            "a lb3: Follows 13:00",
            "b lb1: Follows 13:00",
            "b lb2: Leads 13:00",
        ]
    );
}

#[test]
fn a_drained_node_yields_in_all_it_runs_and_leads_nowhere() {
    let drained = roles(&fleet([drain("lb2")]));
    let yields = ["a lb2: Yields for good", "b lb2: Yields for good", "c lb2: Yields for good"];
    assert_eq!(shown(&drained), yields);
    let both = roles(&fleet([drain("lb2"), switchover("a", "lb2")]));
    assert_eq!(shown(&both), yields, "nobody follows one that is drained");
    let other = roles(&fleet([drain("lb2"), switchover("c", "lb1")]));
    assert_eq!(other["c lb1"], "Leads 13:00");
    assert_eq!(other["c lb2"], "Yields for good");
}

#[test]
fn a_move_to_nobody_moves_nothing() {
    for (instance, to) in [("c", "lb9"), ("a", "old"), ("gone", "lb1")] {
        assert_eq!(shown(&roles(&fleet([switchover(instance, to)]))), [""; 0], "{instance}");
    }
}

#[test]
fn the_engine_is_told_its_standing() {
    let definitions = fleet([switchover("c", "lb1"), drain("lb3")]);
    let placed = place(&definitions, &BTreeMap::new());
    let standing = |node: &str, instance: &str| {
        let of = placed[&name(node)].instances.iter().find(|it| it.name == name(instance));
        of.expect("it runs there").engine_config().expect("it can run").standing
    };
    assert_eq!(standing("lb1", "c"), Standing::Leads);
    assert_eq!(standing("lb2", "c"), Standing::Follows);
    assert_eq!(standing("lb3", "a"), Standing::Yields);
    assert_eq!(standing("lb1", "a"), Standing::Ordinary);
}

#[test]
fn a_status_shows_the_move_and_who_is_drained() {
    let definitions = fleet([switchover("b", "lb2"), drain("lb3")]);
    let moves = Moves::of(&definitions);
    let spec = definitions.instance(&name("a")).expect("defined");
    let status = InstanceStatus::of(&name("a"), spec, 1, &BTreeMap::new()).moved(&moves);
    let switchover = status.switchover.expect("it goes with b");
    assert_eq!((switchover.instance, switchover.to), (name("b"), name("lb2")));
    let drained = status.members.iter().filter(|it| it.drained).map(|it| &it.node);
    assert_eq!(drained.collect::<Vec<_>>(), [&name("lb3")]);
}

#[test]
fn a_document_declares_no_move() {
    for kind in ["Switchover", "Drain"] {
        let parsed = parse(&format!("kind: {kind}\nname: lb1\nspec: {{}}\n"), None);
        assert!(parsed.definitions.is_empty());
        let rules = parsed.findings.iter().map(|it| it.rule.clone()).collect::<Vec<_>>();
        assert!(rules.iter().any(|rule| rule == "planned-move"), "{rules:?}");
    }
}
