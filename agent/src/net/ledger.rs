//! What this agent owns in the kernel, remembered on disk for its next incarnation.
//!
//! Written by a thread of its own, the latest state only, so that a slow or full disk never
//! holds up a lease. Not synced: what must survive is a crash of the agent, not of the machine,
//! which leaves nothing in the kernel (the boot id tells the two apart).

use super::device::Device;
use super::routing::Remembered;
use super::sysctl::Borrowed;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::watch;

const FILE: &str = "kernel.json";

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// `/proc/sys/kernel/random/boot_id`.
    pub(super) boot: String,
    pub(super) addresses: Vec<Entry>,
    pub(super) settings: Vec<Borrowed>,
    #[serde(default)]
    pub(super) routing: Vec<Remembered>,
    #[serde(default)]
    pub(super) devices: Vec<Device>,
}

/// One address that we added, or route that we made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) interface: String,
    pub(super) address: IpNet,
}

impl Ledger {
    /// What the former incarnation wrote during this boot; empty when there is nothing usable.
    /// The error is for a warning: without a ledger the marks in the kernel still tell.
    pub(super) fn read(state_dir: &Path, boot: &str) -> (Self, Option<io::Error>) {
        let fresh = Self { boot: boot.to_owned(), ..Self::default() };
        let text = match fs::read(state_dir.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (fresh, None),
            Err(error) => return (fresh, Some(error)),
        };
        match serde_json::from_slice::<Self>(&text) {
            Ok(ledger) if ledger.boot == boot => (ledger, None),
            Ok(_) => (fresh, None),
            Err(error) => (fresh, Some(error.into())),
        }
    }

    pub(super) fn lists(&self, interface: &str, address: IpNet) -> bool {
        let is_it = |entry: &Entry| entry.interface == interface && entry.address == address;
        self.addresses.iter().any(is_it)
    }
}

/// Whether this version can read the ledger that is there.
pub fn check(state_dir: &Path) -> io::Result<()> {
    Ledger::read(state_dir, &boot_id()).1.map_or(Ok(()), Err)
}

/// Identifies the current boot; empty when the kernel does not say.
pub(super) fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

fn write(state_dir: &Path, content: &[u8]) -> io::Result<()> {
    fs::create_dir_all(state_dir)?;
    let new = state_dir.join(format!("{FILE}.new"));
    fs::write(&new, content)?;
    fs::rename(&new, state_dir.join(FILE))
}

/// How the last write went.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Number of the state that was written, or tried.
    pub(super) number: u64,
    pub(super) error: Option<String>,
}

#[derive(Debug, Default)]
struct Slot {
    latest: Option<(u64, Ledger)>,
    closed: bool,
}

type Shared = Arc<(Mutex<Slot>, Condvar)>;

/// The writing thread's handle. Dropping it writes what is left and ends the thread.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Shared,
    number: u64,
    outcome: watch::Receiver<Outcome>,
    thread: Option<JoinHandle<()>>,
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    pub(super) fn start(state_dir: PathBuf) -> io::Result<Self> {
        let shared = Shared::default();
        let (report, outcome) = watch::channel(Outcome::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("net-ledger".into())
            .spawn(move || serve(&state_dir, &theirs, &report))?;
        Ok(Self { shared, number: 0, outcome, thread: Some(thread) })
    }

    /// Has `ledger` written soon, in place of an unwritten one. Returns its number.
    pub(super) fn put(&mut self, ledger: Ledger) -> u64 {
        self.number += 1;
        lock(&self.shared.0).latest = Some((self.number, ledger));
        self.shared.1.notify_one();
        self.number
    }

    /// Waits until the state `number`, or a later one, was written or could not be.
    pub(super) async fn written(&self, number: u64) {
        // An error means that the thread is gone; nobody can do more than go on.
        let mut outcome = self.outcome.clone();
        let _ = outcome.wait_for(|outcome| outcome.number >= number).await;
    }

    /// How the last write went, when that is news.
    pub(super) fn news(&mut self) -> Option<Outcome> {
        let changed = self.outcome.has_changed().unwrap_or(false);
        changed.then(|| self.outcome.borrow_and_update().clone())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        lock(&self.shared.0).closed = true;
        self.shared.1.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(state_dir: &Path, shared: &Shared, report: &watch::Sender<Outcome>) {
    let (slot, posted) = &**shared;
    loop {
        let idle = |slot: &mut Slot| slot.latest.is_none() && !slot.closed;
        let mut waiting =
            posted.wait_while(lock(slot), idle).unwrap_or_else(PoisonError::into_inner);
        let Some((number, ledger)) = waiting.latest.take() else {
            return;
        };
        drop(waiting);
        let written = serde_json::to_vec(&ledger)
            .map_err(io::Error::from)
            .and_then(|content| write(state_dir, &content));
        let error = written.err().map(|error| error.to_string());
        report.send_replace(Outcome { number, error });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::sysctl::Key;

    fn ledger(boot: &str) -> Ledger {
        Ledger {
            boot: boot.into(),
            addresses: vec![Entry {
                interface: "eth0".into(),
                address: "192.0.2.10/32".parse().unwrap(),
            }],
            settings: vec![Borrowed { interface: "eth0".into(), key: Key::ArpIgnore, was: 0 }],
            routing: Vec::new(),
            devices: Vec::new(),
        }
    }

    #[test]
    fn the_next_incarnation_reads_what_the_last_one_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = dir.path().join("made/on/demand");
        let mut writer = Writer::start(state_dir.clone()).unwrap();
        writer.put(Ledger::default());
        writer.put(ledger("this"));
        drop(writer);
        let (read, error) = Ledger::read(&state_dir, "this");
        assert!(error.is_none());
        assert_eq!(read, ledger("this"));
        assert!(read.lists("eth0", "192.0.2.10/32".parse().unwrap()));
        assert!(!read.lists("eth0", "192.0.2.10/24".parse().unwrap()));
    }

    #[test]
    fn a_ledger_of_another_boot_counts_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &serde_json::to_vec(&ledger("last")).unwrap()).unwrap();
        let (read, error) = Ledger::read(dir.path(), "this");
        assert!(error.is_none());
        assert_eq!(read, Ledger { boot: "this".into(), ..Ledger::default() });
    }

    #[test]
    fn a_torn_ledger_is_a_warning_and_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "{\"boot\":\"this\",\"addr").unwrap();
        let (read, error) = Ledger::read(dir.path(), "this");
        assert!(error.is_some());
        assert!(read.addresses.is_empty());
    }

    #[test]
    fn a_disk_that_cannot_be_written_is_reported_and_nobody_waits_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut writer = Writer::start(file.join("below")).unwrap();
            let number = writer.put(ledger("this"));
            writer.written(number).await;
            assert!(writer.news().unwrap().error.is_some());
        });
    }
}
