//! What the tests of checks share: checks under test, scripts, waiting with a generous deadline.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use vipfleet_agent::checks::{CheckResult, Checks, ExecPolicy};
use vipfleet_model::check::{Check, ExecProbe, NamedCheck, Probe, ProcessProbe};
use vipfleet_model::report::CheckStatus;
use vipfleet_model::span::Span;

/// Nothing here takes this long unless it is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Checks under test and what they say.
pub(crate) struct Scene {
    pub(crate) checks: Checks,
    results: UnboundedReceiver<CheckResult>,
}

impl Scene {
    pub(crate) fn new(policy: ExecPolicy) -> Self {
        let (sender, results) = unbounded_channel();
        let checks = Checks::new(policy, move |result| drop(sender.send(result)));
        Self { checks, results }
    }

    /// With one check, called `c`.
    pub(crate) fn of(policy: ExecPolicy, check: Check) -> Self {
        let mut scene = Self::new(policy);
        scene.checks.configure(vec![named("c", check)]);
        scene
    }

    pub(crate) async fn next(&mut self) -> CheckResult {
        let next = tokio::time::timeout(DEADLINE, self.results.recv()).await;
        next.expect("a result within the deadline").expect("checks that live")
    }

    /// The next result that is not `Pending`.
    pub(crate) async fn settled(&mut self) -> CheckResult {
        loop {
            let result = self.next().await;
            if result.status != CheckStatus::Pending {
                return result;
            }
        }
    }

    pub(crate) async fn up(&mut self) -> String {
        let result = self.settled().await;
        assert_eq!(result.status, CheckStatus::Up, "{}", result.detail);
        result.detail
    }

    pub(crate) async fn down(&mut self) -> String {
        let result = self.settled().await;
        assert_eq!(result.status, CheckStatus::Down, "{}", result.detail);
        result.detail
    }

    /// What has been said and not been asked for yet.
    pub(crate) fn pending_results(&mut self) -> Vec<CheckResult> {
        std::iter::from_fn(|| self.results.try_recv().ok()).collect()
    }
}

pub(crate) fn named(name: &str, spec: Check) -> NamedCheck {
    NamedCheck { name: name.parse().unwrap(), spec }
}

/// A check that looks every 20 ms and takes its time over each.
pub(crate) fn lively(probe: Probe) -> Check {
    Check { interval: Span::from_millis(20), timeout: Some(Span(DEADLINE)), ..Check::new(probe) }
}

/// A check that in the time of a test looks once.
pub(crate) fn once(probe: Probe) -> Check {
    Check { interval: Span::from_secs(3600), timeout: Some(Span(DEADLINE)), ..Check::new(probe) }
}

pub(crate) fn process(name: &str) -> Probe {
    Probe::Process(ProcessProbe::named(name))
}

/// An exec dir of its own.
pub(crate) struct ExecDir(pub(crate) TempDir);

impl ExecDir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn policy(&self) -> ExecPolicy {
        ExecPolicy::ServerPushed { exec_dir: Some(self.0.path().into()) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A shell script in the dir, `$D` being the dir.
    pub(crate) fn script(&self, name: &str, body: &str) -> &Self {
        let dir = self.0.path().display();
        install(&self.path(name), &format!("#!/bin/sh\nD={dir}\n{body}\n"));
        self
    }

    pub(crate) fn probe(&self, file: &str) -> Probe {
        Probe::Exec(exec(file))
    }

    pub(crate) async fn read(&self, name: &str) -> String {
        let path = self.path(name);
        eventually(|| std::fs::read_to_string(&path).ok().filter(|text| !text.is_empty())).await
    }

    /// The pid that a script wrote.
    pub(crate) async fn pid(&self, name: &str) -> u32 {
        let path = self.path(name);
        let read = || std::fs::read_to_string(&path).ok()?.strip_suffix('\n')?.parse().ok();
        eventually(read).await
    }
}

pub(crate) fn exec(file: &str) -> ExecProbe {
    serde_json::from_value(serde_json::json!({ "file": file })).unwrap()
}

/// Writes through another process: a descriptor of ours, open for writing, could be inherited by
/// a fork of a parallel test, and then the script would be "busy".
pub(crate) fn install(path: &Path, text: &str) {
    let mut install = Command::new("install");
    install.args(["-m", "0755", "/dev/stdin"]).arg(path).stdin(Stdio::piped());
    let mut child = install.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A name that nothing else on this host has, short enough for /proc/PID/comm.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}{:x}-{next:x}", std::process::id())
}

/// Waits for a condition, not for a time.
pub(crate) async fn eventually<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "not within the deadline");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Whether the process lives; a zombie does not.
pub(crate) fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    !state.is_empty() && !state.starts_with(['Z', 'X'])
}

pub(crate) async fn gone(pid: u32) {
    eventually(|| (!lives(pid)).then_some(())).await;
}
