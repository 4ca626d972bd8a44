//! Waiting for a condition with a generous deadline, instead of sleeping and hoping.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How long tests wait for something that takes well under a second on an idle machine.
pub const GENEROUS: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(20);

/// Polls `observe` until `wanted` accepts what it saw, and returns how long that took.
///
/// # Panics
/// When `deadline` passes; the message names `what` and shows the last observation.
#[track_caller]
pub fn until<T: Debug>(
    what: &str,
    deadline: Duration,
    mut observe: impl FnMut() -> T,
    wanted: impl Fn(&T) -> bool,
) -> Duration {
    let start = Instant::now();
    loop {
        let seen = observe();
        if wanted(&seen) {
            return start.elapsed();
        }
        assert!(
            start.elapsed() < deadline,
            "waited {:.1} s for {what}; last seen: {seen:?}",
            start.elapsed().as_secs_f64()
        );
        std::thread::sleep(POLL);
    }
}

/// Polls `observe` for the whole of `period` and insists that `wanted` accepts every observation:
/// for promises that say "never" or "throughout".
///
/// # Panics
/// At the first observation that `wanted` refuses.
#[track_caller]
pub fn throughout<T: Debug>(
    what: &str,
    period: Duration,
    mut observe: impl FnMut() -> T,
    wanted: impl Fn(&T) -> bool,
) {
    let start = Instant::now();
    while start.elapsed() < period {
        let seen = observe();
        assert!(
            wanted(&seen),
            "{what} did not hold after {:.2} s; seen: {seen:?}",
            start.elapsed().as_secs_f64()
        );
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_condition_that_comes_true_ends_the_wait() {
        let polls = Cell::new(0);
        let count = || {
            polls.set(polls.get() + 1);
            polls.get()
        };
        until("three polls", GENEROUS, count, |n| *n == 3);
        assert_eq!(polls.get(), 3);
    }

    #[test]
    #[should_panic(expected = "for pigs to fly; last seen: \"walking\"")]
    fn a_missed_deadline_tells_what_was_seen_last() {
        until("pigs to fly", Duration::ZERO, || "walking", |seen| *seen == "flying");
    }

    #[test]
    #[should_panic(expected = "one owner did not hold")]
    fn a_broken_promise_ends_the_watch() {
        throughout("one owner", GENEROUS, || 2, |owners| *owners == 1);
    }
}
