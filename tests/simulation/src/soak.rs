//! Runs many seeds on all processors.

use crate::checker::Violation;
use crate::mutation::Mutation;
use crate::plan::Plan;
use crate::simulation::run;
use crate::trace::Trace;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Seeds taken at a time.
const BATCH: u64 = 16;

/// How a range of seeds went.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub seeds: u64,
    /// In order of the seeds.
    pub failures: Vec<(u64, Violation)>,
    pub elections: u64,
    pub adverts: u64,
    /// How long all the simulated fleets ran.
    pub simulated: Duration,
    pub took: Duration,
}

/// Runs every seed of the range.
pub fn soak(seeds: Range<u64>) -> Summary {
    let began = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let parts = std::thread::scope(|scope| {
        let work = || worker(&next, seeds.end);
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join()).collect::<Vec<_>>()
    });
    let mut summary = Summary::default();
    for part in parts {
        let part = part.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        summary.seeds += part.seeds;
        summary.failures.extend(part.failures);
        summary.elections += part.elections;
        summary.adverts += part.adverts;
        summary.simulated += part.simulated;
    }
    summary.failures.sort_by_key(|(seed, _)| *seed);
    summary.took = began.elapsed();
    summary
}

fn worker(next: &AtomicU64, end: u64) -> Summary {
    let mut summary = Summary::default();
    loop {
        let first = next.fetch_add(BATCH, Ordering::Relaxed);
        if first >= end {
            return summary;
        }
        for seed in first..end.min(first + BATCH) {
            let outcome = run(&Plan::draw(seed), Mutation::None, Trace::default());
            summary.seeds += 1;
            summary.elections += outcome.elected.len() as u64;
            summary.adverts += outcome.adverts;
            summary.simulated += outcome.span;
            summary.failures.extend(outcome.violation.map(|violation| (seed, violation)));
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        write!(
            f,
            "{} seeds in {seconds:.1} s ({:.0} seeds/s), {} failing; {:.1} simulated hours, \
             {} elections, {} adverts",
            self.seeds,
            self.seeds as f64 / seconds,
            self.failures.len(),
            self.simulated.as_secs_f64() / 3600.0,
            self.elections,
            self.adverts
        )
    }
}
