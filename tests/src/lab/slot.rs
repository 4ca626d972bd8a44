//! A place at the machine: keeps laboratories of all test processes from running all at once.
//!
//! Test runners differ in how many tests they start at a time; a prober that counts milliseconds
//! needs room whichever runner was used. A slot is an exclusive file lock, so it is free again
//! however its holder ended.

use std::cell::Cell;
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

thread_local! {
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// Laboratories at a time for each processor: what runs in them mostly waits for timers.
const PLACES: usize = 2;

/// How many this process wants at a time at least.
static WANTED: AtomicUsize = AtomicUsize::new(0);

/// Lets this process have so many laboratories at a time, where that is more than tests have that
/// share the machine.
pub fn make_room_for(laboratories: usize) {
    WANTED.store(laboratories, Ordering::Relaxed);
}

/// Held for as long as a laboratory stands.
#[derive(Debug)]
pub(super) struct Slot {
    _lock: Flock<File>,
}

impl Slot {
    /// Waits for a free place.
    ///
    /// # Panics
    /// When this thread holds one already: with a single place it would wait for itself.
    #[track_caller]
    pub(super) fn wait() -> Self {
        assert!(!HELD.get(), "one laboratory a test: drop the first one before building another");
        let places = PLACES * thread::available_parallelism().map_or(1, usize::from);
        let places = places.max(WANTED.load(Ordering::Relaxed));
        loop {
            for place in 0..places {
                if let Some(lock) = try_place(place) {
                    HELD.set(true);
                    return Self { _lock: lock };
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        HELD.set(false);
    }
}

fn try_place(place: usize) -> Option<Flock<File>> {
    let path = format!("/run/lock/vipfleet-lab-{place}");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .unwrap_or_else(|error| panic!("open {path}: {error}; the laboratory needs root"));
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}
