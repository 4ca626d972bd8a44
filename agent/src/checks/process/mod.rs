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
use futures::future::select_all;
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

/// Ends of further processes are found at the interval.
const MOST_WATCHED: usize = 256;

/// A pid file holds one number.
const PID_FILE_MAX: u64 = 64;

/// One process check.
#[derive(Debug)]
pub(crate) struct ProcessProber {
    probe: ProcessProbe,
    family: Family,
    scan: Slow<io::Result<Census>>,
    read: Slow<Result<i32, String>>,
    /// Those whose end makes it time to look again.
    watched: Vec<Pidfd>,
    /// A watched process has ended and nothing has been looked up since.
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
            watched: Vec::new(),
            bereft: false,
            rest_until: None,
        }
    }

    pub(crate) async fn probe(&mut self) -> Outcome {
        self.watched.clear();
        let outcome = match self.probe.target.clone() {
            ProcessTarget::Name(name) => self.by_name(name).await,
            ProcessTarget::PidFile(path) => self.by_pid_file(path).await,
        };
        let replaced = std::mem::take(&mut self.bereft) && !self.watched.is_empty();
        self.rest_until = replaced.then(|| Instant::now() + RESCAN_PAUSE);
        outcome
    }

    /// Returns when one of the processes that made the last probe pass has ended: time to probe
    /// again.
    pub(crate) async fn woken(&mut self) {
        if self.watched.is_empty() {
            return pending().await;
        }
        if let Some(until) = self.rest_until {
            tokio::time::sleep_until(until).await;
        }
        select_all(self.watched.iter().map(|pidfd| Box::pin(pidfd.ended()))).await;
        self.bereft = true;
    }

    pub(crate) async fn settle(&mut self) {
        self.scan.settle().await;
        self.read.settle().await;
    }

    async fn by_name(&mut self, name: String) -> Outcome {
        // A second look when the one found ends before it can be watched.
        for _ in 0..2 {
            self.watched.clear();
            let wanted = name.clone();
            let census = self.scan.run(move || census::take(&wanted)).await;
            let census = census.map_err(|cause| format!("cannot read /proc: {cause}"))?;
            self.family.update(&census.here);
            if self.probe.quorum > 1 || self.probe.quorum_max.is_some() {
                match self.by_count(&name, &census)? {
                    Some(outcome) => return outcome,
                    None => continue,
                }
            }
            let Some(master) = self.family.eldest() else {
                return Err(self.missing(&name, census.elsewhere));
            };
            if self.watch(master)? {
                return Ok(format!("process {name} runs with pid {}", master.pid));
            }
        }
        Err(format!("process {name} ends as soon as it starts"))
    }

    /// Every process of the name counts, workers too, but for those that outlived their master.
    /// `None`: one of them ended before it could be watched.
    fn by_count(&mut self, name: &str, census: &Census) -> Result<Option<Outcome>, String> {
        let counted = self.family.serving(&census.here);
        let (count, least) = (counted.len(), usize::from(self.probe.quorum));
        if count < least {
            let mut said = format!("process {name}: {count} run, {least} are needed");
            self.add_strays(&mut said, census.elsewhere);
            return Ok(Some(Err(said)));
        }
        for seen in counted.into_iter().take(MOST_WATCHED) {
            if !self.watch(seen)? {
                return Ok(None);
            }
        }
        Ok(Some(match self.probe.quorum_max.map(usize::from).filter(|most| count > *most) {
            Some(most) => Err(format!("process {name}: {count} run, at most {most} may")),
            None => Ok(format!("process {name}: {count} run")),
        }))
    }

    fn missing(&self, name: &str, elsewhere: usize) -> String {
        let mut said = format!("process {name} not running");
        self.add_strays(&mut said, elsewhere);
        said
    }

    fn add_strays(&self, said: &mut String, elsewhere: usize) {
        match self.family.orphans() {
            0 => {}
            left => *said += &format!("; its master is gone, {left} of its workers are left"),
        }
        if elsewhere > 0 {
            *said += &format!("; {elsewhere} in other network namespaces are not counted");
        }
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

    /// Whether `seen` still lived when its pidfd was opened. Then its end is waited for, too.
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
        self.watched.extend(same.then_some(pidfd));
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
