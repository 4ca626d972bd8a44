//! Process checks: found by name or pid file, lost without delay.

use crate::scene::{ExecDir, Scene, lively, once, process, unique};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use vipfleet_agent::checks::ExecPolicy;
use vipfleet_model::check::{Probe, ProcessProbe};
use vipfleet_model::report::CheckStatus;

/// A process and its group, ended with the test.
struct Started(Child);

impl Started {
    fn new(mut command: Command) -> Self {
        Self(command.process_group(0).spawn().unwrap())
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGKILL to this one alone.
    fn kill(&mut self) {
        self.0.kill().unwrap();
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // SAFETY: a signal to the group that this test started; the leader may be reaped already,
        // but then either its group lives on or the number is not in use as a group.
        unsafe { libc::kill(-(self.0.id() as i32), libc::SIGKILL) };
        let _ = self.0.wait();
    }
}

/// `sleep` under a name of its own.
fn sleeper(dir: &ExecDir, name: &str) -> Command {
    let path = dir.path(name);
    if !path.exists() {
        assert!(Command::new("cp").arg("/bin/sleep").arg(&path).status().unwrap().success());
    }
    let mut command = Command::new(path);
    command.arg("1000");
    command
}

/// A master with two workers of the same name, which wait for ever; a child of the same session.
async fn server(dir: &ExecDir, name: &str) -> Started {
    assert!(Command::new("mkfifo").arg(dir.path("never")).status().unwrap().success());
    let worker = "(read line < $D/never) &";
    dir.script(name, &format!("{worker}\necho $! > $D/w1\n{worker}\necho $! > $D/w2\nwait"));
    let master = Started::new(Command::new(dir.path(name)));
    dir.pid("w2").await;
    master
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_is_seen_without_waiting_for_the_interval() {
    let (dir, name) = (ExecDir::new(), unique("vfp"));
    let mut started = Started::new(sleeper(&dir, &name));
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(process(&name)));
    let expected = format!("process {name} runs with pid {}", started.id());
    assert_eq!(scene.up().await, expected);
    started.kill();
    assert_eq!(scene.down().await, format!("process {name} not running"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_appears_is_found_at_the_interval() {
    let (dir, name) = (ExecDir::new(), unique("vfp"));
    let mut scene = Scene::of(ExecPolicy::StandAlone, lively(process(&name)));
    scene.down().await;
    let _started = Started::new(sleeper(&dir, &name));
    scene.up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_does_not_run() {
    let (dir, name) = (ExecDir::new(), unique("vfp"));
    let mut started = Started::new(sleeper(&dir, &name));
    // Killed, but not reaped before the check looks.
    // SAFETY: a signal to a child that has not been reaped.
    unsafe { libc::kill(started.id() as i32, libc::SIGKILL) };
    crate::scene::gone(started.id()).await;
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(process(&name)));
    scene.down().await;
    started.0.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_master_is_down_though_its_workers_live() {
    let (dir, name) = (ExecDir::new(), unique("vfp"));
    let mut master = server(&dir, &name).await;
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(process(&name)));
    assert_eq!(scene.up().await, format!("process {name} runs with pid {}", master.id()));
    master.kill();
    let expected =
        format!("process {name} not running; its master is gone, 2 of its workers are left");
    assert_eq!(scene.down().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_worker_is_no_matter() {
    let (dir, name) = (ExecDir::new(), unique("vfp"));
    let mut master = server(&dir, &name).await;
    let mut scene = Scene::of(ExecPolicy::StandAlone, lively(process(&name)));
    scene.up().await;
    let worker = dir.pid("w1").await;
    // SAFETY: a signal to a process this test started; its parent, the script, is still alive.
    unsafe { libc::kill(worker as i32, libc::SIGKILL) };
    crate::scene::gone(worker).await;
    master.kill();
    let detail = scene.down().await;
    assert!(detail.contains("1 of its workers"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_second_one_lives_the_death_of_the_first_changes_nothing() {
    let (dir, name) = (ExecDir::new(), unique("vfp"));
    let mut first = Started::new(sleeper(&dir, &name));
    let mut second = Started::new(sleeper(&dir, &name));
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(process(&name)));
    scene.up().await;
    first.kill();
    second.kill();
    // One change in all, and only after both are gone.
    scene.down().await;
    assert_eq!(scene.pending_results(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_argument_names_a_process_as_well() {
    let (dir, name) = (ExecDir::new(), unique("a-name-longer-than-comm-"));
    let mut command = Command::new("/bin/sleep");
    command.arg0(format!("/opt/x/{name}")).arg("1000");
    let _started = Started::new(command);
    let mut scene = Scene::of(dir.policy(), lively(process(&name)));
    // The fork shows before its exec: down first is possible, up must follow.
    while scene.settled().await.status != CheckStatus::Up {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pid_file_names_the_process_to_watch() {
    let (dir, name) = (ExecDir::new(), unique("vfp"));
    let file = dir.path("x.pid").to_str().unwrap().to_owned();
    let probe = || Probe::Process(ProcessProbe::of_pid_file(file.clone()));
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(probe()));
    assert_eq!(scene.down().await, format!("no pid file {file}"));
    let mut started = Started::new(sleeper(&dir, &name));
    for (content, said) in [
        ("secret", "does not hold a pid"),
        ("", "does not hold a pid"),
        ("-5", "does not hold a pid"),
        ("4194305", "not running"),
    ] {
        fs::write(&file, content).unwrap();
        let mut scene = Scene::of(ExecPolicy::StandAlone, once(probe()));
        let detail = scene.down().await;
        assert!(detail.contains(said) && !detail.contains("secret"), "{detail}");
    }
    fs::write(&file, format!("{}\n", started.id())).unwrap();
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(probe()));
    assert_eq!(scene.up().await, format!("process {} of {file} runs", started.id()));
    started.kill();
    assert_eq!(scene.down().await, format!("process {} of {file} not running", started.id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fifo_as_pid_file_does_not_hang() {
    let dir = ExecDir::new();
    let path = dir.path("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let probe = ProcessProbe::of_pid_file(path.to_str().unwrap());
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(Probe::Process(probe)));
    assert_eq!(scene.down().await, format!("{} is not a file", path.display()));
}

/// A network namespace of this test.
struct Namespace(String);

impl Namespace {
    fn new() -> Self {
        let name = unique("vfn");
        assert!(Command::new("ip").args(["netns", "add", &name]).status().unwrap().success());
        Self(name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

/// What the checks say of `name`, which another test may hand in together with the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_this_network_namespace_counts() {
    let (dir, own) = (ExecDir::new(), unique("vfp"));
    let _started = Started::new(sleeper(&dir, &own));
    let name = std::env::var("CHECKS_TEST_PROCESS").unwrap_or(own);
    let expected = std::env::var("CHECKS_TEST_EXPECT").unwrap_or("runs with pid".into());
    let mut scene = Scene::of(ExecPolicy::StandAlone, lively(process(&name)));
    let mut said = String::new();
    while !said.contains(&expected) {
        said = scene.settled().await.detail;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_another_network_namespace_does_not_count() {
    let (dir, name, namespace) = (ExecDir::new(), unique("vfp"), Namespace::new());
    let sleeper = sleeper(&dir, &name);
    let mut inside = Command::new("ip");
    inside.args(["netns", "exec", &namespace.0]).arg(sleeper.get_program()).arg("1000");
    let _started = Started::new(inside);
    let expected = format!("process {name} not running; 1 in other network namespaces");
    // It shows once `ip` has become it.
    let start = std::time::Instant::now();
    loop {
        let mut scene = Scene::of(ExecPolicy::StandAlone, once(process(&name)));
        if scene.down().await.starts_with(&expected) {
            break;
        }
        assert!(start.elapsed() < crate::scene::DEADLINE);
    }
    as_nobody(&name, &expected);
}

#[test]
fn an_agent_without_ptrace_rights_tells_the_namespaces_apart_too() {
    let (dir, name) = (ExecDir::new(), unique("vfp"));
    let started = Started::new(sleeper(&dir, &name));
    as_nobody(&name, &format!("runs with pid {}", started.id()));
}

/// Looks for root's process `name` as an unprivileged user.
fn as_nobody(name: &str, expected: &str) {
    let dir = ExecDir::new();
    Command::new("chmod").arg("0755").arg(dir.0.path()).status().unwrap();
    let copy = dir.path("test");
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&copy).status();
    assert!(copied.unwrap().success());
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy)
        .args(["--exact", "process::a_process_of_this_network_namespace_counts"])
        .env("CHECKS_TEST_PROCESS", name)
        .env("CHECKS_TEST_EXPECT", expected)
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn counted(name: &str, quorum: u16, quorum_max: Option<u16>) -> Probe {
    Probe::Process(ProcessProbe { quorum, quorum_max, ..ProcessProbe::named(name) })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_death_that_breaks_a_quorum_is_seen_without_waiting_for_the_interval() {
    let (dir, name) = (ExecDir::new(), unique("vfp"));
    let mut all: Vec<_> = (0..3).map(|_| Started::new(sleeper(&dir, &name))).collect();
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(counted(&name, 2, None)));
    assert_eq!(scene.up().await, format!("process {name}: 3 run"));
    // Whichever goes: two are enough, one is not.
    all[1].kill();
    all[0].kill();
    let said = scene.down().await;
    assert!(said.ends_with("2 are needed"), "{said}");
    assert_eq!(scene.pending_results(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_is_met_by_workers_too_unless_their_master_is_gone() {
    let (dir, name) = (ExecDir::new(), unique("vfp"));
    let mut master = server(&dir, &name).await;
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(counted(&name, 3, None)));
    assert_eq!(scene.up().await, format!("process {name}: 3 run"));
    master.kill();
    let said = scene.down().await;
    assert!(said.contains("0 run, 3 are needed; its master is gone"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_quorum_allows_are_down_until_one_goes() {
    let (dir, name) = (ExecDir::new(), unique("vfp"));
    let _first = Started::new(sleeper(&dir, &name));
    let mut second = Started::new(sleeper(&dir, &name));
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(counted(&name, 1, Some(1))));
    assert_eq!(scene.down().await, format!("process {name}: 2 run, at most 1 may"));
    second.kill();
    assert_eq!(scene.up().await, format!("process {name}: 1 run"));
}
