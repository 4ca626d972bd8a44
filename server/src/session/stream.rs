//! One agent's stream, from Welcome to its end.

use super::greeting::Hello;
use super::recorder::Recorder;
use crate::fleet::{Fleet, SessionEvent};
use crate::store::Rejection;
use std::collections::VecDeque;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use tracing::{debug, warn};
use vipfleet_model::report::TransitionRecord;
use vipfleet_model::{Name, NodeFacts, NodeReport};
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message as FromAgent;
use vipfleet_proto::v1::server_message::Message as ToAgent;

/// Pushes that may wait for their verdict; an agent that never answers keeps the latest ones.
const UNANSWERED: usize = 8;

pub(super) struct SessionStream {
    fleet: Fleet,
    node: Name,
    hello: Hello,
    recorder: Recorder,
    send: mpsc::Sender<Result<v1::ServerMessage, Status>>,
    /// Hash of what the agent was sent last, or said it runs.
    sent_hash: String,
    nonce: u64,
    unanswered: VecDeque<Sent>,
}

/// A push without a verdict yet.
struct Sent {
    nonce: u64,
    generation: u64,
    hash: String,
}

impl SessionStream {
    pub(super) fn new(
        fleet: &Fleet,
        hello: Hello,
        recorder: Recorder,
        send: mpsc::Sender<Result<v1::ServerMessage, Status>>,
    ) -> Self {
        let (node, sent_hash) = (hello.facts.node.clone(), hello.hash.clone());
        let (fleet, unanswered) = (fleet.clone(), VecDeque::new());
        Self { fleet, node, hello, recorder, send, sent_hash, nonce: 0, unanswered }
    }

    /// Serves the stream; returns why it ended. Every branch is cancel safe.
    pub(super) async fn run(
        mut self,
        mut incoming: Streaming<v1::AgentMessage>,
        end: CancellationToken,
    ) -> String {
        let why = match self.greet().await {
            Err(why) => why,
            Ok(()) => loop {
                let mut view = self.fleet.watch();
                view.borrow_and_update();
                if let Err(why) = self.push().await {
                    break why;
                }
                let step = tokio::select! {
                    message = incoming.message() => match message {
                        Ok(Some(v1::AgentMessage { message: Some(message) })) => {
                            self.take(message).await
                        }
                        Ok(Some(_)) => Ok(()),
                        Ok(None) => Err("the agent closed the stream".to_owned()),
                        Err(status) => Err(status.message().to_owned()),
                    },
                    changed = view.changed() => changed.map_err(|_| "the fleet ended".to_owned()),
                    () = end.cancelled() => Err(self.send_away().await),
                };
                if let Err(why) = step {
                    break why;
                }
            },
        };
        self.fleet.tell(SessionEvent::Disconnected { node: self.node.clone() }).await;
        self.recorder.disconnected();
        why
    }

    async fn greet(&mut self) -> Result<(), String> {
        self.keep_facts(&self.hello.facts.clone()).await;
        let event = SessionEvent::Connected {
            node: self.node.clone(),
            hash: self.hello.hash.clone(),
            generation: self.hello.generation,
        };
        self.fleet.tell(event).await;
        let welcome = v1::Welcome {
            fleet_id: self.fleet.identity.id.clone(),
            epoch: self.fleet.identity.epoch,
            server_version: env!("CARGO_PKG_VERSION").into(),
            replica: self.fleet.replica.clone(),
        };
        self.say(ToAgent::Welcome(welcome)).await
    }

    async fn say(&self, message: ToAgent) -> Result<(), String> {
        let message = v1::ServerMessage { message: Some(message) };
        self.send.send(Ok(message)).await.map_err(|_| "the agent is gone".to_owned())
    }

    async fn send_away(&self) -> String {
        let reason = "the server is stopping, or the node has a newer session";
        self.say(ToAgent::GoAway(v1::GoAway { reason: reason.into() })).await.ok();
        reason.to_owned()
    }

