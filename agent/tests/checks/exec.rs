//! Exec checks: what they run, with what rights, and how they end it.

use crate::scene::{ExecDir, Scene, eventually, exec, gone, lively, lives, named, once};
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};
use vipfleet_agent::checks::ExecPolicy;
use vipfleet_model::check::{Check, ExecProbe, Probe};
use vipfleet_model::span::Span;

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_status_decides_and_the_last_line_explains() {
    let dir = ExecDir::new();
    dir.script(
        "c.sh",
        "echo looking; if [ -e $D/ok ]; then echo fine; else echo bad >&2; exit 3; fi",
    );
    let mut scene = Scene::of(dir.policy(), lively(dir.probe("c.sh")));
    assert_eq!(scene.down().await, "c.sh: exit status: 3: bad");
    fs::write(dir.path("ok"), "").unwrap();
    assert_eq!(scene.up().await, "c.sh: exit status: 0: fine");
    fs::remove_file(dir.path("ok")).unwrap();
    assert_eq!(scene.down().await, "c.sh: exit status: 3: bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_arrive_as_they_are_without_a_shell() {
    let dir = ExecDir::new();
    dir.script("c.sh", r#"echo "$#: $1|$2""#);
    let args = vec!["$HOME; exit 1".into(), "two words".into()];
    let probe = Probe::Exec(ExecProbe { args, ..exec("c.sh") });
    let mut scene = Scene::of(dir.policy(), once(probe));
    assert_eq!(scene.up().await, "c.sh: exit status: 0: 2: $HOME; exit 1|two words");
}

#[tokio::test(flavor = "multi_thread")]
async fn stand_alone_runs_an_absolute_path() {
    let probe = Probe::Exec(ExecProbe { args: vec!["hello".into()], ..exec("/bin/echo") });
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(probe));
    assert_eq!(scene.up().await, "/bin/echo: exit status: 0: hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_is_a_failure_even_if_the_program_then_exits_zero() {
    let dir = ExecDir::new();
    dir.script("c.sh", "trap 'echo ended > $D/ended; exit 0' TERM; sleep 1000 & wait");
    let check = Check { timeout: Some(Span::from_millis(200)), ..once(dir.probe("c.sh")) };
    let mut scene = Scene::of(dir.policy(), check);
    assert_eq!(scene.down().await, "c.sh did not end within 200ms and was ended");
    assert_eq!(dir.read("ended").await, "ended\n");
    assert_eq!(scene.pending_results(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_ignores_term_is_killed() {
    let dir = ExecDir::new();
    dir.script(
        "c.sh",
        "trap '' TERM; sh -c 'trap \"\" TERM; sleep 1000 & wait' & echo $! > $D/grandchild
         echo $$ > $D/child; while :; do sleep 1000; done",
    );
    let check = Check { timeout: Some(Span::from_millis(500)), ..once(dir.probe("c.sh")) };
    let mut scene = Scene::of(dir.policy(), check);
    let (child, grandchild) = (dir.pid("child").await, dir.pid("grandchild").await);
    scene.down().await;
    gone(child).await;
    gone(grandchild).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_leaves_behind_is_killed() {
    let dir = ExecDir::new();
    dir.script("c.sh", "sleep 1000 & echo $! > $D/left; echo fine");
    let mut scene = Scene::of(dir.policy(), once(dir.probe("c.sh")));
    // Its output is still held open by what it left: that must not delay the result.
    assert_eq!(scene.up().await, "c.sh: exit status: 0: fine");
    gone(dir.pid("left").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_neither_blocks_nor_fills_memory() {
    let dir = ExecDir::new();
    dir.script("c.sh", "yes | head -c 50000000; echo; echo the end");
    let mut scene = Scene::of(dir.policy(), once(dir.probe("c.sh")));
    assert_eq!(scene.up().await, "c.sh: exit status: 0: the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_down_and_says_what_to_do_until_it_is_there() {
    let dir = ExecDir::new();
    let mut scene = Scene::of(dir.policy(), lively(dir.probe("c.sh")));
    let detail = scene.down().await;
    assert!(detail.starts_with(&format!("no file {}", dir.path("c.sh").display())), "{detail}");
    assert!(detail.contains("put it there"), "{detail}");
    dir.script("c.sh", "exit 0");
    scene.up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_others_can_write_is_not_run() {
    let dir = ExecDir::new();
    dir.script("c.sh", "echo > $D/ran");
    let path = dir.path("c.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let mut scene = Scene::of(dir.policy(), once(dir.probe("c.sh")));
    let detail = scene.down().await;
    assert!(detail.contains("can be written by its group or by others"), "{detail}");
    assert!(!dir.path("ran").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interpreter_that_is_missing_is_down_with_the_reason() {
    let dir = ExecDir::new();
    crate::scene::install(&dir.path("c.sh"), "#!/no/such/interpreter\n");
    let mut scene = Scene::of(dir.policy(), once(dir.probe("c.sh")));
    let detail = scene.down().await;
    assert!(detail.contains("cannot start") && detail.contains("No such file"), "{detail}");
}

/// Also run under other identities by the two tests after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_child_has_no_capabilities_and_gains_none() {
    let dir = ExecDir::new();
    dir.script("c.sh", "cat /proc/$$/status > $D/own; sh -c 'cat /proc/$$/status' > $D/deeper");
    let mut scene = Scene::of(dir.policy(), once(dir.probe("c.sh")));
    scene.up().await;
    for file in ["own", "deeper"] {
        let status = dir.read(file).await;
        let fields: BTreeMap<_, _> =
            status.lines().filter_map(|line| line.split_once(":\t")).collect();
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(fields[set], "0000000000000000", "{set} in {file}");
        }
        assert_eq!(fields["NoNewPrivs"], "1", "{file}");
    }
}

/// As under systemd with CapabilityBoundingSet= and User=root: no CAP_SETPCAP to drop more with.
#[test]
fn a_child_of_a_root_agent_of_two_capabilities_has_none() {
    again_under(&["--bounding-set", "-all,+net_admin,+net_raw", "--inh-caps", "+net_admin"]);
}

/// As under systemd with User= and AmbientCapabilities=.
#[test]
fn a_child_of_an_unprivileged_agent_with_ambient_capabilities_has_none() {
    let caps = "+net_admin,+net_raw";
    again_under(&[
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps",
        caps,
        "--ambient-caps",
        caps,
    ]);
}

fn again_under(setpriv: &[&str]) {
    // A copy: the other user may not be able to reach the build directory.
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = dir.path().join("test");
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&copy).status();
    assert!(copied.unwrap().success());
    let output = Command::new("setpriv")
        .args(setpriv)
        .arg(&copy)
        .args(["--exact", "exec::a_child_has_no_capabilities_and_gains_none"])
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_starts_from_a_clean_slate() {
    let dir = ExecDir::new();
    dir.script(
        "c.sh",
        "env | sort > $D/env; pwd > $D/cwd; echo $$ > $D/pid
         ls /proc/$$/fd > $D/fds; readlink /proc/$$/fd/0 > $D/stdin
         cut -d' ' -f5,6 /proc/$$/stat > $D/group; grep Sig /proc/self/status > $D/sig",
    );
    // As an agent started by something that ignores a signal: exec would keep it ignored.
    // SAFETY: nothing in these tests uses SIGUSR2.
    unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
    // A descriptor that the agent inherited without close-on-exec.
    // The number is none that a shell would use.
    // SAFETY: F_DUPFD returns a new descriptor that nobody else owns.
    let leak = unsafe { OwnedFd::from_raw_fd(libc::fcntl(2, libc::F_DUPFD, 500)) };
    let mut scene = Scene::of(dir.policy(), once(dir.probe("c.sh")));
    scene.up().await;
    let environment = dir.read("env").await;
    let names: Vec<_> = environment.lines().filter_map(|line| line.split('=').next()).collect();
    // PWD is the shell's own doing.
    assert_eq!(names, ["LANG", "PATH", "PWD"]);
    assert_eq!(dir.read("cwd").await, "/\n");
    assert_eq!(dir.read("stdin").await, "/dev/null\n");
    let pid = dir.pid("pid").await;
    assert_eq!(dir.read("group").await, format!("{pid} {pid}\n"));
    let descriptors = dir.read("fds").await;
    let inherited = leak.as_raw_fd().to_string();
    assert!(!descriptors.lines().any(|fd| fd == inherited), "{descriptors}");
    let signals = dir.read("sig").await;
    for set in ["SigBlk", "SigIgn"] {
        let line = signals.lines().find_map(|line| line.strip_prefix(&format!("{set}:\t")));
        let mask = u64::from_str_radix(line.unwrap(), 16).unwrap();
        // The real-time signals above are left as they are.
        assert_eq!(mask & 0x7fff_ffff, 0, "{signals}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_become_with_its_groups() {
    let dir = ExecDir::new();
    dir.script("c.sh", "echo $(id -un) $(id -G)");
    fs::set_permissions(dir.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let probe = Probe::Exec(ExecProbe { user: Some("nobody".into()), ..exec("c.sh") });
    let mut scene = Scene::of(dir.policy(), once(probe));
    assert_eq!(scene.up().await, "c.sh: exit status: 0: nobody 65534");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_one_check_never_overlap_not_even_across_a_change() {
    let dir = ExecDir::new();
    dir.script(
        "c.sh",
        "trap '' TERM; mkdir $D/lock || echo overlap >> $D/overlaps
         echo run >> $D/runs; sleep 0.05; rmdir $D/lock",
    );
    let mut scene = Scene::new(dir.policy());
    let start = Instant::now();
    let mut changes = 0;
    while start.elapsed() < Duration::from_secs(2) || changes < 5 {
        changes += 1;
        let args = vec![changes.to_string()];
        let probe = Probe::Exec(ExecProbe { args, ..exec("c.sh") });
        let check = Check { timeout: Some(Span::from_millis(60)), ..lively(probe) };
        scene.checks.configure(vec![named("c", check)]);
        let before = fs::read_to_string(dir.path("runs")).unwrap_or_default().len();
        eventually(|| (fs::read_to_string(dir.path("runs")).ok()?.len() > before).then_some(()))
            .await;
    }
    assert!(!dir.path("overlaps").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_check_takes_its_group_with_it() {
    let dir = ExecDir::new();
    dir.script("c.sh", "sleep 1000 & echo $! > $D/grandchild; echo $$ > $D/child; wait");
    let mut scene = Scene::of(dir.policy(), once(dir.probe("c.sh")));
    let (child, grandchild) = (dir.pid("child").await, dir.pid("grandchild").await);
    assert!(lives(child) && lives(grandchild));
    scene.checks.configure(vec![]);
    gone(child).await;
    gone(grandchild).await;
    assert!(scene.pending_results().iter().all(|result| result.detail.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_until_the_children_are_gone() {
    let dir = ExecDir::new();
    dir.script("c.sh", "trap '' TERM; echo $$ > $D/child; while :; do sleep 1000; done");
    let mut scene = Scene::of(dir.policy(), once(dir.probe("c.sh")));
    let child = dir.pid("child").await;
    scene.checks.stop().await;
    assert!(!lives(child));
}

#[test]
fn the_end_of_the_runtime_kills_what_runs() {
    let dir = ExecDir::new();
    dir.script("c.sh", "trap '' TERM; echo $$ > $D/child; while :; do sleep 1000; done");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (child, scene) = runtime.block_on(async {
        let scene = Scene::of(dir.policy(), once(dir.probe("c.sh")));
        (dir.pid("child").await, scene)
    });
    drop(runtime);
    drop(scene);
    let after = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    after.block_on(gone(child));
}
