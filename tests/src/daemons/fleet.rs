//! Our own programs, used the way an operator uses them: by their flags, sockets and output.

use std::env;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::lab::Host;
use crate::process::Process;
use crate::wait;

/// The port of the control server unless told otherwise.
pub const PORT: u16 = 7700;
/// No command of an operator may hang for longer than this in a test.
const COMMAND_PATIENCE: Duration = Duration::from_secs(120);

static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();

/// From now on takes our programs from `directory`.
///
/// # Panics
/// When another directory was chosen before.
pub fn use_programs_in(directory: PathBuf) {
    let chosen = PROGRAMS.get_or_init(|| directory.clone());
    assert!(*chosen == directory, "the programs are taken from {} already", chosen.display());
}

/// Where `name` was built: in the chosen directory, else `VIPFLEET_BIN_DIR`, else beside the
/// running program.
///
/// # Panics
/// When it was not built.
#[track_caller]
pub fn our_program(name: &str) -> PathBuf {
    let named = || env::var_os("VIPFLEET_BIN_DIR").map_or_else(beside_us, PathBuf::from);
    let directory = PROGRAMS.get().cloned().unwrap_or_else(named);
    let program = directory.join(name);
    assert!(
        program.is_file(),
        "{} does not exist: run `cargo build --workspace` first, or point VIPFLEET_BIN_DIR at \
         the directory of the programs",
        program.display()
    );
    program
}

fn beside_us() -> PathBuf {
    let us = env::current_exe().expect("a running program has a path");
    let directory = us.parent().unwrap_or(Path::new("/"));
    // A test is target/debug/deps/test-0123456789abcdef.
    let built = if directory.ends_with("deps") { directory.parent() } else { Some(directory) };
    built.map(Path::to_owned).unwrap_or_default()
}

/// A control server.
#[derive(Debug)]
pub struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    /// Starts one on the embedded store in the host's directory.
    #[track_caller]
    pub fn start(host: &Host) -> Self {
        Self::start_on(host, PORT, None)
    }

    /// Starts one on `port` with an explicit store, such as `etcd:http://127.0.0.1:2379`.
    #[track_caller]
    pub fn start_on(host: &Host, port: u16, store: Option<&str>) -> Self {
        let mut command = Command::new(our_program("vipfleet-server"));
        command.args(["--listen", &format!("0.0.0.0:{port}"), "--insecure"]);
        command.arg("--data-dir").arg(host.directory().join(format!("server-{port}")));
        if let Some(store) = store {
            command.args(["--store", store]);
        }
        let process = host.start(&format!("server-{port}"), command);
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        wait::until(
            "the server to listen",
            wait::GENEROUS,
            || {
                host.within(move || {
                    TcpStream::connect_timeout(&loopback, Duration::from_secs(1)).is_ok()
                })
            },
            |listening| *listening,
        );
        Self { process, address: SocketAddr::from((host.address(), port)) }
    }

    /// Its URL as seen from every host of the segment.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The daemon's process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// A node agent.
#[derive(Debug)]
pub struct Agent {
    process: Process,
}

impl Agent {
    /// Starts a stand-alone agent on a keepalived.conf.
    #[track_caller]
    pub fn standalone(host: &Host, configuration: &Path) -> Self {
        Self::standalone_from(&our_program("vipfleet-agent"), host, configuration)
    }

    /// The same from a program of the test's own.
    #[track_caller]
    pub fn standalone_from(program: &Path, host: &Host, configuration: &Path) -> Self {
        let mut command = Self::command(program, host);
        command.arg("--config").arg(configuration);
        Self { process: host.start("agent", command) }
    }

    /// Starts an agent that takes its work from servers. The state directory, and so its cache,
    /// is the host's and survives the agent.
    #[track_caller]
    pub fn connected(host: &Host, node: &str, servers: &[&str]) -> Self {
        Self::connected_from(&our_program("vipfleet-agent"), host, node, servers)
    }

    /// The same from a program of the test's own.
    #[track_caller]
    pub fn connected_from(program: &Path, host: &Host, node: &str, servers: &[&str]) -> Self {
        let mut command = Self::command(program, host);
        command.args(["--server", &servers.join(","), "--node", node]);
        Self { process: host.start("agent", command) }
    }

    fn command(program: &Path, host: &Host) -> Command {
        let mut command = Command::new(program);
        command.arg("--state-dir").arg(host.directory().join("agent-state"));
        command.env("RUST_LOG", "info");
        command
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

/// An operator's terminal on one host.
#[derive(Debug)]
pub struct Vipctl<'lab> {
    host: &'lab Host,
    server: String,
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code; None when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl<'lab> Vipctl<'lab> {
    /// A terminal whose commands go to `server`.
    pub fn on(host: &'lab Host, server: &str) -> Self {
        Self { host, server: server.to_owned() }
    }

    /// Runs one command, whatever its exit code.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.host.run(self.command(arguments), COMMAND_PATIENCE);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Outcome { code: output.status.code(), stdout, stderr }
    }

    /// Runs one command that has to succeed.
    #[track_caller]
    pub fn must(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert!(outcome.code == Some(0), "vipctl {}: {outcome:#?}", arguments.join(" "));
        outcome.stdout
    }

    /// Runs one command that has to succeed and reads its JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.must(&[&["-o", "json"], arguments].concat());
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("vipctl {arguments:?} printed {printed:?}: {error}"))
    }

    /// Applies definitions from a text, by a file in the host's directory.
    #[track_caller]
    pub fn apply(&self, definitions: &str, arguments: &[&str]) -> Outcome {
        let file = self.host.directory().join("apply.yaml");
        std::fs::write(&file, definitions)
            .unwrap_or_else(|error| panic!("write {}: {error}", file.display()));
        self.run(&[&["apply", "-f", &file.to_string_lossy()], arguments].concat())
    }

    /// Starts a command that runs until it is ended, such as `watch`; its output is the
    /// process's log.
    #[track_caller]
    pub fn start(&self, name: &str, arguments: &[&str]) -> Process {
        self.host.start(name, self.command(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(our_program("vipctl"));
        command.env("VIPFLEET_SERVER", &self.server).env("NO_COLOR", "1").args(arguments);
        command
    }
}
