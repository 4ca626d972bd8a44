//! keepalived as Debian ships it, VRRP only, logging to its output.

use std::path::Path;
use std::process::{Command, ExitStatus};

use crate::lab::Host;
use crate::process::Process;

/// A keepalived of one host. Pid files need no care: the host's `/run` is its own.
#[derive(Debug)]
pub struct Keepalived {
    process: Process,
}

impl Keepalived {
    /// Starts it with a configuration file.
    #[track_caller]
    pub fn start(host: &Host, configuration: &Path) -> Self {
        let mut command = Command::new(super::installed("keepalived", "keepalived"));
        command.args(["--vrrp", "--dont-fork", "--log-console", "--use-file"]).arg(configuration);
        Self { process: host.start("keepalived", command) }
    }

    /// The daemon's process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Graceful stop.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.terminate()
    }
}
