//! Sessions with agents: who is connected, what each was sent, what it accepted and observed.
//! Joins one gRPC stream to the fleet's view and the store; pushes from the view's changes,
//! never from a handler, so that writes of every replica take one path.

mod greeting;
mod recorder;
mod stream;

use self::recorder::Recorder;
use crate::fleet::Fleet;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use tracing::{info, warn};
use vipfleet_model::Name;
use vipfleet_proto::v1;

/// How long a client may take to say Hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// Messages to one agent that wait for its connection. A push replaces what was pushed before,
/// so a slow agent delays only itself.
const OUTGOING: usize = 16;

/// The session service of one replica.
#[derive(Clone, Debug)]
pub struct Sessions {
    fleet: Fleet,
    stop: CancellationToken,
    held: Arc<Mutex<HashMap<Name, Held>>>,
}

#[derive(Debug)]
struct Held {
    id: u64,
    end: CancellationToken,
}

impl Sessions {
    pub fn new(fleet: Fleet, stop: CancellationToken) -> Self {
        Self { fleet, stop, held: Arc::default() }
    }

    /// The newest session of a node wins: an older one is what a broken connection left behind,
    /// or a second agent under the same name.
    fn take(&self, node: &Name) -> (u64, CancellationToken) {
        let end = self.stop.child_token();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let id = held.get(node).map_or(1, |older| older.id + 1);
        if let Some(older) = held.insert(node.clone(), Held { id, end: end.clone() }) {
            older.end.cancel();
        }
        (id, end)
    }

    /// Whether the session `id` was still the node's newest.
    fn give_back(&self, node: &Name, id: u64) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_newest = held.get(node).is_some_and(|it| it.id == id);
        if is_newest {
            held.remove(node);
        }
        is_newest
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
        let first = tokio::time::timeout(HELLO_TIMEOUT, incoming.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no Hello within 5 s"))??;
        let hello = greeting::read(first, &self.fleet.identity)?;
        let node = hello.facts.node.clone();
        let (id, end) = self.take(&node);
        let (send, outgoing) = mpsc::channel(OUTGOING);
        let sessions = self.clone();
        tokio::spawn(async move {
            info!(%node, agent = %hello.agent_version, "session begins");
            let recorder = Recorder::start(&sessions.fleet, &hello);
            let stream = stream::SessionStream::new(&sessions.fleet, hello, recorder, send);
            let why = stream.run(incoming, end).await;
            let was_newest = sessions.give_back(&node, id);
            if was_newest { info!(%node, %why, "session ended") } else { warn!(%node, %why) }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}
