//! One agent's stream, from Welcome to its end. What waits to be said is worked out when there
//! is room for it, so a slow agent gets the latest assignment and holds up nobody, not even its
//! own session.

use super::greeting::Hello;
use super::records::Recording;
use super::verdicts::{Sent, Verdicts};
use crate::fleet::{Fleet, Greeted, SessionEvent, SessionNews, View};
use crate::store::Rejection;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};
use tracing::{debug, warn};
use vipfleet_model::report::TransitionRecord;
use vipfleet_model::{Name, NodeFacts, NodeReport};
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message as FromAgent;
use vipfleet_proto::v1::server_message::Message as ToAgent;

/// How long an agent should keep its answer to a push, for each node of the fleet: what it takes to
/// push to one more, on a slow machine. So the assignments of all are on their way before the first
/// verdict and its reports come back.
const PUSHED: Duration = Duration::from_micros(100);

pub(super) type Outgoing = mpsc::Sender<Result<v1::ServerMessage, Status>>;

/// Why a session ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The agent closed the stream, or its connection broke.
    Gone(String),
    /// The agent should go elsewhere, or make way for itself.
    SentAway(String),
    /// The agent said something that cannot be, or that cannot be kept now.
    Refused(Status),
}

pub(super) struct SessionStream {
    fleet: Fleet,
    node: Name,
    id: u64,
    recording: Recording,
    verdicts: Verdicts,
    welcomed: bool,
    /// Transitions stored up to here, which the agent does not know yet.
    stored: Option<u64>,
}

impl SessionStream {
    pub(super) fn new(
        fleet: Fleet,
        id: u64,
        hello: &Hello,
        recording: Recording,
        greeted: &Greeted,
    ) -> Self {
        let node = hello.facts.node.clone();
        let refused = greeted.rejected.as_ref().map(|it| it.hash.clone());
        let verdicts = Verdicts::new(hello).with_refused(refused);
        Self { fleet, node, id, recording, verdicts, welcomed: false, stored: None }
    }

