//! One simulated agent: the real session client, and in place of the supervisor a task that
//! accepts every assignment and reports that it runs.

use crate::fleet;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use vipfleet_agent::outbox::Outbox;
use vipfleet_agent::uplink::{self, FromServer, Offer, Running, Shared};
use vipfleet_model::report::{InstanceReport, InstanceState};
use vipfleet_model::{Assignment, NodeFacts, NodeReport};

/// What an agent saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    pub agent: usize,
    pub at: Instant,
    pub what: What,
}

/// What there is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Connected,
    Disconnected,
    /// An assignment of this generation arrived.
    Assigned(u64),
}

/// Runs agent `number` until `stop`, or until nobody takes its news.
pub(crate) async fn run(
    number: usize,
    endpoint: Endpoint,
    news: mpsc::Sender<News>,
    stop: CancellationToken,
) {
    let node = fleet::node(number);
    let (report, reports) = watch::channel(NodeReport::default());
    let nothing = NodeFacts { node: node.clone(), interfaces: Vec::new() };
    let (facts, seen) = watch::channel(nothing);
    let (running, runs) = watch::channel(Running::default());
    let shared = Shared {
        node,
        boot_id: "simulated".into(),
        report: reports,
        facts: seen,
        running: runs,
        outbox: Arc::new(Mutex::new(Outbox::default())),
        outbox_grew: Arc::new(Notify::new()),
    };
    // The session waits for the first facts.
    facts.send_replace(fleet::facts(number));
    let (heard, mut from_server) = mpsc::channel(16);
    tokio::spawn(uplink::run(vec![endpoint], shared, heard, stop));
    while let Some(message) = from_server.recv().await {
        let at = Instant::now();
        let what = match message {
            FromServer::Connected { .. } => What::Connected,
            FromServer::Disconnected => What::Disconnected,
            FromServer::Acknowledged(_) => continue,
            FromServer::Offer(offer) => {
                let Offer { origin, hash, assignment, verdict, .. } = *offer;
                let generation = origin.generation;
                report.send_replace(obeyed(generation, &hash, &assignment));
                running.send_replace(Running { origin, hash });
                // A session that ended meanwhile waits for no verdict.
                let _ = verdict.send(Ok(()));
                What::Assigned(generation)
            }
        };
        if news.send(News { agent: number, at, what }).await.is_err() {
            return;
        }
    }
}

/// The report of a node that runs an assignment: the higher priority of a pair has the VIP.
fn obeyed(generation: u64, hash: &str, assignment: &Assignment) -> NodeReport {
    let instances = assignment.instances.iter().map(|instance| {
        let highest = instance.members.iter().all(|it| it.priority <= instance.priority);
        InstanceReport {
            name: instance.name.clone(),
            state: if highest { InstanceState::Master } else { InstanceState::Backup },
            since: "2026-01-01T00:00:00Z".into(),
            reason: String::new(),
            priority: instance.priority,
            effective_priority: instance.priority,
            holding: false,
            master: None,
            addresses: Vec::new(),
            adverts_sent: 0,
            adverts_received: 0,
            discards: Default::default(),
            warnings: Vec::new(),
        }
    });
    NodeReport {
        generation,
        hash: hash.to_owned(),
        settled: true,
        instances: instances.collect(),
        checks: Vec::new(),
    }
}
