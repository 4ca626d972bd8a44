//! What a handful of readings comes to. Pure.

/// The least, the middle and the greatest of some readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The least.
    pub minimum: f64,
    /// The middle one; the mean of the two in the middle when their number is even.
    pub median: f64,
    /// The greatest.
    pub maximum: f64,
}

impl Spread {
    /// None without a reading.
    pub fn of(readings: &[f64]) -> Option<Self> {
        let sorted = sorted(readings);
        let (minimum, maximum) = (*sorted.first()?, *sorted.last()?);
        let median = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Self { minimum, median, maximum })
    }
}

/// The smallest reading that at least `share` of all do not exceed; None without a reading.
pub fn percentile(readings: &[f64], share: f64) -> Option<f64> {
    let sorted = sorted(readings);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

fn sorted(readings: &[f64]) -> Vec<f64> {
    let mut sorted = readings.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_the_readings_whatever_their_order() {
        let spread = Spread::of(&[5.0, 1.0, 3.0]).unwrap();
        assert_eq!(spread, Spread { minimum: 1.0, median: 3.0, maximum: 5.0 });
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 9.0]).unwrap().median, 3.0);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn a_percentile_is_one_of_the_readings() {
        let readings: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&readings, 0.99), Some(99.0));
        assert_eq!(percentile(&readings, 1.0), Some(100.0));
        assert_eq!(percentile(&readings, 0.0), Some(1.0));
        assert_eq!(percentile(&[7.0], 0.5), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
