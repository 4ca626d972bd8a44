//! One host of the laboratory: a network, mount and PID namespace with one interface, `ens33`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use super::ip;
use super::spawner::Spawner;
use crate::process::Process;

/// The interface every host has, named as in the configurations the project started from.
pub const INTERFACE: &str = "ens33";

/// One host. Its processes end and its namespaces vanish when it is dropped.
#[derive(Debug)]
pub struct Host {
    name: String,
    address: Ipv4Addr,
    namespace: String,
    directory: PathBuf,
    spawner: Mutex<Spawner>,
}

impl Host {
    pub(super) fn boot(prefix: &str, name: &str, address: Ipv4Addr, directory: &Path) -> Self {
        let namespace = format!("{prefix}-{name}");
        ip::run(&["netns", "add", &namespace]);
        let netns = open_namespace(&namespace);
        let spawner = Spawner::boot(netns).unwrap_or_else(|error| {
            panic!("boot {name}: {error}; the laboratory needs root and PID namespaces")
        });
        let directory = directory.join(name);
        fs::create_dir_all(&directory)
            .unwrap_or_else(|error| panic!("create {}: {error}", directory.display()));
        let name = name.to_owned();
        Self { name, address, namespace, directory, spawner: Mutex::new(spawner) }
    }

    /// Its short name, such as `n1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own address on the segment.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The name of its network namespace, for `ip -n`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A directory of its own, at the same path inside and outside, deleted with the laboratory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file of this host's private `/run`, seen from outside.
    pub fn run_path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/run/{file}", self.keeper()))
    }

    /// The pid of the host's init: `nsenter -t PID -a` is a shell on the host.
    pub fn keeper(&self) -> u32 {
        self.lock().keeper()
    }

    /// Starts a daemon; its output goes to `NAME.log` in the host's directory.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[track_caller]
    pub fn start(&self, name: &str, command: Command) -> Process {
        let log = self.directory.join(format!("{name}.log"));
        let shown = format!("{name}@{}", self.name);
        Process::start(&shown, command, log, |command| self.lock().spawn(command))
    }

    /// Runs a program to its end and returns what it said.
    ///
    /// # Panics
    /// When it cannot be started or does not end within `patience` (it is killed then).
    #[track_caller]
    pub fn run(&self, mut command: Command, patience: Duration) -> Output {
        let shown = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self
            .lock()
            .spawn(command)
            .unwrap_or_else(|error| panic!("run {shown} on {}: {error}", self.name));
        wait_with_output(child, patience)
            .unwrap_or_else(|| panic!("{shown} on {} did not end in {patience:?}", self.name))
    }

    /// Runs a short program that has to succeed and returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn must_run(&self, program: &str, args: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(args.iter().map(OsStr::new));
        let output = self.run(command, Duration::from_secs(60));
        assert!(
            output.status.success(),
            "{program} {args:?} on {}: {}\n{}",
            self.name,
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs `work` on a thread inside this host's network namespace.
    pub fn within<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match self.spawn_within(work).join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Starts a thread inside this host's network namespace. Only the network is the host's: paths
    /// are those of the test.
    pub fn spawn_within<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let namespace = open_namespace(&self.namespace);
        let name = self.name.clone();
        thread::Builder::new()
            .name(name.clone())
            .spawn(move || {
                setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)
                    .unwrap_or_else(|error| panic!("enter {name}: {error}"));
                work()
            })
            .unwrap_or_else(|error| panic!("start a thread: {error}"))
    }

    /// Sets a kernel parameter of the network, such as `net.ipv4.ip_nonlocal_bind`.
    pub fn set_sysctl(&self, key: &str, value: &str) {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        let value = value.to_owned();
        self.within(move || {
            fs::write(&path, value).unwrap_or_else(|error| panic!("write {path}: {error}"));
        });
    }

    /// A kernel parameter of the network.
    pub fn sysctl(&self, key: &str) -> String {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        self.within(move || {
            fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("read {path}: {error}"))
                .trim()
                .to_owned()
        })
    }

    /// Ends every process of the host at once, as a power cut would. Nothing can be started on it
    /// afterwards, and its addresses stay in its kernel: detach it first.
    pub fn power_off(&self) {
        self.lock().power_off();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Spawner> {
        self.spawner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.power_off();
        let _ = ip::try_run(&["netns", "delete", &self.namespace]);
    }
}

fn open_namespace(name: &str) -> File {
    let path = format!("/run/netns/{name}");
    File::open(&path).unwrap_or_else(|error| panic!("open {path}: {error}"))
}

/// Reads both pipes to the end, but not for longer than `patience`.
fn wait_with_output(child: std::process::Child, patience: Duration) -> Option<Output> {
    let pid = child.id();
    let waiter = thread::spawn(move || child.wait_with_output());
    let start = Instant::now();
    while !waiter.is_finished() {
        if start.elapsed() > patience {
            let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            let _ = waiter.join();
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
    waiter.join().ok()?.ok()
}
