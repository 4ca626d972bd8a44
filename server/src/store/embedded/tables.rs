//! Tables of the file and how values are written in them. Only `&str`, `u64` and `&[u8]`: their
//! encoding is the same in every version of redb.

use crate::store::{Revision, StoreError};
use redb::{ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use vipfleet_model::{Key, Kind, Name};

pub(super) type Documents = TableDefinition<'static, &'static str, &'static [u8]>;
pub(super) type Numbers = TableDefinition<'static, &'static str, u64>;
pub(super) type Log = TableDefinition<'static, u64, &'static [u8]>;

/// [`FLEET`]: the identity.
pub(super) const META: Documents = TableDefinition::new("meta");
/// See [`counter`].
pub(super) const COUNTERS: Numbers = TableDefinition::new("counters");
/// `Kind/name` → revision and definition.
pub(super) const DEFINITIONS: Documents = TableDefinition::new("definitions");
/// `Kind/name` → revision of the last deletion, kept when it is created again.
pub(super) const DELETED: Numbers = TableDefinition::new("deleted");
/// Revision → change record.
pub(super) const CHANGES: Log = TableDefinition::new("changes");
/// `Kind/name/revision` → revision.
pub(super) const CHANGES_BY_KEY: Numbers = TableDefinition::new("changes_by_key");
/// Node → revision and facts.
pub(super) const FACTS: Documents = TableDefinition::new("facts");
/// Node → revision and record.
pub(super) const NODES: Documents = TableDefinition::new("nodes");
/// Replica → revision and record.
pub(super) const REPLICAS: Documents = TableDefinition::new("replicas");
/// Revision → stored transition.
pub(super) const TRANSITIONS: Log = TableDefinition::new("transitions");
/// `node/sequence` → revision.
pub(super) const TRANSITION_IDS: Numbers = TableDefinition::new("transition_ids");
/// Node → highest sequence that is no longer kept.
pub(super) const TRANSITION_FLOORS: Numbers = TableDefinition::new("transition_floors");

/// Every table but [`COUNTERS`], so that readers find all of them in a new file.
pub(super) const DOCUMENTS: [Documents; 5] = [META, DEFINITIONS, FACTS, NODES, REPLICAS];
pub(super) const NUMBERS: [Numbers; 4] =
    [DELETED, CHANGES_BY_KEY, TRANSITION_IDS, TRANSITION_FLOORS];
pub(super) const LOGS: [Log; 2] = [CHANGES, TRANSITIONS];

/// The one name in [`META`].
pub(super) const FLEET: &str = "fleet";

/// Names in [`COUNTERS`].
pub(super) mod counter {
    pub(in crate::store::embedded) const FORMAT: &str = "format";
    /// The last revision given to a write.
    pub(in crate::store::embedded) const REVISION: &str = "revision";
    pub(in crate::store::embedded) const DEFINITIONS_REVISION: &str = "definitions_revision";
    /// Revision of the newest change that is no longer kept.
    pub(in crate::store::embedded) const HISTORY_FLOOR: &str = "history_floor";
    pub(in crate::store::embedded) const HISTORY_CHANGES: &str = "history_changes";
    pub(in crate::store::embedded) const HISTORY_BYTES: &str = "history_bytes";
    /// Revision of the newest transition that is no longer kept.
    pub(in crate::store::embedded) const TRANSITIONS_FLOOR: &str = "transitions_floor";
    pub(in crate::store::embedded) const TRANSITIONS: &str = "transitions";
}

/// What [`counter::FORMAT`] says of files that this code writes.
pub(super) const FORMAT: u64 = 1;

pub(super) fn definition_key(key: &Key) -> String {
    format!("{}/{}", key.kind, key.name)
}

pub(super) fn parse_definition_key(text: &str) -> Result<Key, StoreError> {
    let bad = || StoreError::corrupt(format!("key {text:?}"), "it is no KIND/NAME");
    let (kind, name) = text.split_once('/').ok_or_else(bad)?;
    let kind = Kind::ALL.into_iter().find(|it| it.as_str() == kind).ok_or_else(bad)?;
    Ok(Key { kind, name: name.parse().map_err(|_| bad())? })
}

/// Twenty digits, so that keys sort as numbers do.
pub(super) fn change_by_key(key: &str, revision: u64) -> String {
    format!("{key}/{revision:020}")
}

pub(super) fn transition_id(node: &Name, sequence: u64) -> String {
    format!("{node}/{sequence:020}")
}

/// Eight bytes of revision, then JSON.
pub(super) fn stamped(revision: u64, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = revision.to_be_bytes().to_vec();
    serde_json::to_writer(&mut bytes, value)
        .map_err(|error| StoreError::failed("encode a value", error))?;
    Ok(bytes)
}

pub(super) fn stamp_of(what: &str, bytes: &[u8]) -> Result<u64, StoreError> {
    bytes
        .first_chunk()
        .map(|stamp| u64::from_be_bytes(*stamp))
        .ok_or_else(|| StoreError::corrupt(what, "shorter than its revision"))
}

pub(super) fn unstamped<T: DeserializeOwned>(
    what: &str,
    bytes: &[u8],
) -> Result<(Revision, T), StoreError> {
    let revision = stamp_of(what, bytes)?;
    Ok((Revision(revision), plain(what, &bytes[8..])?))
}

pub(super) fn plain<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::corrupt(what, error))
}

pub(super) fn number(
    table: &impl ReadableTable<&'static str, u64>,
    name: &str,
) -> Result<u64, redb::StorageError> {
    Ok(table.get(name)?.map_or(0, |value| value.value()))
}
