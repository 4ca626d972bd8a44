//! One line a transition, for people and for programs.

use super::table::{Tone, state_tone};
use serde::Serialize;
use vipfleet_model::report::{InstanceState, TransitionRecord};

/// A transition with its place in the fleet's order. Field names are a contract of scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transition {
    /// Unique and increasing: `--from-revision` resumes behind it.
    pub(crate) revision: u64,
    pub(crate) node: String,
    pub(crate) instance: String,
    pub(crate) from: InstanceState,
    pub(crate) to: InstanceState,
    pub(crate) reason: String,
    /// RFC 3339, wall clock of the node.
    pub(crate) at: String,
    pub(crate) effective_priority: u8,
    /// Of the node.
    pub(crate) sequence: u64,
    /// Transitions of the node before this one that its bounded log lost.
    pub(crate) lost_before: u64,
}

/// Transitions that are no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct GapLine {
    pub(crate) gap: Gap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gap {
    pub(crate) after_revision: u64,
    pub(crate) first_kept_revision: u64,
}

impl Transition {
    pub(crate) fn new(revision: u64, node: String, record: TransitionRecord) -> Self {
        Self {
            revision,
            node,
            instance: record.instance.to_string(),
            from: record.from,
            to: record.to,
            reason: record.reason,
            at: record.at,
            effective_priority: record.effective_priority,
            sequence: record.sequence,
            lost_before: record.lost_before,
        }
    }

    /// `2026-03-04T12:00:00.123Z  lb1  VI_1  BACKUP → MASTER  reason`.
    pub(crate) fn line(&self) -> String {
        let lost = match self.lost_before {
            0 => String::new(),
            count => {
                let text = format!("{count} transitions of {} before this were lost", self.node);
                Tone::Warn.paint(&text) + "\n"
            }
        };
        let at = Tone::Faint.paint(&clock(&self.at));
        let to = state_tone(self.to).paint(&format!("{:<7}", self.to.as_str()));
        let (node, instance) = (&self.node, &self.instance);
        format!("{lost}{at}  {node:<8}  {instance:<12}  {:>7} → {to}  {}\n", self.from, self.reason)
    }
}

impl Gap {
    pub(crate) fn line(self) -> String {
        let (after, kept) = (self.after_revision, self.first_kept_revision);
        let text = format!("transitions after revision {after} and before {kept} are not kept");
        Tone::Warn.paint(&text) + "\n"
    }
}

/// RFC 3339 in UTC, to the millisecond.
fn clock(at: &str) -> String {
    match at.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        Err(_) => at.to_owned(),
    }
}
