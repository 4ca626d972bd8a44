//! What the loop publishes: the node's report, coalesced, and the facts about its interfaces.

use super::event_loop::EventLoop;
use std::time::Duration;
use vipfleet_model::NodeReport;
use vipfleet_model::report::CheckReport;
use vipfleet_vrrp::Time;

/// Least time between two reports. The first change after a quiet time is published at once.
pub(super) const PACE: Duration = Duration::from_millis(20);

/// Counters move without any change of state: they are published this often.
pub(super) const REFRESH: Duration = Duration::from_secs(5);

/// What every instance says while no guard runs.
const UNGUARDED: &str = "no guard runs (see the agent's log): a VIP of an agent that dies or \
                         freezes stays until its lease ends, its routes until the next start";

impl EventLoop {
    /// Publishes when something changed and the pace allows, or when counters are due.
    pub(super) fn publish(&mut self, now: Time) {
        let age = now.since(self.published);
        if (self.dirty && age >= PACE) || age >= REFRESH {
            self.published = now;
            self.dirty = false;
            let report = self.node_report(now);
            self.report.send_replace(report);
        }
    }

    /// When [`Self::publish`] wants to be called next.
    pub(super) fn publish_at(&self) -> Time {
        self.published + if self.dirty { PACE } else { REFRESH }
    }

    fn node_report(&self, now: Time) -> NodeReport {
        let checks = self.checks.iter().map(|(name, state)| CheckReport {
            name: name.clone(),
            status: state.status,
            detail: state.detail.clone(),
            since: state.since.clone(),
        });
        let mut instances: Vec<_> =
            self.instances.values().map(|instance| instance.report(now)).collect();
        if self.heartbeat.is_unguarded() {
            instances.iter_mut().for_each(|it| it.warnings.push(UNGUARDED.to_owned()));
        }
        NodeReport {
            generation: self.generation,
            hash: self.hash.clone(),
            settled: self.reconciled
                && self.instances.values().all(|it| it.kernel.settled && !it.is_leaving()),
            instances,
            checks: checks.collect(),
        }
    }

    /// Publishes the facts if they differ from what was published, and the first ones in any
    /// case: a host without a LAN is a fact too.
    pub(super) fn publish_facts(&mut self) {
        let facts = self.lan.facts(&self.node);
        let first = !std::mem::replace(&mut self.facts_known, true);
        self.facts.send_if_modified(|published| {
            let differs = *published != facts;
            *published = facts;
            differs || first
        });
    }
}
