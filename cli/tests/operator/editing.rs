//! `edit`: with editors that are small scripts.

use crate::fake::Fake;
use crate::terminal::{Outcome, VI_1, file, run};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

fn editor(directory: &Path, script: &str) -> String {
    let path = file(directory, "editor", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn edit(fake: &Fake, directory: &Path, script: &str, arguments: &[&str]) -> Outcome {
    let editor = editor(directory, script);
    let url = fake.url();
    let temporary = directory.to_str().unwrap();
    let command = [&["--server", &url, "edit", "instance", "VI_1"], arguments].concat();
    run(&command, &[("EDITOR", &editor), ("TMPDIR", temporary)], "")
}

/// The file that the output says the text is kept in.
fn kept(outcome: &Outcome) -> PathBuf {
    let rest = outcome.stderr.split("your text is kept in ").nth(1);
    let path = rest.and_then(|rest| rest.split(": see").next());
    path.unwrap_or_else(|| panic!("{outcome:#?}")).into()
}

fn drafts(directory: &Path) -> usize {
    let names = std::fs::read_dir(directory).unwrap().map(|it| it.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("vipctl-")).count()
}

#[test]
fn what_is_saved_is_applied_against_what_was_read() {
    let (fake, directory) = (Fake::with(VI_1), tempfile::tempdir().unwrap());
    let script = "sed -i 's/priority: 80/priority: 90/' \"$1\"";
    let edited = edit(&fake, directory.path(), script, &["-m", "closer"]).exits(0);
    assert!(edited.stdout.contains("stored as revision 2"), "{}", edited.stdout);
    assert_eq!(fake.instance("VI_1").members[1].priority, 90);
    let request = fake.state().applies.remove(0);
    assert_eq!((request.if_revision, request.message.as_str()), (Some(1), "closer"));
    assert_eq!(drafts(directory.path()), 0);
}

#[test]
fn leaving_it_as_it_was_changes_nothing() {
    let (fake, directory) = (Fake::with(VI_1), tempfile::tempdir().unwrap());
    let edited = edit(&fake, directory.path(), "exit 0", &[]).exits(0);
    assert_eq!(edited.stdout, "nothing changed\n");
    assert!(fake.state().applies.is_empty());
}

#[test]
fn a_refused_text_is_reopened_with_the_findings_on_top_and_can_be_mended() {
    let (fake, directory) = (Fake::with(VI_1), tempfile::tempdir().unwrap());
    let seen = directory.path().join("seen");
    let script = format!(
        "if grep -q '^#| error' \"$1\"; then cp \"$1\" {seen}; sed -i 's/300/90/' \"$1\"; \
         else sed -i 's/priority: 80/priority: 300/' \"$1\"; fi",
        seen = seen.display()
    );
    edit(&fake, directory.path(), &script, &[]).exits(0);
    assert_eq!(fake.instance("VI_1").members[1].priority, 90);
    insta::assert_snapshot!(std::fs::read_to_string(seen).unwrap());
}

#[test]
fn giving_up_keeps_the_text_in_a_file() {
    let (fake, directory) = (Fake::with(VI_1), tempfile::tempdir().unwrap());
    let script = "sed -i 's/priority: 80/priority: 300/' \"$1\"";
    let given_up = edit(&fake, directory.path(), script, &[]).exits(3);
    assert!(given_up.stderr.contains("not a number from 1 to 255"), "{}", given_up.stderr);
    let text = std::fs::read_to_string(kept(&given_up)).unwrap();
    assert!(text.starts_with("kind: Instance") && text.contains("priority: 300"), "{text}");
    assert!(fake.state().applies.is_empty());
}

#[test]
fn another_name_is_refused() {
    let (fake, directory) = (Fake::with(VI_1), tempfile::tempdir().unwrap());
    let script = "sed -i 's/VI_1/VI_2/' \"$1\"";
    let refused = edit(&fake, directory.path(), script, &[]).exits(3);
    assert!(refused.stderr.contains("this is Instance VI_2 now"), "{}", refused.stderr);
}

#[test]
fn changes_of_other_definitions_meanwhile_are_no_conflict() {
    let (fake, directory) = (Fake::with(VI_1), tempfile::tempdir().unwrap());
    fake.state().overtaken = 1;
    let script = "sed -i 's/priority: 80/priority: 90/' \"$1\"";
    edit(&fake, directory.path(), script, &[]).exits(0);
    assert_eq!(fake.instance("VI_1").members[1].priority, 90);
}

#[test]
fn a_change_of_the_same_definition_meanwhile_is_a_conflict_that_keeps_the_text() {
    let (fake, directory) = (Fake::with(VI_1), tempfile::tempdir().unwrap());
    let started = directory.path().join("started");
    let script = format!(
        "sed -i 's/priority: 80/priority: 90/' \"$1\"; touch {0}; while [ -e {0} ]; do :; done",
        started.display()
    );
    let outcome = std::thread::scope(|scope| {
        let editing = scope.spawn(|| edit(&fake, directory.path(), &script, &[]));
        let deadline = std::time::Instant::now() + crate::terminal::PATIENCE;
        while !started.exists() {
            assert!(std::time::Instant::now() < deadline, "the editor never started");
            std::thread::yield_now();
        }
        let mut state = fake.state();
        state.revision = 5;
        for (_, revision) in state.definitions.values_mut() {
            *revision = 5;
        }
        drop(state);
        std::fs::remove_file(&started).unwrap();
        editing.join().unwrap()
    });
    let outcome = outcome.exits(3);
    assert!(outcome.stderr.contains("the fleet has changed meanwhile"), "{}", outcome.stderr);
    assert!(std::fs::read_to_string(kept(&outcome)).unwrap().contains("priority: 90"));
}

#[test]
fn an_editor_that_fails_changes_nothing() {
    let (fake, directory) = (Fake::with(VI_1), tempfile::tempdir().unwrap());
    let failed = edit(&fake, directory.path(), "exit 3", &[]).exits(1);
    assert!(failed.stderr.contains("the editor"), "{}", failed.stderr);
    assert!(fake.state().applies.is_empty());
}
