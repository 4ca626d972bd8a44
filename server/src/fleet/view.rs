//! One replica's picture of the fleet, and what follows from it. Pure: events in, answers out.
//! Cheap to clone: everything large is shared.

use super::{Liveness, SessionEvent};
use crate::store::{Event, EventKind, NodeRecord, Revision, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;
use vipfleet_model::ownership::{Evidence, Generations, InstanceStatus, Link};
use vipfleet_model::placement::place;
use vipfleet_model::{Assignment, Definitions, Key, Kind, Name, NodeFacts, NodeReport};

/// What one node should run.
#[derive(Clone, Debug)]
pub struct Desired {
    pub generation: Revision,
    pub hash: String,
    pub assignment: Arc<Assignment>,
}

/// What is known of one node.
#[derive(Clone, Debug, Default)]
pub struct NodeView {
    /// As the store has it, by whichever replica.
    pub record: Option<NodeRecord>,
    /// The session held here, fresher than the record.
    pub session: Option<SessionView>,
    pub(super) link: Link,
}

/// A session held by this replica.
#[derive(Clone, Debug)]
pub struct SessionView {
    pub accepted_hash: String,
    pub accepted_generation: u64,
    pub report: Option<Arc<NodeReport>>,
}

impl NodeView {
    pub fn report(&self) -> Option<&NodeReport> {
        let session = self.session.as_ref().and_then(|session| session.report.as_deref());
        session.or(self.record.as_ref()?.report.as_ref())
    }

    fn accepted_hash(&self) -> Option<&str> {
        match &self.session {
            Some(session) => Some(&session.accepted_hash),
            None => self.record.as_ref().map(|record| record.accepted_hash.as_str()),
        }
    }
}

/// The picture.
#[derive(Clone, Debug)]
pub struct View {
    /// Everything up to here is in it.
    pub revision: Revision,
    pub definitions_revision: Revision,
    pub definitions: Arc<Definitions>,
    changed_at: Arc<BTreeMap<Key, Revision>>,
    pub(super) facts: Arc<BTreeMap<Name, NodeFacts>>,
    nodes: BTreeMap<Name, Arc<NodeView>>,
    desired: Arc<BTreeMap<Name, Desired>>,
    /// Definitions or facts changed since `desired` was derived.
    stale: bool,
    generation: Revision,
    replica: Arc<str>,
}

impl View {
    pub fn new(replica: &str, snapshot: Snapshot) -> Self {
        let facts_revision = snapshot.facts.values().map(|(revision, _)| *revision).max();
        let node = |(name, record): (Name, NodeRecord)| {
            let view = NodeView { record: Some(record), link: Link::Awaited, session: None };
            (name, Arc::new(view))
        };
        let facts = snapshot.facts.into_iter().map(|(name, (_, facts))| (name, facts));
        let mut view = Self {
            revision: snapshot.revision,
            definitions_revision: snapshot.definitions_revision,
            definitions: snapshot.definitions,
            changed_at: Arc::new(snapshot.changed_at),
            facts: Arc::new(facts.collect()),
            nodes: snapshot.nodes.into_iter().map(node).collect(),
            desired: Arc::default(),
            stale: true,
            generation: snapshot.definitions_revision.max(facts_revision.unwrap_or_default()),
            replica: replica.into(),
        };
        view.settle();
        view
    }

    /// Takes in one write of the store. Transitions change nothing here.
    pub(super) fn absorb(&mut self, event: &Event) {
        self.revision = self.revision.max(event.revision);
        match &event.what {
            EventKind::Definitions(record) => {
                let definitions = Arc::make_mut(&mut self.definitions);
                let changed_at = Arc::make_mut(&mut self.changed_at);
                for change in &record.changes {
                    match &change.after {
                        Some(after) => {
                            definitions.0.insert(change.key.clone(), after.clone());
                            changed_at.insert(change.key.clone(), record.revision);
                        }
                        None => {
                            definitions.0.remove(&change.key);
                            changed_at.remove(&change.key);
                        }
                    }
                }
                self.definitions_revision = record.revision;
                self.inputs_changed(event.revision);
            }
            EventKind::Facts(facts) => {
                Arc::make_mut(&mut self.facts).insert(facts.node.clone(), facts.clone());
                self.inputs_changed(event.revision);
            }
            EventKind::Node(record) => {
                self.node_mut(&record.node).record = Some(record.as_ref().clone());
            }
            EventKind::Transition(_) | EventKind::Replica(_) => {}
        }
    }

    fn inputs_changed(&mut self, revision: Revision) {
        self.generation = self.generation.max(revision);
        self.stale = true;
    }

    /// Takes in what a session held here says, ahead of the store.
    pub(super) fn hear(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Connected { node, hash, generation } => {
                let (accepted_hash, accepted_generation) = (hash, generation);
                let session = SessionView { accepted_hash, accepted_generation, report: None };
                self.node_mut(&node).session = Some(session);
            }
            SessionEvent::Accepted { node, hash } => {
                let desired = self.desired.get(&node).filter(|desired| desired.hash == hash);
                let generation = desired.map(|desired| desired.generation.0);
                if let Some(session) = &mut self.node_mut(&node).session {
                    session.accepted_hash = hash;
                    session.accepted_generation = generation.unwrap_or(session.accepted_generation);
                }
            }
            SessionEvent::Reported { node, report } => {
                if let Some(session) = &mut self.node_mut(&node).session {
                    session.report = Some(Arc::from(report));
                }
            }
            SessionEvent::Disconnected { node } => self.node_mut(&node).session = None,
        }
    }

    fn node_mut(&mut self, name: &Name) -> &mut NodeView {
        Arc::make_mut(self.nodes.entry(name.clone()).or_default())
    }

    /// Derives what follows from a batch of events. Called once before publishing.
    pub(super) fn settle(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        let generation = self.generation;
        let desired = |(name, assignment): (Name, Assignment)| {
            let hash = assignment.hash();
            (name, Desired { generation, hash, assignment: Arc::new(assignment) })
        };
        let placed = place(&self.definitions, &self.facts);
        self.desired = Arc::new(placed.into_iter().map(desired).collect());
    }

    /// Judges who is connected. A session held here is a fact; one held elsewhere is as alive as
    /// its replica.
    pub(super) fn judge(&mut self, liveness: &Liveness, now: Instant) {
        for node in self.nodes.values_mut() {
            let link = match (&node.session, &node.record) {
                (Some(_), _) => Link::Connected,
                (None, _) if liveness.in_amnesty(now) => Link::Awaited,
                (None, Some(record)) => {
                    let elsewhere = record.replica != *self.replica;
                    let alive = liveness.is_alive(&record.replica, now);
                    if record.connected && elsewhere && alive {
                        Link::Connected
                    } else {
                        Link::Silent
                    }
                }
                (None, None) => Link::Silent,
            };
            if node.link != link {
                Arc::make_mut(node).link = link;
            }
        }
    }

    pub fn node(&self, name: &Name) -> Option<&NodeView> {
        self.nodes.get(name).map(AsRef::as_ref)
    }

    pub(super) fn node_views(&self) -> impl Iterator<Item = (&Name, &NodeView)> {
        self.nodes.iter().map(|(name, node)| (name, node.as_ref()))
    }

    pub fn desired(&self, node: &Name) -> Option<&Desired> {
        self.desired.get(node)
    }

    /// Equal content counts as the desired generation, whatever revision it was sent at.
    pub(super) fn generations(&self, name: &Name) -> Generations {
        let (Some(desired), Some(node)) = (self.desired.get(name), self.nodes.get(name)) else {
            return Generations::default();
        };
        let report = node.report();
        let running = report.map_or(0, |report| report.generation);
        let accepted = match node.accepted_hash() {
            Some(hash) if *hash == *desired.hash => desired.generation.0,
            _ => running,
        };
        let observed = match report {
            Some(report) if report.settled && report.hash == desired.hash => desired.generation.0,
            Some(report) if report.settled => {
                report.generation.min(desired.generation.0.saturating_sub(1))
            }
            _ => 0,
        };
        Generations { desired: desired.generation.0, accepted, observed }
    }

    /// Every instance, as far as is known.
    pub fn instances(&self) -> Vec<InstanceStatus> {
        let mut evidence: BTreeMap<&Name, BTreeMap<Name, Evidence<'_>>> = BTreeMap::new();
        for (name, node) in &self.nodes {
            let generation = self.generations(name);
            let settled = node.report().is_some_and(|report| report.settled);
            for report in node.report().into_iter().flat_map(|report| &report.instances) {
                let known = Evidence { link: node.link, generation, settled, report: Some(report) };
                evidence.entry(&report.name).or_default().insert(name.clone(), known);
            }
        }
        let status = |(name, spec): (&Name, &vipfleet_model::Instance)| {
            let mut known = evidence.remove(name).unwrap_or_default();
            for member in &spec.members {
                let silent = || self.without_report(&member.node);
                known.entry(member.node.clone()).or_insert_with(silent);
            }
            let key = Key { kind: Kind::Instance, name: name.clone() };
            let revision = self.changed_at.get(&key).map_or(0, |revision| revision.0);
            InstanceStatus::of(name, spec, revision, &known)
        };
        self.definitions.instances().map(status).collect()
    }

    fn without_report(&self, name: &Name) -> Evidence<'_> {
        let link = self.nodes.get(name).map_or(Link::Silent, |node| node.link);
        Evidence { link, generation: self.generations(name), settled: false, report: None }
    }
}
