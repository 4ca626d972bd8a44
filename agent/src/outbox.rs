//! Transitions on their way to a server: numbered, bounded, kept over restarts, sent again until
//! acknowledged. Pure bookkeeping; the supervisor persists it and the uplink sends it.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::SystemTime;
use vipfleet_model::report::TransitionRecord;

/// Records kept while no server takes them. Beyond it the oldest go, and the record after the
/// gap says how many.
pub const CAPACITY: usize = 4096;

/// Recent records kept for the local API, acknowledged or not.
pub const RECENT: usize = 256;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outbox {
    last_sequence: u64,
    pending: VecDeque<TransitionRecord>,
    recent: VecDeque<TransitionRecord>,
}

impl Outbox {
    /// Goes on above every number that was ever given, also those that a full disk or a lost
    /// state dir forgot: a server takes a number it knows for a repetition. `now` is the wall
    /// clock; microseconds grow faster than transitions.
    pub fn continue_above(&mut self, now: SystemTime) {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let floor = u64::try_from(since.as_micros()).unwrap_or(0);
        self.last_sequence = self.last_sequence.max(floor);
    }

    /// Nobody will ever ask for them: only the recent ones are kept.
    pub fn acknowledge_all(&mut self) {
        self.pending.clear();
    }

    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Numbers and keeps a record.
    pub fn push(&mut self, mut record: TransitionRecord) {
        self.last_sequence += 1;
        record.sequence = self.last_sequence;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(record.clone());
        if self.pending.len() == CAPACITY {
            let lost = self.pending.pop_front().map_or(0, |gone| gone.lost_before + 1);
            if let Some(oldest) = self.pending.front_mut() {
                oldest.lost_before += lost;
            }
        }
        self.pending.push_back(record);
    }

    /// Records up to this sequence are stored by a server.
    pub fn acknowledge(&mut self, sequence: u64) {
        while self.pending.front().is_some_and(|record| record.sequence <= sequence) {
            self.pending.pop_front();
        }
    }

    /// What a server has not acknowledged after `sequence`, oldest first, at most `limit`.
    pub fn after(&self, sequence: u64, limit: usize) -> Vec<TransitionRecord> {
        let unsent = self.pending.iter().filter(|record| record.sequence > sequence);
        unsent.take(limit).cloned().collect()
    }

    /// Oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &TransitionRecord> {
        self.recent.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vipfleet_model::report::InstanceState;

    fn record() -> TransitionRecord {
        TransitionRecord {
            sequence: 0,
            at: "2026-01-01T00:00:00Z".into(),
            instance: "VI_1".parse().unwrap(),
            from: InstanceState::Backup,
            to: InstanceState::Master,
            reason: "started".into(),
            effective_priority: 100,
            lost_before: 0,
        }
    }

    #[test]
    fn sequences_increase_over_a_restart() {
        let mut outbox = Outbox::default();
        outbox.push(record());
        let text = serde_json::to_string(&outbox).unwrap();
        let mut outbox: Outbox = serde_json::from_str(&text).unwrap();
        outbox.push(record());
        let sequences: Vec<_> = outbox.after(0, 9).iter().map(|it| it.sequence).collect();
        assert_eq!(sequences, [1, 2]);
    }

    #[test]
    fn an_outbox_that_was_lost_gives_no_number_twice() {
        let epoch = SystemTime::UNIX_EPOCH;
        let numbered = |hours: u64| {
            let mut outbox = Outbox::default();
            outbox.continue_above(epoch + std::time::Duration::from_secs(hours * 3600));
            outbox.push(record());
            outbox.after(0, 1)[0].sequence
        };
        assert!(numbered(1) < numbered(2));
        // A clock that was set back changes nothing for one that was kept.
        let mut kept = Outbox { last_sequence: u64::MAX / 2, ..Outbox::default() };
        kept.continue_above(epoch);
        kept.push(record());
        assert_eq!(kept.after(0, 1)[0].sequence, u64::MAX / 2 + 1);
    }

    #[test]
    fn an_acknowledged_record_is_not_sent_again() {
        let mut outbox = Outbox::default();
        (0..3).for_each(|_| outbox.push(record()));
        outbox.acknowledge(2);
        assert_eq!(outbox.after(0, 9).len(), 1);
        assert_eq!(outbox.recent().count(), 3);
    }

    #[test]
    fn a_full_outbox_records_the_gap() {
        let mut outbox = Outbox::default();
        (0..CAPACITY + 5).for_each(|_| outbox.push(record()));
        let kept = outbox.after(0, usize::MAX);
        assert_eq!((kept.len(), kept[0].sequence, kept[0].lost_before), (CAPACITY, 6, 5));
    }
}
