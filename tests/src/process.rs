//! A daemon that the laboratory started: always ended by its pid, output kept in a file.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// How long a daemon may take to stop by itself before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(40);
/// The same when nobody is interested in how it stops.
const DROP_PATIENCE: Duration = Duration::from_secs(3);

/// A running (or ended) daemon. Dropping it ends it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` through `spawn`, with both output streams in `log`.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn start(
        name: &str,
        mut command: Command,
        log: PathBuf,
        spawn: impl FnOnce(Command) -> io::Result<Child>,
    ) -> Self {
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap_or_else(|error| panic!("open log {}: {error}", log.display()));
        let twin = file.try_clone().unwrap_or_else(|error| panic!("duplicate log: {error}"));
        command.stdin(Stdio::null()).stdout(file).stderr(twin);
        let shown = format!("{command:?}");
        let child = spawn(command).unwrap_or_else(|error| panic!("start {shown}: {error}"));
        Self { name: name.to_owned(), child, log, status: None }
    }

    /// The pid as seen from outside the host.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file with everything the process printed.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Everything the process printed so far.
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Sends one signal.
    ///
    /// # Panics
    /// When the process has ended: a test that signals a dead daemon tests nothing.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        assert!(self.is_running(), "{} has ended ({:?}):\n{}", self.name, self.status, self.log());
        signal::kill(self.nix_pid(), signal)
            .unwrap_or_else(|error| panic!("{signal} to {}: {error}", self.name));
    }

    /// True while the process has not exited.
    pub fn is_running(&mut self) -> bool {
        self.exit_status().is_none()
    }

    /// How it exited, if it did.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self
                .child
                .try_wait()
                .unwrap_or_else(|error| panic!("wait for {}: {error}", self.name));
        }
        self.status
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When it has not come within `patience`.
    #[track_caller]
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        self.wait_up_to(patience).unwrap_or_else(|| {
            panic!("{} did not end within {patience:?}:\n{}", self.name, self.log())
        })
    }

    /// SIGTERM, then the daemon's own time to stop.
    ///
    /// # Panics
    /// When it does not stop by itself.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait(STOP_PATIENCE)
    }

    /// SIGKILL, and reaped when this returns.
    #[track_caller]
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait(STOP_PATIENCE);
    }

    fn wait_up_to(&mut self, patience: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while self.exit_status().is_none() && start.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.status
    }

    fn nix_pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_running() {
            return;
        }
        // A stopped process would never see the SIGTERM.
        for signal in [Signal::SIGTERM, Signal::SIGCONT] {
            let _ = signal::kill(self.nix_pid(), signal);
        }
        if self.wait_up_to(DROP_PATIENCE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
