//! What a guard may remove, as the net thread last wrote it: ready messages with their terms, in
//! one of two tables. The writer fills the one that is not the latest and then turns; a reader
//! that sees no turn while it copies has a whole record, and neither ever waits for the other.

use super::super::lease::LeaseTerms;
use super::{Heartbeat, Slot, layout, nanos};
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

/// Words before the message of an entry: silence, stillness, limit; then kind, slot and length.
const HEAD: usize = 4;
/// Where the three of the last word lie.
const KIND: u32 = 56;
const SLOT: u32 = 32;
const OF_SLOT: u64 = (1 << (KIND - SLOT)) - 1;
/// A reader that meets a turn copies again; a writer does not turn faster.
const READS: usize = 8;

/// What a message removes, in the order in which a guard removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Address,
    Route,
    Rule,
    /// The device of a virtual MAC.
    Link,
}

impl Kind {
    fn from_word(word: u64) -> Option<Self> {
        let all = [Self::Address, Self::Route, Self::Rule, Self::Link];
        all.into_iter().find(|kind| kind.word() == word)
    }

    fn word(self) -> u64 {
        match self {
            Self::Address => 1,
            Self::Route => 2,
            Self::Rule => 3,
            Self::Link => 4,
        }
    }
}

/// One thing that this agent made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// It goes when the last advert is so long ago,
    pub(crate) silence: Duration,
    /// and the last beat so long: an interval less, where adverts are known.
    pub(crate) stillness: Duration,
    /// Where the time of the last advert is.
    pub(crate) slot: Option<Slot>,
    /// An announced silence keeps it for no longer than this.
    pub(crate) limit: Duration,
    /// The netlink message that removes it.
    pub(crate) message: Vec<u8>,
}

/// A record on its way into the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    words: Vec<u64>,
    shortest: Option<u64>,
    /// What found no room: only leases guard it.
    pub(crate) omitted: usize,
}

impl Draft {
    pub(crate) fn add(&mut self, kind: Kind, terms: LeaseTerms, message: &[u8]) {
        let (silence, interval) = match terms.cadence {
            Some(cadence) => (cadence.succession, cadence.interval),
            None => (terms.master_down, Duration::ZERO),
        };
        let stillness = Heartbeat::patience(silence.saturating_sub(interval));
        let times = [Heartbeat::patience(silence), stillness, terms.valid()];
        self.push((kind, terms.cadence.map(|cadence| cadence.slot)), times, message);
    }

    /// An entry of a former incarnation, whose slots mean nothing any more.
    pub(crate) fn copy(&mut self, entry: &Entry) {
        let times = [entry.silence, entry.silence, entry.limit];
        self.push((entry.kind, None), times, &entry.message);
    }

    fn push(&mut self, what: (Kind, Option<Slot>), times: [Duration; 3], message: &[u8]) {
        let length = HEAD + message.len().div_ceil(8);
        let Ok(bytes) = u32::try_from(message.len()) else { return self.omitted += 1 };
        let [silence, stillness, limit] = times.map(nanos);
        if self.words.len() + length > layout::TABLE {
            return self.omitted += 1;
        }
        let head = what.0.word() << KIND | Slot::word(what.1) << SLOT | u64::from(bytes);
        self.words.extend([silence, stillness, limit, head]);
        self.words.extend(message.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        }));
        self.shortest = Some(self.shortest.map_or(stillness, |shortest| shortest.min(stillness)));
    }
}

/// Makes `draft` the latest record. True when something in it goes earlier than before, so that
/// a sleeping guard must hear of it. One writer at a time.
pub(super) fn write(header: &[AtomicU64], tables: &[AtomicU64], draft: &Draft) -> bool {
    let turn = header[layout::TURN].load(Ordering::Relaxed).wrapping_add(1);
    let table = usize::from(turn & 1 == 1);
    let words = &tables[table * layout::TABLE..][..layout::TABLE];
    for (word, value) in words.iter().zip(&draft.words) {
        word.store(*value, Ordering::Relaxed);
    }
    header[layout::LENGTHS + table].store(draft.words.len() as u64, Ordering::Relaxed);
    header[layout::TURN].store(turn, Ordering::Release);
    let shortest = draft.shortest.unwrap_or(0);
    let before = header[layout::SHORTEST].swap(shortest, Ordering::Release);
    shortest != 0 && (before == 0 || shortest < before)
}

/// The latest record; `None` when it changes faster than it can be read, or is damaged.
pub(super) fn read(header: &[AtomicU64], tables: &[AtomicU64]) -> Option<Vec<Entry>> {
    for _ in 0..READS {
        let turn = header[layout::TURN].load(Ordering::Acquire);
        let table = usize::from(turn & 1 == 1);
        let length = header[layout::LENGTHS + table].load(Ordering::Relaxed);
        let length = usize::try_from(length).ok().filter(|length| *length <= layout::TABLE)?;
        let words = &tables[table * layout::TABLE..][..length];
        let copy: Vec<_> = words.iter().map(|word| word.load(Ordering::Relaxed)).collect();
        // The copy is not moved below the second look.
        fence(Ordering::Acquire);
        if header[layout::TURN].load(Ordering::Relaxed) == turn {
            return parse(&copy);
        }
    }
    None
}