    /// Sends what the node should run if that is not what it was sent last. A view older than
    /// what the agent runs is not pushed: this replica has yet to catch up with the store.
    async fn push(&mut self) -> Result<(), String> {
        let view = self.fleet.view();
        let Some(desired) = view.desired(&self.node) else {
            return Ok(());
        };
        let stale = desired.generation.0 < self.hello.generation;
        let refused = self.recorder.rejected_hash().is_some_and(|hash| hash == desired.hash);
        if stale || refused || desired.hash == self.sent_hash {
            return Ok(());
        }
        self.nonce += 1;
        let (nonce, generation, hash) = (self.nonce, desired.generation.0, desired.hash.clone());
        debug!(node = %self.node, generation, "push");
        let push = v1::Push {
            nonce,
            generation,
            hash: hash.clone(),
            assignment: Some(desired.assignment.as_ref().clone().into()),
        };
        self.say(ToAgent::Push(push)).await?;
        self.sent_hash.clone_from(&hash);
        if self.unanswered.len() == UNANSWERED {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back(Sent { nonce, generation, hash });
        Ok(())
    }

    async fn take(&mut self, message: FromAgent) -> Result<(), String> {
        match message {
            FromAgent::Ack(ack) => {
                if let Some(sent) = self.answered(ack.nonce) {
                    self.recorder.accepted(&sent.hash);
                    let event = SessionEvent::Accepted { node: self.node.clone(), hash: sent.hash };
                    self.fleet.tell(event).await;
                }
            }
            FromAgent::Nack(nack) => self.refused(nack),
            FromAgent::Report(report) => self.reported(report).await?,
            FromAgent::Transitions(batch) => self.keep_transitions(batch).await?,
            FromAgent::Facts(facts) => {
                let facts = v1::NodeFacts { node: self.node.to_string(), ..facts };
                let facts = NodeFacts::try_from(facts).map_err(|cause| cause.to_string())?;
                self.keep_facts(&facts).await;
            }
            FromAgent::Hello(_) => return Err("the agent said Hello twice".into()),
        }
        Ok(())
    }

    fn answered(&mut self, nonce: u64) -> Option<Sent> {
        while self.unanswered.front().is_some_and(|sent| sent.nonce < nonce) {
            self.unanswered.pop_front();
        }
        self.unanswered.pop_front_if(|sent| sent.nonce == nonce)
    }

    fn refused(&mut self, nack: v1::Nack) {
        let Some(sent) = self.answered(nack.nonce) else {
            return;
        };
        let v1::Nack { field_path, reason, .. } = nack;
        warn!(node = %self.node, generation = sent.generation, %field_path, %reason, "refused");
        let Sent { generation, hash, .. } = sent;
        self.recorder.rejected(Rejection { generation, hash, field_path, reason });
    }

    async fn reported(&mut self, report: v1::NodeReport) -> Result<(), String> {
        let report = NodeReport::try_from(report).map_err(|cause| cause.to_string())?;
        self.recorder.reported(report.clone());
        let (node, report) = (self.node.clone(), Box::new(report));
        self.fleet.tell(SessionEvent::Reported { node, report }).await;
        Ok(())
    }

    /// Stored before acknowledged. A store that is away ends the session: the agent keeps its
    /// records and says them again, perhaps to a replica that reaches the store.
    async fn keep_transitions(&mut self, batch: v1::TransitionBatch) -> Result<(), String> {
        let records: Result<Vec<_>, _> =
            batch.transitions.into_iter().map(TransitionRecord::try_from).collect();
        let records = records.map_err(|cause| cause.to_string())?;
        let Some(sequence) = records.last().map(|record| record.sequence) else {
            return Ok(());
        };
        match self.fleet.store().append_transitions(&self.node, &records).await {
            Ok(()) => self.say(ToAgent::TransitionAck(v1::TransitionAck { sequence })).await,
            Err(error) => Err(format!("cannot keep transitions: {error}")),
        }
    }

    async fn keep_facts(&self, facts: &NodeFacts) {
        if let Err(error) = self.fleet.store().put_facts(facts).await {
            warn!(node = %self.node, %error, "cannot keep the node's facts");
        }
    }
}
