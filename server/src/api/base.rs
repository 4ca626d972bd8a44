//! What a change is planned against: what this replica sees, which costs nothing, or what the
//! store says, which is certain. A plan that is committed needs no certainty: the store compares
//! the revision it is based on. Every other answer does.

use crate::fleet::View;
use crate::store::{Revision, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;
use vipfleet_model::{Definitions, Name, NodeFacts};

#[derive(Debug)]
pub(super) struct Base {
    /// Of the last change of definitions.
    pub(super) revision: Revision,
    pub(super) definitions: Arc<Definitions>,
    pub(super) facts: Arc<BTreeMap<Name, NodeFacts>>,
    pub(super) source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Another replica may have changed the fleet since.
    Seen,
    Read,
}

impl From<&View> for Base {
    fn from(view: &View) -> Self {
        Self {
            revision: view.definitions_revision,
            definitions: Arc::clone(&view.definitions),
            facts: Arc::clone(&view.facts),
            source: Source::Seen,
        }
    }
}

impl From<Snapshot> for Base {
    fn from(snapshot: Snapshot) -> Self {
        let facts = snapshot.facts.into_iter().map(|(name, (_, facts))| (name, facts));
        Self {
            revision: snapshot.definitions_revision,
            definitions: snapshot.definitions,
            facts: Arc::new(facts.collect()),
            source: Source::Read,
        }
    }
}
