//! Whether the machine itself stood still, as a virtual one does while its host does something
//! else: then nothing on it was on time, whoever is measured. A thread on each processor, before
//! all others, sleeps and looks how late it woke. What holds up one thread alone it does not see:
//! memory that the host took away and has to fetch before that thread can go on.

use std::fs;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

const NAP: Duration = Duration::from_millis(2);

/// Watches until it is asked.
#[derive(Debug)]
pub struct StandstillWatch {
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Duration>>,
}

impl StandstillWatch {
    /// Begins.
    pub fn start() -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let count = thread::available_parallelism().map_or(1, usize::from);
        let watch = |processor| {
            let ends = Arc::clone(&ends);
            thread::spawn(move || {
                come_first_on(processor);
                let mut longest = Duration::ZERO;
                while !ends.load(Ordering::Relaxed) {
                    let before = Instant::now();
                    thread::sleep(NAP);
                    longest = longest.max(before.elapsed().saturating_sub(NAP));
                }
                longest
            })
        };
        let threads = (0..count).map(watch).collect();
        Self { ends, threads }
    }

    /// The longest time that a processor did nothing for anybody.
    pub fn finish(self) -> Duration {
        self.ends.store(true, Ordering::Relaxed);
        let longest = self.threads.into_iter().map(|it| it.join().expect("it does not panic"));
        longest.max().unwrap_or_default()
    }
}

/// This thread alone, on one processor, before every thread of the ordinary policy.
fn come_first_on(processor: usize) {
    let this = Pid::from_raw(0);
    let mut only = CpuSet::new();
    only.set(processor).expect("there is such a processor");
    sched_setaffinity(this, &only).expect("it is ours to use");
    // SAFETY: the kernel reads a structure that outlives the call.
    let set = unsafe {
        let mut parameters: libc::sched_param = mem::zeroed();
        parameters.sched_priority = 50;
        libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters)
    };
    assert_eq!(set, 0, "realtime priorities need root");
}

/// How often a thread of this machine has slept until the host had fetched its memory (KVM's
/// asynchronous page faults), since the machine began. 0 on one that has no host.
pub fn fetched() -> u64 {
    hypervisor_callbacks(&fs::read_to_string("/proc/interrupts").unwrap_or_default())
}

/// The end of each such sleep is an interrupt of this name (proc(5), `/proc/interrupts`).
fn hypervisor_callbacks(interrupts: &str) -> u64 {
    let counts = interrupts.lines().find_map(|line| line.trim_start().strip_prefix("HYP:"));
    let counts = counts.unwrap_or_default().split_whitespace();
    counts.map_while(|it| it.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_of_all_processors_are_one_sum() {
        let interrupts = concat!(
            "           CPU0       CPU1\n",
            " RES:     12948      12681   Rescheduling interrupts\n",
            " HYP:        83         32   Hypervisor callback interrupts\n",
        );
        assert_eq!(hypervisor_callbacks(interrupts), 115);
        assert_eq!(hypervisor_callbacks("RES: 1 2 Rescheduling"), 0);
    }

    #[test]
    fn no_processor_wakes_as_early_as_it_was_asked_to() {
        let watch = StandstillWatch::start();
        thread::sleep(NAP * 10);
        assert!(watch.finish() > Duration::ZERO);
    }
}
