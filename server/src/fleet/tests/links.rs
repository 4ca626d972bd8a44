//! Who is connected, whom nobody hears, and which records in the store are not true.

use super::*;
use crate::fleet::Untrue;

fn untrue(fleet: &Fleet) -> Vec<(&str, Untrue)> {
    fleet.view.untrue().map(|(node, untrue)| (node.as_str(), untrue)).collect()
}

/// A fleet as a replica finds it at its start: `lb1` at this replica by its record, `lb2` at
/// another, `lb3` nowhere.
fn found() -> Fleet {
    let mut nowhere = record("lb3", "there");
    nowhere.connected = false;
    let records = [record("lb1", HERE), record("lb2", "there"), nowhere];
    let beat = ReplicaRecord { replica: "there".into(), beat: 4711 };
    Fleet::from(Snapshot {
        revision: Revision(9),
        nodes: records.map(|record| (record.node.clone(), record)).into(),
        replicas: [("there".to_owned(), beat)].into(),
        ..Snapshot::default()
    })
}

#[test]
fn nobody_is_silent_before_an_interval_has_passed_since_the_start() {
    let mut fleet = found();
    for node in ["lb1", "lb2", "lb3"] {
        assert_eq!(fleet.link(node), Link::Awaited);
    }
    fleet.pass(INTERVAL / 2, &[]);
    assert_eq!(fleet.link("lb1"), Link::Awaited);
    fleet.pass(INTERVAL / 2, &[]);
    for node in ["lb1", "lb2", "lb3"] {
        assert_eq!(fleet.link(node), Link::Silent);
    }
}

#[test]
fn a_node_at_another_replica_is_connected_as_soon_as_that_one_is_heard() {
    let mut fleet = found();
    fleet.pass(INTERVAL / 10, &["there"]);
    assert_eq!(fleet.link("lb2"), Link::Connected);
    assert_eq!(fleet.link("lb3"), Link::Awaited, "no session there either");
    fleet.pass(INTERVAL, &["there"]);
    assert_eq!((fleet.link("lb2"), fleet.link("lb3")), (Link::Connected, Link::Silent));
}

#[test]
fn a_replica_that_is_gone_takes_its_sessions_with_it() {
    let mut fleet = found();
    fleet.pass(INTERVAL * 2, &["there"]);
    fleet.pass(INTERVAL - INTERVAL / 10, &[]);
    assert_eq!(fleet.link("lb2"), Link::Connected);
    fleet.pass(INTERVAL / 10, &[]);
    assert_eq!(fleet.link("lb2"), Link::Silent);
    // Its record is not this replica's to correct.
    assert_eq!(untrue(&fleet), [("lb1", Untrue::Orphaned)]);
    fleet.pass(INTERVAL / 10, &["there"]);
    assert_eq!(fleet.link("lb2"), Link::Connected);
}

#[test]
fn a_session_held_here_is_a_fact_whatever_the_store_says() {
    let mut fleet = found();
    fleet.connect("lb3", 1);
    assert_eq!(fleet.link("lb3"), Link::Connected);
    fleet.pass_deaf(INTERVAL * 100);
    assert_eq!(fleet.link("lb3"), Link::Connected);
    fleet.hear("lb3", 1, SessionNews::Disconnected);
    assert_eq!(fleet.link("lb3"), Link::Awaited, "the store is away: perhaps it is elsewhere");
}

#[test]
fn after_the_store_was_away_nobody_is_silent_for_an_interval() {
    let mut fleet = found();
    fleet.pass(INTERVAL * 2, &["there"]);
    assert_eq!((fleet.link("lb2"), fleet.link("lb3")), (Link::Connected, Link::Silent));
    fleet.pass_deaf(INTERVAL * 3);
    assert_eq!((fleet.link("lb2"), fleet.link("lb3")), (Link::Awaited, Link::Awaited));
    fleet.pass(INTERVAL / 2, &[]);
    assert_eq!((fleet.link("lb2"), fleet.link("lb3")), (Link::Awaited, Link::Awaited));
    fleet.pass(INTERVAL, &["there"]);
    assert_eq!((fleet.link("lb2"), fleet.link("lb3")), (Link::Connected, Link::Silent));
}

#[test]
fn a_record_of_a_former_start_of_this_replica_is_orphaned_after_the_amnesty() {
    let mut fleet = found();
    assert_eq!(untrue(&fleet), [], "its agent may be on its way");
    fleet.pass(INTERVAL, &[]);
    assert_eq!(fleet.link("lb1"), Link::Silent);
    assert_eq!(untrue(&fleet), [("lb1", Untrue::Orphaned)]);
    let mut corrected = record("lb1", HERE);
    corrected.connected = false;
    fleet.record(corrected);
    assert_eq!(untrue(&fleet), []);
}

#[test]
fn an_agent_that_came_back_to_a_restarted_replica_is_no_orphan() {
    let mut fleet = found();
    fleet.connect("lb1", 1);
    fleet.pass(INTERVAL * 2, &[]);
    assert_eq!((fleet.link("lb1"), untrue(&fleet)), (Link::Connected, vec![]));
}

#[test]
fn a_record_that_lost_its_session_to_a_late_write_is_overwritten() {
    let mut fleet = Fleet::new();
    fleet.connect("lb1", 1);
    // What another replica wrote before is still on its way.
    fleet.record(record("lb1", "there"));
    assert_eq!(untrue(&fleet), []);
    fleet.record(record("lb1", HERE));
    assert_eq!(untrue(&fleet), []);
    let mut late = record("lb1", "there");
    late.connected = false;
    fleet.record(late);
    assert_eq!(untrue(&fleet), [("lb1", Untrue::Overwritten)]);
    fleet.record(record("lb1", HERE));
    assert_eq!(untrue(&fleet), []);
}

#[test]
fn a_session_that_began_elsewhere_later_supersedes_the_one_held_here() {
    let superseded = |fleet: &Fleet| {
        fleet.view.node(&name("lb1")).unwrap().session.as_ref().unwrap().superseded_by.clone()
    };
    let mut fleet = Fleet::new();
    fleet.connect("lb1", 1);
    fleet.record(record("lb1", "there"));
    assert_eq!(superseded(&fleet), None, "that one was before");
    fleet.record(record("lb1", HERE));
    fleet.record(record("lb1", "there"));
    assert_eq!(superseded(&fleet).as_deref(), Some("there"));
    assert_eq!(untrue(&fleet), [], "the record is the other's now");
}

#[test]
fn a_status_names_the_replica_and_since_when_only_of_a_connected_node() {
    let mut fleet = found();
    fleet.pass(INTERVAL * 2, &["there"]);
    let nodes = fleet.view.nodes();
    let of = |text: &str| nodes.iter().find(|node| node.name == name(text)).unwrap();
    assert!(of("lb2").connected);
    assert_eq!(of("lb2").replica.as_deref(), Some("there"));
    assert_eq!(of("lb2").connected_since.as_deref(), Some(SINCE));
    assert!(!of("lb1").connected);
    assert_eq!((&of("lb1").replica, &of("lb1").connected_since), (&None, &None));
}
