//! The store goes away under open sessions, and comes back.

use crate::agent::{Agent, hello, transition};
use crate::process::{Process, config, connected, node, status_when};
use crate::samples::{apply, instance, put, with_priority};
use crate::transitions::Watcher;
use async_trait::async_trait;
use futures::StreamExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;
use tokio::sync::Notify;
use tonic::{Code, Status};
use vipfleet_model::report::TransitionRecord;
use vipfleet_model::{Definitions, Key, Name, NodeFacts};
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message as Say;
use vipfleet_server::store::{
    self, Change, ChangeRecord, Events, FleetIdentity, NodeRecord, ReplicaRecord, Revision,
    Snapshot, Store, StoreError, TransitionPage,
};

/// A real store behind a switch.
#[derive(Debug)]
struct Switched {
    store: Arc<dyn Store>,
    switch: Arc<Switch>,
}

#[derive(Debug, Default)]
struct Switch {
    away: AtomicBool,
    /// Ends the watches: the store is not the one any more that was loaded.
    replaced: Notify,
}

impl Switch {
    fn turn(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }
}

impl Switched {
    fn reach(&self) -> Result<&dyn Store, StoreError> {
        if self.switch.away.load(Ordering::SeqCst) {
            let endpoint = "http://192.0.2.250:2379".into();
            return Err(StoreError::Unavailable { endpoint, source: "switched off".into() });
        }
        Ok(self.store.as_ref())
    }
}

#[async_trait]
impl Store for Switched {
    fn describe(&self) -> String {
        self.store.describe()
    }

    async fn fleet(&self) -> Result<FleetIdentity, StoreError> {
        self.reach()?.fleet().await
    }

    async fn raise_epoch(&self) -> Result<FleetIdentity, StoreError> {
        self.reach()?.raise_epoch().await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.reach()?.snapshot().await
    }

    async fn commit(&self, change: Change) -> Result<Option<ChangeRecord>, StoreError> {
        self.reach()?.commit(change).await
    }

    async fn history(
        &self,
        key: Option<&Key>,
        before: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        self.reach()?.history(key, before, limit).await
    }

    async fn definitions_at(&self, revision: Revision) -> Result<Definitions, StoreError> {
        self.reach()?.definitions_at(revision).await
    }

    async fn put_facts(&self, facts: &NodeFacts) -> Result<(), StoreError> {
        self.reach()?.put_facts(facts).await
    }

    async fn put_node(&self, record: &NodeRecord) -> Result<(), StoreError> {
        self.reach()?.put_node(record).await
    }

    async fn append_transitions(
        &self,
        node: &Name,
        records: &[TransitionRecord],
    ) -> Result<(), StoreError> {
        self.reach()?.append_transitions(node, records).await
    }

    async fn transitions(
        &self,
        after: Revision,
        limit: usize,
    ) -> Result<TransitionPage, StoreError> {
        self.reach()?.transitions(after, limit).await
    }

    async fn put_replica(&self, record: &ReplicaRecord) -> Result<(), StoreError> {
        self.reach()?.put_replica(record).await
    }

    async fn watch(&self, after: Revision) -> Result<Events, StoreError> {
        let switch = Arc::clone(&self.switch);
        let replaced = async move { switch.replaced.notified().await };
        Ok(self.reach()?.watch(after).await?.take_until(replaced).boxed())
    }
}

async fn start() -> (Process, Arc<Switch>, TempDir) {
    let directory = TempDir::with_prefix("vipfleet-server-").unwrap();
    let switch = Arc::new(Switch::default());
    let (path, shared) = (directory.path().to_owned(), Arc::clone(&switch));
    let open = async move {
        let store = store::open("embedded", &path).await.unwrap();
        Arc::new(Switched { store, switch: shared }) as Arc<dyn Store>
    };
    (Process::start(open, config()).await, switch, directory)
}

#[tokio::test]
async fn clients_are_told_which_store_is_away() {
    let (server, switch, _directory) = start().await;
    let mut client = server.client().await;
    let revision = apply(&mut client, put([instance(1, &["lb1"])])).await;
    switch.turn(true);
    let expect = |status: Status| {
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("http://192.0.2.250:2379"), "{}", status.message());
    };
    let change = put([with_priority(instance(1, &["lb1"]), 90)]);
    expect(client.apply(change.clone()).await.unwrap_err());
    expect(client.get(v1::GetRequest::default()).await.unwrap_err());
    expect(client.history(v1::HistoryRequest::default()).await.unwrap_err());
    let rollback = v1::RollbackRequest { to_revision: revision, ..Default::default() };
    expect(client.rollback(rollback).await.unwrap_err());
    let request = v1::WatchTransitionsRequest { after_revision: Some(0) };
    let mut events = client.watch_transitions(request).await.unwrap().into_inner();
    events.message().await.unwrap().expect("it started");
    expect(events.message().await.unwrap_err());
    // What is known is shown all the same.
    let status = client.status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.revision, revision);
    switch.turn(false);
    apply(&mut client, change).await;
}

#[tokio::test]
async fn agents_keep_their_sessions_and_what_they_say_is_stored_later() {
    let (server, switch, _directory) = start().await;
    let mut client = server.client().await;
    let revision = apply(&mut client, put([instance(1, &["lb1", "lb2"])])).await;
    let mut agent = Agent::join(server.address, "lb1").await;
    let push = agent.placed().await;
    switch.turn(true);
    agent.run(&push).await;
    let observed = |it: &v1::NodeStatus| it.generation.unwrap().observed;
    status_when(&mut client, |it| node(it, "lb1").is_some_and(|it| observed(it) > revision)).await;
    // A new one is welcome too, and is told what is known.
    let mut late = Agent::join(server.address, "lb2").await;
    let known = late.pushed().await;
    late.run(&known).await;
    connected(&mut client, "lb2", true).await;
    switch.turn(false);
    // Its facts come through, for the peer to know.
    loop {
        let push = agent.pushed().await;
        agent.run(&push).await;
        let members = &push.assignment.as_ref().unwrap().instances[0].members;
        if members[1].address.is_some() {
            break;
        }
    }
    // And so does the record: what the agent is is known from the store alone.
    let version = |it: &v1::NodeStatus| it.agent_version.is_some();
    status_when(&mut client, |it| node(it, "lb2").is_some_and(version)).await;
}

#[tokio::test]
async fn transitions_that_cannot_be_stored_are_not_acknowledged_and_can_be_said_again() {
    let (server, switch, _directory) = start().await;
    let mut client = server.client().await;
    let mut agent = Agent::join(server.address, "lb1").await;
    agent.pushed().await;
    let mut live = Watcher::after(&mut client, None).await;
    agent.store(1..=2).await;
    switch.turn(true);
    let transitions = vec![transition(3)];
    agent.say(Say::Transitions(v1::TransitionBatch { transitions })).await;
    let status = agent.hear().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("192.0.2.250"), "{}", status.message());
    switch.turn(false);
    let mut agent = Agent::connect(server.address, hello("lb1")).await.unwrap();
    agent.pushed().await;
    agent.store(3..=3).await;
    assert_eq!(live.sequences(3).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_replica_whose_store_was_replaced_ends_and_says_so() {
    let (mut server, switch, _directory) = start().await;
    let mut agent = Agent::join(server.address, "lb1").await;
    agent.pushed().await;
    switch.replaced.notify_waiters();
    let error = server.ended().await.unwrap_err().to_string();
    assert!(error.contains("restored or replaced"), "{error}");
    while let Ok(Some(_)) = agent.hear().await {}
}
