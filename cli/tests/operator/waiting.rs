//! `--wait`: when it ends, and with which exit code.

use crate::fake::Fake;
use crate::terminal::{Outcome, VI_1, run};
use vipfleet_model::document;
use vipfleet_proto::v1::{Convergence, MemberConvergence};

fn member(node: &str) -> MemberConvergence {
    MemberConvergence { node: node.into(), connected: true, ..MemberConvergence::default() }
}

fn there(node: &str) -> MemberConvergence {
    MemberConvergence { accepted: true, observed: true, ..member(node) }
}

fn progress(members: &[MemberConvergence]) -> Convergence {
    let done = members.iter().all(|it| it.accepted && it.observed);
    Convergence { done, members: members.to_vec() }
}

fn apply(fake: &Fake, arguments: &[&str]) -> Outcome {
    let url = fake.url();
    run(&[&["--server", &url, "apply", "-f", "-"], arguments].concat(), &[], VI_1)
}

#[test]
fn it_is_done_when_every_member_has_it_in_its_kernel() {
    let fake = Fake::start();
    fake.state().convergence =
        vec![progress(&[there("lb1"), member("lb2")]), progress(&[there("lb1"), there("lb2")])];
    let done = apply(&fake, &["--wait"]).exits(0);
    assert!(done.stdout.contains("in the kernel of lb1, lb2 after "), "{}", done.stdout);
    let wait = fake.state().waits.remove(0);
    assert_eq!((wait.revision, wait.instances), (2, vec!["VI_1".to_owned()]));

    let again = apply(&fake, &["--wait", "-o", "json"]).exits(0).json();
    assert_eq!(again["wait"]["done"], true);
    assert_eq!(again["wait"]["members"][1]["node"], "lb2");
    assert_eq!(fake.state().waits[0].instances, ["VI_1"], "also when nothing changed");
}

#[test]
fn a_member_that_is_not_connected_ends_it_with_4_and_its_name() {
    let fake = Fake::start();
    let away = MemberConvergence { connected: false, ..member("lb2") };
    fake.state().convergence = vec![progress(&[there("lb1"), away])];
    let failed = apply(&fake, &["--wait=50s"]).exits(4);
    assert!(failed.stderr.contains("lb2: its agent is not connected"), "{}", failed.stderr);
    assert!(!failed.stderr.contains("lb1"), "{}", failed.stderr);
    assert!(failed.stdout.contains("stored as revision 2"), "{}", failed.stdout);
}

#[test]
fn a_node_that_refuses_ends_it_with_1_and_its_reason() {
    let fake = Fake::start();
    let refused = MemberConvergence { rejected: "no interface ens9".into(), ..member("lb2") };
    fake.state().convergence = vec![progress(&[there("lb1"), refused])];
    let failed = apply(&fake, &["--wait"]).exits(1);
    assert!(failed.stderr.contains("lb2 refused it: no interface ens9"), "{}", failed.stderr);
}

#[test]
fn time_that_runs_out_ends_it_with_4_and_who_is_behind() {
    let fake = Fake::start();
    let accepted = MemberConvergence { accepted: true, ..member("lb1") };
    fake.state().convergence = vec![progress(&[accepted, member("lb2")])];
    let failed = apply(&fake, &["--wait=300ms", "-o", "json"]).exits(4);
    assert_eq!(failed.json()["wait"]["done"], false);
    assert!(failed.stderr.contains("lb1 accepted it"), "{}", failed.stderr);
    assert!(failed.stderr.contains("lb2 has not accepted it yet"), "{}", failed.stderr);
}

#[test]
fn a_changed_check_is_waited_for_where_it_is_tracked() {
    let tracked = VI_1.replace("  members:", "  track: [{check: nginx}]\n  members:");
    let check = "kind: Check\nname: nginx\nspec: {process: {name: nginx}}\n";
    let fake = Fake::with(&format!("{tracked}---\n{check}"));
    fake.state().convergence = vec![progress(&[there("lb1"), there("lb2")])];
    let url = fake.url();
    let apply = ["--server", &url, "apply", "-f", "-", "--wait"];
    run(&apply, &[], &check.replace("nginx}}", "angie}}")).exits(0);
    assert_eq!(fake.state().waits.remove(0).instances, ["VI_1"]);

    let untracked = check.replace("name: nginx\n", "name: spare\n");
    assert!(document::parse(&untracked, None).findings.is_empty());
    let done = run(&apply, &[], &untracked).exits(0);
    assert!(done.stdout.contains("no node is concerned"), "{}", done.stdout);
    assert!(fake.state().waits.is_empty());
}

#[test]
fn a_dry_run_waits_for_nothing() {
    let fake = Fake::start();
    apply(&fake, &["--wait", "--dry-run"]).exits(0);
    assert!(fake.state().waits.is_empty());
}

#[test]
fn when_a_replica_goes_away_the_next_one_is_asked() {
    let (first, second) = (Fake::start(), Fake::with(VI_1));
    second.state().convergence = vec![progress(&[there("lb1"), there("lb2")])];
    let both = format!("{},{}", first.url(), second.url());
    let waiting = std::thread::spawn(move || {
        let apply = ["--server", &both, "apply", "-f", "-", "--wait=50s"];
        run(&apply, &[], VI_1).exits(0)
    });
    until_waited_for(&first);
    drop(first);
    waiting.join().unwrap();
    assert_eq!(second.state().waits[0].revision, 2);
}

#[test]
fn when_no_replica_is_left_it_ends_with_5_and_says_that_the_change_is_stored() {
    let fake = Fake::start();
    let url = fake.url();
    let waiting = std::thread::spawn(move || {
        run(&["--server", &url, "apply", "-f", "-", "--wait=2s"], &[], VI_1).exits(5)
    });
    until_waited_for(&fake);
    drop(fake);
    let failed = waiting.join().unwrap();
    assert!(failed.stderr.contains("revision 2 is stored"), "{}", failed.stderr);
}

fn until_waited_for(fake: &Fake) {
    let deadline = std::time::Instant::now() + crate::terminal::PATIENCE;
    while fake.state().waits.is_empty() {
        assert!(std::time::Instant::now() < deadline, "nobody waits at {}", fake.url());
        std::thread::yield_now();
    }
}
