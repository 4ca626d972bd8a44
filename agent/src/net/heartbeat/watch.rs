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

/// Whether an incarnation is the newest and has not finished.
pub(crate) fn is_current(words: &[AtomicU64], incarnation: u64) -> bool {
    words[layout::WATCH].load(Ordering::Acquire) & !REMOVING == incarnation
}

/// Begins a removal in the name of an incarnation; false when that is not the newest any more.
/// One that a guard of the same incarnation did not come to end goes on.
pub(crate) fn begin_removal(words: &[AtomicU64], incarnation: u64) -> bool {
    let (watch, removing) = (&words[layout::WATCH], incarnation | REMOVING);
    let begun = watch.compare_exchange(incarnation, removing, Ordering::AcqRel, Ordering::Acquire);
    begun.is_ok() || begun == Err(removing)
}

/// Ends it.
pub(crate) fn end_removal(words: &[AtomicU64], incarnation: u64) {
    let removing = incarnation | REMOVING;
    // A newer incarnation that lost its patience has the word already.
    let _ = words[layout::WATCH].compare_exchange(
        removing,
        incarnation,
        Ordering::AcqRel,
        Ordering::Relaxed,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Vec<AtomicU64> {
        (0..layout::WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn a_guard_removes_nothing_once_a_newer_incarnation_has_taken_over() {
        let words = memory();
        let old = take_over(&words);
        assert!(is_current(&words, old));
        let new = take_over(&words);
        assert!(!is_current(&words, old));
        assert!(!begin_removal(&words, old));
        assert!(begin_removal(&words, new));
    }

    #[test]
    fn a_new_incarnation_waits_for_a_removal_that_is_going_on() {
        let words = memory();
        let old = take_over(&words);
        assert!(begin_removal(&words, old));
        std::thread::scope(|scope| {
            let newer = scope.spawn(|| take_over(&words));
            // Whoever reads the word now sees the old incarnation: the new one waits, or has not
            // begun to.
            assert!(is_current(&words, old));
            end_removal(&words, old);
            assert_eq!(newer.join().unwrap(), old + 1);
        });
    }

    #[test]
    fn a_guard_that_died_in_a_removal_does_not_hold_up_the_next_incarnation_for_ever() {
        let words = memory();
        let old = take_over(&words);
        assert!(begin_removal(&words, old));
        assert_eq!(take_over(&words), old + 1);
        end_removal(&words, old);
        assert!(is_current(&words, old + 1));
    }

    #[test]
    fn the_next_guard_of_an_incarnation_carries_on_a_removal() {
        let words = memory();
        let incarnation = take_over(&words);
        assert!(begin_removal(&words, incarnation));
        assert!(begin_removal(&words, incarnation));
    }

    #[test]
    fn an_agent_that_has_finished_is_guarded_no_more() {
        let words = memory();
        let incarnation = take_over(&words);
        finish(&words, incarnation);
        assert!(!is_current(&words, incarnation));
        assert!(!begin_removal(&words, incarnation));
        assert_eq!(take_over(&words), incarnation + 1);
    }
}
