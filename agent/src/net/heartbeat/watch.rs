//! Who watches over the addresses of this memory: one word, changed by compare-and-swap alone, so
//! that a guard never removes what a newer incarnation of the agent has taken over.
//!
//! The word is the number of the incarnation, and above it what its guard is doing.

use super::layout;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a new incarnation waits for a removal that is going on. A guard that takes longer was
/// frozen or killed in the middle of it.
const PATIENCE: Duration = Duration::from_millis(250);
/// Between two looks meanwhile.
const LOOK: Duration = Duration::from_millis(1);

/// Above the number: the guard removes something at this moment.
const REMOVING: u64 = 1 << 62;
/// Above the number: the agent has let go of everything itself.
const FINISHED: u64 = 1 << 63;
const NUMBER: u64 = REMOVING - 1;

/// Makes the caller the newest incarnation; returns its number. From then on no older guard
/// removes anything.
pub(crate) fn take_over(words: &[AtomicU64]) -> u64 {
    let watch = &words[layout::WATCH];
    let mut waited = Duration::ZERO;
    loop {
        let seen = watch.load(Ordering::Acquire);
        if seen & REMOVING != 0 && waited < PATIENCE {
            std::thread::sleep(LOOK);
            waited += LOOK;
            continue;
        }
        let next = (seen & NUMBER).wrapping_add(1) & NUMBER;
        let taken = watch.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed);
        if taken.is_ok() {
            return next;
        }
    }
}

/// Says that nothing is left to be guarded.
pub(crate) fn finish(words: &[AtomicU64], incarnation: u64) {
    let watch = &words[layout::WATCH];
    let finished = incarnation | FINISHED;
    for from in [incarnation, incarnation | REMOVING] {
        if watch.compare_exchange(from, finished, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return;
        }
    }
}
