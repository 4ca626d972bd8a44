//! The view, fed by hand: what the store's watch and the sessions would say, on a clock that
//! stands where a test puts it.

mod convergence;
mod generations;
mod links;
mod new_and_gone;

use super::{Greeted, Liveness, SessionEvent, SessionNews, View};
use crate::store::{
    ChangeRecord, DefinitionChange, Event, EventKind, NodeRecord, Rejection, ReplicaRecord,
    Revision, Snapshot,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use vipfleet_model::ownership::Link;
use vipfleet_model::report::{InstanceReport, InstanceState};
use vipfleet_model::{Definition, Key, Kind, Name, NodeFacts, NodeReport};

/// The replica whose view it is.
const HERE: &str = "here:7700";
const INTERVAL: Duration = Duration::from_secs(10);
const SINCE: &str = "2026-01-02T03:04:05Z";

/// One replica's view, with the revision of the store and the clock.
struct Fleet {
    view: View,
    liveness: Liveness,
    now: Instant,
    revision: u64,
    beat: u64,
}

impl Fleet {
    fn new() -> Self {
        Self::from(Snapshot::default())
    }

    fn from(snapshot: Snapshot) -> Self {
        let (now, revision) = (Instant::now(), snapshot.revision.0);
        let liveness = Liveness::new(INTERVAL, HERE, snapshot.replicas.values(), now);
        Self { view: View::new(HERE, snapshot), liveness, now, revision, beat: 0 }
    }

    /// With `VI_1` on `lb1` and `lb2`, both of which have facts.
    fn pair() -> Self {
        let mut fleet = Self::new();
        fleet.facts("lb1", "192.0.2.1/24");
        fleet.facts("lb2", "192.0.2.2/24");
        fleet.put(instance("VI_1", &["lb1", "lb2"]));
        fleet
    }

    /// One write of the store comes by its watch. Returns its revision.
    fn write(&mut self, what: impl FnOnce(Revision) -> EventKind) -> u64 {
        self.revision += 1;
        let revision = Revision(self.revision);
        let what = what(revision);
        if let EventKind::Replica(record) = &what {
            self.liveness.heard(record, self.now);
        }
        self.view.absorb(&Event { revision, what });
        self.settle();
        self.revision
    }

    fn settle(&mut self) {
        self.view.settle();
        self.view.judge(&self.liveness, self.now);
    }

    fn put(&mut self, definition: Definition) -> u64 {
        self.change(definition.key(), Some(definition))
    }

    fn delete(&mut self, instance: &str) -> u64 {
        self.change(Key { kind: Kind::Instance, name: name(instance) }, None)
    }

    fn change(&mut self, key: Key, after: Option<Definition>) -> u64 {
        let changes = vec![DefinitionChange { key, before: None, after }];
        self.write(|revision| {
            let (author, message, at) = ("me".into(), String::new(), SINCE.into());
            let record = ChangeRecord { revision, author, message, at, changes };
            EventKind::Definitions(Arc::new(record))
        })
    }

    fn facts(&mut self, node: &str, address: &str) -> u64 {
        let interfaces = json!([{"name": "eth0", "addresses": [address]}]);
        let facts = json!({"node": node, "interfaces": interfaces});
        let facts: NodeFacts = serde_json::from_value(facts).unwrap();
        self.write(|_| EventKind::Facts(facts))
    }

    fn record(&mut self, record: NodeRecord) -> u64 {
        self.write(|_| EventKind::Node(Box::new(record)))
    }

    fn hear(&mut self, node: &str, session: u64, what: SessionNews) {
        self.view.hear(SessionEvent { node: name(node), session, what });
        self.settle();
    }

    fn connect(&mut self, node: &str, session: u64) {
        let greeted = Greeted { since: SINCE.into(), ..Greeted::default() };
        self.hear(node, session, SessionNews::Connected(greeted));
    }

    /// The session says that the node runs what it should, and that its kernel shows it.
    fn observe(&mut self, node: &str, session: u64) {
        let desired = self.view.desired(&name(node)).unwrap().clone();
        let (hash, generation) = (desired.hash().to_owned(), desired.generation.0);
        let instances = desired.assignment.instances.iter().map(|it| it.name.as_str());
        let report = report(generation, &hash, &instances.collect::<Vec<_>>());
        self.hear(node, session, SessionNews::Accepted { hash, generation });
        self.hear(node, session, SessionNews::Reported(Box::new(report), SINCE.into()));
    }

    /// Time goes by while the store answers: the beats of these replicas and of this one come.
    fn pass(&mut self, time: Duration, replicas: &[&str]) {
        let until = self.now + time;
        while self.now < until {
            self.now = until.min(self.now + INTERVAL / 10);
            self.beat += 1;
            for replica in replicas.iter().chain(&[HERE]) {
                let record = ReplicaRecord { replica: (*replica).to_owned(), beat: self.beat };
                self.write(|_| EventKind::Replica(record));
            }
        }
    }

    /// Time goes by while the store is away.
    fn pass_deaf(&mut self, time: Duration) {
        self.now += time;
        self.settle();
    }

    fn link(&self, node: &str) -> Link {
        self.view.node(&name(node)).unwrap().link
    }
}

/// A pair whose members are connected and show what they should.
fn converged() -> Fleet {
    let mut fleet = Fleet::pair();
    for (node, session) in [("lb1", 1), ("lb2", 2)] {
        fleet.connect(node, session);
        fleet.observe(node, session);
    }
    fleet
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn instance(text: &str, nodes: &[&str]) -> Definition {
    let member = |(index, node): (usize, &&str)| {
        let priority = 100 - index;
        json!({"node": node, "interface": "eth0", "priority": priority})
    };
    let members: Vec<Value> = nodes.iter().enumerate().map(member).collect();
    let addresses = ["192.0.2.100".parse().unwrap()].map(vipfleet_model::VirtualAddress::host);
    let spec = json!({"virtualRouterId": 51, "virtualAddresses": addresses, "members": members});
    Definition::Instance { name: name(text), spec: Box::new(serde_json::from_value(spec).unwrap()) }
}

fn report(generation: u64, hash: &str, instances: &[&str]) -> NodeReport {
    let instance = |text: &&str| InstanceReport {
        name: name(text),
        state: InstanceState::Backup,
        since: SINCE.into(),
        reason: String::new(),
        priority: 100,
        effective_priority: 100,
        holding: false,
        master: None,
        addresses: Vec::new(),
        adverts_sent: 0,
        adverts_received: 0,
        discards: Default::default(),
        warnings: Vec::new(),
    };
    NodeReport {
        generation,
        hash: hash.into(),
        settled: true,
        instances: instances.iter().map(instance).collect(),
        checks: Vec::new(),
    }
}

/// A node that has a session at a replica.
fn record(node: &str, replica: &str) -> NodeRecord {
    NodeRecord {
        node: name(node),
        agent_version: "0.1.0".into(),
        boot_id: "b1".into(),
        replica: replica.into(),
        connected: true,
        connected_since: SINCE.into(),
        accepted_hash: String::new(),
        rejected: None,
        report: None,
        reported_at: None,
    }
}

fn rejection(generation: u64, hash: &str) -> Rejection {
    let (field_path, reason) = ("instances[VI_1].priority".into(), "no".into());
    Rejection { generation, hash: hash.into(), field_path, reason }
}
