//! How far a change got: what `--wait` waits for.

use super::*;
use crate::fleet::NodeProgress;

/// Who is asked to show it, and whether it does.
fn progress(fleet: &Fleet, instances: &[&str]) -> Vec<(String, bool)> {
    let instances: Vec<_> = instances.iter().map(|it| name(it)).collect();
    let done = |it: &NodeProgress| it.accepted && it.observed;
    let all = fleet.view.convergence(&instances);
    all.iter().map(|it| (it.node.to_string(), done(it))).collect()
}

fn expect(of: &[(&str, bool)]) -> Vec<(String, bool)> {
    of.iter().map(|(node, done)| ((*node).to_owned(), *done)).collect()
}

#[test]
fn every_member_has_to_show_it() {
    let mut fleet = converged();
    assert_eq!(progress(&fleet, &["VI_1"]), expect(&[("lb1", true), ("lb2", true)]));
    fleet.put(instance("VI_1", &["lb2", "lb1"]));
    assert_eq!(progress(&fleet, &["VI_1"]), expect(&[("lb1", false), ("lb2", false)]));
    fleet.observe("lb2", 2);
    assert_eq!(progress(&fleet, &["VI_1"]), expect(&[("lb1", false), ("lb2", true)]));
    fleet.observe("lb1", 1);
    assert_eq!(progress(&fleet, &["VI_1"]), expect(&[("lb1", true), ("lb2", true)]));
}

#[test]
fn a_member_that_is_not_connected_or_never_was_keeps_it_from_done() {
    let mut fleet = converged();
    fleet.put(instance("VI_2", &["lb1", "lb9"]));
    fleet.observe("lb1", 1);
    assert_eq!(progress(&fleet, &["VI_2"]), expect(&[("lb1", true), ("lb9", false)]));
    fleet.hear("lb1", 1, SessionNews::Disconnected);
    assert_eq!(progress(&fleet, &["VI_2"]), expect(&[("lb1", false), ("lb9", false)]));
}

#[test]
fn a_member_at_another_replica_counts_by_its_record() {
    let mut fleet = converged();
    fleet.pass(INTERVAL, &["there"]);
    fleet.put(instance("VI_2", &["lb3"]));
    fleet.facts("lb3", "192.0.2.3/24");
    let desired = fleet.view.desired(&name("lb3")).unwrap().clone();
    let mut stored = record("lb3", "there");
    stored.accepted_hash = desired.hash().to_owned();
    fleet.record(stored.clone());
    assert_eq!(progress(&fleet, &["VI_2"]), expect(&[("lb3", false)]));
    stored.report = Some(report(desired.generation.0, desired.hash(), &["VI_2"]));
    fleet.record(stored);
    assert_eq!(progress(&fleet, &["VI_2"]), expect(&[("lb3", true)]));
}

#[test]
fn an_external_member_is_not_waited_for() {
    let mut fleet = converged();
    let Definition::Instance { name: text, mut spec } = instance("VI_2", &["lb1", "old"]) else {
        panic!("an instance");
    };
    spec.members[1].external = true;
    fleet.put(Definition::Instance { name: text, spec });
    fleet.observe("lb1", 1);
    assert_eq!(progress(&fleet, &["VI_2"]), expect(&[("lb1", true)]));
}

#[test]
fn a_deleted_instance_has_to_be_gone_from_every_node_that_reported_it() {
    let mut fleet = converged();
    fleet.delete("VI_1");
    assert_eq!(progress(&fleet, &["VI_1"]), expect(&[("lb1", false), ("lb2", false)]));
    fleet.observe("lb1", 1);
    assert_eq!(progress(&fleet, &["VI_1"]), expect(&[("lb2", false)]));
    fleet.observe("lb2", 2);
    assert_eq!(progress(&fleet, &["VI_1"]), expect(&[]));
}

#[test]
fn a_node_that_has_not_said_yet_what_it_runs_may_run_it_still() {
    let mut fleet = converged();
    fleet.connect("lb2", 3);
    fleet.delete("VI_1");
    fleet.observe("lb1", 1);
    assert_eq!(progress(&fleet, &["VI_1"]), expect(&[("lb2", false)]));
    fleet.observe("lb2", 3);
    assert_eq!(progress(&fleet, &["VI_1"]), expect(&[]));
}

#[test]
fn a_node_that_went_away_with_a_deleted_instance_is_named() {
    let mut fleet = converged();
    let mut stored = record("lb2", HERE);
    stored.report = Some(report(1, "old", &["VI_1"]));
    fleet.record(stored);
    fleet.hear("lb2", 2, SessionNews::Disconnected);
    fleet.delete("VI_1");
    fleet.observe("lb1", 1);
    let left = fleet.view.convergence(&[name("VI_1")]);
    assert_eq!((left.len(), left[0].node.as_str(), left[0].connected), (1, "lb2", false));
}

#[test]
fn a_member_that_was_taken_out_has_to_let_go_of_the_instance() {
    let mut fleet = converged();
    fleet.put(instance("VI_1", &["lb1"]));
    fleet.observe("lb1", 1);
    assert_eq!(progress(&fleet, &["VI_1"]), expect(&[("lb1", true), ("lb2", false)]));
    fleet.observe("lb2", 2);
    assert_eq!(progress(&fleet, &["VI_1"]), expect(&[("lb1", true)]));
}

#[test]
fn without_names_every_instance_counts() {
    let mut fleet = converged();
    fleet.put(instance("VI_2", &["lb3"]));
    let all = progress(&fleet, &[]);
    assert_eq!(all, expect(&[("lb1", true), ("lb2", true), ("lb3", false)]));
    assert_eq!(progress(&fleet, &["VI_none"]), expect(&[]));
}
