//! Notify hooks: order, arguments, hanging, overload, and the end of the agent.

#![cfg(test)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tracing::subscriber::DefaultGuard;
use vipfleet_agent::checks::ExecPolicy;
use vipfleet_agent::hooks::{HookState, Hooks, Subject};
use vipfleet_model::instance::{Notify, NotifyOn};

const DEADLINE: Duration = Duration::from_secs(30);

struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn policy(&self) -> ExecPolicy {
        ExecPolicy::ServerPushed { exec_dir: Some(self.dir.path().into()) }
    }

    /// Written by another process, so that no fork of this one can hold it open.
    fn script(&self, name: &str, body: &str) -> &Self {
        let path = self.dir.path().join(name);
        let mut install = Command::new("install");
        install.args(["-m", "0755", "/dev/stdin"]).arg(path).stdin(Stdio::piped());
        let mut child = install.spawn().unwrap();
        let text = format!("#!/bin/sh\nD={}\n{body}\n", self.dir.path().display());
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        self
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    async fn pid(&self, name: &str) -> u32 {
        let start = Instant::now();
        loop {
            if let Some(pid) = self.read(name).strip_suffix('\n') {
                return pid.parse().unwrap();
            }
            assert!(start.elapsed() < DEADLINE);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn hook(on: NotifyOn, exec: &str) -> Notify {
    let on = serde_json::to_value(on).unwrap();
    serde_json::from_value(serde_json::json!({ "on": on, "exec": exec })).unwrap()
}

fn instance(name: &str) -> Subject {
    Subject::Instance(name.parse().unwrap())
}

/// What is logged on this thread, on which a `#[tokio::test]` runs all its tasks.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .with_max_level(tracing::Level::WARN)
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test]
async fn any_hooks_get_keepalived_s_arguments_and_the_others_run_as_written() {
    let scene = Scene::new();
    let body = "echo \"$# $*;$VIPFLEET_INSTANCE $VIPFLEET_STATE $VIPFLEET_PRIORITY\" >> $D/out";
    scene.script("hook", body);
    let hooks = Hooks::new(scene.policy());
    let notify = [hook(NotifyOn::Master, "hook"), hook(NotifyOn::Any, "hook")];
    hooks.state_changed(&instance("VI_1"), &notify, HookState::Master, 100);
    hooks.state_changed(&instance("VI_1"), &notify, HookState::Stop, 7);
    hooks.drain(DEADLINE).await;
    let expected = "0 ;VI_1 MASTER 100\n4 INSTANCE VI_1 MASTER 100;VI_1 MASTER 100\n\
                    4 INSTANCE VI_1 STOP 7;VI_1 STOP 7\n";
    assert_eq!(scene.read("out"), expected);
}

#[tokio::test]
async fn the_hooks_of_a_sync_group_are_told_that_it_is_one() {
    let scene = Scene::new();
    scene.script("hook", "echo \"$*;$VIPFLEET_GROUP$VIPFLEET_INSTANCE\" >> $D/out");
    let hooks = Hooks::new(scene.policy());
    let group = Subject::Group("web".parse().unwrap());
    hooks.state_changed(&group, &[hook(NotifyOn::Any, "hook")], HookState::Master, 0);
    hooks.drain(DEADLINE).await;
    assert_eq!(scene.read("out"), "GROUP web MASTER 0;web\n");
}

#[tokio::test]
async fn arguments_of_its_own_come_first_and_the_user_is_become() {
    let scene = Scene::new();
    scene.script("hook", "echo $(id -un) \"$@\" >> $D/out");
    fs::write(scene.dir.path().join("out"), "").unwrap();
    for (path, mode) in
        [(scene.dir.path().to_owned(), 0o755), (scene.dir.path().join("out"), 0o666)]
    {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let own = |on| Notify {
        args: vec!["own one".into(), "two".into()],
        user: Some("nobody".into()),
        ..hook(on, "hook")
    };
    let hooks = Hooks::new(scene.policy());
    let notify = [own(NotifyOn::Master), own(NotifyOn::Any)];
    hooks.state_changed(&instance("VI_1"), &notify, HookState::Master, 100);
    hooks.drain(DEADLINE).await;
    let expected = "nobody own one two\nnobody own one two INSTANCE VI_1 MASTER 100\n";
    assert_eq!(scene.read("out"), expected);
}

#[test]
fn states_that_concern_no_hook_are_none() {
    use vipfleet_model::report::InstanceState::{Backup, Fault, Init, Master, Unknown};
    let of = |stopping| [Master, Backup, Fault, Init, Unknown].map(|s| HookState::of(s, stopping));
    let each =
        [Some(HookState::Master), Some(HookState::Backup), Some(HookState::Fault), None, None];
    assert_eq!(of(false), each);
    assert_eq!(of(true), [Some(HookState::Stop); 5]);
}

#[tokio::test]
async fn each_hook_is_for_its_states() {
    use HookState::{Backup, Fault, Master, Stop};
    let table = [
        (NotifyOn::Master, "MASTER "),
        (NotifyOn::Backup, "BACKUP "),
        (NotifyOn::Fault, "FAULT "),
        (NotifyOn::Stop, "STOP "),
        (NotifyOn::Any, "MASTER BACKUP FAULT STOP "),
    ];
    for (on, expected) in table {
        let scene = Scene::new();
        scene.script("hook", "printf '%s ' $VIPFLEET_STATE >> $D/out");
        let hooks = Hooks::new(scene.policy());
        for state in [Master, Backup, Fault, Stop] {
            hooks.state_changed(&instance("VI_1"), &[hook(on, "hook")], state, 1);
        }
        hooks.drain(DEADLINE).await;
        assert_eq!(scene.read("out"), expected, "{on:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_s_hooks_run_in_order_however_long_each_takes() {
    let scene = Scene::new();
    scene.script("hook", "[ $4 = 0 ] && sleep 0.3; echo $4 >> $D/$2");
    let hooks = Hooks::new(scene.policy());
    let notify = [hook(NotifyOn::Any, "hook")];
    for priority in 0..10 {
        for name in ["a", "b"] {
            hooks.state_changed(&instance(name), &notify, HookState::Backup, priority);
        }
    }
    hooks.drain(DEADLINE).await;
    for instance in ["a", "b"] {
        assert_eq!(scene.read(instance), "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    }
}

#[tokio::test]
async fn an_instance_that_hangs_does_not_hold_up_another() {
    let scene = Scene::new();
    scene.script("hang", "echo $$ > $D/pid; exec sleep 1000").script("hook", "echo $2 >> $D/out");
    let hooks = Hooks::new(scene.policy());
    hooks.state_changed(&instance("a"), &[hook(NotifyOn::Any, "hang")], HookState::Master, 1);
    let hanging = scene.pid("pid").await;
    hooks.state_changed(&instance("b"), &[hook(NotifyOn::Any, "hook")], HookState::Master, 1);
    let start = Instant::now();
    while scene.read("out") != "b\n" {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(lives(hanging));
    hooks.drain(Duration::ZERO).await;
    assert!(!lives(hanging));
}

#[tokio::test]
async fn a_hook_that_hangs_is_ended_and_the_next_one_runs() {
    let (log, _guard) = Log::capture();
    let scene = Scene::new();
    scene.script(
        "hook",
        "trap '' TERM; [ $3 = MASTER ] || { echo $3 >> $D/out; exit; }\nsleep 1000",
    );
    let hooks = Hooks::with_timeout(scene.policy(), Duration::from_secs(1));
    let notify = [hook(NotifyOn::Any, "hook")];
    hooks.state_changed(&instance("VI_1"), &notify, HookState::Master, 1);
    hooks.state_changed(&instance("VI_1"), &notify, HookState::Backup, 1);
    hooks.drain(DEADLINE).await;
    assert_eq!(scene.read("out"), "BACKUP\n");
    let log = log.text();
    assert!(log.contains("hook hangs") && log.contains("subject=instance VI_1"), "{log}");
}

#[tokio::test]
async fn failures_are_said_with_instance_file_and_status() {
    let (log, _guard) = Log::capture();
    let scene = Scene::new();
    scene.script("fails", "exit 3");
    let hooks = Hooks::new(scene.policy());
    let notify = [hook(NotifyOn::Any, "fails"), hook(NotifyOn::Any, "missing")];
    hooks.state_changed(&instance("VI_1"), &notify, HookState::Fault, 1);
    hooks.drain(DEADLINE).await;
    let log = log.text();
    let failed = log.lines().find(|line| line.contains("hook failed")).unwrap();
    for part in
        ["WARN", "subject=instance VI_1", "state=\"FAULT\"", "file=\"fails\"", "exit status: 3"]
    {
        assert!(failed.contains(part), "{part} in {failed}");
    }
    let missing = log.lines().find(|line| line.contains("hook not run")).unwrap();
    assert!(missing.contains("no file") && missing.contains("put it there"), "{missing}");
}

#[tokio::test]
async fn an_overload_drops_the_oldest_changes_and_says_so() {
    let (log, _guard) = Log::capture();
    let scene = Scene::new();
    scene.script("hook", "echo $4 >> $D/out");
    let hooks = Hooks::new(scene.policy());
    let notify = [hook(NotifyOn::Any, "hook")];
    // On one thread nothing runs before this test waits.
    for priority in 0..20 {
        hooks.state_changed(&instance("VI_1"), &notify, HookState::Backup, priority);
    }
    hooks.drain(DEADLINE).await;
    let ran: Vec<u8> = scene.read("out").lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(ran, (4..20).collect::<Vec<u8>>());
    assert_eq!(log.text().matches("hooks fall behind").count(), 4);
}

#[tokio::test]
async fn draining_has_an_end_even_if_hooks_have_not() {
    let (log, _guard) = Log::capture();
    let scene = Scene::new();
    scene.script("hook", "trap '' TERM; echo $$ > $D/pid; while :; do sleep 1000; done");
    let hooks = Hooks::new(scene.policy());
    let notify = [hook(NotifyOn::Any, "hook")];
    hooks.state_changed(&instance("VI_1"), &notify, HookState::Master, 1);
    let running = scene.pid("pid").await;
    hooks.state_changed(&instance("VI_1"), &notify, HookState::Stop, 1);
    hooks.drain(Duration::from_millis(50)).await;
    assert!(!lives(running));
    let log = log.text();
    assert_eq!(log.matches("hook dropped or ended").count(), 2, "{log}");
}

#[tokio::test]
async fn what_a_hook_starts_stays() {
    let scene = Scene::new();
    scene.script("hook", "sleep 1000 & echo $! > $D/pid");
    let hooks = Hooks::new(scene.policy());
    hooks.state_changed(&instance("a"), &[hook(NotifyOn::Any, "hook")], HookState::Master, 1);
    hooks.drain(DEADLINE).await;
    let left = scene.pid("pid").await;
    let lived = lives(left);
    // SAFETY: a signal to a process that this test's hook started.
    unsafe { libc::kill(left as i32, libc::SIGKILL) };
    assert!(lived);
}

#[tokio::test]
async fn hooks_can_be_queued_from_a_thread_without_a_runtime() {
    let scene = Scene::new();
    scene.script("hook", "echo ran > $D/out");
    let hooks = Arc::new(Hooks::new(scene.policy()));
    let queue = hooks.clone();
    let notify = [hook(NotifyOn::Any, "hook")];
    let thread = std::thread::spawn(move || {
        queue.state_changed(&instance("a"), &notify, HookState::Master, 1);
    });
    thread.join().unwrap();
    Arc::into_inner(hooks).unwrap().drain(DEADLINE).await;
    assert_eq!(scene.read("out"), "ran\n");
    assert!(Path::new(scene.dir.path()).exists());
}
