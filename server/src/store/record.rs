//! What a store keeps, as its callers see it: plain values without behaviour.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use vipfleet_model::report::TransitionRecord;
use vipfleet_model::{Definition, Definitions, Key, Name, NodeFacts, NodeReport};

/// Position in the fleet's one sequence of writes. 0 is before the first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which fleet this store holds. Made once, on first use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetIdentity {
    pub id: String,
    /// Raised by an administrator when a restored or migrated store takes over.
    pub epoch: u64,
}

/// A change to be committed whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Definitions revision that the change was validated against; the commit is refused when
    /// the fleet moved on.
    pub base: Revision,
    pub author: String,
    pub message: String,
    /// RFC 3339, by the server's wall clock.
    pub at: String,
    pub put: Vec<Definition>,
    pub delete: Vec<Key>,
}

/// A committed change with what it replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRecord {
    pub revision: Revision,
    pub author: String,
    pub message: String,
    pub at: String,
    pub changes: Vec<DefinitionChange>,
}

/// One definition of a change. `before` absent: created; `after` absent: deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionChange {
    pub key: Key,
    pub before: Option<Definition>,
    pub after: Option<Definition>,
}

/// What is known of a node, the latest only. Written when it changes, coalesced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    pub node: Name,
    pub agent_version: String,
    pub boot_id: String,
    /// Replica that holds (or last held) its session.
    pub replica: String,
    /// Whether that replica had a session when this was written.
    pub connected: bool,
    /// RFC 3339, when `connected` last changed.
    pub connected_since: String,
    pub accepted_hash: String,
    pub rejected: Option<Rejection>,
    pub report: Option<NodeReport>,
    /// RFC 3339, when the report came.
    pub reported_at: Option<String>,
}

/// An assignment that a node refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    pub generation: u64,
    pub hash: String,
    pub field_path: String,
    pub reason: String,
}

/// A stored transition of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTransition {
    pub revision: Revision,
    pub node: Name,
    pub record: TransitionRecord,
}

/// A server replica that says it lives. Refreshed every few seconds by the replica itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaRecord {
    pub replica: String,
    /// Counts refreshes, so that a watcher sees life without comparing wall clocks.
    pub beat: u64,
}

/// Everything a replica needs at start, as of one revision.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Revision the whole snapshot was read at: watch after it.
    pub revision: Revision,
    /// Revision of the last change of definitions: what a [`Change`] names as its base.
    pub definitions_revision: Revision,
    pub definitions: Arc<Definitions>,
    /// Revision that last changed each definition.
    pub changed_at: BTreeMap<Key, Revision>,
    /// With the revision that last changed each.
    pub facts: BTreeMap<Name, (Revision, NodeFacts)>,
    pub nodes: BTreeMap<Name, NodeRecord>,
    pub replicas: BTreeMap<String, ReplicaRecord>,
}

/// One write, as a watcher sees it. Delivered in the order of revisions, each once.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub revision: Revision,
    pub what: EventKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    Definitions(Arc<ChangeRecord>),
    Facts(NodeFacts),
    Node(Box<NodeRecord>),
    Transition(StoredTransition),
    Replica(ReplicaRecord),
}

/// A page of transitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransitionPage {
    pub transitions: Vec<StoredTransition>,
    /// Set when records after the asked revision are no longer kept: where kept ones start.
    pub gap_until: Option<Revision>,
}
