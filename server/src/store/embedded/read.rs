//! Reads, each in one read transaction and so as of one revision. All block on the disk.

use super::tables::{self, Documents, counter};
use crate::store::timeline;
use crate::store::{
    ChangeRecord, FleetIdentity, Revision, Snapshot, StoreError, StoredTransition, TransitionPage,
};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use vipfleet_model::{Definition, Definitions, Key, NodeFacts};

pub(super) fn failed(error: impl Into<redb::Error>) -> StoreError {
    StoreError::failed("read", error.into())
}

pub(super) fn begin(database: &Database) -> Result<ReadTransaction, StoreError> {
    database.begin_read().map_err(failed)
}

pub(super) fn counter(transaction: &ReadTransaction, name: &str) -> Result<u64, StoreError> {
    let counters = transaction.open_table(tables::COUNTERS).map_err(failed)?;
    tables::number(&counters, name).map_err(failed)
}

pub(super) fn revision(database: &Database) -> Result<Revision, StoreError> {
    counter(&begin(database)?, counter::REVISION).map(Revision)
}

pub(super) fn fleet(database: &Database) -> Result<FleetIdentity, StoreError> {
    let table = begin(database)?.open_table(tables::META).map_err(failed)?;
    let stored = table.get(tables::FLEET).map_err(failed)?;
    let stored = stored.ok_or_else(|| StoreError::corrupt("the fleet's identity", "missing"))?;
    tables::plain("the fleet's identity", stored.value())
}

/// Every value of a table with its revision.
pub(super) fn all<T: DeserializeOwned>(
    transaction: &ReadTransaction,
    table: Documents,
) -> Result<Vec<(Revision, T)>, StoreError> {
    let table = transaction.open_table(table).map_err(failed)?;
    let entries = table.iter().map_err(failed)?.map(|entry| {
        let (name, value) = entry.map_err(failed)?;
        tables::unstamped(name.value(), value.value())
    });
    entries.collect()
}

pub(super) fn definitions(
    transaction: &ReadTransaction,
) -> Result<(Definitions, BTreeMap<Key, Revision>), StoreError> {
    let stored: Vec<(Revision, Definition)> = all(transaction, tables::DEFINITIONS)?;
    let changed_at = stored.iter().map(|(revision, it)| (it.key(), *revision)).collect();
    Ok((stored.into_iter().map(|(_, definition)| definition).collect(), changed_at))
}

pub(super) fn snapshot(database: &Database) -> Result<Snapshot, StoreError> {
    let transaction = begin(database)?;
    let (definitions, changed_at) = definitions(&transaction)?;
    let facts: Vec<(Revision, NodeFacts)> = all(&transaction, tables::FACTS)?;
    let nodes: Vec<(Revision, crate::store::NodeRecord)> = all(&transaction, tables::NODES)?;
    let replicas: Vec<(Revision, crate::store::ReplicaRecord)> =
        all(&transaction, tables::REPLICAS)?;
    Ok(Snapshot {
        revision: Revision(counter(&transaction, counter::REVISION)?),
        definitions_revision: Revision(counter(&transaction, counter::DEFINITIONS_REVISION)?),
        definitions: Arc::new(definitions),
        changed_at,
        facts: facts.into_iter().map(|(at, it)| (it.node.clone(), (at, it))).collect(),
        nodes: nodes.into_iter().map(|(_, it)| (it.node.clone(), it)).collect(),
        replicas: replicas.into_iter().map(|(_, it)| (it.replica.clone(), it)).collect(),
    })
}

pub(super) fn history(
    database: &Database,
    key: Option<&Key>,
    before: Option<Revision>,
    limit: usize,
) -> Result<Vec<ChangeRecord>, StoreError> {
    let transaction = begin(database)?;
    let end = before.map_or(u64::MAX, |before| before.0);
    let log = transaction.open_table(tables::CHANGES).map_err(failed)?;
    let Some(key) = key else {
        let newest = log.range(..end).map_err(failed)?.rev().take(limit);
        return newest
            .map(|entry| {
                let (revision, value) = entry.map_err(failed)?;
                tables::plain(&format!("change {}", revision.value()), value.value())
            })
            .collect();
    };
    let key = tables::definition_key(key);
    let (first, last) = (tables::change_by_key(&key, 0), tables::change_by_key(&key, end));
    let by_key = transaction.open_table(tables::CHANGES_BY_KEY).map_err(failed)?;
    let newest = by_key.range(first.as_str()..last.as_str()).map_err(failed)?.rev().take(limit);
    newest
        .map(|entry| {
            let revision = entry.map_err(failed)?.1.value();
            let what = format!("change {revision}");
            let value = log.get(revision).map_err(failed)?;
            let value = value.ok_or_else(|| StoreError::corrupt(&what, "missing"))?;
            tables::plain(&what, value.value())
        })
        .collect()
}

/// From what is stored now, backwards through the changes since.
pub(super) fn definitions_at(
    database: &Database,
    revision: Revision,
) -> Result<Definitions, StoreError> {
    let transaction = begin(database)?;
    let floor = counter(&transaction, counter::HISTORY_FLOOR)?;
    let last = counter(&transaction, counter::REVISION)?;
    if revision.0 < floor || revision.0 > last {
        return Err(StoreError::UnknownRevision(revision));
    }
    back_to(&transaction, revision)
}

pub(super) fn back_to(
    transaction: &ReadTransaction,
    revision: Revision,
) -> Result<Definitions, StoreError> {
    let (mut definitions, _) = definitions(transaction)?;
    let log = transaction.open_table(tables::CHANGES).map_err(failed)?;
    for entry in log.range(revision.0 + 1..).map_err(failed)?.rev() {
        let (at, value) = entry.map_err(failed)?;
        let record = tables::plain(&format!("change {}", at.value()), value.value())?;
        timeline::revert(&mut definitions, &record);
    }
    Ok(definitions)
}

pub(super) fn transitions(
    database: &Database,
    after: Revision,
    limit: usize,
) -> Result<TransitionPage, StoreError> {
    let transaction = begin(database)?;
    let log = transaction.open_table(tables::TRANSITIONS).map_err(failed)?;
    let start = after.0.saturating_add(1);
    let kept = log.range(start..).map_err(failed)?.take(limit).map(|entry| {
        let (revision, value) = entry.map_err(failed)?;
        tables::plain(&format!("transition {}", revision.value()), value.value())
    });
    let transitions = kept.collect::<Result<Vec<StoredTransition>, _>>()?;
    let gap_until = if after.0 < counter(&transaction, counter::TRANSITIONS_FLOOR)? {
        log.first().map_err(failed)?.map(|(revision, _)| Revision(revision.value()))
    } else {
        None
    };
    Ok(TransitionPage { transitions, gap_until })
}
