//! Reading definitions and their history. Secrets leave redacted, unless export asks for them.

use super::{Api, each, malformed, refusal};
use crate::store::{ChangeRecord, DefinitionChange, Revision};
use prost_types::Timestamp;
use std::collections::BTreeSet;
use tonic::Status;
use vipfleet_model::{Definition, Key};
use vipfleet_proto::v1;

const HISTORY_LIMIT: u32 = 100;
const HISTORY_MOST: u32 = 1000;

/// Changes read from the store at a time.
const HISTORY_AT_ONCE: usize = 16;

/// A page of history ends before it has more definitions than this, so that it fits a message;
/// one change is shown whatever its size.
const PAGE_DEFINITIONS: usize = 10_000;

impl Api {
    pub(super) async fn definitions(
        &self,
        request: v1::GetRequest,
    ) -> Result<v1::GetResponse, Status> {
        let keys = each("keys", request.keys)?.into_iter().collect::<BTreeSet<Key>>();
        let now = self.fleet.store().snapshot().await.map_err(refusal)?;
        if let Some(missing) = keys.iter().find(|key| !now.definitions.0.contains_key(*key)) {
            return Err(Status::not_found(format!("there is no {missing}")));
        }
        // What was ordered for the time being only if it is asked for.
        let wanted = |key: &Key| match keys.is_empty() {
            true => !key.kind.is_move(),
            false => keys.contains(key),
        };
        let stored = |(key, definition): (&Key, &Definition)| {
            let shown =
                if request.reveal_secrets { definition.clone() } else { definition.redacted() };
            v1::StoredDefinition {
                definition: Some(shown.into()),
                revision: now.changed_at.get(key).map_or(0, |revision| revision.0),
            }
        };
        let definitions = now.definitions.0.iter().filter(|(key, _)| wanted(key)).map(stored);
        let revision = now.definitions_revision.0;
        Ok(v1::GetResponse { revision, definitions: definitions.collect() })
    }

    pub(super) async fn changes(
        &self,
        request: v1::HistoryRequest,
    ) -> Result<v1::HistoryResponse, Status> {
        let key = request.key.map(Key::try_from).transpose();
        let key = key.map_err(|cause| malformed(cause.under("key")))?;
        let limit = if request.limit == 0 { HISTORY_LIMIT } else { request.limit };
        let limit = usize::try_from(limit.min(HISTORY_MOST)).unwrap_or(usize::MAX);
        let mut before = (request.before > 0).then_some(Revision(request.before));
        let (mut changes, mut definitions) = (Vec::new(), 0);
        while changes.len() < limit && definitions < PAGE_DEFINITIONS {
            let wanted = HISTORY_AT_ONCE.min(limit - changes.len());
            let records = self.fleet.store().history(key.as_ref(), before, wanted).await;
            let records = records.map_err(refusal)?;
            let Some(last) = records.last() else { break };
            before = Some(last.revision);
            for record in records {
                definitions += record.changes.len();
                if definitions > PAGE_DEFINITIONS && !changes.is_empty() {
                    break;
                }
                changes.push(change(record));
            }
        }
        Ok(v1::HistoryResponse { changes })
    }
}

fn change(record: ChangeRecord) -> v1::Change {
    v1::Change {
        revision: record.revision.0,
        at: timestamp(&record.at),
        author: record.author,
        message: record.message,
        changes: record.changes.into_iter().map(redacted_change).collect(),
    }
}

/// A definition's change as others may see it.
pub(super) fn redacted_change(change: DefinitionChange) -> v1::DefinitionChange {
    v1::DefinitionChange {
        key: Some(change.key.into()),
        before: change.before.map(|definition| definition.redacted().into()),
        after: change.after.map(|definition| definition.redacted().into()),
    }
}

/// RFC 3339 as the store keeps it; absent if it does not parse.
fn timestamp(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() })
}
