//! How long a VIP has two owners when the agent of its master dies or freezes and the host lives
//! on: what the kernels of both hosts say, not what anybody believes.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::kernel::{AddressWatch, Change};
use crate::lab::Host;
use crate::process::Process;
use crate::wait;

/// How the daemon of the master goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// SIGKILL.
    Killed,
    /// SIGSTOP.
    Frozen,
}

/// What becomes of the guard beside the agent. keepalived has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// It lives.
    Alive,
    /// It is killed right after.
    Killed,
}

/// What happened, counted from the signal.
#[derive(Debug, Clone, Copy)]
pub struct Overlap {
    /// The peer had the VIP.
    pub taken: Duration,
    /// The stale owner had it no more; `None` when it kept it for the whole patience.
    pub gone: Option<Duration>,
}

impl Overlap {
    /// How long there were two owners; `None` when it did not end.
    pub fn length(&self) -> Option<Duration> {
        self.gone.map(|gone| gone.saturating_sub(self.taken))
    }

    /// How long there was none.
    pub fn gap(&self) -> Duration {
        self.gone.map_or(Duration::ZERO, |gone| self.taken.saturating_sub(gone))
    }
}

/// Takes the daemon of the master on `old` away and watches until `new` has `vip` and `old` has
/// not, or `patience` is over.
///
/// # Panics
/// When `new` never takes over, or a guard that is to be killed does not run.
#[track_caller]
pub fn measure(
    (old, new): (&Host, &Host),
    vip: Ipv4Addr,
    daemon: &mut Process,
    (loss, guard): (Loss, Guard),
    patience: Duration,
) -> Overlap {
    let [leaving, coming] = [old, new].map(AddressWatch::start);
    let guarding = (guard == Guard::Killed).then(|| guard_of(daemon.pid()));
    let began = Instant::now();
    daemon.signal(match loss {
        Loss::Killed => Signal::SIGKILL,
        Loss::Frozen => Signal::SIGSTOP,
    });
    if let Some(guarding) = guarding {
        kill(guarding, Signal::SIGKILL).unwrap_or_else(|error| panic!("kill {guarding}: {error}"));
    }
    let taken = coming.wait_for(Change::Added, vip, began, wait::GENEROUS);
    let removed = || {
        let changes = leaving.changes();
        let removed = |it: &&_| matches_removal(it, vip, began);
        changes.iter().find(removed).map(|it| it.at)
    };
    let mut gone = removed();
    while gone.is_none() && began.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(2));
        gone = removed();
    }
    let since = |at: Instant| at.duration_since(began);
    Overlap { taken: since(taken), gone: gone.map(since) }
}

fn matches_removal(seen: &crate::kernel::Changed, vip: Ipv4Addr, since: Instant) -> bool {
    seen.change == Change::Removed && seen.address == vip && seen.at >= since
}

/// The guard of the agent with this pid, as seen from outside its host.
///
/// # Panics
/// When none appears.
#[track_caller]
pub fn guard_of(agent: u32) -> Pid {
    let began = Instant::now();
    loop {
        if let Some(pid) = find_guard(agent) {
            return pid;
        }
        assert!(began.elapsed() < wait::GENEROUS, "the agent {agent} has no guard");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn find_guard(agent: u32) -> Option<Pid> {
    let parent = format!("PPid:\t{agent}");
    let guards = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let mut lines = status.lines();
        // The kernel keeps fifteen characters of a name.
        lines.next() == Some("Name:\tvipfleet-guard") && lines.any(|line| line == parent)
    };
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(guards).map(Pid::from_raw).next()
}
