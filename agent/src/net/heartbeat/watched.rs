//! A heartbeat as its guard sees it, in another process.

use super::adverts;
use super::file::{self, Parts};
use super::record::{self, Entry};
use super::{layout, nanos, watch};
use crate::net::clock;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The memory of one incarnation of an agent.
#[derive(Debug)]
pub(crate) struct Watched {
    parts: Parts,
    incarnation: u64,
}

impl Watched {
    pub(crate) fn attach(file: impl AsFd, incarnation: u64) -> io::Result<Self> {
        let watched = Self { parts: file::map(&file)?, incarnation };
        let is_ours = watched.word(layout::MAGIC) == layout::MAGIC_VALUE
            && watched.word(layout::LAYOUT) == layout::LAYOUT_VALUE;
        if is_ours { Ok(watched) } else { Err(io::Error::other("the memory is no heartbeat")) }
    }

    fn word(&self, at: usize) -> u64 {
        self.parts.header.words()[at].load(Ordering::Acquire)
    }

    /// When the loop last beat, in nanoseconds of CLOCK_BOOTTIME.
    pub(crate) fn beat(&self) -> u64 {
        self.word(layout::BEAT_BOOTTIME)
    }

    /// When the last advert left that the peers of an entry's instance count from, likewise; the
    /// beat where that is not known.
    pub(crate) fn last_advert(&self, entry: &Entry, beat: u64) -> u64 {
        let words = self.parts.adverts.words();
        entry.slot.and_then(|slot| adverts::last(words, slot)).unwrap_or(beat)
    }

    /// Until when its silence is announced, likewise.
    pub(crate) fn excused_until(&self) -> u64 {
        self.word(layout::EXCUSED_UNTIL)
    }

    /// The shortest silence that ends something; `None` while nothing is recorded.
    pub(crate) fn shortest(&self) -> Option<u64> {
        Some(self.word(layout::SHORTEST)).filter(|shortest| *shortest != 0)
    }

    pub(crate) fn record(&self) -> Option<Vec<Entry>> {
        record::read(self.parts.header.words(), self.parts.tables.words())
    }

    /// Whether the incarnation is still the newest, and not at its end.
    pub(crate) fn is_current(&self) -> bool {
        watch::is_current(self.parts.header.words(), self.incarnation)
    }

    pub(crate) fn begin_removal(&self) -> bool {
        watch::begin_removal(self.parts.header.words(), self.incarnation)
    }

    /// Tells the agent, should it ever wake, what happened after which silence.
    pub(crate) fn note_removal(&self, silence: Duration, entries: &[Entry]) {
        let (words, now) = (self.parts.header.words(), clock::now().as_nanos());
        for slot in entries.iter().filter_map(|entry| entry.slot) {
            adverts::take(self.parts.adverts.words(), slot, now);
        }
        words[layout::REMOVED_AT].store(now, Ordering::Relaxed);
        words[layout::REMOVED_SILENCE].store(nanos(silence), Ordering::Relaxed);
        words[layout::REMOVALS].fetch_add(1, Ordering::Release);
    }

    pub(crate) fn end_removal(&self) {
        watch::end_removal(self.parts.header.words(), self.incarnation);
    }
}
