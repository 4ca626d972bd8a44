//! Proof that the VRRP loop is alive. The loop stores, the net thread looks before it renews a
//! lease: a frozen loop must lose its addresses, whoever else is still running.
//!
//! The proof lies in a small mapped file, so that it survives a killed agent: a guard and the
//! next incarnation read how long the loop has been silent. The file belongs on a tmpfs: a page
//! of a disk's file is written back, and the loop would wait for a disk that hangs.

mod adverts;
mod file;
mod layout;
pub(crate) mod record;
mod watch;
pub(crate) mod watched;

pub use self::adverts::Slot;

use self::file::Parts;
use self::record::{Draft, Entry};
use super::clock;
use super::lease::LeaseTerms;
use rustix::event::{EventfdFlags, eventfd};
use rustix::time::ClockId;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use vipfleet_vrrp::Time;

/// When the VRRP loop last finished judging what it had heard.
#[derive(Debug)]
pub struct Heartbeat {
    memory: Memory,
    incarnation: u64,
    former: Option<Former>,
    /// Nobody guards, for as long as it is so.
    unguarded: AtomicBool,
}

/// What the former incarnation left in the memory, in this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Former {
    /// Its process id: this process's own after a re-execution in place.
    pub pid: u32,
    /// How long its loop had been silent, suspends included, when the memory was taken over.
    pub silent: Duration,
    /// The process id of its guard, which ends by itself from now on.
    pub guard: Option<u32>,
}

/// A removal by the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    pub(crate) number: u64,
    /// When.
    pub at: Time,
    /// How long the loop had been silent then.
    pub silence: Duration,
}

#[derive(Debug)]
enum Memory {
    File(Box<Shared>),
    /// Nobody else sees it.
    Private(Box<[AtomicU64]>),
}

#[derive(Debug)]
struct Shared {
    file: OwnedFd,
    parts: Parts,
    inherited: Vec<Entry>,
    /// Rung when a sleeping guard must look earlier than it meant to.
    bell: OwnedFd,
}

impl Heartbeat {
    /// The loop sleeps at most this long, so that an idle loop counts as alive.
    pub const INTERVAL: Duration = Duration::from_millis(100);

    /// No silence is too long that is shorter: a loop with nothing to do beats once an interval.
    const SHORTEST_PATIENCE: Duration = Duration::from_millis(250);

    /// No announced silence lasts longer.
    pub const LONGEST_SILENCE: Duration = Duration::from_secs(5);

    /// A heart that beats now, in memory that ends with the process.
    pub fn new() -> Self {
        let words = (0..layout::WORDS).map(|_| AtomicU64::new(0)).collect();
        Self::start(Memory::Private(words), None)
    }

