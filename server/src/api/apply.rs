//! Changing definitions: validate against the fleet as it would be, then compare-and-swap. The
//! handler stops at the store; agents hear of it from the store's watch.

use super::base::{Base, Source};
use super::read::redacted_change;
use super::{Api, each, refusal};
use crate::store::{Change, ChangeRecord, DefinitionChange, Revision, StoreError};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;
use tonic::Status;
use tracing::info;
use vipfleet_model::moves::Switchover;
use vipfleet_model::redaction::unredact_all;
use vipfleet_model::validate::validate;
use vipfleet_model::{Definition, Definitions, Finding, Findings, Key, Kind, Name, Place};
use vipfleet_proto::v1;

/// A change that somebody else's overtook is planned anew this often, unless the client named
/// the revision it was planned against.
const ATTEMPTS: usize = 8;

/// How long an answer waits for this replica to see the change come back from the store.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Who wants a change, and how.
pub(super) struct Wish {
    pub(super) if_revision: Option<Revision>,
    pub(super) author: String,
    pub(super) message: String,
    pub(super) run: Run,
}

/// What a wish comes to, given what is stored.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) put: Vec<Definition>,
    pub(super) delete: Vec<Key>,
    pub(super) findings: Findings,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    Commit,
    Dry,
}

impl Run {
    pub(super) fn of(dry_run: bool) -> Self {
        if dry_run { Self::Dry } else { Self::Commit }
    }
}

impl Api {
    pub(super) async fn apply_change(
        &self,
        request: v1::ApplyRequest,
    ) -> Result<v1::ApplyResponse, Status> {
        let put: Vec<Definition> = each("put", request.put)?;
        let delete: Vec<Key> = each("delete", request.delete)?;
        let mut keys = put.iter().map(Definition::key).chain(delete.iter().cloned());
        if let Some(key) = keys.find(|key| key.kind.is_move()) {
            let what = format!("{key} is a planned move: ask for Switchover, Drain or Uncordon");
            return Err(Status::invalid_argument(what));
        }
        let wish = Wish {
            if_revision: request.if_revision.map(Revision),
            author: request.author,
            message: request.message,
            run: Run::of(request.dry_run),
        };
        let plan = |_: &Base| Plan {
            put: put.clone(),
            delete: delete.clone(),
            findings: Findings::default(),
        };
        self.change(&wish, plan).await
    }

    pub(super) async fn roll_back(
        &self,
        request: v1::RollbackRequest,
    ) -> Result<v1::ApplyResponse, Status> {
        if request.to_revision == 0 {
            // An absent field is no wish to delete everything.
            return Err(Status::invalid_argument("to_revision: absent"));
        }
        let to = Revision(request.to_revision);
        let target = self.fleet.store().definitions_at(to).await.map_err(refusal)?;
        let message = match request.message.as_str() {
            "" => format!("roll back to revision {to}"),
            given => given.to_owned(),
        };
        let wish = Wish {
            if_revision: request.if_revision.map(Revision),
            author: request.author,
            message,
            run: Run::of(request.dry_run),
        };
        // What was ordered for the time being is no part of what is declared.
        let plan = |now: &Base| {
            let (put, delete) = difference(&now.definitions, &target);
            Plan {
                put: put.into_iter().filter(|it| !it.kind().is_move()).collect(),
                delete: delete.into_iter().filter(|key| !key.kind.is_move()).collect(),
                findings: Findings::default(),
            }
        };
        self.change(&wish, plan).await
    }

