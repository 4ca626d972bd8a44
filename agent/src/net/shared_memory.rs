//! Memory that outlives this process, or that another one sees: a mapped file. The only place of
//! the kernel side that is unsafe for it; everything above sees a slice of atomics.

use rustix::mm::{MapFlags, ProtFlags, mlock, mmap, munmap};
use std::io;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// A part of a file, shared with whoever else maps it.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: the memory belongs to no thread, and atomics are all that is ever made of it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `words` words from byte `offset` (whole pages). The file must be that long and stay
    /// so: touching what is not there any more kills the process (SIGBUS).
    pub(crate) fn of(file: impl AsFd, offset: u64, words: usize) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let length = words * size_of::<AtomicU64>();
        // SAFETY: a new mapping at an address of the kernel's choice aliases nothing of ours.
        let start = unsafe {
            mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, file, offset)
        }?;
        let start = NonNull::new(start.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Self { start, words })
    }

    /// Keeps it from being swapped out. Best effort: what is swapped out costs a fault.
    pub(crate) fn lock(&self) {
        let length = self.words * size_of::<AtomicU64>();
        // SAFETY: the range is mapped as long as `self` lives.
        let _ = unsafe { mlock(self.start.as_ptr().cast(), length) };
    }

    /// The memory.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page aligned, that long, and lives as long as `self`. Whoever
        // else writes it does so through atomics; every bit pattern is a valid one.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let length = self.words * size_of::<AtomicU64>();
        // SAFETY: mapped by `of` with this length; the borrows of `words` have ended.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), length) };
    }
}
