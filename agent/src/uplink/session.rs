//! One session on one connection, from Hello to its end.

use super::fence::{self, Origin};
use super::{FromServer, Offer, Rejected, Shared};
use crate::arrival::Arrival;
use crate::received::Received;
use hyper_util::client::legacy::connect::HttpConnector;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};
use tracing::{info, warn};
use vipfleet_model::{Assignment, Name};
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message as ToServer;
use vipfleet_proto::v1::server_message::Message as FromWire;
use vipfleet_proto::v1::session_client::SessionClient;

/// Transitions in one message.
const BATCH: usize = 256;

/// How long a server may take to answer Hello with Welcome.
const WELCOME_LIMIT: Duration = Duration::from_secs(10);

/// How long the server's kernel may acknowledge nothing (tcp(7), `TCP_USER_TIMEOUT`).
const UNACKNOWLEDGED: Duration = Duration::from_secs(3);

/// Time between two reports on the stream, in the mean. The first two after a quiet time go at
/// once: of a change the first says that it is taken on, the second that the kernel has it.
const PACE: Duration = Duration::from_millis(50);

/// The longest that a server may ask an answer to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How a session ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Whether the server had welcomed us.
    pub(super) was_established: bool,
    pub(super) why: String,
}

/// Connects, says Hello and serves the stream until it ends.
pub(super) async fn hold(
    endpoint: &Endpoint,
    shared: &Shared,
    heard: &mpsc::Sender<FromServer>,
) -> Ended {
    let not_yet = |why: String| Ended { was_established: false, why };
    let channel = match endpoint.connect_with_connector(connector()).await {
        Ok(channel) => channel,
        Err(cause) => return not_yet(innermost(&cause)),
    };
    let mut shared = shared.clone();
    // Bounded: reports are coalesced before they get here, transitions wait in the outbox.
    let (send, outgoing) = mpsc::channel(8);
    if send.send(wire(ToServer::Hello(hello(&mut shared)))).await.is_err() {
        return not_yet("the stream closed at once".into());
    }
    let greeting = timeout(WELCOME_LIMIT, greet(channel, outgoing)).await;
    let (welcome, mut incoming) = match greeting {
        Ok(Ok(greeted)) => greeted,
        Ok(Err(why)) => return not_yet(why),
        Err(_) => return not_yet(format!("no Welcome within {WELCOME_LIMIT:?}")),
    };
    let running = shared.running.borrow().origin.clone();
    if let Err(refusal) = fence::belongs(&running, &welcome.fleet_id, welcome.epoch) {
        return not_yet(refusal.to_string());
    }
    let uri = endpoint.uri().to_string();
    info!(server = %uri, replica = %welcome.replica, fleet = %welcome.fleet_id, "session begins");
    let connected = FromServer::Connected {
        endpoint: uri,
        fleet_id: welcome.fleet_id.clone(),
        epoch: welcome.epoch,
    };
    if heard.send(connected).await.is_err() {
        return not_yet("the agent is stopping".into());
    }
    let (sent_sequence, answer, quiet_until) = (0, None, Instant::now());
    let mut session = Session { shared, welcome, send, heard, sent_sequence, answer, quiet_until };
    Ended { was_established: true, why: session.serve(&mut incoming).await }
}

/// What the connection is made with. A server whose host died acknowledges nothing: with other
/// replicas at hand there is no use in waiting for it. One that is only busy has longer, by the
/// pings of the endpoint.
fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    connector
}

type Greeted = (v1::Welcome, Streaming<v1::ServerMessage>);

async fn greet(
    channel: Channel,
    outgoing: mpsc::Receiver<v1::AgentMessage>,
) -> Result<Greeted, String> {
    let answer = SessionClient::new(channel).connect(ReceiverStream::new(outgoing)).await;
    let mut incoming = answer.map_err(|status| status.message().to_owned())?.into_inner();
    match incoming.message().await {
        Ok(Some(v1::ServerMessage { message: Some(FromWire::Welcome(welcome)) })) => {
            Ok((welcome, incoming))
        }
        Ok(Some(v1::ServerMessage { message: Some(FromWire::GoAway(away)) })) => {
            Err(format!("the server sent us away: {}", away.reason))
        }
        Ok(_) => Err("the server did not say Welcome".into()),
        Err(status) => Err(status.message().to_owned()),
    }
}