    /// Serves the stream until it ends. Every branch is cancel safe, and so is the whole.
    pub(super) async fn serve(
        &mut self,
        incoming: &mut Streaming<v1::AgentMessage>,
        outgoing: &Outgoing,
    ) -> Ended {
        let mut changes = self.fleet.watch_urgent();
        loop {
            let view = changes.borrow_and_update().clone();
            if let Some(replica) = self.superseded_by(&view) {
                return Ended::SentAway(format!("the node has a newer session at {replica}"));
            }
            let step = tokio::select! {
                room = outgoing.reserve(), if self.has_news(&view) => match room {
                    Ok(room) => {
                        let message = self.news(&view);
                        room.send(Ok(v1::ServerMessage { message }));
                        Ok(())
                    }
                    Err(_) => Err(Ended::Gone("the agent is gone".into())),
                },
                message = incoming.message() => match message {
                    Ok(Some(v1::AgentMessage { message: Some(message) })) => {
                        self.take(message).await
                    }
                    // A message that only a newer agent knows.
                    Ok(Some(_)) => Ok(()),
                    Ok(None) => Err(Ended::Gone("the agent closed the stream".into())),
                    Err(status) => Err(Ended::Gone(status.message().to_owned())),
                },
                changed = changes.changed() => {
                    changed.map_err(|_| Ended::SentAway("the server is stopping".into()))
                }
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    /// Leaves the record as it should be after the session.
    pub(super) async fn close(self) {
        let elsewhere = self.superseded_by(&self.fleet.view()).is_some();
        self.tell(SessionNews::Disconnected).await;
        self.recording.ended(elsewhere);
    }

    pub(super) async fn tell(&self, what: SessionNews) {
        self.fleet.tell(SessionEvent { node: self.node.clone(), session: self.id, what }).await;
    }

    fn superseded_by(&self, view: &View) -> Option<String> {
        let session = view.node(&self.node)?.session.as_ref()?;
        session.superseded_by.clone().filter(|_| session.id == self.id)
    }

    fn has_news(&self, view: &View) -> bool {
        !self.welcomed || self.stored.is_some() || self.due(view)
    }

    fn due(&self, view: &View) -> bool {
        view.desired(&self.node).is_some_and(|desired| self.verdicts.may_push(desired))
    }

    /// What to say next: Welcome before everything else.
    fn news(&mut self, view: &View) -> Option<ToAgent> {
        if !std::mem::replace(&mut self.welcomed, true) {
            return Some(ToAgent::Welcome(v1::Welcome {
                fleet_id: self.fleet.identity.id.clone(),
                epoch: self.fleet.identity.epoch,
                server_version: env!("CARGO_PKG_VERSION").into(),
                replica: self.fleet.replica.clone(),
            }));
        }
        if let Some(sequence) = self.stored.take() {
            return Some(ToAgent::TransitionAck(v1::TransitionAck { sequence }));
        }
        let desired = view.desired(&self.node).filter(|it| self.verdicts.may_push(it))?;
        let nonce = self.verdicts.push(desired);
        debug!(node = %self.node, generation = %desired.generation, "push");
        Some(ToAgent::Push(v1::Push {
            nonce,
            generation: desired.generation.0,
            hash: desired.hash().to_owned(),
            assignment: Some(desired.assignment.as_ref().clone().into()),
            server_time: Timestamp::now().to_string(),
            answer_after_ms: answer_after_ms(view.size()),
            deleted: view.deleted_from(&self.node).map(ToString::to_string).collect(),
            created: view.created_in(&desired.assignment).map(ToString::to_string).collect(),
        }))
    }

    async fn take(&mut self, message: FromAgent) -> Result<(), Ended> {
        match message {
            FromAgent::Ack(ack) => {
                if let Some(Sent { hash, generation, .. }) = self.verdicts.accepted(ack.nonce) {
                    self.recording.accepted(&hash);
                    self.tell(SessionNews::Accepted { hash, generation }).await;
                }
                Ok(())
            }
            FromAgent::Nack(nack) => {
                self.refused(nack).await;
                Ok(())
            }
            FromAgent::Report(report) => {
                let report = NodeReport::try_from(report).map_err(malformed("report"))?;
                let at = Timestamp::now().to_string();
                self.recording.reported(report.clone(), at.clone());
                self.tell(SessionNews::Reported(Box::new(report), at)).await;
                Ok(())
            }
            FromAgent::Transitions(batch) => self.keep_transitions(batch).await,
            FromAgent::Facts(facts) => {
                // A node speaks for itself only.
                let facts = v1::NodeFacts { node: self.node.to_string(), ..facts };
                self.recording.facts(NodeFacts::try_from(facts).map_err(malformed("facts"))?);
                Ok(())
            }
            FromAgent::Hello(_) => {
                Err(Ended::Refused(Status::invalid_argument("Hello was said twice")))
            }
        }
    }

    async fn refused(&mut self, nack: v1::Nack) {
        let v1::Nack { nonce, field_path, reason, running_generation, .. } = nack;
        let Some(sent) = self.verdicts.refused(nonce, running_generation) else {
            return;
        };
        let Sent { generation, hash, .. } = sent;
        warn!(node = %self.node, generation, %field_path, %reason, "refused");
        let rejection = Rejection { generation, hash, field_path, reason };
        self.recording.rejected(rejection.clone());
        self.tell(SessionNews::Rejected(rejection)).await;
    }

    /// Stored before acknowledged. A store that is away ends the session: the agent keeps its
    /// records and says them again, perhaps to a replica that reaches the store.
    async fn keep_transitions(&mut self, batch: v1::TransitionBatch) -> Result<(), Ended> {
        let records = batch.transitions.into_iter().map(TransitionRecord::try_from);
        let records = records.collect::<Result<Vec<_>, _>>().map_err(malformed("transitions"))?;
        let Some(sequence) = records.iter().map(|record| record.sequence).max() else {
            return Ok(());
        };
        match self.fleet.store().append_transitions(&self.node, &records).await {
            Ok(()) => {
                self.stored = self.stored.max(Some(sequence));
                Ok(())
            }
            Err(error) => {
                let why = format!("cannot keep transitions: {error}");
                Err(Ended::Refused(Status::unavailable(why)))
            }
        }
    }
}

/// What [`v1::Push`] says to one of so many nodes.
fn answer_after_ms(nodes: u32) -> u32 {
    (PUSHED * nodes).as_millis().try_into().unwrap_or(u32::MAX)
}

fn malformed(message: &'static str) -> impl Fn(vipfleet_proto::Malformed) -> Ended {
    move |cause| {
        let path = if cause.path.is_empty() { String::new() } else { format!(".{}", cause.path) };
        let text = format!("{message}{path}: {}", cause.reason);
        Ended::Refused(Status::invalid_argument(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_large_fleet_is_asked_to_answer_later() {
        let asked = [0, 2, 9, 10, 1000, 10_000].map(answer_after_ms);
        assert_eq!(asked, [0, 0, 0, 1, 100, 1000]);
        assert_eq!(answer_after_ms(u32::MAX), 429_496_729);
    }
}
