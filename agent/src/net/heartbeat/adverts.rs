//! When the last advert of each instance left, and whether the guard has taken its addresses since.
//! Peers count their patience from an advert and not from a beat, which is younger by up to an
//! interval. Written by the VRRP thread on the path of every advert: one store, no lock.

use super::layout;
use std::sync::atomic::{AtomicU64, Ordering};

/// The place of an instance in this memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u16);

impl Slot {
    /// Of the instance with this number; `None` beyond the room there is: its addresses go by the
    /// last beat alone.
    pub fn new(number: u32) -> Option<Self> {
        u16::try_from(number).ok().filter(|at| usize::from(*at) < layout::SLOTS).map(Self)
    }

    /// As it is written in a record; 0 is none.
    pub(super) fn word(slot: Option<Self>) -> u64 {
        slot.map_or(0, |slot| u64::from(slot.0) + 1)
    }

    /// The reverse; `Err` for what is no slot.
    pub(super) fn from_word(word: u64) -> Result<Option<Self>, ()> {
        let Some(number) = word.checked_sub(1) else { return Ok(None) };
        u32::try_from(number).ok().and_then(Self::new).map(Some).ok_or(())
    }

    fn sent(self, words: &[AtomicU64]) -> &AtomicU64 {
        &words[usize::from(self.0)]
    }

    fn taken(self, words: &[AtomicU64]) -> &AtomicU64 {
        &words[layout::SLOTS + usize::from(self.0)]
    }
}

/// An advert leaves now, in nanoseconds of CLOCK_BOOTTIME.
pub(super) fn leaves(words: &[AtomicU64], slot: Slot, now: u64) {
    slot.sent(words).store(now, Ordering::Relaxed);
}

/// When the last one left; `None` before the first.
pub(super) fn last(words: &[AtomicU64], slot: Slot) -> Option<u64> {
    Some(slot.sent(words).load(Ordering::Relaxed)).filter(|at| *at != 0)
}

/// The guard takes what goes by this slot, in nanoseconds of CLOCK_MONOTONIC.
pub(super) fn take(words: &[AtomicU64], slot: Slot, now: u64) {
    slot.taken(words).store(now, Ordering::Relaxed);
}

/// When it last did; 0 while it never has.
pub(super) fn taken(words: &[AtomicU64], slot: Slot) -> u64 {
    slot.taken(words).load(Ordering::Relaxed)
}

/// Another instance has the slot from now on.
pub(super) fn clear(words: &[AtomicU64], slot: Slot) {
    leaves(words, slot, 0);
    take(words, slot, 0);
}

/// Another incarnation has all of them: its numbers are others.
pub(super) fn clear_all(words: &[AtomicU64]) {
    words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_read_as_it_was_written_and_no_other_number_is_one() {
        let last = u32::try_from(layout::SLOTS).unwrap() - 1;
        for number in [0, 1, last] {
            let slot = Slot::new(number);
            assert!(slot.is_some());
            assert_eq!(Slot::from_word(Slot::word(slot)), Ok(slot));
        }
        assert_eq!(Slot::new(last + 1), None);
        assert_eq!(Slot::from_word(0), Ok(None));
        assert_eq!(Slot::from_word(u64::from(last) + 2), Err(()));
        assert_eq!(Slot::from_word(u64::MAX), Err(()));
    }

    #[test]
    fn each_slot_keeps_its_own_times() {
        let words: Vec<_> = (0..2 * layout::SLOTS).map(|_| AtomicU64::new(0)).collect();
        let [one, two] = [0, 1].map(|number| Slot::new(number).unwrap());
        leaves(&words, one, 7);
        take(&words, two, 9);
        assert_eq!((last(&words, one), taken(&words, one)), (Some(7), 0));
        assert_eq!((last(&words, two), taken(&words, two)), (None, 9));
        clear(&words, one);
        assert_eq!(last(&words, one), None);
        clear_all(&words);
        assert_eq!(taken(&words, two), 0);
    }
}
