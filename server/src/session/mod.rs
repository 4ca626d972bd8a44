//! Sessions with agents: who is connected, what each was sent, what it accepted and observed.
//! Joins one gRPC stream to the fleet's view and the store; pushes from the view's changes,
//! never from a handler, so that writes of every replica take one path.

mod greeting;
mod records;
mod stream;
mod verdicts;
mod writer;

use self::greeting::Hello;
use self::records::Records;
use self::stream::{Ended, Outgoing, SessionStream};
use crate::fleet::{Fleet, SessionNews};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};
use tracing::{info, warn};
use vipfleet_model::Name;
use vipfleet_proto::v1;
use vipfleet_proto::v1::server_message::Message as ToAgent;

/// How long a client may take to say Hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// Messages to one agent that wait for its connection.
const OUTGOING: usize = 4;

/// The session service of one replica. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sessions {
    fleet: Fleet,
    records: Records,
    stop: CancellationToken,
    running: TaskTracker,
    last_id: Arc<AtomicU64>,
    held: Arc<Mutex<HashMap<Name, Held>>>,
}

#[derive(Debug)]
struct Held {
    id: u64,
    end: CancellationToken,
}

impl Sessions {
    /// Sessions end when `stop` does.
    pub fn new(fleet: Fleet, stop: CancellationToken) -> Self {
        let (running, records) = (TaskTracker::new(), Records::new(fleet.clone()));
        running.spawn(records.clone().correct(stop.clone()));
        Self { fleet, records, stop, running, last_id: Arc::default(), held: Arc::default() }
    }

    /// After `stop`: waits until every session ended and its node's record says so, but not
    /// longer than `limit`.
    pub async fn ended(&self, limit: Duration) {
        self.running.close();
        let deadline = tokio::time::Instant::now() + limit;
        if tokio::time::timeout_at(deadline, self.running.wait()).await.is_err() {
            info!("some sessions did not end in time");
        }
        self.records.flush(deadline.duration_since(tokio::time::Instant::now())).await;
    }

    /// The newest session of a node wins: an older one is what a broken connection left behind,
    /// or a second agent under the same name.
    fn take(&self, node: &Name) -> (u64, CancellationToken) {
        let end = self.stop.child_token();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(older) = held.insert(node.clone(), Held { id, end: end.clone() }) {
            older.end.cancel();
        }
        (id, end)
    }

    fn give_back(&self, node: &Name, id: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.get(node).is_some_and(|it| it.id == id) {
            held.remove(node);
        }
    }

    async fn hold(
        self,
        hello: Hello,
        mut incoming: Streaming<v1::AgentMessage>,
        outgoing: Outgoing,
    ) {
        let node = hello.facts.node.clone();
        let (id, end) = self.take(&node);
        let (recording, greeted) = self.records.begin(id, &hello);
        info!(%node, agent = %hello.agent_version, "session begins");
        let mut stream = SessionStream::new(self.fleet.clone(), id, &hello, recording, &greeted);
        stream.tell(SessionNews::Connected(greeted)).await;
        let ended = tokio::select! {
            ended = stream.serve(&mut incoming, &outgoing) => ended,
            () = end.cancelled() => Ended::SentAway(self.why_cancelled().into()),
        };
        stream.close().await;
        self.give_back(&node, id);
        // An agent that does not read has no room for the reason either.
        match ended {
            Ended::Gone(why) => info!(%node, %why, "session ended"),
            Ended::SentAway(reason) => {
                warn!(%node, why = %reason, "session ended");
                let message = Some(ToAgent::GoAway(v1::GoAway { reason }));
                outgoing.try_send(Ok(v1::ServerMessage { message })).ok();
            }
            Ended::Refused(status) => {
                warn!(%node, why = %status.message(), "session ended");
                outgoing.try_send(Err(status)).ok();
            }
        }
    }

    fn why_cancelled(&self) -> &'static str {
        match self.stop.is_cancelled() {
            true => "the server is stopping",
            false => "the node has a newer session: is there another agent under this name?",
        }
    }
}

#[tonic::async_trait]
impl v1::session_server::Session for Sessions {
    type ConnectStream =
        Pin<Box<dyn Stream<Item = Result<v1::ServerMessage, Status>> + Send + 'static>>;

    async fn connect(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let mut incoming = request.into_inner();
        let first = tokio::select! {
            first = tokio::time::timeout(HELLO_TIMEOUT, incoming.message()) => first,
            () = self.stop.cancelled() => return Err(Status::unavailable("the server is stopping")),
        };
        let first = first.map_err(|_| Status::deadline_exceeded("no Hello within 5 s"))??;
        let hello = greeting::read(first, &self.fleet.identity)?;
        let (send, outgoing) = mpsc::channel(OUTGOING);
        self.running.spawn(self.clone().hold(hello, incoming, send));
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}
