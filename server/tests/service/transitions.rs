//! The log of what moved: each transition once, whatever is said twice or breaks in between.

use crate::agent::Agent;
use crate::process::{Client, Server};
use crate::samples::SOON;
use tonic::{Code, Streaming};
use vipfleet_proto::v1;
use vipfleet_proto::v1::transition_event::Event;

pub(crate) struct Watcher {
    stream: Streaming<v1::TransitionEvent>,
    /// Where it is live from.
    pub(crate) started: u64,
}

impl Watcher {
    pub(crate) async fn after(client: &mut Client, revision: Option<u64>) -> Self {
        let request = v1::WatchTransitionsRequest { after_revision: revision };
        let mut stream = client.watch_transitions(request).await.unwrap().into_inner();
        let first = tokio::time::timeout(SOON, stream.message()).await.unwrap().unwrap().unwrap();
        let Some(Event::Started(started)) = first.event else {
            panic!("not started, but {first:?}");
        };
        Self { stream, started: started.revision }
    }

    pub(crate) async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(SOON, self.stream.message()).await;
        next.expect("no event").unwrap().expect("the watch ended").event.unwrap()
    }

    pub(crate) async fn transition(&mut self) -> v1::FleetTransition {
        match self.next().await {
            Event::Transition(transition) => transition,
            other => panic!("no transition, but {other:?}"),
        }
    }

    /// The sequences of the next transitions, which are in order of revisions.
    pub(crate) async fn sequences(&mut self, count: usize) -> Vec<u64> {
        let (mut sequences, mut last) = (Vec::new(), self.started);
        for _ in 0..count {
            let next = self.transition().await;
            assert!(next.revision > last, "{} after {last}", next.revision);
            last = next.revision;
            sequences.push(next.transition.unwrap().sequence);
        }
        sequences
    }
}

fn up_to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

#[tokio::test]
async fn what_is_said_twice_is_stored_once() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut live = Watcher::after(&mut client, None).await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    agent.pushed().await;
    agent.store(1..=3).await;
    agent.store(1..=4).await;
    let mut again = agent.again(server.address()).await;
    again.pushed().await;
    again.store(2..=5).await;
    assert_eq!(live.sequences(5).await, up_to(5));
    let mut past = Watcher::after(&mut client, Some(0)).await;
    assert_eq!(past.sequences(5).await, up_to(5));
    again.store(6..=6).await;
    assert_eq!(live.transition().await.transition.unwrap().sequence, 6);
    let last = past.transition().await;
    assert_eq!((last.node.as_str(), last.transition.unwrap().reason.as_str()), ("lb1", "reason 6"));
}

#[tokio::test]
async fn a_watch_from_now_tells_nothing_of_before() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    agent.pushed().await;
    let mut before = Watcher::after(&mut client, None).await;
    agent.store(1..=3).await;
    // When one watcher has heard of it, so has the fleet.
    before.sequences(3).await;
    let mut live = Watcher::after(&mut client, None).await;
    agent.store(4..=4).await;
    assert_eq!(live.transition().await.transition.unwrap().sequence, 4);
}

#[tokio::test]
async fn a_watch_is_resumed_after_a_restart_of_the_server_with_each_once() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    agent.pushed().await;
    let mut watcher = Watcher::after(&mut client, Some(0)).await;
    agent.store(1..=10).await;
    assert_eq!(watcher.sequences(4).await, up_to(4));
    let seen = watcher.transition().await;
    assert_eq!(seen.transition.unwrap().sequence, 5);
    server.crash_and_restart().await;
    let mut client = server.client().await;
    let mut agent = agent.again(server.address()).await;
    agent.pushed().await;
    // The agent does not know what was stored of what it said last.
    agent.store(8..=12).await;
    let mut watcher = Watcher::after(&mut client, Some(seen.revision)).await;
    assert_eq!(watcher.started, seen.revision);
    assert_eq!(watcher.sequences(7).await, (6..=12).collect::<Vec<_>>());
    agent.store(13..=13).await;
    assert_eq!(watcher.transition().await.transition.unwrap().sequence, 13);
}

#[tokio::test]
async fn a_watcher_that_is_slow_misses_nothing() {
    let server = Server::start().await;
    let (mut client, mut reader) = (server.client().await, server.client().await);
    let mut slow = Watcher::after(&mut client, None).await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    agent.pushed().await;
    let mut quick = Watcher::after(&mut reader, None).await;
    agent.store(1..=6000).await;
    assert_eq!(quick.sequences(6000).await, up_to(6000));
    assert_eq!(slow.sequences(6000).await, up_to(6000));
}

#[tokio::test]
async fn what_is_no_longer_kept_is_told_as_a_gap() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    agent.pushed().await;
    agent.store(1..=10_500).await;
    let mut watcher = Watcher::after(&mut client, Some(1)).await;
    let Event::Gap(gap) = watcher.next().await else {
        panic!("no gap is told");
    };
    let first = watcher.transition().await;
    assert_eq!(first.revision, gap.first_kept_revision);
    let kept = first.transition.unwrap().sequence;
    assert!(kept > 1);
    let rest = watcher.sequences((10_500 - kept) as usize).await;
    assert_eq!(rest, (kept + 1..=10_500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_revision_that_has_not_been_yet_is_refused() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let request = v1::WatchTransitionsRequest { after_revision: Some(1_000_000) };
    let status = client.watch_transitions(request).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(status.message().contains("another fleet"), "{}", status.message());
}
