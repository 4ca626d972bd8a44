//! What each node should run, and what it took of it.

use super::*;
use vipfleet_model::ownership::Generations;

fn generations(fleet: &Fleet, node: &str) -> Generations {
    fleet.view.generations(&name(node))
}

fn hash(fleet: &Fleet, node: &str) -> String {
    fleet.view.desired(&name(node)).unwrap().hash().to_owned()
}

#[test]
fn a_change_of_definitions_is_a_new_generation_of_every_node() {
    let mut fleet = Fleet::pair();
    let before = hash(&fleet, "lb1");
    let revision = fleet.put(instance("VI_2", &["lb1"]));
    assert_eq!(generations(&fleet, "lb1").desired, revision);
    assert_eq!(generations(&fleet, "lb2").desired, revision);
    assert_ne!(hash(&fleet, "lb1"), before);
    assert_eq!(fleet.view.definitions_revision.0, revision);
}

#[test]
fn a_change_of_facts_is_a_new_generation_and_no_new_revision_of_definitions() {
    let mut fleet = Fleet::pair();
    let (definitions, before) = (fleet.view.definitions_revision, hash(&fleet, "lb2"));
    let revision = fleet.facts("lb1", "192.0.2.9/24");
    assert_eq!(generations(&fleet, "lb2").desired, revision);
    assert_ne!(hash(&fleet, "lb2"), before, "it knows the address of its peer");
    assert_eq!(fleet.view.definitions_revision, definitions);
}

#[test]
fn a_member_without_facts_has_an_assignment_already() {
    let mut fleet = Fleet::new();
    let defined = fleet.put(instance("VI_1", &["lb1", "lb2"]));
    let desired = fleet.view.desired(&name("lb1")).unwrap();
    assert_eq!((desired.generation.0, desired.assignment.instances.len()), (defined, 1));
    assert_eq!(desired.assignment.instances[0].members[0].address, None);
    let before = hash(&fleet, "lb1");
    let said = fleet.facts("lb1", "192.0.2.1/24");
    assert_eq!(fleet.view.desired(&name("lb1")).unwrap().generation.0, said);
    assert_ne!(hash(&fleet, "lb1"), before);
}

#[test]
fn a_node_in_no_instance_should_run_nothing_and_is_told_so() {
    let mut fleet = Fleet::pair();
    fleet.facts("lb3", "192.0.2.3/24");
    assert!(fleet.view.desired(&name("lb3")).unwrap().assignment.instances.is_empty());
    assert!(fleet.view.desired(&name("lb4")).is_none());
}

#[test]
fn neither_a_record_nor_a_beat_nor_a_transition_makes_a_generation() {
    let mut fleet = Fleet::pair();
    fleet.connect("lb1", 1);
    let before = generations(&fleet, "lb1").desired;
    fleet.record(record("lb1", HERE));
    fleet.pass(INTERVAL, &["there"]);
    assert_eq!(generations(&fleet, "lb1").desired, before);
    assert_eq!(fleet.view.revision.0, fleet.revision);
}

#[test]
fn a_replica_that_loads_a_snapshot_agrees_with_one_that_followed() {
    let mut followed = Fleet::pair();
    followed.facts("lb1", "192.0.2.9/24");
    let facts = |node: &str| (Revision(followed.revision), followed.view.facts[node].clone());
    let snapshot = Snapshot {
        revision: Revision(followed.revision),
        definitions_revision: followed.view.definitions_revision,
        definitions: followed.view.definitions.clone(),
        facts: [("lb1", facts("lb1")), ("lb2", (Revision(2), facts("lb2").1))]
            .map(|(node, facts)| (name(node), facts))
            .into(),
        ..Snapshot::default()
    };
    let loaded = Fleet::from(snapshot);
    for node in ["lb1", "lb2"] {
        let (one, other) = (followed.view.desired(&name(node)), loaded.view.desired(&name(node)));
        assert_eq!(one.unwrap().generation, other.unwrap().generation);
        assert_eq!(one.unwrap().hash, other.unwrap().hash);
    }
}

#[test]
fn sent_accepted_and_observed_are_three_facts() {
    let mut fleet = Fleet::pair();
    fleet.connect("lb1", 1);
    let desired = generations(&fleet, "lb1").desired;
    assert_eq!(generations(&fleet, "lb1"), Generations { desired, accepted: 0, observed: 0 });
    let hash = hash(&fleet, "lb1");
    let accepted = SessionNews::Accepted { hash: hash.clone(), generation: desired };
    fleet.hear("lb1", 1, accepted);
    let taken = Generations { desired, accepted: desired, observed: 0 };
    assert_eq!(generations(&fleet, "lb1"), taken);
    let mut unsettled = report(desired, &hash, &["VI_1"]);
    unsettled.settled = false;
    fleet.hear("lb1", 1, SessionNews::Reported(Box::new(unsettled), SINCE.into()));
    assert_eq!(generations(&fleet, "lb1"), taken, "its kernel lags");
    fleet.observe("lb1", 1);
    let done = Generations { observed: desired, ..taken };
    assert_eq!(generations(&fleet, "lb1"), done);
}

#[test]
fn equal_content_counts_as_the_desired_generation() {
    let mut fleet = Fleet::pair();
    fleet.connect("lb1", 1);
    fleet.observe("lb1", 1);
    // Concerns lb3 only.
    let later = fleet.put(instance("VI_3", &["lb3"]));
    let done = Generations { desired: later, accepted: later, observed: later };
    assert_eq!(generations(&fleet, "lb1"), done);
}

