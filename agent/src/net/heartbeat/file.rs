//! The heartbeat's file: found, judged, and made anew when it is of no use.

use super::super::shared_memory::Mapping;
use super::record::{self, Entry};
use super::{Former, layout, watch};
use crate::net::{clock, ledger};
use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::time::ClockId;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const HEADER: u64 = (layout::WORDS * size_of::<u64>()) as u64;
const ADVERTS: u64 = HEADER + (2 * layout::TABLE * size_of::<u64>()) as u64;
const SIZE: u64 = ADVERTS + (2 * layout::SLOTS * size_of::<u64>()) as u64;

pub(super) struct Opened {
    pub(super) file: OwnedFd,
    pub(super) parts: Parts,
    pub(super) former: Option<Former>,
    /// What the former incarnation had in the kernel.
    pub(super) inherited: Vec<Entry>,
}

/// What the file consists of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) header: Mapping,
    pub(super) tables: Mapping,
    pub(super) adverts: Mapping,
}

pub(super) fn open(path: &Path) -> io::Result<Opened> {
    let boot = boot();
    match open_at(path, OFlags::empty()) {
        Ok(file) => {
            if let Some(opened) = adopt(file, boot)? {
                return Ok(opened);
            }
            tracing::debug!(path = %path.display(), "the heartbeat's file is made anew");
            fs::remove_file(path)?;
        }
        Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let file = open_at(path, OFlags::CREATE | OFlags::EXCL)?;
    // Room for all of it now: a full file system must not be met by a store later (SIGBUS).
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, SIZE)?;
    let parts = map(&file)?;
    let words = parts.header.words();
    words[layout::BOOT].store(boot[0], Ordering::Relaxed);
    words[layout::BOOT + 1].store(boot[1], Ordering::Relaxed);
    words[layout::LAYOUT].store(layout::LAYOUT_VALUE, Ordering::Relaxed);
    // Last: without it the file is damaged.
    words[layout::MAGIC].store(layout::MAGIC_VALUE, Ordering::Release);
    Ok(Opened { file, parts, former: None, inherited: Vec::new() })
}

/// All of it.
pub(super) fn map(file: impl AsFd) -> io::Result<Parts> {
    let header = Mapping::of(&file, 0, layout::WORDS)?;
    header.lock();
    let tables = Mapping::of(&file, HEADER, 2 * layout::TABLE)?;
    Ok(Parts { header, tables, adverts: Mapping::of(&file, ADVERTS, 2 * layout::SLOTS)? })
}

fn open_at(path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = flags | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
}

/// The memory of a former incarnation; `None` when it cannot be carried on.
fn adopt(file: OwnedFd, boot: [u64; 2]) -> io::Result<Option<Opened>> {
    let size = u64::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or(0);
    if size < HEADER {
        return Ok(None);
    }
    let header = Mapping::of(&file, 0, layout::WORDS)?;
    let words = header.words();
    let word = |at: usize| words[at].load(Ordering::Acquire);
    let is_ours = word(layout::MAGIC) == layout::MAGIC_VALUE
        && [word(layout::BOOT), word(layout::BOOT + 1)] == boot;
    if !is_ours {
        return Ok(None);
    }
    if word(layout::LAYOUT) != layout::LAYOUT_VALUE || size != SIZE {
        // Of another version of the agent. Its guard reads this memory to the end.
        watch::take_over(words);
        return Ok(None);
    }
    let former = former(words);
    let parts = map(&file)?;
    let inherited = record::read(parts.header.words(), parts.tables.words()).unwrap_or_default();
    Ok(Some(Opened { file, parts, former, inherited }))
}

fn former(words: &[AtomicU64]) -> Option<Former> {
    let word = |at: usize| words[at].load(Ordering::Acquire);
    let pid = u32::try_from(word(layout::AGENT)).ok().filter(|pid| *pid != 0)?;
    let now = clock::nanos(ClockId::Boottime);
    let silent = Duration::from_nanos(now.saturating_sub(word(layout::BEAT_BOOTTIME)));
    let guard = u32::try_from(word(layout::GUARD)).ok().filter(|pid| *pid != 0);
    Some(Former { pid, silent, guard })
}

/// The kernel's boot id as two words; zeros when it does not say.
fn boot() -> [u64; 2] {
    let id = ledger::boot_id().replace('-', "");
    let half = |range| id.get(range).and_then(|hex| u64::from_str_radix(hex, 16).ok());
    [half(0..16).unwrap_or(0), half(16..32).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Heartbeat;

    fn change(path: &Path, word: usize, value: u64) {
        let file = open_at(path, OFlags::empty()).unwrap();
        let mapping = Mapping::of(&file, 0, layout::WORDS).unwrap();
        mapping.words()[word].store(value, Ordering::Release);
    }

    #[test]
    fn a_damaged_file_and_one_of_another_boot_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat");
        for (word, value) in [(layout::MAGIC, 1), (layout::BOOT, 2), (layout::LAYOUT, 99)] {
            drop(Heartbeat::open(&path).unwrap());
            change(&path, word, value);
            let heart = Heartbeat::open(&path).unwrap();
            assert_eq!(heart.former(), None, "word {word}");
            fs::remove_file(&path).unwrap();
        }
        for content in [&b""[..], b"nonsense"] {
            fs::write(&path, content).unwrap();
            assert_eq!(Heartbeat::open(&path).unwrap().former(), None);
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn the_guard_of_another_version_is_dismissed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat");
        let old = open(&path).unwrap().parts.header;
        let incarnation = watch::take_over(old.words());
        change(&path, layout::LAYOUT, 99);
        open(&path).unwrap();
        assert_ne!(old.words()[layout::WATCH].load(Ordering::Acquire), incarnation);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Heartbeat::open(dir.path()).is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &link).unwrap();
        assert!(Heartbeat::open(&link).is_err());
    }
}
