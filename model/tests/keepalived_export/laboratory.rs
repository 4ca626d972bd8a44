//! A network namespace with the interfaces that files name, for the real keepalived in it.

use super::expressible::{INTERFACES, PROGRAMS};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Gone when dropped, with everything in it.
#[derive(Debug)]
pub(crate) struct Laboratory {
    namespace: String,
    directory: PathBuf,
}

impl Laboratory {
    pub(crate) fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("vip-export-{}-{number}", std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&namespace);
        fs::create_dir_all(directory.join("exec")).expect("a directory for programs");
        let laboratory = Self { namespace, directory };
        ip(&["netns", "add", &laboratory.namespace]);
        let inside = ["-n", laboratory.namespace.as_str()];
        for (place, interface) in INTERFACES.iter().enumerate() {
            let peer = format!("peer{place}");
            let address = format!("172.16.{place}.200/24");
            for words in [
                &["link", "add", interface, "type", "veth", "peer", "name", &peer][..],
                &["link", "set", interface, "up"],
                &["link", "set", &peer, "up"],
                &["address", "add", &address, "dev", interface],
            ] {
                ip(&[&inside[..], words].concat());
            }
        }
        for program in PROGRAMS {
            laboratory.program(program, "exit 0");
        }
        laboratory
    }

    /// The directory of programs.
    pub(crate) fn exec_dir(&self) -> String {
        self.directory.join("exec").to_str().expect("UTF-8").to_owned()
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    /// A shell script in the directory of programs.
    pub(crate) fn program(&self, name: &str, body: &str) {
        let path = self.directory.join("exec").join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    /// Panics with what keepalived says unless `keepalived -t` has nothing to say.
    pub(crate) fn test(&self, text: &str) {
        let file = self.path("keepalived.conf");
        fs::write(&file, text).expect("a file");
        let output = self.keepalived(&["-t", "-f", file.to_str().expect("UTF-8")]).output();
        let output = output.unwrap_or_else(|cause| panic!("{MISSING}: {cause}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:\n{said}\n{text}", output.status);
        assert!(said.is_empty(), "{said}\n{text}");
    }

    /// Runs it until `done`.
    pub(crate) fn run_until(&self, text: &str, done: impl Fn() -> bool) {
        let file = self.path("keepalived.conf");
        fs::write(&file, text).expect("a file");
        let paths = ["keepalived.conf", "pid", "vrrp-pid", "checkers-pid"]
            .map(|name| self.path(name).to_str().expect("UTF-8").to_owned());
        let [file, main, vrrp, checkers] = &paths;
        let mut command = self
            .keepalived(&["-n", "-l", "-P", "-f", file, "-p", main, "-r", vrrp, "-c", checkers]);
        let log = fs::File::create(self.path("log")).expect("a log");
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        let child = command.spawn().unwrap_or_else(|cause| panic!("{MISSING}: {cause}"));
        let _running = Running(child);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !done() {
            let log = || fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "nothing happened:\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn keepalived(&self, arguments: &[&str]) -> Command {
        let found = Command::new("keepalived").arg("--version").stderr(Stdio::null()).status();
        assert!(found.is_ok_and(|status| status.success()), "{MISSING}");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, "keepalived"]).args(arguments);
        command
    }
}

const MISSING: &str = "this test needs keepalived: apt-get install keepalived";

/// Ended with SIGTERM, so that it ends its own children.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.0.wait();
    }
}

impl Drop for Laboratory {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.namespace]).status();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output();
    let output = output.expect("this test needs ip(8): apt-get install iproute2");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {said} (needs root)", arguments.join(" "));
}
