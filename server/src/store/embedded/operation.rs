//! Each write, as it is made inside the writer's transaction. An operation reads and decides
//! before it writes: a refusal leaves the transaction as it was.

use super::StoreError;
use super::retention;
use super::tables::{self, counter};
use crate::store::timeline::{self, HistoryBounds};
use crate::store::{
    Change, ChangeRecord, Event, EventKind, FleetIdentity, NodeRecord, ReplicaRecord, Revision,
    StoredTransition,
};
use redb::{ReadableTable, WriteTransaction};
use serde::Serialize;
use std::sync::Arc;
use vipfleet_model::report::TransitionRecord;
use vipfleet_model::{Definition, Name, NodeFacts};

#[derive(Debug)]
pub(super) enum Operation {
    Commit(Change),
    Facts(NodeFacts),
    Node(Box<NodeRecord>),
    Transitions(Name, Vec<TransitionRecord>),
    Replica(ReplicaRecord),
    RaiseEpoch,
}

/// The record of a commit that changed something.
pub(super) type Reply = Option<Arc<ChangeRecord>>;

pub(super) enum Outcome {
    Done(Reply),
    /// Nothing was written.
    Refused(StoreError),
}

/// Why a transaction cannot be committed.
#[derive(Debug)]
pub(super) enum Trouble {
    Redb(redb::Error),
    Store(StoreError),
}

impl<E: Into<redb::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Redb(error.into())
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Redb(error) => Self::failed("write", error),
            Trouble::Store(error) => error,
        }
    }
}

/// Events with about how many bytes each takes.
pub(super) type Weighed = Vec<(Event, usize)>;

impl Operation {
    /// Counts `revision` up for what is written.
    pub(super) fn perform(
        &self,
        transaction: &WriteTransaction,
        revision: &mut u64,
        history: HistoryBounds,
        events: &mut Weighed,
    ) -> Result<Outcome, Trouble> {
        match self {
            Self::Commit(change) => return commit(change, transaction, revision, history, events),
            Self::Facts(facts) => put_facts(facts, transaction, revision, events)?,
            Self::Node(record) => {
                let name = record.node.as_str();
                let weight = put(transaction, tables::NODES, name, record, revision)?;
                let what = EventKind::Node(record.clone());
                events.push((Event { revision: Revision(*revision), what }, weight));
            }
            Self::Replica(record) => {
                let weight = put(transaction, tables::REPLICAS, &record.replica, record, revision)?;
                let what = EventKind::Replica(record.clone());
                events.push((Event { revision: Revision(*revision), what }, weight));
            }
            Self::RaiseEpoch => raise_epoch(transaction, revision)?,
            Self::Transitions(node, records) => {
                append(node, records, transaction, revision, events)?;
            }
        }
        Ok(Outcome::Done(None))
    }
}

fn put(
    transaction: &WriteTransaction,
    table: tables::Documents,
    name: &str,
    value: &impl Serialize,
    revision: &mut u64,
) -> Result<usize, Trouble> {
    *revision += 1;
    let bytes = tables::stamped(*revision, value).map_err(Trouble::Store)?;
    transaction.open_table(table)?.insert(name, bytes.as_slice())?;
    Ok(bytes.len())
}

/// A write like any other, so it has a revision; nobody watches it.
fn raise_epoch(transaction: &WriteTransaction, revision: &mut u64) -> Result<(), Trouble> {
    let mut meta = transaction.open_table(tables::META)?;
    let fleet = {
        let missing = || StoreError::corrupt("the fleet's identity", "missing");
        let stored = meta.get(tables::FLEET)?.ok_or_else(missing).map_err(Trouble::Store)?;
        let fleet = tables::plain("the fleet's identity", stored.value());
        fleet.map_err(Trouble::Store)?
    };
    let FleetIdentity { id, epoch } = fleet;
    let fleet = FleetIdentity { id, epoch: epoch + 1 };
    let bytes = serde_json::to_vec(&fleet)
        .map_err(|error| Trouble::Store(StoreError::failed("encode", error)))?;
    meta.insert(tables::FLEET, bytes.as_slice())?;
    *revision += 1;
    Ok(())
}

