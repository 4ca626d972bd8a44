//! `--realtime` and `--lock-memory`: who gets it, who does not, and what is said without the right.

use crate::guard;
use crate::lab::{Lab, until, wait_for};
use crate::local;
use crate::process::{Agent, Home, text_of};
use nix::libc;
use nix::sys::signal::Signal;
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};
use vipfleet_model::report::InstanceState;

const PRIORITY: &str = "10";

/// Policy and realtime priority of a task, by `/proc/PID/task/TID/stat` (proc_pid_stat(5)).
fn scheduling(stat: &str) -> (i32, i32) {
    // The name may hold anything, a bracket too.
    let rest = stat.rsplit_once(')').unwrap().1;
    let field = |number: usize| rest.split_whitespace().nth(number - 3).unwrap().parse().unwrap();
    (field(41), field(40))
}

const ORDINARY: (i32, i32) = (libc::SCHED_OTHER, 0);

/// The agent's threads with their scheduling.
fn threads(pid: u32) -> Vec<(String, (i32, i32))> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let thread = |task: std::fs::DirEntry| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        Some((name.trim().to_owned(), scheduling(&stat)))
    };
    tasks.filter_map(thread).collect()
}

fn status(pid: u32, key: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

fn locked_kib(pid: u32) -> u64 {
    status(pid, "VmLck").trim_end_matches(" kB").parse().unwrap()
}

#[track_caller]
fn only_the_vrrp_thread_is_realtime(pid: u32) {
    let seen = wait_for("the VRRP thread to be realtime", || {
        let seen = threads(pid);
        seen.iter().any(|(_, it)| *it != ORDINARY).then_some(seen)
    });
    assert!(seen.len() > 3, "{seen:?}");
    for (name, scheduling) in seen {
        let wanted = if name == "vrrp" { (libc::SCHED_RR, 10) } else { ORDINARY };
        assert_eq!(scheduling, wanted, "{name}");
    }
}

/// Check and hook write down what they run as.
fn config(home: &Home, told: &str) -> String {
    let line = |file: &str| {
        format!("cat /proc/$$/stat > {0}.new; mv {0}.new {0}", home.path(file).display())
    };
    let check = home.script("check", &line(told));
    let hook = home.script("hook", &line("hooked"));
    format!(
        "vrrp_script check {{\n script \"{}\"\n interval 1\n user root\n}}\n\
         vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n priority 255\n \
         advert_int 1\n virtual_ipaddress {{ 10.78.0.10 }}\n track_script {{ check }}\n \
         notify \"{}\"\n}}\n",
        check.display(),
        hook.display()
    )
}

#[test]
fn the_vrrp_thread_alone_is_realtime_and_all_memory_locked_also_after_an_upgrade() {
    let (lab, home) = (Lab::new(), Home::new());
    home.write("keepalived.conf", &config(&home, "checked"));
    let mut command = Agent::command(&lab.one, &home);
    command.arg("--config").arg(home.path("keepalived.conf"));
    command.args(["--realtime", PRIORITY, "--lock-memory"]);
    let mut agent = Agent::start(command, &home);
    let pid = agent.pid();
    let ordinary_children = || {
        for file in ["checked", "hooked"] {
            let stat = text_of(&home.path(file), |text| text.contains(')'));
            assert_eq!(scheduling(&stat), ORDINARY, "{file}");
        }
        let guard = guard::of(&agent).pid();
        assert!(threads(guard).iter().all(|(_, it)| *it == ORDINARY));
        assert_eq!(locked_kib(guard) * 1024, 4096, "its page of the heartbeat");
    };
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    only_the_vrrp_thread_is_realtime(pid);
    ordinary_children();
    let before = locked_kib(pid);
    // The program itself is more than this.
    assert!(before > 4096, "{before} KiB");
    std::fs::remove_file(home.path("checked")).unwrap();

    agent.signal(Signal::SIGUSR2);
    agent.expect_log("upgraded in place");
    assert_eq!(agent.pid(), pid);
    only_the_vrrp_thread_is_realtime(pid);
    until("the memory of the new image to be locked", || locked_kib(pid) > 4096);
    ordinary_children();
    println!(
        "locked: {before} KiB, then {} KiB; resident: {}",
        locked_kib(pid),
        status(pid, "VmRSS")
    );
    assert!(agent.terminate().success());
}

#[test]
fn without_the_options_nothing_is_realtime_and_no_more_locked_than_the_heartbeat() {
    let (lab, home) = (Lab::new(), Home::new());
    let agent = Agent::on(&lab.one, &home, &config(&home, "checked"));
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    assert!(threads(agent.pid()).iter().all(|(_, it)| *it == ORDINARY));
    assert!(locked_kib(agent.pid()) < 1024);
}

/// What an agent says that has of all rights to this only `left`, and next to no limits.
fn with_only(left: CapabilitySet, arguments: &[&str]) -> Output {
    let home = Home::new();
    home.write("keepalived.conf", &config(&home, "checked"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipfleet-agent"));
    command.arg("--state-dir").arg(home.state_dir()).arg("--socket").arg(home.socket());
    command.arg("--config").arg(home.path("keepalived.conf")).args(arguments);
    command.stdin(Stdio::null());
    let give_up = move || {
        for (resource, limit) in [(Resource::Rtprio, 0), (Resource::Memlock, 65536)] {
            setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
        }
        for capability in [CapabilitySet::SYS_NICE, CapabilitySet::IPC_LOCK] {
            if !left.contains(capability) {
                remove_capability_from_bounding_set(capability)?;
            }
        }
        Ok(())
    };
    // SAFETY: system calls only.
    unsafe { command.pre_exec(give_up) };
    command.output().unwrap()
}

#[track_caller]
fn is_refused(arguments: &[&str], words: &[&str]) {
    // Another start does not mend it, which 2 tells systemd; a self-check just fails.
    for (mode, code) in [(&[][..], 2), (&["--self-check"], 1)] {
        let output = with_only(CapabilitySet::empty(), &[arguments, mode].concat());
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        for word in words {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
    }
}

#[test]
fn realtime_without_the_right_is_refused_at_start_with_the_remedy() {
    let remedy = ["--realtime 10", "LimitRTPRIO=10", "RestrictRealtime=no", "not permitted"];
    is_refused(&["--realtime", PRIORITY], &remedy);
}

#[test]
fn locked_memory_without_the_right_is_refused_at_start_with_the_remedy() {
    let remedy = ["--lock-memory", "64 KiB", "LimitMEMLOCK=infinity"];
    is_refused(&["--lock-memory"], &remedy);
}

#[test]
fn one_capability_is_right_enough_for_each() {
    let table = [
        (CapabilitySet::SYS_NICE, &["--realtime", PRIORITY][..]),
        (CapabilitySet::IPC_LOCK, &["--lock-memory"]),
    ];
    for (right, arguments) in table {
        let output = with_only(right, &[arguments, &["--self-check"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let other = CapabilitySet::SYS_NICE | CapabilitySet::IPC_LOCK;
        let output = with_only(other.difference(right), &[arguments, &["--self-check"]].concat());
        assert!(!output.status.success(), "{arguments:?}");
    }
}

#[test]
fn a_priority_beyond_the_range_is_refused() {
    for priority in ["0", "51", "99"] {
        let output = with_only(CapabilitySet::SYS_NICE, &["--realtime", priority]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("from 1 to 50"), "{text}");
    }
}
