//! Processor time and memory, as the kernel accounts for them.
//!
//! The machine's time is that of all threads there are, the kernel's among them, each of which the
//! scheduler counts in nanoseconds. (The idle time of /proc/stat is in hundredths of a second, more
//! than what a backup costs.) An interrupt that finds a processor idle is in nobody's. What
//! bystanders take is left out, and what the bench itself takes to look: it comes and goes, and
//! hides what a backup costs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::statistics::Spread;

/// What happened in a period, in milliseconds of processor time a second.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// All processors, all processes but the bench and bystanders, and the kernel's own work.
    pub machine: f64,
    /// Each of the process trees that were asked for.
    pub trees: Vec<f64>,
}

/// How often the machine is looked at.
const SLICE: Duration = Duration::from_secs(1);

/// Watches for `period`: the machine, and the trees of processes with these roots. What was written
/// to disk before is there first, so that it is not written meanwhile.
///
/// Of the trees all counts. Of the rest, the kernel's workers above all, it is what they take in
/// the median second: they serve the machine at large, too, and that in bursts.
pub fn watch(period: Duration, roots: &[u32]) -> Load {
    let bystanders = bystanders();
    nix::unistd::sync();
    let first = Look::now(roots, &bystanders);
    let (mut last, mut rest) = (first.clone(), Vec::new());
    let slices = period.div_duration_f64(SLICE).ceil() as u32;
    for _ in 0..slices {
        thread::sleep(period / slices);
        let next = Look::now(roots, &bystanders);
        let slice = last.until(&next);
        rest.push(slice.machine - slice.trees.iter().sum::<f64>());
        last = next;
    }
    let trees = first.until(&last).trees;
    let rest = Spread::of(&rest).expect("a period is not empty");
    Load { machine: trees.iter().sum::<f64>() + rest.median, trees }
}

/// What all threads have done by a moment.
#[derive(Debug, Clone)]
struct Look {
    at: Instant,
    all: Times,
    trees: Vec<Times>,
}

impl Look {
    fn now(roots: &[u32], bystanders: &[u32]) -> Self {
        let all = threads(processes().filter(|pid| !bystanders.contains(pid)));
        let trees = roots.iter().map(|root| threads(tree(*root))).collect();
        Self { at: Instant::now(), all, trees }
    }

    fn until(&self, later: &Self) -> Load {
        let elapsed = (later.at - self.at).as_secs_f64();
        let a_second = |before, after| grown(before, after).as_secs_f64() * 1e3 / elapsed;
        let trees = self.trees.iter().zip(&later.trees);
        let trees = trees.map(|(before, after)| a_second(before, after)).collect();
        Load { machine: a_second(&self.all, &later.all), trees }
    }
}

/// Threads by their ids, each with its time.
type Times = BTreeMap<u32, Duration>;

fn threads(processes: impl IntoIterator<Item = u32>) -> Times {
    let of = |pid: u32| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let all = processes.into_iter().flat_map(of);
    let timed =
        all.map(|it| Some((it.file_name().to_str()?.parse().ok()?, thread_time(&it.path()))));
    timed.flatten().collect()
}

/// What they have done meanwhile. One that began has all of its time from it; one that ended takes
/// what it did along, and nothing of what the others did.
fn grown(before: &Times, after: &Times) -> Duration {
    let since = |(id, time): (&u32, &Duration)| {
        time.saturating_sub(before.get(id).copied().unwrap_or_default())
    };
    after.iter().map(since).sum()
}

fn processes() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// This program and those that ran before it began, and the kernel's thread that looks after the
/// memory of a virtual machine. Its other threads may work for a laboratory.
fn bystanders() -> Vec<u32> {
    let this = std::process::id();
    let own = born(this).unwrap_or_default();
    let is_bystander = |pid: &u32| {
        let is_kernel = fs::read_link(format!("/proc/{pid}/exe")).is_err();
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let is_older = born(*pid).is_some_and(|it| it < own);
        *pid == this || is_older && (!is_kernel || name.starts_with("kdamond"))
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
    use std::process::{Child, Command};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_bystander_is_this_program_or_an_older_one_and_no_thread_of_the_kernel() {
        let own = std::process::id();
        assert!(born(own).is_some());
        let mut child = idler();
        let bystanders = bystanders();
        end(&mut child);
        assert!(bystanders.contains(&own) && !bystanders.contains(&2), "{bystanders:?}");
        assert!(!bystanders.contains(&child.id()), "{bystanders:?}");
        let parent = nix::unistd::getppid().as_raw().cast_unsigned();
        assert!(bystanders.contains(&parent), "{bystanders:?}");
    }

    #[test]
    fn work_of_any_other_process_is_work_of_the_machine() {
        let mut child = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let load = watch(Duration::from_millis(300), &[child.id()]);
        end(&mut child);
        assert!(load.trees[0] > 0.0 && load.machine >= load.trees[0] * 0.9, "{load:?}");
    }

    fn idler() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    fn end(child: &mut Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn work_of_this_process_is_seen() {
        let us = std::process::id();
        let time = || threads(tree(us)).into_values().sum::<Duration>();
        let before = time();
        let start = Instant::now();
        let mut sum = 0_u64;
        while time() < before + Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
            assert!(start.elapsed() < Duration::from_secs(30), "20 ms of work were not seen");
        }
        assert!(resident(us) > 0.5);
    }

    #[test]
    fn a_thread_that_ends_takes_nothing_of_the_others_along() {
        let milliseconds = |of: &[(u32, u64)]| -> Times {
            of.iter().map(|(id, time)| (*id, Duration::from_millis(*time))).collect()
        };
        let before = milliseconds(&[(1, 50), (2, 10)]);
        let after = milliseconds(&[(2, 13), (3, 4)]);
        assert_eq!(grown(&before, &after), Duration::from_millis(7));
    }

    #[test]
    fn threads_that_outnumber_the_processors_wait() {
        let count = thread::available_parallelism().map_or(1, usize::from) + 1;
        let busy = AtomicBool::new(true);
        thread::scope(|scope| {
            for _ in 0..count {
                let spin = || {
                    while busy.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                };
                thread::Builder::new().name("crowded".into()).spawn_scoped(scope, spin).unwrap();
            }
            let (us, start) = (std::process::id(), Instant::now());
            let is_over = || start.elapsed() > Duration::from_secs(30);
            while waited(us, "crowded").is_zero() && !is_over() {
                thread::sleep(Duration::from_millis(1));
            }
            busy.store(false, Ordering::Relaxed);
            assert!(!is_over(), "none of them waited");
            assert!(waited(us, "no such thread").is_zero());
        });
    }

    #[test]
    fn a_child_belongs_to_the_tree() {
        let mut child = idler();
        let found = tree(std::process::id());
        end(&mut child);
        assert!(found.contains(&child.id()), "{found:?}");
    }
}