    /// A heart that beats now, in a file. What a former incarnation left there in this boot is
    /// taken over, and from this moment on its guard removes nothing any more; a file that is
    /// damaged or of another boot is replaced.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file::Opened { file, parts, former, inherited } = file::open(path)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Shared { file, parts, inherited, bell };
        // A store on the path of an advert must not wait for a page.
        shared.parts.adverts.lock();
        Ok(Self::start(Memory::File(Box::new(shared)), former))
    }

    fn start(memory: Memory, former: Option<Former>) -> Self {
        let words = memory.words();
        // Before the beat: a guard that still counts the old silence must not win against it.
        let incarnation = watch::take_over(words);
        words[layout::AGENT].store(std::process::id().into(), Ordering::Relaxed);
        words[layout::GUARD].store(0, Ordering::Relaxed);
        if let Memory::File(shared) = &memory {
            adverts::clear_all(shared.parts.adverts.words());
        }
        // A process that re-executes itself has announced its silence, which goes on.
        if former.is_none_or(|former| former.pid != std::process::id()) {
            words[layout::EXCUSED_UNTIL].store(0, Ordering::Relaxed);
        }
        let unguarded = AtomicBool::new(false);
        let heart = Self { memory, incarnation, former, unguarded };
        heart.beat(clock::now());
        heart
    }

    /// Called by the loop *after* it has drained its sockets, fired its deadlines and posted its
    /// requests, with the time at which it *began* to drain: a loop that was frozen on the way,
    /// or wakes from a freeze, must not vouch for leases that it is about to give up.
    pub fn beat(&self, began: Time) {
        let words = self.memory.words();
        let ago = clock::now().since(began);
        let boottime = clock::nanos(ClockId::Boottime).saturating_sub(nanos(ago));
        words[layout::BEAT_BOOTTIME].store(boottime, Ordering::Relaxed);
        // Release: the requests posted before this beat are seen by whoever sees the beat.
        words[layout::BEAT].store(began.as_nanos(), Ordering::Release);
    }

    /// An advert of this instance leaves. On the path of every advert.
    pub fn advert_leaves(&self, slot: Slot) {
        if let Some(words) = self.memory.adverts() {
            adverts::leaves(words, slot, clock::nanos(ClockId::Boottime));
        }
    }

    /// Another instance, or none, has the slot from now on.
    pub fn clear(&self, slot: Slot) {
        if let Some(words) = self.memory.adverts() {
            adverts::clear(words, slot);
        }
    }

    /// When it last beat.
    pub fn last(&self) -> Time {
        Time::from_nanos(self.memory.words()[layout::BEAT].load(Ordering::Acquire))
    }

    /// What a former incarnation of the agent left, when there was one in this boot.
    pub fn former(&self) -> Option<Former> {
        self.former
    }

    /// Announces that the loop will be silent from now on and for good reason: the agent
    /// re-executes itself. Until then a guard takes nothing away, but never for longer than
    /// [`Self::LONGEST_SILENCE`], nor than the lease of an address. An incarnation that takes over
    /// in another process ends it.
    pub fn announce_silence(&self, length: Duration) {
        let until = clock::nanos(ClockId::Boottime)
            .saturating_add(nanos(length.min(Self::LONGEST_SILENCE)));
        self.memory.words()[layout::EXCUSED_UNTIL].store(until, Ordering::Release);
    }

    /// Takes an announced silence back: the loop goes on after all.
    pub fn end_silence(&self) {
        self.memory.words()[layout::EXCUSED_UNTIL].store(0, Ordering::Release);
    }

    /// Says for ever that this agent has let go of everything by itself.
    pub fn finish(&self) {
        watch::finish(self.memory.words(), self.incarnation);
        self.ring();
    }

    /// Whether [`Self::finish`] was not called, and no newer incarnation has taken over.
    pub(crate) fn is_current(&self) -> bool {
        watch::is_current(self.memory.words(), self.incarnation)
    }

    /// How long the loop may be silent before a guard ends what has this master-down interval.
    pub fn patience(master_down: Duration) -> Duration {
        master_down.max(Self::SHORTEST_PATIENCE)
    }

    /// Whether the guard has taken since `since` what has these terms.
    pub fn has_taken(&self, removal: Removal, terms: LeaseTerms, since: Time) -> bool {
        let words = self.memory.adverts();
        match terms.cadence.zip(words) {
            Some((cadence, words)) => {
                adverts::taken(words, cadence.slot) >= since.as_nanos().max(1)
            }
            None => removal.at >= since && Self::patience(terms.master_down) <= removal.silence,
        }
    }

    /// The guard's latest removal under this incarnation or a former one. An atomic load while
    /// there was none.
    pub fn removal(&self) -> Option<Removal> {
        let word = |at: usize| self.memory.words()[at].load(Ordering::Acquire);
        let number = word(layout::REMOVALS);
        (number != 0).then(|| Removal {
            number,
            at: Time::from_nanos(word(layout::REMOVED_AT)),
            silence: Duration::from_nanos(word(layout::REMOVED_SILENCE)),
        })
    }

    /// Number of this incarnation, for its guard.
    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The memory's file and the bell, for a guard; `None` when nobody else sees the memory.
    pub(crate) fn shared(&self) -> Option<(BorrowedFd<'_>, BorrowedFd<'_>)> {
        match &self.memory {
            Memory::File(shared) => Some((shared.file.as_fd(), shared.bell.as_fd())),
            Memory::Private(_) => None,
        }
    }

    /// What the former incarnation had in the kernel.
    pub(crate) fn inherited(&self) -> &[Entry] {
        match &self.memory {
            Memory::File(shared) => &shared.inherited,
            Memory::Private(_) => &[],
        }
    }

    /// Writes down what a guard may remove. Called by the net thread alone; never waits.
    pub(crate) fn write_record(&self, draft: &Draft) {
        if let Memory::File(shared) = &self.memory
            && record::write(shared.parts.header.words(), shared.parts.tables.words(), draft)
        {
            self.ring();
        }
    }

    fn ring(&self) {
        if let Memory::File(shared) = &self.memory {
            // Full means rung already.
            let _ = rustix::io::write(&shared.bell, &1_u64.to_ne_bytes());
        }
    }

    /// Notes which process guards; `None` while none does.
    pub(crate) fn set_guard(&self, pid: Option<u32>) {
        let word = u64::from(pid.unwrap_or(0));
        self.memory.words()[layout::GUARD].store(word, Ordering::Relaxed);
        self.unguarded.store(pid.is_none(), Ordering::Relaxed);
    }

    /// Whether a guard is known to be missing.
    pub fn is_unguarded(&self) -> bool {
        self.unguarded.load(Ordering::Relaxed)
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    fn words(&self) -> &[AtomicU64] {
        match self {
            Self::File(shared) => shared.parts.header.words(),
            Self::Private(words) => words,
        }
    }

    /// `None` when nobody else would read it.
    fn adverts(&self) -> Option<&[AtomicU64]> {
        match self {
            Self::File(shared) => Some(shared.parts.adverts.words()),
            Self::Private(_) => None,
        }
    }
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_beat_is_what_counts() {
        let heart = Heartbeat::new();
        assert!(heart.last() <= clock::now());
        heart.beat(Time::from_nanos(5));
        assert_eq!(heart.last(), Time::from_nanos(5));
    }

    #[test]
    fn the_next_incarnation_reads_how_long_the_last_one_was_silent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat");
        let first = Heartbeat::open(&path).unwrap();
        assert_eq!(first.former(), None);
        first.beat(Time::from_nanos(clock::now().as_nanos() - 700_000_000));
        let second = Heartbeat::open(&path).unwrap();
        let former = second.former().unwrap();
        assert_eq!(former.pid, std::process::id());
        assert!(former.silent >= Duration::from_millis(700), "{former:?}");
        assert!(former.silent < Duration::from_secs(60), "{former:?}");
        assert!(second.incarnation > first.incarnation);
    }

    #[test]
    fn both_incarnations_see_one_memory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat");
        let (first, second) = (Heartbeat::open(&path).unwrap(), Heartbeat::open(&path).unwrap());
        first.beat(Time::from_nanos(7));
        assert_eq!(second.last(), Time::from_nanos(7));
    }

    #[test]
    fn an_announced_silence_is_bounded_and_outlives_a_re_execution_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat");
        let until =
            |heart: &Heartbeat| heart.memory.words()[layout::EXCUSED_UNTIL].load(Ordering::Acquire);
        let first = Heartbeat::open(&path).unwrap();
        let latest = clock::nanos(ClockId::Boottime) + nanos(Heartbeat::LONGEST_SILENCE);
        first.announce_silence(Duration::from_secs(3600));
        assert!(until(&first) >= latest && until(&first) < latest + 60_000_000_000);
        let second = Heartbeat::open(&path).unwrap();
        assert_eq!(until(&second), until(&first));
        second.end_silence();
        assert_eq!(until(&second), 0);
        second.announce_silence(Duration::from_secs(1));
        second.memory.words()[layout::AGENT].store(1, Ordering::Relaxed);
        assert_eq!(until(&Heartbeat::open(&path).unwrap()), 0);
    }
}
