//! Whether something that is sampled all the time grows: the memory of daemons, above all.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::accounts::{resident_of, staying};
use crate::statistics::Spread;

/// Samples in a period. In ten minutes one each 353 ms: out of step with changes that are made each
/// second, so that the median of a tenth is of every phase of a change.
const SAMPLES: u32 = 1_700;

/// Samples the resident memory of daemons, each with the children that stay, in millions of bytes.
#[derive(Debug)]
pub struct MemoryWatch {
    stop: Sender<()>,
    watcher: JoinHandle<Vec<Growth>>,
}

impl MemoryWatch {
    /// Starts sampling over a period.
    pub fn start(roots: &[u32], period: Duration) -> Self {
        let mut watched: Vec<(Vec<u32>, Growth)> =
            roots.iter().map(|root| (staying(*root), Growth::over(period))).collect();
        let (stop, stopped) = channel();
        let watcher = thread::spawn(move || {
            let start = Instant::now();
            let mut number = 0;
            loop {
                for (processes, growth) in &mut watched {
                    growth.sample(start.elapsed(), resident_of(processes));
                }
                number += 1;
                let next = (period / SAMPLES * number).saturating_sub(start.elapsed());
                if stopped.recv_timeout(next) != Err(RecvTimeoutError::Timeout) {
                    return watched.into_iter().map(|(_, growth)| growth).collect();
                }
            }
        });
        Self { stop, watcher }
    }

    /// What was sampled, in the order of the roots.
    ///
    /// # Panics
    /// When a sample could not be taken.
    pub fn finish(self) -> Vec<Growth> {
        drop(self.stop);
        self.watcher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Samples of one quantity over a period.
#[derive(Debug, Clone)]
pub struct Growth {
    period: Duration,
    samples: Vec<(Duration, f64)>,
}

impl Growth {
    /// Nothing yet, of a period of this length.
    pub fn over(period: Duration) -> Self {
        Self { period, samples: Vec::new() }
    }

    /// One more, so long after the beginning.
    pub fn sample(&mut self, after: Duration, value: f64) {
        self.samples.push((after, value));
    }

    /// The median in the second tenth of the period: what is there once it has settled. None
    /// without a sample there.
    pub fn settled(&self) -> Option<f64> {
        self.median(1)
    }

    /// The median in the last tenth.
    pub fn end(&self) -> Option<f64> {
        self.median(9)
    }

    /// From the one to the other.
    pub fn growth(&self) -> Option<f64> {
        Some(self.end()? - self.settled()?)
    }

    /// The greatest of all.
    pub fn maximum(&self) -> Option<f64> {
        self.samples.iter().map(|(_, value)| *value).max_by(f64::total_cmp)
    }

    /// What it grows by in an hour: the line of least squares after the first tenth.
    pub fn hourly(&self) -> Option<f64> {
        let after = self.samples.iter().filter(|(at, _)| self.tenth(*at) > 0);
        let points: Vec<(f64, f64)> =
            after.map(|(at, value)| (at.as_secs_f64() / 3600.0, *value)).collect();
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (hours, values) = (mean(|it| it.0), mean(|it| it.1));
        let product = |it: &(f64, f64)| (it.0 - hours) * (it.1 - values);
        let (above, below) = points
            .iter()
            .map(|it| (product(it), (it.0 - hours).powi(2)))
            .fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        (below > 0.0).then(|| above / below)
    }

    fn median(&self, tenth: u128) -> Option<f64> {
        let within = self.samples.iter().filter(|(at, _)| self.tenth(*at) == tenth);
        let values: Vec<f64> = within.map(|(_, value)| *value).collect();
        Spread::of(&values).map(|spread| spread.median)
    }

    fn tenth(&self, at: Duration) -> u128 {
        (at.as_nanos() * 10 / self.period.as_nanos().max(1)).min(9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(value: impl Fn(u64) -> f64) -> Growth {
        let mut growth = Growth::over(Duration::from_secs(600));
        for second in (0..=600).step_by(10) {
            growth.sample(Duration::from_secs(second), value(second));
        }
        growth
    }

    #[test]
    fn what_settles_and_stays_does_not_grow() {
        let settling = sampled(|second| if second < 60 { second as f64 } else { 15.0 });
        assert_eq!((settling.settled(), settling.end()), (Some(15.0), Some(15.0)));
        assert_eq!((settling.growth(), settling.maximum()), (Some(0.0), Some(50.0)));
        assert!(settling.hourly().unwrap().abs() < 1e-9);
    }

    #[test]
    fn a_leak_is_seen_with_its_slope() {
        let leaking = sampled(|second| 10.0 + second as f64 / 3600.0 * 7.0);
        assert!((leaking.hourly().unwrap() - 7.0).abs() < 1e-6);
        assert!((leaking.growth().unwrap() - 7.0 * 485.0 / 3600.0).abs() < 0.02);
    }

    #[test]
    fn a_process_is_sampled_over_the_whole_period() {
        let watch = MemoryWatch::start(&[std::process::id()], Duration::from_millis(300));
        thread::sleep(Duration::from_millis(320));
        let [growth] = <[Growth; 1]>::try_from(watch.finish()).unwrap();
        assert!(growth.maximum().unwrap() > 0.5 && growth.end().unwrap() > 0.5, "{growth:?}");
    }

    #[test]
    fn nothing_is_said_of_what_was_not_sampled() {
        let empty = Growth::over(Duration::from_secs(60));
        assert_eq!((empty.growth(), empty.maximum(), empty.hourly()), (None, None, None));
    }
}
