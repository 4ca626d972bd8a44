//! Giving back what only the start needed: pages of the program and its libraries that ran once.
//! Called when everything is open and before the guard first sleeps.

use rustix::mm::{Advice, madvise};
use std::fs;
use std::ops::Range;

/// Drops the pages of all code; what is needed again comes from the page cache. Best effort.
pub(super) fn forget_the_start() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for code in maps.lines().filter_map(code) {
        let start = std::ptr::without_provenance_mut(code.start);
        // SAFETY: private mappings of files that are never written: what is dropped is read from
        // the file again, unchanged.
        let _ = unsafe { madvise(start, code.len(), Advice::LinuxDontNeed) };
    }
}

/// Where a line of `/proc/PID/maps` (proc_pid_maps(5)) says that code of a file lies.
fn code(line: &str) -> Option<Range<usize>> {
    let mut words = line.split_whitespace();
    let (range, rights, _offset, _device) =
        (words.next()?, words.next()?, words.next()?, words.next()?);
    let (inode, path) = (words.next()?, words.next()?);
    if rights != "r-xp" || inode == "0" || !path.starts_with('/') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    Some(number(start)?..number(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_files_is_dropped() {
        let seen = code("7f00-7f80 r-xp 00028000 fe:00 1234    /usr/lib/libc.so.6");
        assert_eq!(seen, Some(0x7f00..0x7f80));
        let others = [
            "7f00-7f80 rw-p 00028000 fe:00 1234 /usr/lib/libc.so.6",
            "7f00-7f80 r--p 00028000 fe:00 1234 /usr/lib/libc.so.6",
            "7f00-7f80 r-xp 00000000 00:00 0 [vdso]",
            "7f00-7f80 rwxp 00000000 00:00 0",
            "",
        ];
        for line in others {
            assert_eq!(code(line), None, "{line}");
        }
    }

    #[test]
    fn a_process_lives_on_without_the_pages_of_its_start() {
        forget_the_start();
        assert!(
            fs::read_to_string("/proc/self/maps").unwrap().lines().any(|it| code(it).is_some())
        );
    }
}
