//! How long something took, many times over.

use serde::Serialize;
use std::time::Duration;

/// Percentiles of a set of delays, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delays {
    pub count: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Delays {
    /// Of all `delays`; `None` when there are none.
    pub fn of(mut delays: Vec<Duration>) -> Option<Self> {
        delays.sort_unstable();
        let max_ms = milliseconds(*delays.last()?);
        Some(Self {
            count: delays.len(),
            p50_ms: milliseconds(percentile(&delays, 50)),
            p99_ms: milliseconds(percentile(&delays, 99)),
            max_ms,
        })
    }
}

pub(crate) fn milliseconds(delay: Duration) -> f64 {
    (delay.as_secs_f64() * 1e6).round() / 1e3
}

/// The smallest delay that at least `percent` of all do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_percentiles() {
        assert_eq!(Delays::of(Vec::new()), None);
    }

    #[test]
    fn percentiles_are_delays_that_happened() {
        let delays = (1..=200).rev().map(Duration::from_millis).collect();
        let delays = Delays::of(delays).unwrap();
        assert_eq!((delays.p50_ms, delays.p99_ms, delays.max_ms), (100.0, 198.0, 200.0));
        let one = Delays::of(vec![Duration::from_micros(1500)]).unwrap();
        assert_eq!((one.p50_ms, one.p99_ms, one.max_ms), (1.5, 1.5, 1.5));
    }
}
