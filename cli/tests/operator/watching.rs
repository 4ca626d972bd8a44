//! `watch` and `-w`: nothing missed, nothing twice, one object a line.

use crate::fake::Fake;
use crate::terminal::Running;
use vipfleet_proto::v1::{FleetTransition, InstanceState, StatusResponse, Transition};

fn transition(revision: u64) -> FleetTransition {
    let transition = Transition {
        sequence: revision,
        at: "2026-03-04T12:00:00.123456789Z".into(),
        instance: "VI_1".into(),
        from: InstanceState::Backup.into(),
        to: InstanceState::Master.into(),
        reason: "no master heard".into(),
        effective_priority: 100,
        lost_before: 0,
    };
    FleetTransition { revision, node: "lb1".into(), transition: Some(transition) }
}

fn fleet(revisions: std::ops::Range<u64>) -> Fake {
    let fake = Fake::start();
    fake.state().transitions = revisions.map(transition).collect();
    fake
}

fn revision(running: &Running) -> u64 {
    let line = running.json();
    line["revision"].as_u64().unwrap_or_else(|| panic!("{line}"))
}

#[test]
fn a_line_has_the_fields_that_scripts_rely_on() {
    let fake = fleet(5..6);
    let watch = ["--server", &fake.url(), "watch", "--from-revision", "0", "-o", "json"];
    insta::assert_snapshot!(Running::start(&watch).line());
    let watch = ["--server", &fake.url(), "watch", "--from-revision", "0"];
    insta::assert_snapshot!(Running::start(&watch).line());
}

#[test]
fn every_transition_is_printed_once_over_a_change_of_server() {
    let (first, second) = (fleet(2..5), fleet(2..8));
    let both = format!("{},{}", first.url(), second.url());
    let running =
        Running::start(&["--server", &both, "watch", "--from-revision", "1", "-o", "json"]);
    let before = [revision(&running), revision(&running), revision(&running)];
    assert_eq!(before, [2, 3, 4]);
    drop(first);
    let after = [revision(&running), revision(&running), revision(&running)];
    assert_eq!(after, [5, 6, 7]);
    assert_eq!(running.end(), Vec::<String>::new());
}

#[test]
fn a_stream_that_ends_is_taken_up_where_it_ended() {
    let fake = fleet(2..4);
    fake.state().hangs_up = Some(());
    let url = fake.url();
    let running =
        Running::start(&["--server", &url, "watch", "--from-revision", "1", "-o", "json"]);
    assert_eq!([revision(&running), revision(&running)], [2, 3]);
    fake.state().transitions.push(transition(9));
    assert_eq!(revision(&running), 9);
    assert_eq!(running.end(), Vec::<String>::new());
}

#[test]
fn what_is_no_longer_kept_is_said_to_be_missing_once() {
    let fake = fleet(7..9);
    fake.state().first_kept = 7;
    fake.state().hangs_up = Some(());
    let url = fake.url();
    let running =
        Running::start(&["--server", &url, "watch", "--from-revision", "3", "-o", "json"]);
    let gap = running.json();
    assert_eq!(gap["gap"]["afterRevision"], 3);
    assert_eq!(gap["gap"]["firstKeptRevision"], 7);
    assert_eq!([revision(&running), revision(&running)], [7, 8]);
}

#[test]
fn get_w_prints_one_object_a_state() {
    let fake = Fake::start();
    fake.state().status = StatusResponse { revision: 1, ..StatusResponse::default() };
    let running = Running::start(&["--server", &fake.url(), "get", "nodes", "-w", "-o", "json"]);
    assert_eq!(running.json(), serde_json::json!({ "items": [] }));
}
