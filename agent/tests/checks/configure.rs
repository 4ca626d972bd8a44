//! Changing the set of checks while they run.

use crate::scene::{ExecDir, Scene, lively, named, once, process, unique};
use std::fs;
use std::process::Command;
use vipfleet_model::check::{Check, FileProbe, Probe};
use vipfleet_model::report::CheckStatus::{Down, Pending, Up};
use vipfleet_model::span::Span;

fn file(dir: &ExecDir, name: &str) -> Probe {
    Probe::File(FileProbe { path: dir.path(name).to_str().unwrap().into() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_pending_first_and_then_says_only_changes() {
    let dir = ExecDir::new();
    let mut scene = Scene::of(dir.policy(), lively(file(&dir, "flag")));
    let first = scene.next().await;
    assert_eq!((first.status, first.detail.as_str()), (Pending, ""));
    assert_eq!(scene.next().await.status, Down);
    fs::write(dir.path("flag"), "").unwrap();
    assert_eq!(scene.next().await.status, Up);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_check_goes_on_undisturbed() {
    let (dir, name) = (ExecDir::new(), unique("vfc"));
    assert!(Command::new("cp").arg("/bin/sleep").arg(dir.path(&name)).status().unwrap().success());
    let mut sleeper = Command::new(dir.path(&name)).arg("1000").spawn().unwrap();
    let mut scene = Scene::new(dir.policy());
    let kept = || named("kept", once(process(&name)));
    scene.checks.configure(vec![kept()]);
    scene.up().await;
    scene.checks.configure(vec![kept(), named("added", once(file(&dir, "none")))]);
    let results = [scene.next().await, scene.next().await];
    assert!(results.iter().all(|result| result.name.as_str() == "added"), "{results:?}");
    // Still watched: it was not merely forgotten.
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    let result = scene.next().await;
    assert_eq!((result.name.as_str(), result.status), ("kept", Down));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_rhythm_or_counting_keeps_the_status() {
    let dir = ExecDir::new();
    fs::write(dir.path("flag"), "").unwrap();
    let mut scene = Scene::of(dir.policy(), once(file(&dir, "flag")));
    scene.up().await;
    fs::remove_file(dir.path("flag")).unwrap();
    let faster = Check { fall: 3, interval: Span::from_millis(10), ..once(file(&dir, "flag")) };
    scene.checks.configure(vec![named("c", faster)]);
    // No Pending, and the new rhythm is lived by.
    assert_eq!(scene.next().await.status, Down);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_probed_differently_starts_anew() {
    let dir = ExecDir::new();
    let mut scene = Scene::of(dir.policy(), lively(file(&dir, "a")));
    scene.down().await;
    fs::write(dir.path("b"), "").unwrap();
    scene.checks.configure(vec![named("c", lively(file(&dir, "b")))]);
    assert_eq!(scene.next().await.status, Pending);
    assert_eq!(scene.next().await.status, Up);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_check_is_silent_from_then_on() {
    let dir = ExecDir::new();
    let mut scene = Scene::new(dir.policy());
    let fast = |name: &str| {
        let interval = Span::from_millis(10);
        named(name, Check { interval, ..Check::new(file(&dir, "flag")) })
    };
    for _ in 0..20 {
        scene.checks.configure(vec![fast("removed")]);
        scene.next().await;
        scene.checks.configure(vec![]);
        scene.pending_results();
        fs::write(dir.path("flag"), "").unwrap();
        scene.checks.configure(vec![fast("other")]);
        assert_eq!(scene.settled().await.name.as_str(), "other");
        fs::remove_file(dir.path("flag")).unwrap();
        scene.checks.configure(vec![]);
        scene.pending_results();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_absence_is_bridged_by_the_down_delay() {
    let dir = ExecDir::new();
    fs::write(dir.path("flag"), "").unwrap();
    let delayed = Check { down_delay: Span::from_secs(3600), ..lively(file(&dir, "flag")) };
    let mut scene = Scene::of(dir.policy(), delayed.clone());
    scene.up().await;
    fs::remove_file(dir.path("flag")).unwrap();
    // A witness that looks at the same file without a delay.
    let witness = named("witness", lively(file(&dir, "flag")));
    scene.checks.configure(vec![named("c", delayed.clone()), witness.clone()]);
    assert_eq!(scene.settled().await.name.as_str(), "witness");
    let impatient = Check { down_delay: Span::from_millis(50), ..delayed };
    scene.checks.configure(vec![named("c", impatient), witness]);
    let result = scene.settled().await;
    assert_eq!((result.name.as_str(), result.status), ("c", Down));
}
