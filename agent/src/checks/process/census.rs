//! Reads /proc: who runs under a name, in this network namespace.
//!
//! Containers and network namespaces share one process table, so a name alone would also find the
//! nginx of a neighbour. Only processes in the agent's own network namespace count. A mount of
//! /proc with `hidepid` hides other users' processes from an agent without CAP_SYS_PTRACE.

use super::family::Seen;
use std::fs;
use std::io;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Longer names are cut by the kernel in /proc/PID/comm.
const COMM_MAX: usize = 15;

/// In the flags of /proc/PID/stat (the kernel's sched.h). There may be hundreds, and none serves.
const PF_KTHREAD: i64 = 0x0020_0000;

/// Who was found.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// In the agent's network namespace.
    pub(crate) here: Vec<Seen>,
    /// In other network namespaces: not counted, but worth saying.
    pub(crate) elsewhere: usize,
}

/// Everything that runs under `name`. A process that ends during the scan may be in or out.
pub(crate) fn take(name: &str) -> io::Result<Census> {
    let mut census = Census::default();
    for entry in fs::read_dir("/proc")? {
        let file_name = entry?.file_name();
        let Some(pid) = file_name.to_str().and_then(|text| text.parse::<i32>().ok()) else {
            continue;
        };
        let Some(stat) = living(pid) else { continue };
        if stat.kernel_thread || !is_called(pid, &stat.comm, name) {
            continue;
        }
        if shares_network(pid) {
            census.here.push(stat.seen);
        } else {
            census.elsewhere += 1;
        }
    }
    Ok(census)
}

/// The process `pid`, unless it has ended, reaped or not.
pub(crate) fn living(pid: i32) -> Option<Stat> {
    let bytes = fs::read(proc(pid, "stat")).ok()?;
    Stat::parse(&bytes).filter(|stat| !stat.ended)
}

/// What of /proc/PID/stat matters here (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) seen: Seen,
    comm: Vec<u8>,
    ended: bool,
    kernel_thread: bool,
}

impl Stat {
    fn parse(bytes: &[u8]) -> Option<Self> {
        // The name may hold spaces and parentheses; the last one closes it.
        let open = bytes.iter().position(|&b| b == b'(')?;
        let close = bytes.iter().rposition(|&b| b == b')')?;
        let pid = std::str::from_utf8(bytes.get(..open)?).ok()?.trim().parse().ok()?;
        let comm = bytes.get(open + 1..close)?.to_vec();
        let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<i64>().ok();
        let (state, flags, threads) = (*fields.first()?, number(6)?, number(17)?);
        let seen = Seen {
            pid,
            parent: number(1)?.try_into().ok()?,
            session: number(3)?.try_into().ok()?,
            started: fields.get(19)?.parse().ok()?,
        };
        // A main thread that left before its other threads shows as a zombie, too.
        let ended = matches!(state, "X" | "x") || (state == "Z" && threads <= 1);
        let kernel_thread = flags & PF_KTHREAD != 0;
        Some(Self { seen, comm, ended, kernel_thread })
    }
}

fn is_called(pid: i32, comm: &[u8], name: &str) -> bool {
    if comm == name.as_bytes() && name.len() <= COMM_MAX {
        return true;
    }
    let Ok(command_line) = fs::read(proc(pid, "cmdline")) else {
        return false;
    };
    let first = command_line.split(|&b| b == 0).next().unwrap_or_default();
    let base = first.rsplit(|&b| b == b'/').next().unwrap_or_default();
    !base.is_empty() && base == name.as_bytes()
}

/// Whether `pid` is in the network namespace of this thread.
fn shares_network(pid: i32) -> bool {
    let own = Path::new("/proc/thread-self");
    match fs::read_link(proc(pid, "ns/net")) {
        Ok(theirs) => fs::read_link(own.join("ns/net")).is_ok_and(|ours| ours == theirs),
        // The link takes ptrace rights, which an agent of few capabilities lacks over root's
        // processes. Each network namespace also has its own files in /proc/PID/net, and those
        // may be looked at.
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => {
            let inode = |path: PathBuf| fs::metadata(path).map(|file| file.st_ino());
            match (inode(proc(pid, "net/dev")), inode(own.join("net/dev"))) {
                (Ok(theirs), Ok(ours)) => theirs == ours,
                _ => false,
            }
        }
        Err(_) => false,
    }
}

fn proc(pid: i32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(comm: &str, state: &str, threads: u32) -> Vec<u8> {
        format!("7 ({comm}) {state} 3 6 5 0 -1 4194560 0 0 0 0 1 2 0 0 20 0 {threads} 0 4242 1 2\n")
            .into_bytes()
    }

    #[test]
    fn a_stat_line_gives_parent_session_and_start() {
        let stat = Stat::parse(&line("nginx", "S", 1)).unwrap();
        assert_eq!(stat.seen, Seen { pid: 7, parent: 3, session: 5, started: 4242 });
        assert_eq!((stat.comm.as_slice(), stat.ended), (&b"nginx"[..], false));
    }

    #[test]
    fn a_name_may_hold_anything() {
        for comm in ["a) S 1 (b", "", "((", "x y z", "\u{fffd}"] {
            let stat = Stat::parse(&line(comm, "R", 1)).unwrap();
            assert_eq!((stat.comm, stat.seen.parent), (comm.as_bytes().to_vec(), 3));
        }
    }

    #[test]
    fn a_zombie_has_ended_unless_other_threads_live() {
        for (state, threads, ended) in
            [("Z", 1, true), ("X", 1, true), ("Z", 3, false), ("S", 1, false), ("D", 1, false)]
        {
            assert_eq!(Stat::parse(&line("x", state, threads)).unwrap().ended, ended, "{state}");
        }
    }

    #[test]
    fn a_kernel_thread_is_told_by_its_flags() {
        let stat = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0\n";
        assert!(Stat::parse(stat).unwrap().kernel_thread);
        assert!(!Stat::parse(&line("nginx", "S", 1)).unwrap().kernel_thread);
    }

    #[test]
    fn a_torn_line_is_no_process() {
        let whole = line("nginx", "S", 1);
        let start_time = whole.len() - b"4242 1 2\n".len();
        for length in 0..start_time {
            assert!(Stat::parse(&whole[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn this_process_shares_its_own_network() {
        let own = std::process::id() as i32;
        assert!(shares_network(own));
        assert!(living(own).is_some());
    }
}