    pub(super) async fn change(
        &self,
        wish: &Wish,
        plan: impl Fn(&Base) -> Plan,
    ) -> Result<v1::ApplyResponse, Status> {
        let mut base = Base::from(self.fleet.view().as_ref());
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.attempt(wish, &plan, &base).await? {
                Attempt::Committed(answer) => {
                    // So that a status asked for next shows it. The change is made in any case.
                    let seen = self.fleet.sees(Revision(answer.revision));
                    tokio::time::timeout(CATCH_UP, seen).await.ok();
                    return Ok(answer);
                }
                Attempt::Unchanged(answer) if base.source == Source::Read => return Ok(answer),
                Attempt::Overtaken(error)
                    if base.source == Source::Read
                        && (wish.if_revision.is_some() || attempts > ATTEMPTS) =>
                {
                    return Err(refusal(error));
                }
                Attempt::Unchanged(_) | Attempt::Overtaken(_) => {}
            }
            base = self.fleet.store().snapshot().await.map_err(refusal)?.into();
        }
    }

    async fn attempt(
        &self,
        wish: &Wish,
        plan: impl Fn(&Base) -> Plan,
        now: &Base,
    ) -> Result<Attempt, Status> {
        if let Some(pinned) = wish.if_revision.filter(|it| *it != now.revision) {
            let (base, current) = (pinned, now.revision);
            return Ok(Attempt::Overtaken(StoreError::Conflict { base, current }));
        }
        let Plan { mut put, mut delete, mut findings } = plan(now);
        findings.append(named_twice(&put, &delete));
        findings.append(unredact_all(put.iter_mut(), &now.definitions));
        let mut planned = planned(&now.definitions, &put, &delete, &mut findings);
        for key in moot(&planned) {
            planned.0.remove(&key);
            delete.push(key);
        }
        let changed = changes(&now.definitions, &planned);
        let keys = changed.iter().map(|change| change.key.clone()).collect::<BTreeSet<_>>();
        findings.append(validate(&planned, &now.facts, &keys));
        let mut answer = v1::ApplyResponse {
            changes: changed.into_iter().map(redacted_change).collect(),
            revision: now.revision.0,
            committed: false,
            findings: Vec::new(),
        };
        let refused = findings.has_errors();
        answer.findings = findings.0.into_iter().map(Into::into).collect();
        if refused || wish.run == Run::Dry || keys.is_empty() {
            return Ok(Attempt::Unchanged(answer));
        }
        let change = Change {
            base: now.revision,
            author: wish.author.clone(),
            message: wish.message.clone(),
            at: Timestamp::now().to_string(),
            put,
            delete,
        };
        match self.fleet.store().commit(change).await {
            Ok(record) => {
                if let Some(ChangeRecord { revision, author, message, .. }) = &record {
                    info!(%revision, %author, %message, definitions = keys.len(), "applied");
                }
                answer.committed = record.is_some();
                answer.revision = record.map_or(answer.revision, |record| record.revision.0);
                Ok(Attempt::Committed(answer))
            }
            Err(error @ StoreError::Conflict { .. }) => Ok(Attempt::Overtaken(error)),
            Err(error @ StoreError::Unavailable { .. }) => {
                let status = refusal(error);
                Err(Status::unavailable(format!(
                    "{}; the change may have been stored all the same, the history tells",
                    status.message()
                )))
            }
            Err(error) => Err(refusal(error)),
        }
    }
}

/// How one try to make a change ended.
enum Attempt {
    /// The store has taken it, or had it already.
    Committed(v1::ApplyResponse),
    /// There is nothing to store: refused, only asked for, or as it is.
    Unchanged(v1::ApplyResponse),
    /// It was planned against something else than what is stored.
    Overtaken(StoreError),
}

/// A definition that is put twice, or put and deleted, has no one meaning.
fn named_twice(put: &[Definition], delete: &[Key]) -> Findings {
    let mut seen = BTreeSet::new();
    let mut findings = Findings::default();
    for key in put.iter().map(Definition::key).chain(delete.iter().cloned()) {
        if !seen.insert(key.clone()) {
            let place = Place { document: Some(key.to_string()), ..Place::default() };
            let message = "is named twice in one change";
            let remedy = "keep one of the two";
            findings.push(Finding::error("duplicate-definition", place, message, remedy));
        }
    }
    findings
}

/// The fleet as it would be. Deleting what is not there is a finding, not a surprise.
fn planned(
    now: &Definitions,
    put: &[Definition],
    delete: &[Key],
    findings: &mut Findings,
) -> Definitions {
    let mut planned = now.clone();
    for key in delete {
        if planned.0.remove(key).is_none() {
            let place = Place { document: Some(key.to_string()), ..Place::default() };
            let remedy = "look it up with `vipctl get`";
            findings.push(Finding::error(
                "nothing-to-delete",
                place,
                "there is no such definition",
                remedy,
            ));
        }
    }
    planned.0.extend(put.iter().map(|definition| (definition.key(), definition.clone())));
    planned
}

/// Switchovers of instances that are gone, or to who is no member any more.
fn moot(planned: &Definitions) -> Vec<Key> {
    let is_moot = |(name, spec): &(&Name, &Switchover)| {
        planned.instance(name).and_then(|it| it.member(&spec.to)).is_none()
    };
    let moot = planned.switchovers().filter(is_moot);
    moot.map(|(name, _)| Key { kind: Kind::Switchover, name: name.clone() }).collect()
}

/// What turns `now` into `target`.
fn difference(now: &Definitions, target: &Definitions) -> (Vec<Definition>, Vec<Key>) {
    let put = target.0.iter().filter(|(key, wanted)| now.0.get(*key) != Some(*wanted));
    let delete = now.0.keys().filter(|key| !target.0.contains_key(*key));
    (put.map(|(_, wanted)| wanted.clone()).collect(), delete.cloned().collect())
}

fn changes(now: &Definitions, planned: &Definitions) -> Vec<DefinitionChange> {
    let (put, delete) = difference(now, planned);
    let keys = put.iter().map(Definition::key).chain(delete).collect::<BTreeSet<_>>();
    let change = |key: Key| DefinitionChange {
        before: now.0.get(&key).cloned(),
        after: planned.0.get(&key).cloned(),
        key,
    };
    keys.into_iter().map(change).collect()
}
