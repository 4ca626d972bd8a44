//! From "sent then, answered then" to lost probes and gaps. Pure.

use std::fmt;
use std::time::Duration;

/// A run of unanswered probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// When its first probe was sent, counted from the start of the run.
    pub start: Duration,
    /// From its first unanswered probe to the next answered one, or to the end of the run.
    pub length: Duration,
    /// How many probes were lost in it.
    pub lost: usize,
}

/// What a client lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    /// Probes sent.
    pub sent: usize,
    /// Probes without an answer.
    pub lost: usize,
    /// Every run of unanswered probes, in order.
    pub gaps: Vec<Gap>,
    /// The longest that an answered probe had to wait for its answer.
    pub slowest_answer: Duration,
    /// The longest pause between two probes: how late the prober itself was scheduled. A gap
    /// shorter than this cannot be seen.
    pub longest_pause: Duration,
    /// How often the client's neighbour entry was really removed.
    pub neighbour_flushes: usize,
}

/// One probe: sent at, answered after.
pub(super) type Sample = (Duration, Option<Duration>);

impl Losses {
    /// Judges a finished run. `end` is when the last probe's answer would have counted.
    pub(super) fn of(samples: &[Sample], end: Duration) -> Self {
        let mut losses = Self { sent: samples.len(), ..Self::default() };
        let mut open: Option<Gap> = None;
        let mut previous: Option<Duration> = None;
        for &(sent_at, answer) in samples {
            if let Some(previous) = previous {
                losses.longest_pause = losses.longest_pause.max(sent_at.saturating_sub(previous));
            }
            previous = Some(sent_at);
            match answer {
                Some(delay) => {
                    losses.slowest_answer = losses.slowest_answer.max(delay);
                    losses.close(open.take(), sent_at);
                }
                None => {
                    losses.lost += 1;
                    open.get_or_insert(Gap { start: sent_at, length: Duration::ZERO, lost: 0 })
                        .lost += 1;
                }
            }
        }
        losses.close(open, end);
        losses
    }

    /// The length of the longest gap; zero when there was none.
    pub fn longest_gap(&self) -> Duration {
        self.gaps.iter().map(|gap| gap.length).max().unwrap_or_default()
    }

    fn close(&mut self, gap: Option<Gap>, at: Duration) {
        if let Some(gap) = gap {
            self.gaps.push(Gap { length: at.saturating_sub(gap.start), ..gap });
        }
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        write!(f, "sent {} lost {}", self.sent, self.lost)?;
        write!(f, ", longest gap {:.0} ms", milliseconds(self.longest_gap()))?;
        write!(f, ", slowest answer {:.1} ms", milliseconds(self.slowest_answer))?;
        write!(f, ", prober's longest pause {:.1} ms", milliseconds(self.longest_pause))?;
        if self.neighbour_flushes > 0 {
            write!(f, ", neighbour flushed {} times", self.neighbour_flushes)?;
        }
        for gap in &self.gaps {
            let (start, length) = (gap.start.as_secs_f64(), milliseconds(gap.length));
            write!(f, "\n  gap at {start:.3} s: {length:.0} ms, {} lost", gap.lost)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn answered(at: u64) -> Sample {
        (ms(at), Some(Duration::from_micros(100)))
    }

    fn lost(at: u64) -> Sample {
        (ms(at), None)
    }

    #[test]
    fn a_gap_lasts_from_the_first_lost_probe_to_the_next_answered_one() {
        let samples = [answered(0), lost(1), lost(2), answered(3), lost(4), answered(9)];
        let losses = Losses::of(&samples, ms(10));
        assert_eq!((losses.sent, losses.lost), (6, 3));
        let gaps = vec![
            Gap { start: ms(1), length: ms(2), lost: 2 },
            Gap { start: ms(4), length: ms(5), lost: 1 },
        ];
        assert_eq!(losses.gaps, gaps);
        assert_eq!((losses.longest_gap(), losses.longest_pause), (ms(5), ms(5)));
    }

    #[test]
    fn a_gap_that_never_ended_lasts_to_the_end_of_the_run() {
        let losses = Losses::of(&[answered(0), lost(1), lost(2)], ms(40));
        assert_eq!(losses.gaps, vec![Gap { start: ms(1), length: ms(39), lost: 2 }]);
    }

    #[test]
    fn answers_throughout_are_no_gap() {
        let losses = Losses::of(&[answered(0), answered(1)], ms(2));
        assert_eq!((losses.lost, losses.gaps.len(), losses.longest_gap()), (0, 0, ms(0)));
    }
}
