//! Names of the laboratory's namespaces and directories, and removal of those whose maker is dead.
//!
//! A name carries its maker's pid and start time, so that a later process which happens to get
//! the same pid is not taken for the maker.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::ip;

const PREFIX: &str = "vflab";

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A prefix that no other laboratory on this machine uses.
pub(super) fn unique_prefix() -> String {
    let pid = std::process::id();
    let started = start_time(pid).expect("this process is in /proc");
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}-{pid}-{started}-{number}")
}

/// Deletes every namespace and directory of a laboratory whose maker is gone. Two runs may sweep
/// at once: the other one being faster is fine.
pub(super) fn sweep() {
    for name in stale_entries(Path::new("/run/netns")) {
        let _ = ip::try_run(&["netns", "delete", &name]);
    }
    let directories = std::env::temp_dir();
    for name in stale_entries(&directories) {
        let _ = fs::remove_dir_all(directories.join(name));
    }
}

fn stale_entries(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| is_stale(name))
        .collect()
}

fn is_stale(name: &str) -> bool {
    let mut parts = name.split('-');
    if parts.next() != Some(PREFIX) {
        return false;
    }
    let number = |part: Option<&str>| part.and_then(|text| text.parse::<u64>().ok());
    let (Some(pid), Some(started)) = (number(parts.next()), number(parts.next())) else {
        return false;
    };
    u32::try_from(pid).ok().and_then(start_time) != Some(started)
}

/// Field 22 of `/proc/PID/stat`, in clock ticks since boot (proc(5)). None when there is no such
/// process.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name, field 2, may contain spaces and parentheses.
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_makers_namespace_is_not_stale() {
        assert!(!is_stale(&format!("{}-n1", unique_prefix())));
    }

    #[test]
    fn a_namespace_of_an_earlier_process_with_our_pid_is_stale() {
        assert!(is_stale(&format!("{PREFIX}-{}-1-0-n1", std::process::id())));
    }

    #[test]
    fn names_of_others_are_never_stale() {
        for name in ["vflab", "vflab-x-1-0", "red", "other-1-1-0-n1"] {
            assert!(!is_stale(name), "{name}");
        }
    }
}