struct Session<'a> {
    shared: Shared,
    welcome: v1::Welcome,
    send: mpsc::Sender<v1::AgentMessage>,
    heard: &'a mpsc::Sender<FromServer>,
    /// Highest transition sent on this stream.
    sent_sequence: u64,
    /// The verdict on a push, until it is due or a report goes.
    answer: Option<Answer>,
    /// Reports wait until then. Further pushes do not put it off: however fast they come, what
    /// the agent does is told.
    quiet_until: Instant,
}

struct Answer {
    due: Instant,
    verdict: ToServer,
}

impl Session<'_> {
    /// Returns why the stream ended. Every branch is cancel safe: `watch::changed`,
    /// `Notify::notified` and `Streaming::message` lose nothing when another branch wins.
    async fn serve(&mut self, incoming: &mut Streaming<v1::ServerMessage>) -> String {
        self.shared.report.mark_changed();
        // When the next report is due; it may go one pace earlier.
        let mut due = Instant::now();
        loop {
            if !self.send_transitions().await {
                return "the stream closed".into();
            }
            let grew = self.shared.outbox_grew.clone();
            let answer_due = self.answer.as_ref().map(|answer| answer.due);
            let report_due = self.quiet_until.max(due - PACE);
            let sent = tokio::select! {
                message = incoming.message() => match message {
                    Ok(Some(v1::ServerMessage { message: Some(message) })) => {
                        match self.take(message).await {
                            Ok(sent) => sent,
                            Err(why) => return why,
                        }
                    }
                    Ok(Some(_)) => true,
                    Ok(None) => return "the server closed the stream".into(),
                    Err(status) => return innermost(&status),
                },
                () = reached(answer_due) => self.say_answer().await,
                Ok(()) = changed_after(&mut self.shared.report, report_due) => {
                    due = due.max(Instant::now()) + PACE;
                    let report = self.shared.report.borrow_and_update().clone();
                    // The verdict first, then what came of it.
                    self.say_answer().await && self.say(ToServer::Report(report.into())).await
                }
                Ok(()) = self.shared.facts.changed() => {
                    let facts = self.shared.facts.borrow_and_update().clone();
                    self.say(ToServer::Facts(facts.into())).await
                }
                () = grew.notified() => true,
            };
            if !sent {
                return "the stream closed".into();
            }
        }
    }

    async fn say(&self, message: ToServer) -> bool {
        self.send.send(wire(message)).await.is_ok()
    }

    async fn send_transitions(&mut self) -> bool {
        loop {
            let unsent = match self.shared.outbox.lock() {
                Ok(outbox) => outbox.after(self.sent_sequence, BATCH),
                Err(poisoned) => poisoned.into_inner().after(self.sent_sequence, BATCH),
            };
            let Some(last) = unsent.last().map(|record| record.sequence) else { return true };
            let transitions = unsent.into_iter().map(Into::into).collect();
            let batch = v1::TransitionBatch { transitions };
            if !self.say(ToServer::Transitions(batch)).await {
                return false;
            }
            self.sent_sequence = last;
        }
    }

    /// `Err` ends the session with a reason.
    async fn take(&mut self, message: FromWire) -> Result<bool, String> {
        match message {
            FromWire::Push(push) => Ok(self.offer(push).await),
            FromWire::TransitionAck(ack) => {
                Ok(self.heard.send(FromServer::Acknowledged(ack.sequence)).await.is_ok())
            }
            FromWire::GoAway(away) => Err(format!("the server sent us away: {}", away.reason)),
            FromWire::Welcome(_) => Err("the server said Welcome twice".into()),
        }
    }

    /// Fences and hands the assignment to the supervisor; its verdict is the answer.
    async fn offer(&mut self, push: v1::Push) -> bool {
        // Answers come in order.
        if !self.say_answer().await {
            return false;
        }
        let (nonce, generation) = (push.nonce, push.generation);
        let wait = LONGEST_WAIT.min(Duration::from_millis(push.answer_after_ms.into()));
        let verdict = match self.judge(push).await {
            Ok(()) => ToServer::Ack(v1::Ack { nonce, generation }),
            Err(Rejected { field_path, reason }) => {
                warn!(generation, %field_path, %reason, "assignment refused");
                let running_generation = self.shared.running.borrow().origin.generation;
                let nack = v1::Nack { nonce, generation, field_path, reason, running_generation };
                ToServer::Nack(nack)
            }
        };
        let now = Instant::now();
        if self.quiet_until <= now {
            self.quiet_until = now + wait;
        }
        self.answer = Some(Answer { due: now + wait, verdict });
        wait > Duration::ZERO || self.say_answer().await
    }

    /// Says the answer that waits, if one does.
    async fn say_answer(&mut self) -> bool {
        match self.answer.take() {
            Some(answer) => self.say(answer.verdict).await,
            None => true,
        }
    }

    async fn judge(&mut self, push: v1::Push) -> Result<(), Rejected> {
        let whole = |reason: String| Rejected { field_path: String::new(), reason };
        let origin = Origin {
            fleet_id: self.welcome.fleet_id.clone(),
            epoch: self.welcome.epoch,
            generation: push.generation,
        };
        fence::admit(&self.shared.running.borrow().origin, &origin)
            .map_err(|refusal| whole(refusal.to_string()))?;
        // An absent assignment is no empty one: running nothing has to be said.
        let wire = push.assignment.ok_or_else(|| Rejected {
            field_path: "assignment".into(),
            reason: "the push carries no assignment".into(),
        })?;
        let assignment = Assignment::try_from(wire).map_err(|malformed| Rejected {
            field_path: malformed.path,
            reason: malformed.reason,
        })?;
        let arrival = Arrival::Pushed {
            created: names("created", &push.created)?,
            deleted: names("deleted", &push.deleted)?,
        };
        let (verdict, judged) = oneshot::channel();
        let received = Received::now(&push.server_time, &self.shared.boot_id);
        let offer = Offer { origin, hash: push.hash, assignment, received, arrival, verdict };
        let stopping = || whole("the agent is stopping".into());
        self.heard.send(FromServer::Offer(Box::new(offer))).await.map_err(|_| stopping())?;
        judged.await.map_err(|_| stopping())?
    }
}

