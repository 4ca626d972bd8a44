//! Changes: what is sent, what is said, and what happens when somebody else was faster.

use crate::fake::Fake;
use crate::terminal::{VI_1, run, vipctl};
use tonic::Status;

const CHECK: &str = "kind: Check\nname: nginx\nspec: {process: {name: nginx}}\n";

fn apply(fake: &Fake, arguments: &[&str], input: &str) -> crate::terminal::Outcome {
    let url = fake.url();
    run(&[&["--server", &url, "apply", "-f", "-"], arguments].concat(), &[], input)
}

#[test]
fn apply_sends_the_whole_input_with_who_and_why() {
    let fake = Fake::start();
    let applied = apply(&fake, &["-m", "first"], &format!("{VI_1}---\n{CHECK}")).exits(0);
    insta::assert_snapshot!(applied.stdout);
    let request = fake.state().applies.remove(0);
    assert_eq!((request.put.len(), request.message.as_str()), (2, "first"));
    assert!(request.author.starts_with("alice@"), "{}", request.author);
    assert_eq!(request.if_revision, None);
    assert_eq!(fake.instance("VI_1").virtual_router_id, 51);

    let again = apply(&fake, &[], VI_1).exits(0);
    assert_eq!(again.stdout, "no change: the fleet is at revision 2\n");
}

#[test]
fn json_of_a_change_is_one_document() {
    let fake = Fake::start();
    let json = apply(&fake, &["-o", "json", "--dry-run"], VI_1).exits(0).json();
    assert_eq!(json["dryRun"], true);
    assert_eq!(json["changes"][0]["change"], "created");
    assert_eq!(json["changes"][0]["kind"], "Instance");
    assert!(json["findings"].is_array());
    assert!(fake.state().definitions.is_empty());
}

#[test]
fn what_is_invalid_is_not_sent() {
    let fake = Fake::start();
    let twice = VI_1.replace("lb2", "lb1");
    let refused = apply(&fake, &[], &twice).exits(3);
    assert!(refused.stderr.contains("standard input:8:"), "{}", refused.stderr);
    assert!(fake.state().applies.is_empty());
}

#[test]
fn findings_of_the_server_point_into_the_input() {
    let fake = Fake::with(&VI_1.replace("VI_1", "VI_0"));
    let text = VI_1.replace("[192.0.2.10]", "[192.0.2.99, 192.0.2.10]");
    let refused = apply(&fake, &[], &text).exits(3);
    assert!(refused.stderr.contains("standard input:"), "{}", refused.stderr);
    assert!(refused.stderr.contains("nothing was changed"), "{}", refused.stderr);
    assert_eq!(fake.state().revision, 1);
}

#[test]
fn a_pinned_change_is_refused_when_the_fleet_moved_on() {
    let fake = Fake::with(VI_1);
    fake.state().revision = 7;
    let refused = apply(&fake, &["--if-revision", "1"], VI_1).exits(3);
    assert!(refused.stderr.contains("at revision 7, not 1"), "{}", refused.stderr);
}

#[test]
fn set_is_planned_anew_when_somebody_else_was_faster() {
    let fake = Fake::with(VI_1);
    fake.state().overtaken = 3;
    let url = fake.url();
    let set = ["--server", &url, "set", "instance", "VI_1", "--priority", "lb2=90"];
    vipctl(&[&set[..], &["--add-vip", "192.0.2.11"]].concat()).exits(0);
    let spec = fake.instance("VI_1");
    assert_eq!(spec.members[1].priority, 90);
    assert_eq!(spec.virtual_addresses.len(), 2);
    let pins = fake.state().applies.iter().map(|it| it.if_revision).collect::<Vec<_>>();
    assert_eq!(pins, [Some(1), Some(2), Some(3), Some(4)]);

    fake.state().overtaken = 1;
    let pinned = [&set[..], &["--if-revision", "5"]].concat();
    vipctl(&pinned).exits(3);
}

#[test]
fn set_of_what_is_not_there_says_what_is() {
    let fake = Fake::with(VI_1);
    let url = fake.url();
    let set = |name: &str, field: &str| {
        vipctl(&["--server", &url, "set", "instance", name, "--priority", field])
    };
    assert!(set("VI_9", "lb1=1").exits(1).stderr.contains("there is no Instance VI_9"));
    assert!(set("VI_1", "lb9=1").exits(3).stderr.contains("lb1, lb2"));
    set("VI_1", "lb1=0").exits(2);
}

#[test]
fn delete_names_a_definition_or_takes_a_file() {
    let fake = Fake::with(&format!("{VI_1}---\n{CHECK}"));
    let url = fake.url();
    let deleted = vipctl(&["--server", &url, "delete", "check", "nginx"]).exits(0);
    assert!(deleted.stdout.contains("Check nginx deleted"), "{}", deleted.stdout);
    run(&["--server", &url, "delete", "-f", "-"], &[], VI_1).exits(0);
    assert!(fake.state().definitions.is_empty());
}

#[test]
fn diff_exits_with_1_for_a_difference_and_more_for_an_error() {
    let fake = Fake::with(VI_1);
    let url = fake.url();
    let diff = |input: &str| run(&["--server", &url, "diff", "-f", "-"], &[], input);
    assert_eq!(diff(VI_1).exits(0).stdout, "");
    let changed = diff(&VI_1.replace("priority: 80", "priority: 90")).exits(1);
    assert!(changed.stdout.contains("-    priority: 80\n+    priority: 90\n"), "{changed:#?}");
    diff(&VI_1.replace("51", "510")).exits(3);
    assert!(fake.state().applies.iter().all(|it| it.dry_run));
    fake.state().failure = Some(Status::data_loss("a definition cannot be read"));
    diff(VI_1).exits(2);
}

#[test]
fn each_failure_of_a_server_has_its_exit_code() {
    let fake = Fake::with(VI_1);
    let url = fake.url();
    for (status, code) in [
        (Status::unavailable("the store is unreachable at http://etcd:2379"), 5),
        (Status::internal("the store failed to read"), 1),
        (Status::aborted("the definitions are at revision 9, not 1"), 3),
        (Status::invalid_argument("put[0].name: is empty"), 3),
    ] {
        let text = status.message().to_owned();
        fake.state().failure = Some(status);
        let failed = apply(&fake, &[], VI_1).exits(code);
        assert!(failed.stderr.contains(&text), "{failed:#?}");
        assert!(!failed.stderr.contains("Status {"), "{failed:#?}");
    }
    fake.state().failure = None;
    let unknown = vipctl(&["--server", &url, "rollback", "--to-revision", "99"]).exits(1);
    assert!(unknown.stderr.contains("revision 99 is not in the history"), "{unknown:#?}");
}
