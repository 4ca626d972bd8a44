//! Processor time and memory, as the kernel accounts for them.
//!
//! The machine's time is what is left of the wall clock when the idle time is taken away: with
//! tick-based accounting the kernel counts idleness exactly, and work only by samples. What
//! bystanders take is taken away as well: it comes and goes, and hides what a backup costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// What happened in a period, in milliseconds of processor time a second.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// All processors, all processes but bystanders, and the kernel's own work.
    pub machine: f64,
    /// Each of the process trees that were asked for.
    pub trees: Vec<f64>,
}

/// Watches for `period`: the machine, and the trees of processes with these roots.
pub fn watch(period: Duration, roots: &[u32]) -> Load {
    let bystanders = bystanders();
    let start = Instant::now();
    let idle = idle_time();
    let before: Vec<Duration> = roots.iter().map(|root| tree_time(*root)).collect();
    let others: Vec<Duration> = bystanders.iter().map(|pid| process_time(*pid)).collect();
    thread::sleep(period);
    let after: Vec<Duration> = roots.iter().map(|root| tree_time(*root)).collect();
    let others = bystanders.iter().zip(others);
    let others: Duration =
        others.map(|(pid, before)| process_time(*pid).saturating_sub(before)).sum();
    let idle = idle_time().saturating_sub(idle);
    let elapsed = start.elapsed();
    let processors = thread::available_parallelism().map_or(1, usize::from) as f64;
    let a_second = |time: Duration| time.as_secs_f64() * 1e3 / elapsed.as_secs_f64();
    let trees = before.iter().zip(after).map(|(before, after)| after.saturating_sub(*before));
    let machine = processors * 1e3 - a_second(idle + others);
    Load { machine, trees: trees.map(a_second).collect() }
}

/// Programs that ran before this one began, and the kernel's thread that looks after the memory of
/// a virtual machine. Its other threads may work for a laboratory.
fn bystanders() -> Vec<u32> {
    let own = born(std::process::id()).unwrap_or_default();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_bystander = |pid: &u32| {
        let is_kernel = fs::read_link(format!("/proc/{pid}/exe")).is_err();
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        born(*pid).is_some_and(|it| it < own) && (!is_kernel || name.starts_with("kdamond"))
    };
    all.filter(is_bystander).collect()
}

/// When a process began, in ticks since the machine did (proc(5), `starttime`).
fn born(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name may have spaces and parentheses in it.
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19)?.parse().ok()
}

/// Resident memory of a process and all that it started, in millions of bytes.
pub fn resident(root: u32) -> f64 {
    resident_of(&tree(root))
}

/// A process and those of its children that stay, as opposed to what it runs for a moment.
pub fn staying(root: u32) -> Vec<u32> {
    let mut staying = tree(root);
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(50));
        let still = tree(root);
        staying.retain(|pid| still.contains(pid));
    }
    staying
}

/// Resident memory of these processes, in millions of bytes.
pub fn resident_of(processes: &[u32]) -> f64 {
    let kilobytes = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|it| it.trim().split(' ').next()?.parse::<f64>().ok()).unwrap_or_default()
    };
    processes.iter().copied().map(kilobytes).sum::<f64>() * 1024.0 / 1e6
}

/// Idle, waiting for disks, and stolen by other machines: the first line of /proc/stat, in
/// hundredths of a second (proc(5)).
fn idle_time() -> Duration {
    let text = fs::read_to_string("/proc/stat").expect("proc is mounted");
    Duration::from_millis(idle_ticks(&text).expect("its first line is of all processors") * 10)
}

fn idle_ticks(stat: &str) -> Option<u64> {
    let fields: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).flat_map(str::parse).collect();
    Some(fields.get(3)? + fields.get(4)? + fields.get(7)?)
}

fn tree_time(root: u32) -> Duration {
    tree(root).into_iter().map(process_time).sum()
}

fn process_time(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.map(|thread| thread_time(&thread.path())).sum()
}

/// The time of one thread, exactly, by its directory in /proc; zero when it is gone.
pub fn thread_time(directory: &Path) -> Duration {
    schedstat(directory, 0)
}

/// How long the threads of this name in a tree of processes have waited for a processor.
pub fn waited(root: u32, name: &str) -> Duration {
    let of = |pid: u32| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let threads = tree(root).into_iter().flat_map(of).map(|thread| thread.path());
    let is_named = |thread: &PathBuf| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    threads.filter(is_named).map(|thread| schedstat(&thread, 1)).sum()
}

/// Time that a thread ran (0) or waited to run (1): /proc/PID/task/TID/schedstat, in nanoseconds.
fn schedstat(directory: &Path, field: usize) -> Duration {
    let text = fs::read_to_string(directory.join("schedstat")).unwrap_or_default();
    let nanoseconds = text.split(' ').nth(field).and_then(|it| it.parse().ok());
    nanoseconds.map(Duration::from_nanos).unwrap_or_default()
}

/// A process and all that it started and that has not been left behind, itself first.
pub fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let children: Vec<u32> = tasks
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
            .flat_map(|text| text.split_whitespace().flat_map(str::parse).collect::<Vec<u32>>())
            .collect();
        found.extend(children);
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bystander_is_older_and_no_thread_of_the_kernel() {
        let own = std::process::id();
        assert!(born(own).is_some());
        let bystanders = bystanders();
        assert!(!bystanders.contains(&own) && !bystanders.contains(&2), "{bystanders:?}");
        let parent = nix::unistd::getppid().as_raw().cast_unsigned();
        assert!(bystanders.contains(&parent), "{bystanders:?}");
    }

    #[test]
    fn idleness_is_idle_waiting_and_stolen() {
        let stat = "cpu  100 2 30 4000 50 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(idle_ticks(stat), Some(4058));
        assert_eq!(idle_ticks("cpu 1 2"), None);
    }

    #[test]
    fn work_of_this_process_is_seen() {
        let us = std::process::id();
        let before = tree_time(us);
        let start = Instant::now();
        let mut sum = 0_u64;
        while tree_time(us) < before + Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
            assert!(start.elapsed() < Duration::from_secs(30), "20 ms of work were not seen");
        }
        assert!(resident(us) > 0.5);
        assert!(waited(us, "no such thread").is_zero());
    }

    #[test]
    fn a_child_belongs_to_the_tree() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = tree(std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&child.id()), "{found:?}");
    }
}
