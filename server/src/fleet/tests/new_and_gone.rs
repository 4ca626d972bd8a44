//! Who is told that an instance is new, or nowhere any more.

use super::*;

fn told(fleet: &Fleet, node: &str) -> Vec<String> {
    fleet.view.deleted_from(&name(node)).map(ToString::to_string).collect()
}

/// Like `VI_1`, with a virtual router ID and an address of its own.
fn other(text: &str, vrid: u8, address: &str, nodes: &[&str]) -> Definition {
    let Definition::Instance { name, mut spec } = instance(text, nodes) else {
        panic!("an instance");
    };
    spec.virtual_router_id = vrid;
    spec.virtual_addresses = vec![vipfleet_model::VirtualAddress::host(address.parse().unwrap())];
    Definition::Instance { name, spec }
}

/// What this node is told is new.
fn new(fleet: &Fleet, node: &str) -> Vec<String> {
    let assignment = &fleet.view.desired(&name(node)).unwrap().assignment;
    fleet.view.created_in(assignment).map(ToString::to_string).collect()
}

fn serving(text: &str) -> NodeReport {
    let mut report = report(1, "", &[text]);
    report.instances[0].state = InstanceState::Master;
    report
}

#[test]
fn an_instance_is_new_until_somebody_serves_it() {
    let mut fleet = converged();
    assert_eq!([new(&fleet, "lb1"), new(&fleet, "lb2")], [["VI_1"], ["VI_1"]]);
    fleet.put(other("VI_2", 52, "192.0.2.101", &["lb1"]));
    assert_eq!([new(&fleet, "lb1"), new(&fleet, "lb2")], [vec!["VI_1", "VI_2"], vec!["VI_1"]]);
    let served = SessionNews::Reported(Box::new(serving("VI_1")), SINCE.into());
    fleet.hear("lb2", 2, served);
    assert_eq!([new(&fleet, "lb1"), new(&fleet, "lb2")], [vec!["VI_2"], vec![]]);
    // At another replica.
    fleet.record(NodeRecord { report: Some(serving("VI_2")), ..record("lb1", "there") });
    assert_eq!(new(&fleet, "lb1"), Vec::<String>::new());
    // What is changed is not new, and what is defined again is.
    fleet.put(instance("VI_1", &["lb2", "lb1"]));
    assert_eq!(new(&fleet, "lb1"), Vec::<String>::new());
    fleet.delete("VI_1");
    fleet.put(instance("VI_1", &["lb2", "lb1"]));
    assert_eq!(new(&fleet, "lb1"), ["VI_1"]);
}

#[test]
fn nothing_is_new_to_a_server_that_starts() {
    let fleet = Fleet::pair();
    let (definitions, revision) = (fleet.view.definitions.clone(), fleet.view.revision);
    let facts = fleet.view.facts.iter().map(|(name, it)| (name.clone(), (revision, it.clone())));
    let facts = facts.collect();
    let fleet = Fleet::from(Snapshot { revision, definitions, facts, ..Snapshot::default() });
    assert_eq!(new(&fleet, "lb1"), Vec::<String>::new());
}

#[test]
fn members_are_told_as_long_as_one_of_them_reports_it() {
    let mut fleet = converged();
    fleet.put(other("VI_2", 52, "192.0.2.101", &["lb1", "lb3"]));
    fleet.delete("VI_1");
    assert_eq!([told(&fleet, "lb1"), told(&fleet, "lb2")], [["VI_1"], ["VI_1"]]);
    assert_eq!(told(&fleet, "lb3"), Vec::<String>::new());
    fleet.observe("lb1", 1);
    fleet.put(other("VI_3", 53, "192.0.2.102", &["lb1"]));
    assert_eq!(told(&fleet, "lb2"), ["VI_1"], "it has not said so yet");
    fleet.observe("lb2", 2);
    fleet.delete("VI_3");
    assert_eq!([told(&fleet, "lb1"), told(&fleet, "lb2")], [vec!["VI_3".to_owned()], vec![]]);
}

#[test]
fn nobody_is_told_where_another_takes_up_its_address_or_its_virtual_router() {
    for successor in [
        other("VI_2", 52, "192.0.2.100", &["lb3"]),
        other("VI_2", 51, "192.0.2.101", &["lb2", "lb3"]),
    ] {
        let mut fleet = converged();
        fleet.put(successor.clone());
        fleet.delete("VI_1");
        assert_eq!(told(&fleet, "lb1"), Vec::<String>::new(), "{successor:?}");
    }
    let mut fleet = converged();
    fleet.put(other("VI_2", 51, "192.0.2.101", &["lb3"]));
    fleet.delete("VI_1");
    assert_eq!(told(&fleet, "lb1"), ["VI_1"], "one VRID on other nodes is another router");
}

#[test]
fn nobody_is_told_of_what_is_defined_again() {
    let mut fleet = converged();
    fleet.delete("VI_1");
    fleet.put(instance("VI_1", &["lb1"]));
    assert_eq!([told(&fleet, "lb1"), told(&fleet, "lb2")], [Vec::<String>::new(), vec![]]);
}
