//! An agent that speaks the session protocol and does nothing else: each step is the test's.

use crate::samples::SOON;
use std::net::SocketAddr;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message as Say;
use vipfleet_proto::v1::server_message::Message as Heard;
use vipfleet_proto::v1::session_client::SessionClient;

/// The least that HTTP/2 starts with.
const WINDOW: u32 = 65_535;

pub(crate) struct Agent {
    send: mpsc::Sender<v1::AgentMessage>,
    incoming: Streaming<v1::ServerMessage>,
    pub(crate) welcome: v1::Welcome,
    /// What a later Hello would say.
    pub(crate) hello: v1::Hello,
    said: u64,
}

/// Of a node that runs nothing, with one interface.
pub(crate) fn hello(node: &str) -> v1::Hello {
    // Away from the virtual addresses of the samples.
    let host = node.bytes().map(u32::from).sum::<u32>() % 100 + 150;
    let interface = v1::InterfaceFacts {
        name: "eth0".into(),
        addresses: vec![format!("192.0.2.{host}/24")],
        promote_secondaries: true,
    };
    v1::Hello {
        node: node.into(),
        boot_id: "b1".into(),
        agent_version: "0.1.0".into(),
        protocol_version: vipfleet_proto::PROTOCOL_VERSION,
        facts: Some(v1::NodeFacts { node: node.into(), interfaces: vec![interface] }),
        ..Default::default()
    }
}

pub(crate) fn transition(sequence: u64) -> v1::Transition {
    v1::Transition {
        sequence,
        at: "2026-01-02T03:04:05.000000001Z".into(),
        instance: "VI_1".into(),
        from: v1::InstanceState::Backup.into(),
        to: v1::InstanceState::Master.into(),
        reason: format!("reason {sequence}"),
        effective_priority: 100,
        lost_before: 0,
    }
}

impl Agent {
    /// Connects as a node that runs nothing yet.
    pub(crate) async fn join(address: SocketAddr, node: &str) -> Self {
        Self::connect(address, hello(node)).await.unwrap()
    }

    /// Says Hello and hears Welcome, or why not.
    pub(crate) async fn connect(address: SocketAddr, hello: v1::Hello) -> Result<Self, Status> {
        let (send, mut incoming) = open(address, Say::Hello(hello.clone())).await?;
        let first = tokio::time::timeout(SOON, incoming.message()).await.expect("no Welcome")?;
        let Some(v1::ServerMessage { message: Some(Heard::Welcome(welcome)) }) = first else {
            panic!("not Welcome, but {first:?}");
        };
        Ok(Self { send, incoming, welcome, hello, said: 0 })
    }

    /// Connects again, as an agent does that kept what it runs.
    pub(crate) async fn again(self, address: SocketAddr) -> Self {
        let hello = self.hello.clone();
        drop(self);
        Self::connect(address, hello).await.unwrap()
    }

    /// What the server says next; `None` when it closed the stream.
    pub(crate) async fn hear(&mut self) -> Result<Option<Heard>, Status> {
        let next = tokio::time::timeout(SOON, self.incoming.message()).await;
        Ok(next.expect("the server says nothing")?.and_then(|it| it.message))
    }

    /// The push that comes next.
    pub(crate) async fn pushed(&mut self) -> v1::Push {
        match self.hear().await.unwrap() {
            Some(Heard::Push(push)) => push,
            other => panic!("no push, but {other:?}"),
        }
    }

    /// Accepts what comes until the node has its place in an instance: its address is known to
    /// the server by then. Returns what puts it there, not accepted yet.
    pub(crate) async fn placed(&mut self) -> v1::Push {
        loop {
            let push = self.pushed().await;
            let instances = &push.assignment.as_ref().unwrap().instances;
            let mut members = instances.iter().flat_map(|it| &it.members);
            if members.any(|it| it.this_node && it.address.is_some()) {
                return push;
            }
            self.accept(&push).await;
        }
    }

    pub(crate) async fn say(&self, message: Say) {
        let message = v1::AgentMessage { message: Some(message) };
        self.send.send(message).await.expect("the session lasts");
    }

    /// Takes an assignment, and shows it in its kernel.
    pub(crate) async fn run(&mut self, push: &v1::Push) {
        self.accept(push).await;
        self.observe(push).await;
    }

    pub(crate) async fn accept(&mut self, push: &v1::Push) {
        self.hello.generation = push.generation;
        self.hello.hash.clone_from(&push.hash);
        self.hello.fleet_id.clone_from(&self.welcome.fleet_id);
        self.hello.epoch = self.welcome.epoch;
        let (nonce, generation) = (push.nonce, push.generation);
        self.say(Say::Ack(v1::Ack { nonce, generation })).await;
    }

    pub(crate) async fn refuse(&mut self, push: &v1::Push, field_path: &str, reason: &str) {
        let (field_path, reason) = (field_path.into(), reason.into());
        let (nonce, generation) = (push.nonce, push.generation);
        let running_generation = self.hello.generation;
        let nack = v1::Nack { nonce, generation, field_path, reason, running_generation };
        self.say(Say::Nack(nack)).await;
    }

    /// Reports that its kernel shows the assignment, each instance as a backup.
    pub(crate) async fn observe(&mut self, push: &v1::Push) {
        self.say(Say::Report(report(push))).await;
    }

    /// Gets transitions stored; hears that they are.
    pub(crate) async fn store(&mut self, sequences: std::ops::RangeInclusive<u64>) {
        let last = *sequences.end();
        let all: Vec<u64> = sequences.collect();
        for batch in all.chunks(256) {
            let transitions = batch.iter().map(|it| transition(*it)).collect();
            self.say(Say::Transitions(v1::TransitionBatch { transitions })).await;
        }
        loop {
            match self.hear().await.unwrap() {
                Some(Heard::TransitionAck(ack)) if ack.sequence == last => break,
                Some(Heard::TransitionAck(_)) => {}
                other => panic!("no acknowledgement, but {other:?}"),
            }
        }
    }

    /// Goes back and forth with the server a few times, in which everything would have come that
    /// was due.
    pub(crate) async fn hears_nothing_else(&mut self) {
        for _ in 0..5 {
            self.said += 1;
            self.store(self.said..=self.said).await;
        }
    }
}

/// Opens a stream with a first message.
pub(crate) async fn open(
    address: SocketAddr,
    first: Say,
) -> Result<(mpsc::Sender<v1::AgentMessage>, Streaming<v1::ServerMessage>), Status> {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    // The connection of an agent that does not read holds little.
    let channel = channel.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let channel =
        channel.connect().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let (send, outgoing) = mpsc::channel(8);
    send.send(v1::AgentMessage { message: Some(first) }).await.unwrap();
    let stream = SessionClient::new(channel).connect(ReceiverStream::new(outgoing)).await?;
    Ok((send, stream.into_inner()))
}

pub(crate) fn report(push: &v1::Push) -> v1::NodeReport {
    let instances = push.assignment.as_ref().unwrap().instances.iter();
    let instance = |it: &v1::AssignedInstance| v1::InstanceReport {
        name: it.name.clone(),
        state: v1::InstanceState::Backup.into(),
        since: "2026-01-02T03:04:05Z".into(),
        reason: "startup".into(),
        priority: it.priority,
        effective_priority: it.priority,
        ..Default::default()
    };
    v1::NodeReport {
        generation: push.generation,
        hash: push.hash.clone(),
        settled: true,
        instances: instances.map(instance).collect(),
        checks: Vec::new(),
    }
}
