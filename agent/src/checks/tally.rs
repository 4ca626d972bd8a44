//! Counting: from single probe outcomes to the status of a check.
//!
//! Two stages. First rise/fall: so many outcomes in a row turn the counted state. Then the down
//! delay: a counted down is published only once it has lasted. The first outcome counts at once,
//! whichever it is, as in keepalived: there is no earlier status to protect.
//!
//! Called by the task of each check. No clock: the time is handed in.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use vipfleet_model::check::Check;
use vipfleet_model::report::CheckStatus;

/// What one probe found: `Ok` passes, `Err` fails, either with a line for the operator.
pub(crate) type Outcome = Result<String, String>;

/// How outcomes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counting {
    rise: u16,
    fall: u16,
    down_delay: Duration,
}

impl From<&Check> for Counting {
    fn from(check: &Check) -> Self {
        Self { rise: check.rise.max(1), fall: check.fall.max(1), down_delay: check.down_delay.0 }
    }
}

/// A status to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) status: CheckStatus,
    pub(crate) detail: String,
}

/// A count as it stands, for the next image of the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    counted: CheckStatus,
    against: u16,
    /// How long it has counted as down.
    down_for: Option<Duration>,
    published: CheckStatus,
    detail: String,
}

impl Counted {
    /// What the check said last.
    pub(crate) fn published(&self) -> Change {
        Change { status: self.published, detail: self.detail.clone() }
    }
}

/// The count of one check.
#[derive(Debug)]
pub(crate) struct Tally {
    counting: Counting,
    /// After rise/fall, before the down delay.
    counted: CheckStatus,
    /// Outcomes in a row that contradict `counted`.
    against: u16,
    /// When `counted` became down.
    down_since: Option<Instant>,
    published: CheckStatus,
    /// Of the latest outcome that agrees with `counted`.
    detail: String,
}

impl Tally {
    pub(crate) fn new(counting: Counting) -> Self {
        Self {
            counting,
            counted: CheckStatus::Pending,
            against: 0,
            down_since: None,
            published: CheckStatus::Pending,
            detail: String::new(),
        }
    }

    /// Goes on with a count that was begun by the former image of the agent.
    pub(crate) fn resume(counting: Counting, now: Instant, past: Counted) -> Self {
        let Counted { counted, against, down_for, published, detail } = past;
        let down_since = down_for.map(|age| now.checked_sub(age).unwrap_or(now));
        Self { counting, counted, against, down_since, published, detail }
    }

    /// The count as it stands.
    pub(crate) fn counted(&self, now: Instant) -> Counted {
        Counted {
            counted: self.counted,
            against: self.against,
            down_for: self.down_since.map(|since| now.saturating_duration_since(since)),
            published: self.published,
            detail: self.detail.clone(),
        }
    }

    /// Counts differently from now on; the status stays.
    pub(crate) fn adopt(&mut self, counting: Counting) {
        self.counting = counting;
    }

    /// Counts one outcome.
    pub(crate) fn observe(&mut self, now: Instant, outcome: Outcome) -> Option<Change> {
        let (seen, needed, detail) = match outcome {
            Ok(detail) => (CheckStatus::Up, self.counting.rise, detail),
            Err(detail) => (CheckStatus::Down, self.counting.fall, detail),
        };
        if self.counted == CheckStatus::Pending {
            self.counted = seen;
            self.detail = detail;
            return self.publish();
        }
        if seen == self.counted {
            self.against = 0;
            self.detail = detail;
            return self.lapse(now);
        }
        self.against = self.against.saturating_add(1);
        if self.against >= needed {
            self.against = 0;
            self.counted = seen;
            self.detail = detail;
            self.down_since = (seen == CheckStatus::Down).then_some(now);
        }
        self.lapse(now)
    }

    /// Publishes what only time was missing for.
    pub(crate) fn lapse(&mut self, now: Instant) -> Option<Change> {
        if self.counted == self.published {
            return None;
        }
        match self.down_since {
            Some(since) if now.saturating_duration_since(since) < self.counting.down_delay => None,
            _ => self.publish(),
        }
    }

