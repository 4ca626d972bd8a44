//! A server in the test's hands: greets, and otherwise says only what the test has it say.

use crate::lab::{GENEROUS, Host};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use vipfleet_model::{Assignment, NodeReport};
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message as FromAgent;
use vipfleet_proto::v1::server_message::Message as ToAgent;
use vipfleet_proto::v1::session_server::{Session, SessionServer};

/// Where a server says it belongs.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) fleet_id: &'static str,
    pub(crate) epoch: u64,
}

pub(crate) const FLEET: Identity = Identity { fleet_id: "fleet", epoch: 1 };

pub(crate) struct Server {
    pub(crate) url: String,
    held: Receiver<Held>,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// One session, from Hello on.
pub(crate) struct Held {
    pub(crate) hello: v1::Hello,
    heard: Receiver<FromAgent>,
    say: mpsc::Sender<Result<v1::ServerMessage, Status>>,
    nonce: std::cell::Cell<u64>,
}

impl Server {
    /// Listens in a host's network.
    pub(crate) fn start(host: &Host, address: &str, identity: Identity) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let (holds, held) = channel();
        let (ready, is_ready) = channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = host.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::bind(address).await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                let service = SessionServer::new(Service { identity, holds });
                let serve = tonic::transport::Server::builder()
                    .add_service(service)
                    .serve_with_incoming(TcpListenerStream::new(listener));
                tokio::select! {
                    served = serve => served.unwrap(),
                    // Connections are cut, as by a crash.
                    () = stopped.cancelled() => {}
                }
            });
        });
        let address = is_ready.recv_timeout(GENEROUS).unwrap();
        Self { url: format!("http://{address}"), held, stop, thread: Some(thread) }
    }

    #[track_caller]
    pub(crate) fn session(&self) -> Held {
        self.held.recv_timeout(GENEROUS).expect("no session")
    }

    pub(crate) fn try_session(&self) -> Option<Held> {
        self.held.try_recv().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.thread.take().unwrap().join().ok();
    }
}

struct Service {
    identity: Identity,
    holds: Sender<Held>,
}

#[tonic::async_trait]
impl Session for Service {
    type ConnectStream = ReceiverStream<Result<v1::ServerMessage, Status>>;

    async fn connect(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let (say, said) = mpsc::channel(64);
        let (identity, holds) = (self.identity.clone(), self.holds.clone());
        tokio::spawn(hold(request.into_inner(), say, identity, holds));
        Ok(Response::new(ReceiverStream::new(said)))
    }
}

async fn hold(
    mut incoming: Streaming<v1::AgentMessage>,
    say: mpsc::Sender<Result<v1::ServerMessage, Status>>,
    identity: Identity,
    holds: Sender<Held>,
) {
    let first = incoming.message().await.ok().flatten().and_then(|it| it.message);
    let Some(FromAgent::Hello(hello)) = first else { panic!("no Hello: {first:?}") };
    let welcome = v1::Welcome {
        fleet_id: identity.fleet_id.into(),
        epoch: identity.epoch,
        server_version: "test".into(),
        replica: "test".into(),
    };
    let message = v1::ServerMessage { message: Some(ToAgent::Welcome(welcome)) };
    if say.send(Ok(message)).await.is_err() {
        return;
    }
    let (hears, heard) = channel();
    holds.send(Held { hello, heard, say, nonce: 0.into() }).ok();
    while let Ok(Some(v1::AgentMessage { message: Some(message) })) = incoming.message().await {
        if hears.send(message).is_err() {
            return;
        }
    }
}

/// What an agent made of a push.
#[derive(Debug)]
pub(crate) enum Verdict {
    Ack,
    Nack(v1::Nack),
}

impl Held {
    /// To an agent that has gone meanwhile nothing is said; what is expected of it does not come.
    pub(crate) fn say(&self, message: ToAgent) {
        let said = self.say.try_send(Ok(v1::ServerMessage { message: Some(message) }));
        assert!(!matches!(said, Err(TrySendError::Full(_))), "the agent takes nothing");
    }

