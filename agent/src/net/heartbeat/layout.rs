//! What is where in the heartbeat's memory, in words of 64 bits. An agent may meet the memory of
//! an older or a newer version of itself: what must be understood then is marked, and never moves.

/// Never moves: tells that a file is one of these.
pub(crate) const MAGIC: usize = 0;
/// Never moves: version of everything that may move.
pub(crate) const LAYOUT: usize = 1;
/// Never moves: two words.
pub(crate) const BOOT: usize = 2;
/// Never moves: see [`super::watch`].
pub(crate) const WATCH: usize = 4;
/// The agent's process id.
pub(crate) const AGENT: usize = 5;
/// The guard's process id; 0 while there is none.
pub(crate) const GUARD: usize = 6;
/// Until when on CLOCK_BOOTTIME silence is announced.
pub(crate) const EXCUSED_UNTIL: usize = 7;
/// When the loop last beat, on CLOCK_MONOTONIC and on CLOCK_BOOTTIME. A cache line of its own.
pub(crate) const BEAT: usize = 8;
pub(crate) const BEAT_BOOTTIME: usize = 9;

/// How often a guard removed something; when on CLOCK_MONOTONIC, and after what silence.
pub(crate) const REMOVALS: usize = 16;
pub(crate) const REMOVED_AT: usize = 17;
pub(crate) const REMOVED_SILENCE: usize = 18;

/// The shortest silence that ends something recorded; 0 while nothing is.
pub(crate) const SHORTEST: usize = 24;
/// Counts the records written; the lowest bit says in which of the two tables the latest is.
pub(crate) const TURN: usize = 25;
/// Words used of either table.
pub(crate) const LENGTHS: usize = 26;

/// The first page.
pub(crate) const WORDS: usize = 512;
/// Each of the two tables that follow it.
pub(crate) const TABLE: usize = 32 * 1024;
/// Behind those: instances whose last adverts are told, and as many words of what was taken.
pub(crate) const SLOTS: usize = 4096;

pub(crate) const MAGIC_VALUE: u64 = u64::from_be_bytes(*b"vipbeat\n");
pub(crate) const LAYOUT_VALUE: u64 = 2;