#[test]
fn a_node_that_is_behind_shows_what_it_accepted_last() {
    let mut fleet = Fleet::pair();
    fleet.connect("lb1", 1);
    fleet.observe("lb1", 1);
    let before = generations(&fleet, "lb1").desired;
    let desired = fleet.put(instance("VI_2", &["lb1"]));
    let behind = Generations { desired, accepted: before, observed: before };
    assert_eq!(generations(&fleet, "lb1"), behind);
}

#[test]
fn a_new_session_has_observed_nothing_before_it_says_so() {
    let mut fleet = Fleet::pair();
    fleet.connect("lb1", 1);
    fleet.observe("lb1", 1);
    let desired = fleet.view.desired(&name("lb1")).unwrap().clone();
    let mut stored = record("lb1", HERE);
    stored.report = Some(report(desired.generation.0, desired.hash(), &["VI_1"]));
    fleet.record(stored);
    let greeted =
        Greeted { since: SINCE.into(), hash: desired.hash().to_owned(), ..Greeted::default() };
    fleet.hear("lb1", 2, SessionNews::Connected(greeted));
    let (accepted, observed) = (desired.generation.0, 0);
    let expected = Generations { desired: accepted, accepted, observed };
    assert_eq!(generations(&fleet, "lb1"), expected);
}

#[test]
fn what_an_older_session_says_late_changes_nothing() {
    let mut fleet = Fleet::pair();
    fleet.connect("lb1", 1);
    fleet.connect("lb1", 2);
    fleet.observe("lb1", 2);
    let before = generations(&fleet, "lb1");
    let stale = SessionNews::Accepted { hash: "old".into(), generation: 1 };
    fleet.hear("lb1", 1, stale);
    fleet.hear("lb1", 1, SessionNews::Disconnected);
    fleet.connect("lb1", 1);
    assert_eq!(generations(&fleet, "lb1"), before);
    assert_eq!(fleet.link("lb1"), Link::Connected);
    fleet.hear("lb1", 2, SessionNews::Disconnected);
    assert!(fleet.view.node(&name("lb1")).unwrap().session.is_none());
}

#[test]
fn a_refusal_is_shown_until_another_assignment_is_accepted_or_due() {
    let mut fleet = Fleet::pair();
    fleet.connect("lb1", 1);
    let (refused, generation) = (hash(&fleet, "lb1"), generations(&fleet, "lb1").desired);
    let shown = |fleet: &Fleet| fleet.view.nodes().into_iter().find_map(|node| node.rejected);
    assert_eq!(shown(&fleet), None);
    fleet.hear("lb1", 1, SessionNews::Rejected(rejection(generation, &refused)));
    let rejected = shown(&fleet).unwrap();
    assert_eq!((rejected.generation, rejected.reason.as_str()), (generation, "no"));
    let progress = fleet.view.convergence(&[name("VI_1")]);
    let expected = Some("instances[VI_1].priority: no".to_owned());
    assert_eq!(progress.iter().find(|it| it.node == name("lb1")).unwrap().rejected, expected);
    // Something else should run now: the refusal is history.
    let other = fleet.put(instance("VI_2", &["lb1"]));
    assert_eq!(shown(&fleet), None);
    let accepted = SessionNews::Accepted { hash: hash(&fleet, "lb1"), generation: other };
    fleet.hear("lb1", 1, accepted);
    fleet.delete("VI_2");
    assert_eq!(hash(&fleet, "lb1"), refused);
    assert_eq!(shown(&fleet), None, "it was accepted away");
}

#[test]
fn a_node_that_runs_something_newer_than_the_store_is_said_to_and_how_to_go_on() {
    let mut fleet = Fleet::pair();
    let desired = generations(&fleet, "lb1").desired;
    let shown = |fleet: &Fleet| fleet.view.nodes().into_iter().find_map(|node| node.rejected);
    let connect = |fleet: &mut Fleet, session, generation, hash: String| {
        let greeted = Greeted { generation, hash, ..Greeted::default() };
        fleet.hear("lb1", session, SessionNews::Connected(greeted));
    };
    connect(&mut fleet, 1, desired + 5, "lost".into());
    let fenced = shown(&fleet).unwrap();
    assert_eq!(fenced.generation, desired);
    assert!(fenced.reason.contains(&format!("generation {}", desired + 5)), "{fenced:?}");
    assert!(fenced.reason.contains("raise-epoch"), "{fenced:?}");
    // The same content is the same, whatever it was called.
    let same = hash(&fleet, "lb1");
    connect(&mut fleet, 2, desired + 5, same);
    assert_eq!(shown(&fleet), None);
    // In a new epoch it counts as having run nothing.
    connect(&mut fleet, 3, 0, String::new());
    assert_eq!(shown(&fleet), None);
}

#[test]
fn a_refusal_heard_by_another_replica_is_shown_from_the_record() {
    let mut fleet = Fleet::pair();
    let refused = hash(&fleet, "lb1");
    let mut stored = record("lb1", "there");
    stored.rejected = Some(rejection(3, &refused));
    fleet.record(stored);
    assert!(fleet.view.nodes()[0].rejected.is_some());
}