    /// The next message that `wanted` picks; the ones before it are dropped.
    #[track_caller]
    pub(crate) fn expect<T>(&self, what: &str, wanted: impl Fn(FromAgent) -> Option<T>) -> T {
        let deadline = Instant::now() + GENEROUS;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(message) => {
                    if let Some(found) = wanted(message) {
                        return found;
                    }
                }
                Err(cause) => panic!("no {what}: {cause}"),
            }
        }
    }

    /// Whether the agent ends the session; what it says meanwhile is dropped.
    #[track_caller]
    pub(crate) fn expect_end(&self) {
        let deadline = Instant::now() + GENEROUS;
        while Instant::now() < deadline {
            match self.heard.recv_timeout(Duration::from_millis(100)) {
                Err(RecvTimeoutError::Disconnected) => return,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
        panic!("the session goes on");
    }

    /// Pushes, and waits for the verdict.
    #[track_caller]
    pub(crate) fn push(&self, generation: u64, assignment: &Assignment) -> Verdict {
        self.send(generation, assignment);
        let nonce = self.nonce.get();
        self.expect("verdict", |message| match message {
            FromAgent::Ack(ack) if ack.nonce == nonce => Some(Verdict::Ack),
            FromAgent::Nack(nack) if nack.nonce == nonce => Some(Verdict::Nack(nack)),
            _ => None,
        })
    }

    pub(crate) fn send(&self, generation: u64, assignment: &Assignment) {
        self.send_with(generation, assignment, v1::Push::default());
    }

    /// Pushes, and asks for an answer so many milliseconds later.
    pub(crate) fn send_patient(
        &self,
        generation: u64,
        assignment: &Assignment,
        answer_after_ms: u32,
    ) {
        let more = v1::Push { answer_after_ms, ..v1::Push::default() };
        self.send_with(generation, assignment, more);
    }

    /// Pushes what is left once these instances are deleted everywhere.
    pub(crate) fn send_deleting(&self, generation: u64, assignment: &Assignment, names: &[&str]) {
        let deleted = names.iter().map(ToString::to_string).collect();
        let more = v1::Push { deleted, ..v1::Push::default() };
        self.send_with(generation, assignment, more);
    }

    /// Pushes instances that nobody has served yet.
    pub(crate) fn send_creating(&self, generation: u64, assignment: &Assignment) {
        let created = assignment.instances.iter().map(|it| it.name.to_string()).collect();
        let more = v1::Push { created, ..v1::Push::default() };
        self.send_with(generation, assignment, more);
    }

    fn send_with(&self, generation: u64, assignment: &Assignment, more: v1::Push) {
        let nonce = self.nonce.get() + 1;
        self.nonce.set(nonce);
        let (hash, assignment) = (assignment.hash(), Some(assignment.clone().into()));
        self.say(ToAgent::Push(v1::Push { nonce, generation, hash, assignment, ..more }));
    }

    #[track_caller]
    pub(crate) fn push_accepted(&self, generation: u64, assignment: &Assignment) {
        let verdict = self.push(generation, assignment);
        assert!(matches!(verdict, Verdict::Ack), "{verdict:?}");
    }

    #[track_caller]
    pub(crate) fn push_refused(&self, generation: u64, assignment: &Assignment) -> v1::Nack {
        match self.push(generation, assignment) {
            Verdict::Nack(nack) => nack,
            Verdict::Ack => panic!("generation {generation} was taken"),
        }
    }

    #[track_caller]
    pub(crate) fn expect_report(&self, wanted: impl Fn(&NodeReport) -> bool) -> NodeReport {
        self.expect("report", |message| match message {
            FromAgent::Report(report) => {
                let report = NodeReport::try_from(report).unwrap();
                wanted(&report).then_some(report)
            }
            _ => None,
        })
    }
}
