//! A process exists. Its death is seen at once through a pidfd; its appearance by looking at
//! every interval.
//!
//! What this cannot see: a server that hangs while its process lives, workers that all died under
//! a living master, or a port nobody listens on. Use an HTTP or TCP check as well. A pid file that
//! names a process of another program, because the pid was reused, counts as that process.

mod census;
mod family;

use super::pidfd::Pidfd;
use super::slow::Slow;
use super::tally::Outcome;
use census::Census;
use family::{Family, Seen};
use rustix::process::Pid;
use std::fs::OpenOptions;
use std::future::pending;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;
use tokio::time::Instant;
use vipfleet_model::check::{ProcessProbe, ProcessTarget};

/// A name shared by many short-lived processes must not keep the agent scanning.
const RESCAN_PAUSE: Duration = Duration::from_millis(50);

/// A pid file holds one number.
const PID_FILE_MAX: u64 = 64;

/// One process check.
#[derive(Debug)]
pub(crate) struct ProcessProber {
    probe: ProcessProbe,
    family: Family,
    scan: Slow<io::Result<Census>>,
    read: Slow<Result<i32, String>>,
    watched: Option<Pidfd>,
    /// The watched process has ended and nothing has been looked up since.
    bereft: bool,
    rest_until: Option<Instant>,
}

impl ProcessProber {
    pub(crate) fn new(probe: ProcessProbe) -> Self {
        Self {
            probe,
            family: Family::default(),
            scan: Slow::default(),
            read: Slow::default(),
            watched: None,
            bereft: false,
            rest_until: None,
        }
    }

    pub(crate) async fn probe(&mut self) -> Outcome {
        self.watched = None;
        let outcome = match self.probe.target.clone() {
            ProcessTarget::Name(name) => self.by_name(name).await,
            ProcessTarget::PidFile(path) => self.by_pid_file(path).await,
        };
        let replaced = std::mem::take(&mut self.bereft) && outcome.is_ok();
        self.rest_until = replaced.then(|| Instant::now() + RESCAN_PAUSE);
        outcome
    }

    /// Returns when the process that made the last probe pass has ended: time to probe again.
    pub(crate) async fn woken(&mut self) {
        let Some(pidfd) = &self.watched else {
            return pending().await;
        };
        if let Some(until) = self.rest_until {
            tokio::time::sleep_until(until).await;
        }
        pidfd.ended().await;
        self.bereft = true;
    }

    pub(crate) async fn settle(&mut self) {
        self.scan.settle().await;
        self.read.settle().await;
    }

    async fn by_name(&mut self, name: String) -> Outcome {
        // A second look when the one found ends before it can be watched.
        for _ in 0..2 {
            let wanted = name.clone();
            let census = self.scan.run(move || census::take(&wanted)).await;
            let census = census.map_err(|cause| format!("cannot read /proc: {cause}"))?;
            self.family.update(&census.here);
            let Some(master) = self.family.eldest() else {
                return Err(self.missing(&name, census.elsewhere));
            };
            if self.watch(master)? {
                return Ok(format!("process {name} runs with pid {}", master.pid));
            }
        }
        Err(format!("process {name} ends as soon as it starts"))
    }

    fn missing(&self, name: &str, elsewhere: usize) -> String {
        let mut said = format!("process {name} not running");
        match self.family.orphans() {
            0 => {}
            left => said += &format!("; its master is gone, {left} of its workers are left"),
        }
        if elsewhere > 0 {
            said += &format!("; {elsewhere} in other network namespaces are not counted");
        }
        said
    }

    async fn by_pid_file(&mut self, path: String) -> Outcome {
        let file = path.clone();
        let pid = self.read.run(move || read_pid(&file)).await?;
        let gone = || format!("process {pid} of {path} not running");
        let stat = census::living(pid).ok_or_else(gone)?;
        if self.watch(stat.seen)? {
            Ok(format!("process {pid} of {path} runs"))
        } else {
            Err(gone())
        }
    }

    /// Whether `seen` still lived when its pidfd was opened.
    fn watch(&mut self, seen: Seen) -> Result<bool, String> {
        let Some(pid) = Pid::from_raw(seen.pid) else {
            return Ok(false);
        };
        let pidfd = match Pidfd::open(pid) {
            Ok(pidfd) => pidfd,
            Err(cause) if cause.raw_os_error() == Some(libc::ESRCH) => return Ok(false),
            Err(cause) => return Err(format!("cannot watch process {}: {cause}", seen.pid)),
        };
        // Same start time now: the pidfd refers to the process that was seen, not to a later
        // one under the same pid.
        let same = census::living(seen.pid).is_some_and(|now| now.seen.started == seen.started);
        self.watched = same.then_some(pidfd);
        Ok(same)
    }
}

/// The contents of the file are never repeated: a definition could name any file.
fn read_pid(path: &str) -> Result<i32, String> {
    let unreadable = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => format!("no pid file {path}"),
        _ => format!("cannot read pid file {path}: {cause}"),
    };
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = file.map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(format!("{path} is not a file"));
    }
    let mut text = String::new();
    let read = file.take(PID_FILE_MAX).read_to_string(&mut text);
    if matches!(&read, Err(cause) if cause.kind() != io::ErrorKind::InvalidData) {
        read.map_err(unreadable)?;
    }
    let pid = text.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
    pid.filter(|&pid| pid > 0).ok_or_else(|| format!("{path} does not hold a pid"))
}
