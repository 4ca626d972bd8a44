//! The pure arithmetic of definitions over time, the same for every store: what a change really
//! changes, the definitions before and after it, and what a watcher is told that comes from
//! before the kept history.

use super::{Change, ChangeRecord, DefinitionChange, Revision};
use std::collections::{BTreeMap, BTreeSet};
use vipfleet_model::{Definition, Definitions, Key};

/// Changes that history keeps: the oldest go when either bound is passed. The newest stays
/// whatever its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryBounds {
    pub changes: u64,
    pub bytes: u64,
}

impl Default for HistoryBounds {
    /// etcd's default quota is 2 GiB for everything, old revisions included.
    fn default() -> Self {
        Self { changes: 10_000, bytes: 256 << 20 }
    }
}

/// Transitions that are kept of the whole fleet.
pub(crate) const KEPT_TRANSITIONS: u64 = 10_000;

/// What `change` would change, by key, given what is stored. Of several puts of one key the
/// last counts; a key both put and deleted is put.
pub(crate) fn effective<E>(
    change: &Change,
    mut stored: impl FnMut(&Key) -> Result<Option<Definition>, E>,
) -> Result<Vec<DefinitionChange>, E> {
    let mut wanted: BTreeMap<Key, Option<&Definition>> =
        change.delete.iter().map(|key| (key.clone(), None)).collect();
    wanted.extend(change.put.iter().map(|definition| (definition.key(), Some(definition))));
    let mut changes = Vec::new();
    for (key, after) in wanted {
        let before = stored(&key)?;
        if before.as_ref() != after {
            changes.push(DefinitionChange { key, before, after: after.cloned() });
        }
    }
    Ok(changes)
}

/// Takes a change back.
pub(crate) fn revert(definitions: &mut Definitions, record: &ChangeRecord) {
    for change in &record.changes {
        match &change.before {
            Some(before) => definitions.0.insert(change.key.clone(), before.clone()),
            None => definitions.0.remove(&change.key),
        };
    }
}

/// One record in place of all that a watcher at `after` missed up to `floor`, the newest change
/// that is no longer kept. `at_floor` are the definitions then, `changed_at` and `deleted` when
/// each was last changed and deleted. May repeat what the watcher knows, never leaves out what
/// it does not; `before` is not known any more.
pub(crate) fn combined(
    after: Revision,
    floor: Revision,
    at_floor: &Definitions,
    changed_at: &BTreeMap<Key, Revision>,
    deleted: &BTreeMap<Key, Revision>,
) -> ChangeRecord {
    let news = |key: &Key| changed_at.get(key).is_none_or(|changed| *changed > after);
    let put = at_floor.0.iter().filter(|(key, _)| news(key));
    let mut changes: Vec<_> = put
        .map(|(key, definition)| DefinitionChange {
            key: key.clone(),
            before: None,
            after: Some(definition.clone()),
        })
        .collect();
    let gone: BTreeSet<_> = deleted
        .iter()
        .filter(|(key, at)| **at > after && !at_floor.0.contains_key(key))
        .map(|(key, _)| key)
        .collect();
    changes.extend(gone.into_iter().map(|key| DefinitionChange {
        key: key.clone(),
        before: None,
        after: None,
    }));
    ChangeRecord {
        revision: floor,
        author: String::new(),
        message: format!("changes after revision {after} that are no longer kept, combined"),
        at: String::new(),
        changes,
    }
}
