//! Processor time and memory, as the kernel accounts for them.
//!
//! The machine's time is that of all threads there are, the kernel's among them, each of which the
//! scheduler counts in nanoseconds. (The idle time of /proc/stat is in hundredths of a second, more
//! than what a backup costs.) An interrupt that finds a processor idle is in nobody's. What
//! bystanders take is left out: it comes and goes, and hides what a backup costs.

use std::collections::BTreeMap;
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
    let times = || -> BTreeMap<u32, Duration> {
        let all = processes().filter(|pid| !bystanders.contains(pid));
        all.map(|pid| (pid, process_time(pid))).collect()
    };
    let of_trees = || -> Vec<Duration> { roots.iter().map(|root| tree_time(*root)).collect() };
    let start = Instant::now();
    let (before, trees_before) = (times(), of_trees());
    thread::sleep(period);
    let (after, trees_after) = (times(), of_trees());
    let elapsed = start.elapsed();
    let a_second = |time: Duration| time.as_secs_f64() * 1e3 / elapsed.as_secs_f64();
    // What began meanwhile has all of its time from it; what ended is lost, and there is little.
    let since = |(pid, time): (&u32, &Duration)| {
        time.saturating_sub(before.get(pid).copied().unwrap_or_default())
    };
    let trees = trees_before.iter().zip(trees_after);
    Load {
        machine: a_second(after.iter().map(since).sum()),
        trees: trees.map(|(before, after)| a_second(after.saturating_sub(*before))).collect(),
    }
}

fn processes() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Programs that ran before this one began, and the kernel's thread that looks after the memory of
/// a virtual machine. Its other threads may work for a laboratory.
fn bystanders() -> Vec<u32> {
    let own = born(std::process::id()).unwrap_or_default();
    let is_bystander = |pid: &u32| {
        let is_kernel = fs::read_link(format!("/proc/{pid}/exe")).is_err();
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        born(*pid).is_some_and(|it| it < own) && (!is_kernel || name.starts_with("kdamond"))
    };
    processes().filter(is_bystander).collect()
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
    use std::sync::atomic::{AtomicBool, Ordering};

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
    fn work_of_any_process_is_work_of_the_machine() {
        let busy = AtomicBool::new(true);
        let load = thread::scope(|scope| {
            scope.spawn(|| {
                while busy.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            let load = watch(Duration::from_millis(300), &[std::process::id()]);
            busy.store(false, Ordering::Relaxed);
            load
        });
        assert!(load.trees[0] > 0.0 && load.machine >= load.trees[0] * 0.9, "{load:?}");
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