    /// When [`Tally::lapse`] will have something to say, all else being equal.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.counted == self.published {
            return None;
        }
        // None on overflow: a delay beyond what the clock can hold never passes.
        self.down_since.and_then(|since| since.checked_add(self.counting.down_delay))
    }

    fn publish(&mut self) -> Option<Change> {
        self.published = self.counted;
        Some(Change { status: self.counted, detail: self.detail.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CheckStatus::{Down, Up};

    fn counting(rise: u16, fall: u16, delay_ms: u64) -> Counting {
        Counting { rise, fall, down_delay: Duration::from_millis(delay_ms) }
    }

    fn outcome(pass: bool) -> Outcome {
        if pass { Ok("fine".into()) } else { Err("broken".into()) }
    }

    /// One letter per 100 ms: `+` a pass, `-` a fail, ` ` no outcome (time passes). Result in the
    /// same raster: `U`, `D` a change, `.` none.
    fn trace(counting: Counting, outcomes: &str) -> String {
        let start = Instant::now();
        let mut tally = Tally::new(counting);
        let step = |(i, c): (usize, char)| {
            let now = start + Duration::from_millis(100) * i as u32;
            let change = match c {
                ' ' => tally.lapse(now),
                c => tally.observe(now, outcome(c == '+')),
            };
            match change.map(|change| change.status) {
                None => '.',
                Some(Up) => 'U',
                Some(_) => 'D',
            }
        };
        outcomes.chars().enumerate().map(step).collect()
    }

    #[test]
    fn outcomes_in_a_row_turn_the_status() {
        let table = [
            // rise, fall, delay, outcomes, changes
            (1, 1, 0, "++--++", "U.D.U."),
            (1, 1, 0, "--+", "D.U"),
            (2, 3, 0, "+--+---++", "U.....D.U"),
            (3, 2, 0, "-++-+++--", "D.....U.D"),
            (1, 1, 300, "+-    ", "U...D."),
            (1, 1, 300, "+---- ", "U...D."),
            (1, 1, 300, "+--+  ", "U....."),
            (1, 1, 300, "+-+-  ", "U....."),
            // One pass is no recovery where two are asked for: the delay runs on.
            (2, 1, 300, "+-+- ", "U...D"),
            (2, 1, 300, "+-++   ", "U......"),
            (1, 2, 200, "+--   ", "U...D."),
            // The first outcome counts at once, delay or not.
            (3, 3, 900, "-   ", "D..."),
            (3, 3, 900, "+   ", "U..."),
            // Zero counts as one.
            (0, 0, 0, "+-+", "UDU"),
        ];
        for (rise, fall, delay, outcomes, expected) in table {
            let counting = Counting { ..counting(rise.max(1), fall.max(1), delay) };
            let label = format!("rise {rise} fall {fall} delay {delay} {outcomes:?}");
            assert_eq!(trace(counting, outcomes), expected, "{label}");
        }
    }

    #[test]
    fn a_zero_rise_in_a_definition_counts_as_one() {
        let probe = vipfleet_model::check::Probe::File(vipfleet_model::check::FileProbe {
            path: "/".into(),
        });
        let check = Check { rise: 0, fall: 0, ..Check::new(probe) };
        assert_eq!(Counting::from(&check), counting(1, 1, 0));
    }

    #[test]
    fn the_detail_is_that_of_the_latest_outcome_that_agrees() {
        let now = Instant::now();
        let mut tally = Tally::new(counting(1, 1, 500));
        tally.observe(now, Ok("pid 1".into()));
        assert_eq!(tally.observe(now, Err("refused".into())), None);
        assert_eq!(tally.observe(now, Err("no answer".into())), None);
        let change = tally.lapse(now + Duration::from_millis(500)).unwrap();
        assert_eq!((change.status, change.detail.as_str()), (Down, "no answer"));
    }

    #[test]
    fn the_deadline_is_there_only_while_a_down_waits() {
        let now = Instant::now();
        let mut tally = Tally::new(counting(1, 1, 500));
        assert_eq!(tally.deadline(), None);
        tally.observe(now, outcome(true));
        assert_eq!(tally.deadline(), None);
        tally.observe(now, outcome(false));
        assert_eq!(tally.deadline(), Some(now + Duration::from_millis(500)));
        assert_eq!(tally.lapse(now + Duration::from_millis(499)), None);
        assert!(tally.lapse(now + Duration::from_millis(500)).is_some());
        assert_eq!(tally.deadline(), None);
    }

    #[test]
    fn counting_differently_keeps_the_status() {
        let now = Instant::now();
        let mut tally = Tally::new(counting(1, 5, 0));
        tally.observe(now, outcome(true));
        tally.adopt(counting(1, 2, 0));
        assert_eq!(tally.observe(now, outcome(false)), None);
        assert_eq!(tally.observe(now, outcome(false)).map(|c| c.status), Some(Down));
    }

    #[test]
    fn a_count_goes_on_in_the_next_image_of_the_agent() {
        let now = Instant::now();
        let mut tally = Tally::new(counting(1, 3, 500));
        tally.observe(now, outcome(true));
        tally.observe(now, outcome(false));
        tally.observe(now, outcome(false));
        let mut next = Tally::resume(counting(1, 3, 500), now, tally.counted(now));
        assert_eq!(next.observe(now, outcome(false)), None, "the delay runs");
        let later = now + Duration::from_millis(300);
        let mut last = Tally::resume(counting(1, 3, 500), later, next.counted(later));
        assert_eq!(last.lapse(later + Duration::from_millis(199)), None);
        let change = last.lapse(later + Duration::from_millis(200));
        assert_eq!(change.map(|change| change.status), Some(Down));
    }

    #[test]
    fn a_delay_longer_than_the_clock_can_hold_never_passes() {
        let now = Instant::now();
        let mut tally =
            Tally::new(Counting { rise: 1, fall: 1, down_delay: Duration::from_secs(u64::MAX) });
        tally.observe(now, outcome(true));
        assert_eq!(tally.observe(now, outcome(false)), None);
        assert_eq!(tally.deadline(), None);
    }

    mod properties {
        use super::*;
        use proptest::prelude::*;

        /// The last outcome of `wanted` run that reaches `length`, before or at `until`.
        fn completes(outcomes: &[bool], until: usize, wanted: bool, length: u16) -> Option<usize> {
            let length = usize::from(length);
            (length..=until + 1)
                .rev()
                .find(|&end| outcomes[end - length..end].iter().all(|&pass| pass == wanted))
                .map(|end| end - 1)
        }

        proptest! {
            #[test]
            fn a_status_is_published_once_and_only_with_cause(
                rise in 1u16..4,
                fall in 1u16..4,
                delay in 0u64..5,
                outcomes in prop::collection::vec(any::<bool>(), 1..60),
            ) {
                let (start, tick) = (Instant::now(), Duration::from_millis(100));
                let mut tally = Tally::new(counting(rise, fall, delay * 100));
                let mut published = CheckStatus::Pending;
                for (i, &pass) in outcomes.iter().enumerate() {
                    let change = tally.observe(start + tick * i as u32, outcome(pass));
                    let ups = completes(&outcomes, i, true, rise);
                    let downs = completes(&outcomes, i, false, fall);
                    if let Some(change) = change {
                        prop_assert_ne!(change.status, published, "said twice");
                        if i > 0 && change.status == Up {
                            prop_assert_eq!(ups, Some(i), "up without enough passes");
                        }
                        if i > 0 && change.status == Down {
                            // A run of fails, then the delay, and no recovery in between.
                            let first = (0..=i)
                                .filter_map(|end| completes(&outcomes, end, false, fall))
                                .find(|&end| ups.is_none_or(|up| up < end));
                            let waited = first.is_some_and(|end| i - end >= delay as usize);
                            prop_assert!(waited, "down too early");
                        }
                        published = change.status;
                    } else {
                        prop_assert_ne!(i, 0, "the first outcome is always said");
                    }
                    if ups == Some(i) {
                        prop_assert_eq!(published, Up, "enough passes are up at once");
                    }
                    if downs == Some(i) && delay == 0 {
                        prop_assert_eq!(published, Down, "enough fails are down at once");
                    }
                    prop_assert!(tally.deadline().is_none() || published == Up);
                }
                // Left alone for the delay, what was counted is what is published.
                let end = start + tick * outcomes.len() as u32 + tick * 5;
                tally.lapse(end);
                prop_assert_eq!(tally.deadline(), None);
                prop_assert_eq!(tally.published, tally.counted);
            }
        }
    }
}
