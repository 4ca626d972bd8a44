//! One replica's picture of the fleet, and what follows from it. Pure: events in, answers out.
//! Cheap to clone: everything large is shared.

use super::deletions::{Deletion, Deletions};
use super::{Liveness, NodeView, SessionEvent, SessionNews, Untrue};
use crate::store::{ChangeRecord, DefinitionChange, Event, EventKind, Revision, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use tokio::time::Instant;
use vipfleet_model::moves::Moves;
use vipfleet_model::ownership::{Evidence, Generations, InstanceStatus, Link};
use vipfleet_model::placement::place;
use vipfleet_model::report::InstanceState;
use vipfleet_model::{Assignment, Definitions, Instance, Key, Kind, Name, NodeFacts, NodeReport};

/// What one node should run.
#[derive(Clone, Debug)]
pub struct Desired {
    pub generation: Revision,
    pub assignment: Arc<Assignment>,
    /// Worked out by who asks first: the sessions do at once, on every processor, and the first
    /// pushes do not wait for the hashes of the others.
    pub(crate) hash: OnceLock<String>,
}

impl Desired {
    /// [`Assignment::hash`].
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| self.assignment.hash())
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
    pub facts: Arc<BTreeMap<Name, NodeFacts>>,
    nodes: BTreeMap<Name, Arc<NodeView>>,
    desired: Arc<BTreeMap<Name, Desired>>,
    /// Definitions or facts changed since `desired` was derived.
    stale: bool,
    generation: Revision,
    /// Something happened that sessions held here have to act on.
    urges_sessions: bool,
    /// Instances that are new, and that nobody has served yet.
    created: Arc<BTreeSet<Name>>,
    deletions: Arc<Deletions>,
    replica: Arc<str>,
}

