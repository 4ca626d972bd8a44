//! Events from the file, for a watcher that is behind the ring: every kept change and
//! transition, and of what is coalesced the latest.

use super::read::{self, failed};
use super::tables::{self, Log, counter};
use crate::store::timeline;
use crate::store::{ChangeRecord, Event, EventKind, Revision, StoreError, StoredTransition};
use redb::{Database, ReadTransaction, ReadableTable};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of each log, what one page takes at most (but one record at least).
const RECORDS: usize = 1024;
const BYTES: usize = 16 << 20;

pub(super) struct Page {
    /// In the order of revisions.
    pub(super) events: Vec<Event>,
    /// The page is complete up to here.
    pub(super) until: Revision,
}

pub(super) fn page(database: &Database, after: Revision) -> Result<Page, StoreError> {
    let transaction = read::begin(database)?;
    let floor = Revision(read::counter(&transaction, counter::HISTORY_FLOOR)?);
    if after < floor {
        return before_floor(&transaction, after, floor);
    }
    let last = Revision(read::counter(&transaction, counter::REVISION)?);
    between(&transaction, after, last)
}

/// What a watcher missed that history no longer has, in one record.
fn before_floor(
    transaction: &ReadTransaction,
    after: Revision,
    floor: Revision,
) -> Result<Page, StoreError> {
    let mut page = between(transaction, after, Revision(floor.0 - 1))?;
    if page.until.0 + 1 < floor.0 {
        return Ok(page);
    }
    let at_floor = read::back_to(transaction, floor)?;
    let (_, changed_at) = read::definitions(transaction)?;
    let record = timeline::combined(after, floor, &at_floor, &changed_at, &deleted(transaction)?);
    let what = EventKind::Definitions(Arc::new(record));
    page.events.push(Event { revision: floor, what });
    Ok(Page { events: page.events, until: floor })
}

fn deleted(
    transaction: &ReadTransaction,
) -> Result<BTreeMap<vipfleet_model::Key, Revision>, StoreError> {
    let table = transaction.open_table(tables::DELETED).map_err(failed)?;
    let entries = table.iter().map_err(failed)?.map(|entry| {
        let (key, revision) = entry.map_err(failed)?;
        Ok((tables::parse_definition_key(key.value())?, Revision(revision.value())))
    });
    entries.collect()
}

/// After `after` up to `last`, or to where a page is full.
fn between(
    transaction: &ReadTransaction,
    after: Revision,
    last: Revision,
) -> Result<Page, StoreError> {
    let mut until = last;
    let changes = log::<ChangeRecord>(transaction, tables::CHANGES, after, &mut until)?;
    let transitions = log::<StoredTransition>(transaction, tables::TRANSITIONS, after, &mut until)?;
    let mut events: Vec<Event> = Vec::new();
    events.extend(
        changes
            .into_iter()
            .map(|it| Event { revision: it.revision, what: EventKind::Definitions(Arc::new(it)) }),
    );
    events.extend(
        transitions
            .into_iter()
            .map(|it| Event { revision: it.revision, what: EventKind::Transition(it) }),
    );
    let facts = read::all(transaction, tables::FACTS)?.into_iter();
    events.extend(facts.map(|(revision, it)| Event { revision, what: EventKind::Facts(it) }));
    let nodes = read::all(transaction, tables::NODES)?.into_iter();
    events.extend(
        nodes.map(|(revision, it)| Event { revision, what: EventKind::Node(Box::new(it)) }),
    );
    let replicas = read::all(transaction, tables::REPLICAS)?.into_iter();
    events.extend(replicas.map(|(revision, it)| Event { revision, what: EventKind::Replica(it) }));
    events.retain(|event| after < event.revision && event.revision <= until);
    events.sort_by_key(|event| event.revision);
    Ok(Page { events, until })
}

/// Records of a log after `after`. Lowers `until` to the last one read when there are more.
fn log<T: DeserializeOwned>(
    transaction: &ReadTransaction,
    table: Log,
    after: Revision,
    until: &mut Revision,
) -> Result<Vec<T>, StoreError> {
    let table = transaction.open_table(table).map_err(failed)?;
    let (mut records, mut bytes, mut at) = (Vec::new(), 0, after.0);
    for entry in table.range(after.0 + 1..).map_err(failed)? {
        if records.len() == RECORDS || bytes > BYTES {
            *until = (*until).min(Revision(at));
            break;
        }
        let (revision, value) = entry.map_err(failed)?;
        at = revision.value();
        bytes += value.value().len();
        records.push(tables::plain(&format!("record {at}"), value.value())?);
    }
    Ok(records)
}
