//! C2 and C3: one server and many simulated agents, which are the real session client without a
//! kernel. The `swarm` program is the load and counts; the yardstick of C2 is etcd without us.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use vipfleet_tests::daemons::{Etcd, Server, our_program};
use vipfleet_tests::lab::{Host, Lab};

use crate::line::{Effort, Line, Readings, Row, Subject, Target, Turn, Unit};

/// Agents that all share one check.
const SHARING: &str = "1000";
/// Agents that want nothing.
const IDLE: u32 = 10_000;
const PATIENCE: Duration = Duration::from_secs(240);

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    vec![Box::new(Fanout), Box::new(Idle)]
}

#[derive(Debug)]
struct Fanout;

impl Line for Fanout {
    fn rows(&self) -> Vec<Row> {
        let row = |id, work, target| Row {
            id,
            work,
            unit: Unit::Milliseconds,
            limit: "the yardstick",
            target,
        };
        vec![
            row("C2", "one change to 1,000 agents: p99 of its arrival", Target::OfYardstick(2.0)),
            row("C2 p50", "the same: p50", Target::Open),
        ]
    }

    fn subjects(&self) -> &'static [Subject] {
        &[Subject::Yardstick, Subject::Ours]
    }

    fn runs(&self, _subject: Subject, effort: Effort) -> usize {
        effort.pick(1, 3)
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        allow_files(u64::from(IDLE) * 2);
        let lab = Lab::pair();
        let host = lab.host("ctl");
        let number = turn.effort.pick("5", "10");
        let found = if subject == Subject::Ours {
            let server = Server::start(host);
            let url = server.url();
            swarm(host, &["fanout", "--server", &url, "--agents", SHARING, "--changes", number])
        } else {
            let etcd = Etcd::start(host);
            let url = etcd.endpoint();
            swarm(host, &["etcd", "--endpoint", &url, "--watchers", SHARING, "--puts", number])
        };
        let received = &found["received"];
        Readings::one("C2", value(received, "p99Ms")).with("C2 p50", value(received, "p50Ms"))
    }
}

#[derive(Debug)]
struct Idle;

impl Line for Idle {
    fn rows(&self) -> Vec<Row> {
        let row = |id, work, unit, target| Row { id, work, unit, limit: "", target };
        vec![
            row(
                "C3",
                "10,000 idle agents on one server: its resident memory",
                Unit::Megabytes,
                Target::Every(1074.0),
            ),
            row("C3 time", "the same: of one processor", Unit::Percent, Target::Every(20.0)),
            row("C3 lost", "the same: sessions lost", Unit::Count, Target::Every(0.0)),
        ]
    }

    fn subjects(&self) -> &'static [Subject] {
        &[Subject::Ours]
    }

    fn runs(&self, _subject: Subject, effort: Effort) -> usize {
        effort.pick(1, 1)
    }

    fn run(&self, _subject: Subject, turn: Turn) -> Readings {
        allow_files(u64::from(IDLE) * 2);
        let lab = Lab::pair();
        let host = lab.host("ctl");
        let mut server = Server::start(host);
        let (url, agents) = (server.url(), IDLE.to_string());
        // The pid as the host has it: it has a PID namespace of its own.
        let pid = pid_within(server.process().pid()).to_string();
        let seconds = turn.effort.pick("8", "30");
        let arguments = ["--agents", &agents, "--settle", "10", "--seconds", seconds];
        let found =
            swarm(host, &[&["idle", "--server", &url, "--pid", &pid], &arguments[..]].concat());
        let megabytes = value(&found, "residentMib") * 1.048_576;
        Readings::one("C3", megabytes)
            .with("C3 time", value(&found, "cpuPercent"))
            .with("C3 lost", value(&found, "sessionsLost"))
    }
}

/// Runs the program to its end and reads what it measured.
#[track_caller]
fn swarm(host: &Host, arguments: &[&str]) -> Value {
    let mut command = Command::new(our_program("swarm"));
    command.args(arguments);
    let output = host.run(command, PATIENCE);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "swarm {arguments:?}: {}", said.trim());
    let printed = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("swarm printed {printed:?}: {error}"))
}

#[track_caller]
fn value(found: &Value, field: &str) -> f64 {
    found[field].as_f64().unwrap_or_else(|| panic!("swarm says nothing of {field}: {found}"))
}

/// Lets what is started from now on have so many files open: a server does not raise its own limit.
#[track_caller]
fn allow_files(files: u64) {
    let limit = libc::rlimit { rlim_cur: files, rlim_max: files };
    // SAFETY: reads one initialised value.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert!(set == 0, "{files} open files: {}", std::io::Error::last_os_error());
}

/// The innermost of the pids of a process (NSpid of proc_pid_status(5)).
#[track_caller]
fn pid_within(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let innermost = pids.and_then(|it| it.split_whitespace().last()?.parse().ok());
    innermost.expect("the kernel has PID namespaces")
}
