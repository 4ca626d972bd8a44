//! What a line of the table is: some work, who does it, and what is asked of the readings.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// keepalived as Debian ships it.
    Keepalived,
    /// Our own programs.
    Ours,
    /// The least that the work costs by other means, measured in the same run.
    Yardstick,
}

/// How much time a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// A look: under five minutes for all lines.
    Quick,
    /// What is quoted.
    Full,
}

impl Effort {
    /// One of the two.
    pub fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pick("quick", "full"))
    }
}

/// How many runs are made at once that mostly wait, each in a laboratory of its own.
pub const ABREAST: usize = 7;

/// Which of the runs of one subject this is.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// From 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
    /// How long each may take.
    pub effort: Effort,
}

impl Turn {
    /// A moment within `period`: the turns of one subject are spread evenly over it, so that no
    /// subject meets a better phase than another.
    pub fn phase(self, period: Duration) -> Duration {
        period.mul_f64((self.index as f64 + 0.5) / self.of.max(1) as f64)
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// A number of things.
    Count,
    /// Milliseconds of processor time in each second.
    MillisecondsPerSecond,
    /// Millions of bytes.
    Megabytes,
    /// The same that come in an hour.
    MegabytesPerHour,
    /// Hundredths of one processor.
    Percent,
}

impl Unit {
    /// As the table has it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Count => "",
            Self::MillisecondsPerSecond => "ms/s",
            Self::Megabytes => "MB",
            Self::MegabytesPerHour => "MB/h",
            Self::Percent => "%",
        }
    }
}

/// What is asked of our readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Our median is at most so many times keepalived's.
    OfKeepalived(f64),
    /// Our median is at most so many times the yardstick's.
    OfYardstick(f64),
    /// Our median is at most this.
    Median(f64),
    /// None of our readings is above this.
    Every(f64),
    /// Shown beside the others.
    Open,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `F1`, or `S4 1 s` for a second row of the same work. Unique; the key of its readings.
    pub id: &'static str,
    /// What is done and what is counted.
    pub work: &'static str,
    /// In what it is counted.
    pub unit: Unit,
    /// The least that protocol or kernel allow.
    pub limit: &'static str,
    /// What is asked.
    pub target: Target,
}

/// What one run found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Readings {
    /// By the id of the row, in its unit.
    pub values: BTreeMap<String, f64>,
    /// Gaps that a client saw, in milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<f64>,
}

impl Readings {
    /// One reading.
    pub fn one(row: &str, value: f64) -> Self {
        Self::default().with(row, value)
    }

    /// One more.
    #[must_use]
    pub fn with(mut self, row: &str, value: f64) -> Self {
        self.values.insert(row.to_owned(), value);
        self
    }

    /// The gaps that a client saw; without one, a gap of zero.
    #[must_use]
    pub fn with_gaps(mut self, gaps: impl IntoIterator<Item = Duration>) -> Self {
        self.gaps = gaps.into_iter().map(milliseconds).collect();
        if self.gaps.is_empty() {
            self.gaps.push(0.0);
        }
        self
    }
}

/// A duration as a reading.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Some work that every subject does in the same way.
pub trait Line: fmt::Debug + Sync {
    /// The rows that its readings make, the first one naming the line.
    fn rows(&self) -> Vec<Row>;

    /// Who does it, in this order and in the opposite one by turns.
    fn subjects(&self) -> &'static [Subject] {
        &[Subject::Keepalived, Subject::Ours]
    }

    /// How often each does it.
    fn runs(&self, subject: Subject, effort: Effort) -> usize;

    /// How many of these runs may be made at once: [`ABREAST`] where they mostly wait, and what is
    /// counted does not depend on a millisecond.
    fn abreast(&self) -> usize {
        1
    }

    /// Does it once. A laboratory that does not work panics; that is recorded as a failed run.
    fn run(&self, subject: Subject, turn: Turn) -> Readings;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_spread_evenly_over_a_period() {
        let phase = |index| {
            let turn = Turn { index, of: 4, effort: Effort::Full };
            turn.phase(Duration::from_secs(2)).as_millis()
        };
        assert_eq!([0, 1, 2, 3].map(phase), [250, 750, 1250, 1750]);
    }

    #[test]
    fn a_client_that_lost_nothing_is_a_gap_of_zero() {
        assert_eq!(Readings::default().with_gaps([]).gaps, [0.0]);
        let gap = Duration::from_millis(7);
        assert_eq!(Readings::default().with_gaps([gap]).gaps, [7.0]);
    }
}
