//! What one replica knows of one node: its record in the store, and the session held here if
//! there is one, which is fresher.

use super::Liveness;
use crate::store::{NodeRecord, Rejection};
use std::sync::Arc;
use tokio::time::Instant;
use vipfleet_model::ownership::Link;
use vipfleet_model::{Name, NodeReport};

/// What a session held by this replica tells the fleet at once, ahead of the store.
#[derive(Debug)]
pub struct SessionEvent {
    pub node: Name,
    /// Increases with every session of this replica.
    pub session: u64,
    pub what: SessionNews,
}

#[derive(Debug)]
pub enum SessionNews {
    Connected(Greeted),
    Accepted {
        hash: String,
        generation: u64,
    },
    Rejected(Rejection),
    /// With when it came, RFC 3339.
    Reported(Box<NodeReport>, String),
    Disconnected,
}

/// What is known of a session when it begins.
#[derive(Debug, Default)]
pub struct Greeted {
    /// [`NodeRecord::connected_since`] of its record.
    pub since: String,
    /// What the agent runs.
    pub hash: String,
    pub generation: u64,
    /// What it refused before.
    pub rejected: Option<Rejection>,
}

/// What is known of one node.
#[derive(Clone, Debug, Default)]
pub struct NodeView {
    /// As the store has it, by whichever replica.
    pub record: Option<NodeRecord>,
    pub session: Option<SessionView>,
    pub(super) link: Link,
}

/// A session held by this replica.
#[derive(Clone, Debug)]
pub struct SessionView {
    pub id: u64,
    since: String,
    accepted_hash: String,
    accepted_generation: u64,
    rejected: Option<Rejection>,
    report: Option<Arc<NodeReport>>,
    reported_at: Option<String>,
    /// The store's watch has shown the session's own record.
    recorded: bool,
    /// Replica that got a session of the node since: this one is what is left of a broken
    /// connection, or of a second agent under the same name.
    pub superseded_by: Option<String>,
}

/// What is wrong with a node's record in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untrue {
    /// It names a session of this replica that does not exist: from before a crash.
    Orphaned,
    /// The session held here is not in it any more: somebody wrote later than they knew.
    Overwritten,
}

impl NodeView {
    pub(super) fn from_record(record: NodeRecord) -> Self {
        Self { record: Some(record), link: Link::Awaited, session: None }
    }

    /// The latest report. Of a session held here only its own counts: what an earlier one said
    /// may be from before a restart of the agent.
    pub fn report(&self) -> Option<&NodeReport> {
        match &self.session {
            Some(session) => session.report.as_deref(),
            None => self.record.as_ref()?.report.as_ref(),
        }
    }

    /// When the last report came that is known of.
    pub(super) fn last_report(&self) -> Option<&str> {
        let session = self.session.as_ref().and_then(|session| session.reported_at.as_deref());
        session.or(self.record.as_ref()?.reported_at.as_deref())
    }

    pub(super) fn accepted_hash(&self) -> Option<&str> {
        match &self.session {
            Some(session) => Some(&session.accepted_hash),
            None => self.record.as_ref().map(|record| record.accepted_hash.as_str()),
        }
    }

    pub(super) fn accepted_generation(&self) -> u64 {
        match &self.session {
            Some(session) => session.accepted_generation,
            None => self.report().map_or(0, |report| report.generation),
        }
    }

    /// The last refusal that no other assignment was accepted after.
    pub(super) fn rejected(&self) -> Option<&Rejection> {
        match &self.session {
            Some(session) => session.rejected.as_ref(),
            None => self.record.as_ref()?.rejected.as_ref(),
        }
    }

    /// Takes in what the store has now. Whether the session held here lost the node by it.
    pub(super) fn absorb(&mut self, record: &NodeRecord, this: &str) -> bool {
        self.record = Some(record.clone());
        self.session.as_mut().is_some_and(|session| session.notice(record, this))
    }

    /// Takes in what a session says. Sessions of one node may overlap: the newest counts.
    pub(super) fn hear(&mut self, id: u64, what: SessionNews) {
        if let SessionNews::Connected(greeted) = what {
            if self.session.as_ref().is_none_or(|session| session.id < id) {
                self.session = Some(SessionView::new(id, greeted));
            }
            return;
        }
        let Some(session) = self.session.as_mut().filter(|session| session.id == id) else {
            return;
        };
        match what {
            SessionNews::Accepted { hash, generation } => {
                session.accepted_hash = hash;
                session.accepted_generation = generation;
                session.rejected = None;
            }
            SessionNews::Rejected(rejection) => session.rejected = Some(rejection),
            SessionNews::Reported(report, at) => {
                (session.report, session.reported_at) = (Some(Arc::from(report)), Some(at));
            }
            SessionNews::Disconnected => self.session = None,
            SessionNews::Connected(_) => {}
        }
    }

    /// A session held here is a fact; one held elsewhere is as alive as its replica.
    pub(super) fn judge(&self, this: &str, liveness: &Liveness, now: Instant) -> Link {
        let elsewhere = |record: &&NodeRecord| record.connected && record.replica != this;
        let lives = |record: &NodeRecord| liveness.is_alive(&record.replica, now);
        if self.session.is_some() || self.record.as_ref().filter(elsewhere).is_some_and(lives) {
            Link::Connected
        } else if liveness.in_amnesty(now) {
            Link::Awaited
        } else {
            Link::Silent
        }
    }

    pub(super) fn untrue(&self, this: &str) -> Option<Untrue> {
        let record = self.record.as_ref()?;
        let names_us = record.connected && record.replica == this;
        match &self.session {
            None => (names_us && self.link == Link::Silent).then_some(Untrue::Orphaned),
            Some(session) => {
                let lost = session.recorded && !session.is_in(record, this);
                (lost && session.superseded_by.is_none()).then_some(Untrue::Overwritten)
            }
        }
    }
}

impl SessionView {
    fn new(id: u64, greeted: Greeted) -> Self {
        let Greeted { since, hash, generation, rejected } = greeted;
        Self {
            id,
            since,
            accepted_hash: hash,
            accepted_generation: generation,
            rejected,
            report: None,
            reported_at: None,
            recorded: false,
            superseded_by: None,
        }
    }

    fn is_in(&self, record: &NodeRecord, this: &str) -> bool {
        record.connected && record.replica == this && record.connected_since == self.since
    }

    /// Whoever wrote that it has the node after our record was written got it after us.
    fn notice(&mut self, record: &NodeRecord, this: &str) -> bool {
        self.recorded |= self.is_in(record, this);
        let lost = self.recorded && record.connected && record.replica != this;
        if lost {
            self.superseded_by = Some(record.replica.clone());
        }
        lost
    }
}