fn parse(mut words: &[u64]) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while let [silence, stillness, limit, head, rest @ ..] = words {
        let bytes = usize::try_from(head & u64::from(u32::MAX)).ok()?;
        let message = rest.get(..bytes.div_ceil(8))?;
        let mut message: Vec<u8> = message.iter().flat_map(|word| word.to_ne_bytes()).collect();
        message.truncate(bytes);
        entries.push(Entry {
            kind: Kind::from_word(head >> KIND)?,
            silence: Duration::from_nanos(*silence),
            stillness: Duration::from_nanos(*stillness),
            slot: Slot::from_word(head >> SLOT & OF_SLOT).ok()?,
            limit: Duration::from_nanos(*limit),
            message,
        });
        words = &rest[bytes.div_ceil(8)..];
    }
    words.is_empty().then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Memory {
        header: Vec<AtomicU64>,
        tables: Vec<AtomicU64>,
    }

    impl Memory {
        fn new() -> Self {
            let words = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
            Self { header: words(layout::WORDS), tables: words(2 * layout::TABLE) }
        }

        fn write(&self, draft: &Draft) -> bool {
            write(&self.header, &self.tables, draft)
        }

        fn read(&self) -> Option<Vec<Entry>> {
            read(&self.header, &self.tables)
        }
    }

    fn terms(millis: u64) -> LeaseTerms {
        LeaseTerms::of(Duration::from_millis(millis))
    }

    fn draft(entries: &[(Kind, u64, &[u8])]) -> Draft {
        let mut draft = Draft::default();
        entries.iter().for_each(|(kind, millis, text)| draft.add(*kind, terms(*millis), text));
        draft
    }

    #[test]
    fn what_was_written_last_is_what_is_read() {
        let memory = Memory::new();
        assert_eq!(memory.read(), Some(Vec::new()));
        let kinds = [Kind::Address, Kind::Route, Kind::Rule, Kind::Link];
        for length in 0..20_usize {
            let text = vec![7; length];
            let entries: Vec<_> = kinds.iter().map(|kind| (*kind, 3609, &text[..])).collect();
            memory.write(&draft(&entries));
            let read = memory.read().unwrap();
            assert_eq!(read.iter().map(|entry| entry.kind).collect::<Vec<_>>(), kinds);
            assert!(read.iter().all(|entry| entry.message == text));
            assert_eq!(read[0].silence, Duration::from_millis(3609));
            assert_eq!(read[0].limit, Duration::from_secs(5));
        }
        memory.write(&Draft::default());
        assert_eq!(memory.read(), Some(Vec::new()));
    }

    #[test]
    fn the_guard_hears_of_what_goes_earlier_than_all_before() {
        let memory = Memory::new();
        assert!(!memory.write(&Draft::default()));
        assert!(memory.write(&draft(&[(Kind::Address, 3609, b"a")])));
        assert!(!memory.write(&draft(&[(Kind::Address, 5000, b"a")])));
        assert!(memory.write(&draft(&[(Kind::Address, 5000, b"a"), (Kind::Address, 361, b"b")])));
        assert!(!memory.write(&Draft::default()));
        assert!(memory.write(&draft(&[(Kind::Address, 5000, b"a")])));
    }

    #[test]
    fn a_full_table_leaves_the_rest_to_the_leases() {
        let memory = Memory::new();
        let mut draft = Draft::default();
        (0..10_000).for_each(|_| draft.add(Kind::Address, terms(3609), &[1; 44]));
        assert!(draft.omitted > 0);
        memory.write(&draft);
        assert_eq!(memory.read().unwrap().len() + draft.omitted, 10_000);
    }

    #[test]
    fn a_damaged_record_is_none() {
        let memory = Memory::new();
        memory.write(&draft(&[(Kind::Address, 3609, b"0123456789")]));
        let table = &memory.tables[layout::TABLE..];
        for (word, value) in [
            (3, 9 << KIND | 10),
            (3, 1 << KIND | 99),
            (3, 1 << KIND | OF_SLOT << SLOT | 10),
            (3, u64::MAX),
        ] {
            let before = table[word].swap(value, Ordering::Relaxed);
            assert_eq!(memory.read(), None, "{value:#x}");
            table[word].store(before, Ordering::Relaxed);
        }
        memory.header[layout::LENGTHS + 1].store(u64::MAX, Ordering::Relaxed);
        assert_eq!(memory.read(), None);
    }

    #[test]
    fn a_reader_never_sees_half_of_a_record() {
        let memory = Memory::new();
        let one = |byte: u8| {
            let text = [byte; 64];
            draft(&[(Kind::Address, 3609, &text[..]), (Kind::Route, 3609, &text[..])])
        };
        let drafts = [one(1), one(2), one(3)];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..20_000 {
                    memory.write(&drafts[round % 3]);
                }
            });
            for _ in 0..2_000 {
                let Some(read) = memory.read() else { continue };
                let mut bytes = read.iter().flat_map(|entry| &entry.message);
                let first = bytes.next();
                assert!(bytes.all(|byte| Some(byte) == first));
            }
        });
    }
}