fn names(field: &str, all: &[String]) -> Result<BTreeSet<Name>, Rejected> {
    let parsed = all.iter().enumerate().map(|(at, name)| {
        name.parse::<Name>().map_err(|cause| {
            let field_path = format!("{field}[{at}]");
            Rejected { field_path, reason: cause.to_string() }
        })
    });
    parsed.collect()
}

fn wire(message: ToServer) -> v1::AgentMessage {
    v1::AgentMessage { message: Some(message) }
}

/// Never without a moment.
async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// A change, but not before `at`. Cancel safe: nothing is marked as seen before `at`.
async fn changed_after<T>(
    value: &mut watch::Receiver<T>,
    at: Instant,
) -> Result<(), watch::error::RecvError> {
    tokio::time::sleep_until(at).await;
    value.changed().await
}

fn hello(shared: &mut Shared) -> v1::Hello {
    let running = shared.running.borrow().clone();
    v1::Hello {
        node: shared.node.to_string(),
        boot_id: shared.boot_id.clone(),
        agent_version: env!("CARGO_PKG_VERSION").into(),
        protocol_version: vipfleet_proto::PROTOCOL_VERSION,
        facts: Some(shared.facts.borrow_and_update().clone().into()),
        fleet_id: running.origin.fleet_id,
        epoch: running.origin.epoch,
        generation: running.origin.generation,
        hash: running.hash,
    }
}

/// The cause that a person can act on: transports wrap it several times.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
