//! Two replicas on one real etcd, with agents spread over both.

use crate::agent::{Agent, transition};
use crate::etcd::Etcd;
use crate::process::{Client, Process, config, connected, node, status_when};
use crate::samples::{SOON, apply, instance, put, with_priority};
use crate::transitions::Watcher;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tonic::Code;
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message as Say;
use vipfleet_proto::v1::server_message::Message as Heard;
use vipfleet_server::serve::Config;
use vipfleet_server::store;

/// How long a replica may be silent in these tests.
const LIVENESS: Duration = Duration::from_secs(2);

async fn replica(etcd: &Etcd, name: &str) -> Process {
    let directory = TempDir::with_prefix("vipfleet-server-").unwrap();
    let spec = format!("etcd:{}", etcd.endpoint());
    let open = async move { store::open(&spec, directory.path()).await.unwrap() };
    let config = Config { name: Some(name.into()), liveness: LIVENESS, ..config() };
    Process::start(open, config).await
}

/// One etcd, two replicas and a client of each.
struct Pair {
    etcd: Etcd,
    one: Process,
    other: Process,
}

impl Pair {
    async fn start() -> (Self, Client, Client) {
        let etcd = Etcd::start();
        let (one, other) = (replica(&etcd, "one").await, replica(&etcd, "other").await);
        let clients = (one.client().await, other.client().await);
        (Self { etcd, one, other }, clients.0, clients.1)
    }
}

fn link(status: &v1::StatusResponse, node: &str) -> v1::Link {
    let members = status.instances.iter().flat_map(|it| &it.members);
    members.filter(|it| it.node == node).map(v1::MemberStatus::link).next().unwrap()
}

/// Runs what comes until it is of this revision.
async fn catch_up(agent: &mut Agent, revision: u64) -> v1::Push {
    loop {
        let push = agent.pushed().await;
        agent.run(&push).await;
        if push.generation >= revision {
            return push;
        }
    }
}

#[tokio::test]
async fn an_apply_through_either_replica_reaches_the_agents_of_both() {
    let (pair, mut one, mut other) = Pair::start().await;
    let mut lb1 = Agent::join(pair.one.address, "lb1").await;
    let mut lb2 = Agent::join(pair.other.address, "lb2").await;
    assert_eq!(lb1.welcome.fleet_id, lb2.welcome.fleet_id);
    assert_ne!(lb1.welcome.replica, lb2.welcome.replica);
    for (client, priority) in [(&one, 100), (&other, 90), (&one, 80)] {
        let client = &mut client.clone();
        let changed = with_priority(instance(1, &["lb1", "lb2"]), priority);
        let revision = apply(client, put([changed])).await;
        let pushes = (catch_up(&mut lb1, revision).await, catch_up(&mut lb2, revision).await);
        for push in [pushes.0, pushes.1] {
            let members = &push.assignment.as_ref().unwrap().instances[0].members;
            assert_eq!(members[0].priority, u32::from(priority));
        }
        let watched = v1::WatchConvergenceRequest { revision, ..Default::default() };
        let mut progress = client.watch_convergence(watched).await.unwrap().into_inner();
        let done = tokio::time::timeout(SOON, async {
            while let Some(state) = progress.message().await.unwrap() {
                if state.done {
                    return true;
                }
            }
            false
        });
        assert!(done.await.expect("no convergence"), "seen through either replica");
    }
    for client in [&mut one, &mut other] {
        let status = status_when(client, |it| it.nodes.iter().all(|it| it.connected)).await;
        let replicas: Vec<_> = status.nodes.iter().map(v1::NodeStatus::replica).collect();
        assert_eq!(replicas, ["one", "other"]);
    }
}