fn put_facts(
    facts: &NodeFacts,
    transaction: &WriteTransaction,
    revision: &mut u64,
    events: &mut Weighed,
) -> Result<(), Trouble> {
    let name = facts.node.as_str();
    let new = serde_json::to_vec(facts)
        .map_err(|error| Trouble::Store(StoreError::failed("encode facts", error)))?;
    if let Some(stored) = transaction.open_table(tables::FACTS)?.get(name)?
        && stored.value().get(8..) == Some(new.as_slice())
    {
        return Ok(());
    }
    let weight = put(transaction, tables::FACTS, name, facts, revision)?;
    let what = EventKind::Facts(facts.clone());
    events.push((Event { revision: Revision(*revision), what }, weight));
    Ok(())
}

fn append(
    node: &Name,
    records: &[TransitionRecord],
    transaction: &WriteTransaction,
    revision: &mut u64,
    events: &mut Weighed,
) -> Result<(), Trouble> {
    let mut added = 0;
    {
        let floors = transaction.open_table(tables::TRANSITION_FLOORS)?;
        let floor = tables::number(&floors, node.as_str())?;
        let mut ids = transaction.open_table(tables::TRANSITION_IDS)?;
        let mut log = transaction.open_table(tables::TRANSITIONS)?;
        for record in records {
            let id = tables::transition_id(node, record.sequence);
            if record.sequence <= floor || ids.get(id.as_str())?.is_some() {
                continue;
            }
            *revision += 1;
            let stored = StoredTransition {
                revision: Revision(*revision),
                node: node.clone(),
                record: record.clone(),
            };
            let bytes = serde_json::to_vec(&stored)
                .map_err(|error| Trouble::Store(StoreError::failed("encode", error)))?;
            log.insert(*revision, bytes.as_slice())?;
            ids.insert(id.as_str(), *revision)?;
            let what = EventKind::Transition(stored);
            events.push((Event { revision: Revision(*revision), what }, bytes.len()));
            added += 1;
        }
    }
    retention::transitions(transaction, added)
}

fn commit(
    change: &Change,
    transaction: &WriteTransaction,
    revision: &mut u64,
    history: HistoryBounds,
    events: &mut Weighed,
) -> Result<Outcome, Trouble> {
    let counters = transaction.open_table(tables::COUNTERS)?;
    let current = Revision(tables::number(&counters, counter::DEFINITIONS_REVISION)?);
    drop(counters);
    if current != change.base {
        return Ok(Outcome::Refused(StoreError::Conflict { base: change.base, current }));
    }
    let table = transaction.open_table(tables::DEFINITIONS)?;
    let changes = timeline::effective(change, |key| {
        let name = tables::definition_key(key);
        let Some(stored) = table.get(name.as_str())? else {
            return Ok(None);
        };
        let definition: (_, Definition) =
            tables::unstamped(&name, stored.value()).map_err(Trouble::Store)?;
        Ok::<_, Trouble>(Some(definition.1))
    })?;
    drop(table);
    if changes.is_empty() {
        return Ok(Outcome::Done(None));
    }
    *revision += 1;
    let record = Arc::new(ChangeRecord {
        revision: Revision(*revision),
        author: change.author.clone(),
        message: change.message.clone(),
        at: change.at.clone(),
        changes,
    });
    let weight = write_change(&record, transaction)?;
    retention::history(transaction, weight as u64, history)?;
    let what = EventKind::Definitions(Arc::clone(&record));
    events.push((Event { revision: record.revision, what }, weight));
    Ok(Outcome::Done(Some(record)))
}

fn write_change(record: &ChangeRecord, transaction: &WriteTransaction) -> Result<usize, Trouble> {
    let revision = record.revision.0;
    let mut definitions = transaction.open_table(tables::DEFINITIONS)?;
    let mut deleted = transaction.open_table(tables::DELETED)?;
    let mut by_key = transaction.open_table(tables::CHANGES_BY_KEY)?;
    for change in &record.changes {
        let key = tables::definition_key(&change.key);
        by_key.insert(tables::change_by_key(&key, revision).as_str(), revision)?;
        match &change.after {
            Some(after) => {
                let bytes = tables::stamped(revision, after).map_err(Trouble::Store)?;
                definitions.insert(key.as_str(), bytes.as_slice())?;
            }
            None => {
                definitions.remove(key.as_str())?;
                deleted.insert(key.as_str(), revision)?;
            }
        }
    }
    let bytes = serde_json::to_vec(record)
        .map_err(|error| Trouble::Store(StoreError::failed("encode a change", error)))?;
    transaction.open_table(tables::CHANGES)?.insert(revision, bytes.as_slice())?;
    let mut counters = transaction.open_table(tables::COUNTERS)?;
    counters.insert(counter::DEFINITIONS_REVISION, revision)?;
    Ok(bytes.len())
}
