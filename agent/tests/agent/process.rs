//! The agent's process.

use crate::lab::{GENEROUS, Host, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vipfleet-agent");

/// What belongs to one host and outlives an incarnation of its agent.
pub(crate) struct Home {
    dir: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A program of the test's own.
    pub(crate) fn script(&self, name: &str, body: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.write(name, &format!("#!/bin/sh\n{body}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("agent.sock")
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.path("state")
    }
}

/// One incarnation. Killed when dropped.
pub(crate) struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    /// The command line that every agent of this home has.
    pub(crate) fn command(host: &Host, home: &Home) -> Command {
        Self::command_with(host, &home.state_dir(), &home.socket())
    }

    pub(crate) fn command_with(host: &Host, state_dir: &Path, socket: &Path) -> Command {
        let mut command = host.command(PROGRAM);
        command.arg("--state-dir").arg(state_dir).arg("--socket").arg(socket);
        command.env("RUST_LOG", "info");
        command
    }

    /// Stand-alone, on `keepalived.conf` of its home.
    pub(crate) fn standalone(host: &Host, home: &Home) -> Self {
        let mut command = Self::command(host, home);
        command.arg("--config").arg(home.path("keepalived.conf"));
        Self::start(command, home)
    }

    /// Writes the file first.
    pub(crate) fn on(host: &Host, home: &Home, config: &str) -> Self {
        home.write("keepalived.conf", config);
        Self::standalone(host, home)
    }

    pub(crate) fn connected(host: &Host, home: &Home, node: &str, servers: &[&str]) -> Self {
        let mut command = Self::command(host, home);
        command.args(["--node", node, "--server", &servers.join(",")]);
        Self::start(command, home)
    }

    pub(crate) fn start(mut command: Command, home: &Home) -> Self {
        let log = home.path("agent.log");
        let out = std::fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        Self { child: command.spawn().unwrap(), log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    #[track_caller]
    pub(crate) fn expect_log(&self, wanted: &str) {
        let start = Instant::now();
        while !self.log().contains(wanted) {
            assert!(start.elapsed() < GENEROUS, "no {wanted:?} in:\n{}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let log = self.log.clone();
        let what = || format!("the agent to end:\n{}", std::fs::read_to_string(&log).unwrap());
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < GENEROUS, "waited for {}", what());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    #[track_caller]
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    pub(crate) fn crash(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        crate::guard::dismiss(self);
        if std::thread::panicking() {
            eprintln!("--- agent ---\n{}", self.log());
        }
    }
}

/// Waits for a file that another program writes.
#[track_caller]
pub(crate) fn text_of(path: &Path, wanted: impl Fn(&str) -> bool) -> String {
    let read = || std::fs::read_to_string(path).ok().filter(|text| wanted(text));
    wait_for(&format!("{}", path.display()), read)
}