impl View {
    pub fn new(replica: &str, snapshot: Snapshot) -> Self {
        let facts_revision = snapshot.facts.values().map(|(revision, _)| *revision).max();
        let facts = snapshot.facts.into_iter().map(|(name, (_, facts))| (name, facts));
        let nodes = snapshot.nodes.into_iter();
        let nodes = nodes.map(|(name, record)| (name, NodeView::from_record(record)));
        let mut view = Self {
            revision: snapshot.revision,
            definitions_revision: snapshot.definitions_revision,
            definitions: snapshot.definitions,
            changed_at: Arc::new(snapshot.changed_at),
            facts: Arc::new(facts.collect()),
            nodes: nodes.map(|(name, node)| (name, Arc::new(node))).collect(),
            desired: Arc::default(),
            stale: true,
            urges_sessions: false,
            created: Arc::default(),
            deletions: Arc::default(),
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
                self.redefine(record);
                self.definitions_revision = self.definitions_revision.max(record.revision);
                self.inputs_changed(event.revision);
            }
            EventKind::Facts(facts) => {
                Arc::make_mut(&mut self.facts).insert(facts.node.clone(), facts.clone());
                self.inputs_changed(event.revision);
            }
            EventKind::Node(record) => {
                self.served(record.report.as_ref());
                let this = Arc::clone(&self.replica);
                self.urges_sessions |= self.node_mut(&record.node).absorb(record, &this);
            }
            EventKind::Transition(_) | EventKind::Replica(_) => {}
        }
    }

    fn redefine(&mut self, record: &ChangeRecord) {
        let definitions = Arc::make_mut(&mut self.definitions);
        let changed_at = Arc::make_mut(&mut self.changed_at);
        let (mut created, mut deleted) = (Vec::new(), Vec::new());
        for DefinitionChange { key, after, .. } in &record.changes {
            match after {
                Some(after) => {
                    let before = definitions.0.insert(key.clone(), after.clone());
                    let is_new = before.is_none() && key.kind == Kind::Instance;
                    created.extend(is_new.then(|| key.name.clone()));
                    changed_at.insert(key.clone(), record.revision);
                }
                None => {
                    let before = definitions.0.remove(key);
                    deleted.extend(before.and_then(|it| Deletion::of(key, it)));
                    changed_at.remove(key);
                }
            }
        }
        if !(created.is_empty() && self.created.is_empty()) {
            let all = Arc::make_mut(&mut self.created);
            all.extend(created);
            let is_there = |name: &Name| {
                let key = Key { kind: Kind::Instance, name: name.clone() };
                self.definitions.0.contains_key(&key)
            };
            all.retain(is_there);
        }
        if !(deleted.is_empty() && self.deletions.is_empty()) {
            let deletions = Arc::make_mut(&mut self.deletions);
            deletions.update(deleted, &self.definitions, &self.nodes);
        }
    }

    /// What somebody serves is not new any more.
    fn served(&mut self, report: Option<&NodeReport>) {
        let Some(report) = report.filter(|_| !self.created.is_empty()) else { return };
        let served = report.instances.iter().filter(|it| it.state == InstanceState::Master);
        let served: Vec<_> = served.filter(|it| self.created.contains(&it.name)).collect();
        for instance in served {
            Arc::make_mut(&mut self.created).remove(&instance.name);
        }
    }

    fn inputs_changed(&mut self, revision: Revision) {
        self.generation = self.generation.max(revision);
        self.stale = true;
    }

    /// Takes in what a session held here says, ahead of the store.
    pub(super) fn hear(&mut self, event: SessionEvent) {
        if let SessionNews::Reported(report, _) = &event.what {
            self.served(Some(report));
        }
        self.node_mut(&event.node).hear(event.session, event.what);
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
            let (assignment, hash) = (Arc::new(assignment), OnceLock::new());
            (name, Desired { generation, assignment, hash })
        };
        let placed = place(&self.definitions, &self.facts);
        self.desired = Arc::new(placed.into_iter().map(desired).collect());
        self.urges_sessions = true;
    }

    /// Whether sessions have to look at the picture again; once.
    pub(super) fn take_urge(&mut self) -> bool {
        std::mem::take(&mut self.urges_sessions)
    }

    /// Judges who is connected.
    pub(super) fn judge(&mut self, liveness: &Liveness, now: Instant) {
        for node in self.nodes.values_mut() {
            let link = node.judge(&self.replica, liveness, now);
            if node.link != link {
                Arc::make_mut(node).link = link;
            }
        }
    }

    /// Records in the store that this replica knows better.
    pub fn untrue(&self) -> impl Iterator<Item = (&Name, Untrue)> {
        self.nodes.iter().filter_map(|(name, node)| Some((name, node.untrue(&self.replica)?)))
    }

    pub fn node(&self, name: &Name) -> Option<&NodeView> {
        self.nodes.get(name).map(AsRef::as_ref)
    }

    /// Instances of an assignment that are new, and that nobody has served yet.
    pub fn created_in<'a>(&'a self, assignment: &'a Assignment) -> impl Iterator<Item = &'a Name> {
        let all = assignment.instances.iter().map(|it| &it.name);
        all.filter(|name| self.created.contains(*name))
    }

    /// Instances that this node had, and that no node is to have any more.
    pub fn deleted_from(&self, node: &Name) -> impl Iterator<Item = &Name> {
        self.deletions.of(node)
    }

    /// How many nodes there are.
    pub fn size(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn node_views(&self) -> impl Iterator<Item = (&Name, &NodeView)> {
        self.nodes.iter().map(|(name, node)| (name, node.as_ref()))
    }

    pub fn desired(&self, node: &Name) -> Option<&Desired> {
        self.desired.get(node)
    }

    /// Equal content counts as the desired generation, whatever revision it was sent at.
    pub(super) fn generations(&self, name: &Name) -> Generations {
        let Some(desired) = self.desired.get(name) else {
            return Generations::default();
        };
        let Some(node) = self.nodes.get(name) else {
            return Generations { desired: desired.generation.0, ..Generations::default() };
        };
        let accepted = match node.accepted_hash() {
            Some(hash) if hash == desired.hash() => desired.generation.0,
            _ => node.accepted_generation(),
        };
        let report = node.report();
        let observed = match report {
            Some(report) if report.settled && report.hash == desired.hash() => desired.generation.0,
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
        let moves = Moves::of(&self.definitions);
        let status = |(name, spec): (&Name, &Instance)| {
            let mut known = evidence.remove(name).unwrap_or_default();
            for member in &spec.members {
                let silent = || self.without_report(&member.node);
                known.entry(member.node.clone()).or_insert_with(silent);
            }
            let key = Key { kind: Kind::Instance, name: name.clone() };
            let revision = self.changed_at.get(&key).map_or(0, |revision| revision.0);
            InstanceStatus::of(name, spec, revision, &known).moved(&moves)
        };
        self.definitions.instances().map(status).collect()
    }

    fn without_report(&self, name: &Name) -> Evidence<'_> {
        let link = self.nodes.get(name).map_or(Link::Silent, |node| node.link);
        Evidence { link, generation: self.generations(name), settled: false, report: None }
    }
}
