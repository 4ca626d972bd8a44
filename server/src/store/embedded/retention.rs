//! What is dropped so that the file stays bounded: the oldest changes and transitions. Runs in
//! the transaction of the write that passed the bound.

use super::operation::Trouble;
use super::tables::{self, counter};
use crate::store::timeline::{HistoryBounds, KEPT_TRANSITIONS};
use crate::store::{ChangeRecord, StoredTransition};
use redb::WriteTransaction;

/// Counts a change of `bytes` that was added, and drops the oldest beyond the bounds.
pub(super) fn history(
    transaction: &WriteTransaction,
    bytes: u64,
    bounds: HistoryBounds,
) -> Result<(), Trouble> {
    let mut counters = transaction.open_table(tables::COUNTERS)?;
    let mut log = transaction.open_table(tables::CHANGES)?;
    let mut by_key = transaction.open_table(tables::CHANGES_BY_KEY)?;
    let mut kept = tables::number(&counters, counter::HISTORY_CHANGES)? + 1;
    let mut size = tables::number(&counters, counter::HISTORY_BYTES)? + bytes;
    while kept > 1 && (kept > bounds.changes || size > bounds.bytes) {
        let Some((revision, value)) = log.pop_first()? else {
            break;
        };
        let (revision, dropped) = (revision.value(), value.value().len() as u64);
        let what = format!("change {revision}");
        let record: ChangeRecord = tables::plain(&what, value.value()).map_err(Trouble::Store)?;
        for change in &record.changes {
            let key = tables::definition_key(&change.key);
            by_key.remove(tables::change_by_key(&key, revision).as_str())?;
        }
        kept -= 1;
        size = size.saturating_sub(dropped);
        counters.insert(counter::HISTORY_FLOOR, revision)?;
    }
    counters.insert(counter::HISTORY_CHANGES, kept)?;
    counters.insert(counter::HISTORY_BYTES, size)?;
    Ok(())
}

/// Counts transitions that were added, and drops the oldest beyond the kept number. What was
/// dropped stays known by its node's floor, so that it is not stored again.
pub(super) fn transitions(transaction: &WriteTransaction, added: u64) -> Result<(), Trouble> {
    if added == 0 {
        return Ok(());
    }
    let mut counters = transaction.open_table(tables::COUNTERS)?;
    let mut kept = tables::number(&counters, counter::TRANSITIONS)? + added;
    let mut log = transaction.open_table(tables::TRANSITIONS)?;
    let mut ids = transaction.open_table(tables::TRANSITION_IDS)?;
    let mut floors = transaction.open_table(tables::TRANSITION_FLOORS)?;
    while kept > KEPT_TRANSITIONS {
        let Some((revision, value)) = log.pop_first()? else {
            break;
        };
        let what = format!("transition {}", revision.value());
        let dropped: StoredTransition =
            tables::plain(&what, value.value()).map_err(Trouble::Store)?;
        let (node, sequence) = (dropped.node.as_str(), dropped.record.sequence);
        ids.remove(tables::transition_id(&dropped.node, sequence).as_str())?;
        if tables::number(&floors, node)? < sequence {
            floors.insert(node, sequence)?;
        }
        counters.insert(counter::TRANSITIONS_FLOOR, revision.value())?;
        kept -= 1;
    }
    counters.insert(counter::TRANSITIONS, kept)?;
    Ok(())
}
