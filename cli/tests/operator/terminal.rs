//! Runs the program.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Nothing here takes longer, or something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const VI_1: &str = "\
kind: Instance
name: VI_1
spec:
  virtualRouterId: 51
  virtualAddresses: [192.0.2.10]
  members:
    - {node: lb1, interface: eth0, priority: 100}
    - {node: lb2, interface: eth0, priority: 80}
";

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|cause| panic!("{cause}: {self:#?}"))
    }
}

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_vipctl")
}

pub(crate) fn vipctl(arguments: &[&str]) -> Outcome {
    run(arguments, &[], "")
}

/// With environment variables and standard input.
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Outcome {
    let mut command = assert_cmd::Command::new(program());
    command.env_remove("VIPFLEET_SERVER").env_remove("VISUAL").env("USER", "alice");
    command.env_remove("SUDO_USER").envs(variables.iter().copied());
    let output = command.args(arguments).write_stdin(input).timeout(PATIENCE).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A run that goes on until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("it should have printed another line")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|cause| panic!("{cause}: {line}"))
    }

    /// What it printed beyond what was read, after it was ended.
    pub(crate) fn end(mut self) -> Vec<String> {
        self.child.kill().ok();
        self.child.wait().ok();
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            rest.push(line);
        }
        rest
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A file that goes away with the directory.
pub(crate) fn file(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