#[tokio::test]
async fn of_a_replica_that_is_killed_the_other_takes_over_and_no_transition_is_lost_or_told_twice()
{
    let (mut pair, mut one, mut other) = Pair::start().await;
    let all = ["lb1", "lb2", "lb3"];
    apply(&mut one, put([instance(1, &all)])).await;
    let mut lb1 = Agent::join(pair.one.address, "lb1").await;
    let mut lb2 = Agent::join(pair.other.address, "lb2").await;
    let lost = Agent::join(pair.one.address, "lb3").await;
    for node in all {
        connected(&mut other, node, true).await;
    }
    let mut watcher = Watcher::after(&mut one, Some(0)).await;
    while lb1.hello.hash.is_empty() {
        let push = lb1.pushed().await;
        lb1.run(&push).await;
    }
    for sequence in 1..=20 {
        let transitions = vec![transition(sequence)];
        lb1.say(Say::Transitions(v1::TransitionBatch { transitions })).await;
    }
    let mut seen = Vec::new();
    let mut resume = 0;
    while seen.len() < 7 {
        let next = watcher.transition().await;
        (resume, seen) = (next.revision, [seen, vec![next.transition.unwrap().sequence]].concat());
    }
    pair.one.kill();
    drop(lost);
    // The agent comes to the other replica and says everything again.
    let mut lb1 = lb1.again(pair.other.address).await;
    let transitions = (1..=25).map(transition).collect();
    lb1.say(Say::Transitions(v1::TransitionBatch { transitions })).await;
    let mut watcher = Watcher::after(&mut other, Some(resume)).await;
    seen.extend(watcher.sequences(18).await);
    assert_eq!(seen, (1..=25).collect::<Vec<_>>());
    // The one that did not come is silent when the killed replica was for the interval.
    let began = Instant::now();
    let status = status_when(&mut other, |it| link(it, "lb3") == v1::Link::Silent).await;
    assert!(began.elapsed() < LIVENESS * 5, "after {:?}", began.elapsed());
    assert_eq!(link(&status, "lb1"), v1::Link::Connected);
    assert_eq!(link(&status, "lb2"), v1::Link::Connected);
    assert_eq!(node(&status, "lb1").unwrap().replica(), "other");
    // And the next apply reaches whoever is there.
    let revision = apply(&mut other, put([with_priority(instance(1, &all), 90)])).await;
    loop {
        match lb1.hear().await.unwrap() {
            Some(Heard::Push(push)) if push.generation >= revision => break,
            Some(_) => {}
            None => panic!("the session ended"),
        }
    }
    catch_up(&mut lb2, revision).await;
}

#[tokio::test]
async fn of_two_sessions_of_one_node_at_two_replicas_the_newer_wins() {
    let (pair, mut one, mut other) = Pair::start().await;
    let mut older = Agent::join(pair.one.address, "lb1").await;
    // Both replicas know of it.
    connected(&mut other, "lb1", true).await;
    let mut newer = Agent::join(pair.other.address, "lb1").await;
    let away = loop {
        match older.hear().await.unwrap() {
            Some(Heard::GoAway(away)) => break away,
            Some(_) => {}
            None => panic!("it ended without a word"),
        }
    };
    assert_eq!(away.reason, "the node has a newer session at other");
    for client in [&mut one, &mut other] {
        let held = |it: &v1::StatusResponse| {
            node(it, "lb1").is_some_and(|it| it.connected && it.replica() == "other")
        };
        status_when(client, held).await;
    }
    let revision = apply(&mut one, put([instance(1, &["lb1"])])).await;
    catch_up(&mut newer, revision).await;
}

#[tokio::test]
async fn while_etcd_is_away_sessions_last_nobody_is_judged_and_clients_are_told_where_it_was() {
    let (mut pair, mut one, mut other) = Pair::start().await;
    apply(&mut one, put([instance(1, &["lb1", "lb2"])])).await;
    let mut lb1 = Agent::join(pair.one.address, "lb1").await;
    let mut lb2 = Agent::join(pair.other.address, "lb2").await;
    for client in [&mut one, &mut other] {
        connected(client, "lb1", true).await;
        connected(client, "lb2", true).await;
    }
    pair.etcd.kill();
    let changed = put([with_priority(instance(1, &["lb1", "lb2"]), 90)]);
    let status = one.apply(changed.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains(&pair.etcd.endpoint()), "{}", status.message());
    let shown = status_when(&mut one, |it| link(it, "lb2") != v1::Link::Connected).await;
    assert_eq!(link(&shown, "lb1"), v1::Link::Connected, "its session is here");
    assert_eq!(link(&shown, "lb2"), v1::Link::Awaited, "who knows?");
    assert!(pair.etcd.resume(), "etcd did not come back");
    let revision = tokio::time::timeout(SOON, async {
        loop {
            // It is there again, but a connection to it may not be yet.
            match one.apply(changed.clone()).await {
                Ok(answer) => return answer.into_inner().revision,
                Err(status) => assert_eq!(status.code(), Code::Unavailable),
            }
        }
    })
    .await
    .expect("etcd is back, and applies fail");
    catch_up(&mut lb1, revision).await;
    catch_up(&mut lb2, revision).await;
    for client in [&mut one, &mut other] {
        status_when(client, |it| {
            let links = [link(it, "lb1"), link(it, "lb2")];
            assert!(!links.contains(&v1::Link::Silent), "{links:?}");
            links == [v1::Link::Connected; 2]
        })
        .await;
    }
}
