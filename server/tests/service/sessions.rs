//! What an agent hears and when, and what the fleet knows of it.

use crate::agent::{Agent, hello, open, report, transition};
use crate::process::{Client, Server, config, connected, node, status_when};
use crate::samples::{SOON, apply, instance, put, with_priority};
use std::time::{Duration, Instant};
use tonic::Code;
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message as Say;
use vipfleet_proto::v1::server_message::Message as Heard;
use vipfleet_server::serve::Config;

/// Waits until `lb1` is that far.
async fn generation_when(client: &mut Client, wanted: impl Fn(&v1::Generations) -> bool) {
    let far = |it: &v1::StatusResponse| node(it, "lb1").and_then(|it| it.generation);
    status_when(client, |it| far(it).is_some_and(|it| wanted(&it))).await;
}

#[tokio::test]
async fn an_apply_is_pushed_accepted_and_observed() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    assert_eq!(agent.welcome.epoch, 1);
    let nothing = agent.pushed().await;
    assert!(nothing.assignment.as_ref().unwrap().instances.is_empty());
    agent.accept(&nothing).await;
    let revision = apply(&mut client, put([instance(1, &["lb1", "lb2"])])).await;
    let push = agent.pushed().await;
    assert_eq!((push.generation, push.nonce), (revision, 2));
    let assigned = &push.assignment.as_ref().unwrap().instances[0];
    assert_eq!((assigned.name.as_str(), assigned.priority), ("VI_1", 100));
    agent.accept(&push).await;
    generation_when(&mut client, |it| (it.accepted, it.observed) == (revision, 0)).await;
    agent.observe(&push).await;
    generation_when(&mut client, |it| (it.accepted, it.observed) == (revision, revision)).await;
}

#[tokio::test]
async fn an_agent_that_runs_it_already_is_sent_nothing() {
    let server = Server::start().await;
    let mut client = server.client().await;
    apply(&mut client, put([instance(1, &["lb1"])])).await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    let push = agent.placed().await;
    agent.run(&push).await;
    // Somebody else's instance changes nothing here.
    apply(&mut client, put([instance(2, &["lb2"])])).await;
    let mut agent = agent.again(server.address()).await;
    let later = apply(&mut client, put([with_priority(instance(1, &["lb1"]), 90)])).await;
    let next = agent.pushed().await;
    assert_eq!((next.nonce, next.generation), (1, later), "nothing came before it");
    assert_ne!(next.hash, push.hash);
}

#[tokio::test]
async fn a_refused_assignment_is_pushed_again_only_when_it_changed() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    let nothing = agent.pushed().await;
    agent.run(&nothing).await;
    let revision = apply(&mut client, put([instance(1, &["lb1"])])).await;
    let refused = agent.pushed().await;
    agent.refuse(&refused, "instances[VI_1].interface", "there is no eth0").await;
    let status =
        status_when(&mut client, |it| node(it, "lb1").is_some_and(|it| it.rejected.is_some()))
            .await;
    let rejection = node(&status, "lb1").unwrap().rejected.clone().unwrap();
    assert_eq!(rejection.generation, revision);
    assert_eq!(rejection.field_path, "instances[VI_1].interface");
    assert_eq!(rejection.reason, "there is no eth0");
    // Neither by itself, nor when something else changes, nor to a new session.
    apply(&mut client, put([instance(2, &["lb2"])])).await;
    agent.hears_nothing_else().await;
    let mut agent = agent.again(server.address()).await;
    let changed = apply(&mut client, put([with_priority(instance(1, &["lb1"]), 90)])).await;
    let next = agent.pushed().await;
    assert_eq!((next.nonce, next.generation), (1, changed));
    agent.run(&next).await;
    status_when(&mut client, |it| node(it, "lb1").is_some_and(|it| it.rejected.is_none())).await;
    // And as it was, after another was accepted.
    let back = apply(&mut client, put([instance(1, &["lb1"])])).await;
    let again = agent.pushed().await;
    assert_eq!((again.generation, &again.hash), (back, &refused.hash));
}

#[tokio::test]
async fn another_release_of_the_agent_is_sent_what_the_former_refused() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    let push = agent.pushed().await;
    agent.refuse(&push, "", "not in this release").await;
    status_when(&mut client, |it| node(it, "lb1").is_some_and(|it| it.rejected.is_some())).await;
    agent.hello.agent_version = "0.2.0".into();
    let mut agent = agent.again(server.address()).await;
    assert_eq!(agent.pushed().await.hash, push.hash);
}

#[tokio::test]
async fn a_server_that_lags_pushes_nothing_older_than_what_runs() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let first = Agent::join(server.address(), "lb1").await;
    let (fleet_id, epoch) = (first.welcome.fleet_id.clone(), first.welcome.epoch);
    drop(first);
    let ahead = v1::Hello { fleet_id, epoch, generation: 1_000_000, ..hello("lb1") };
    let mut agent = Agent::connect(server.address(), ahead.clone()).await.unwrap();
    apply(&mut client, put([instance(1, &["lb1"])])).await;
    agent.hears_nothing_else().await;
    // A new epoch starts over.
    let mut agent =
        Agent::connect(server.address(), v1::Hello { epoch: 0, ..ahead }).await.unwrap();
    assert_eq!(agent.pushed().await.nonce, 1);
}

#[tokio::test]
async fn who_cannot_have_a_session_is_told_why() {
    let server = Server::start().await;
    let fleet_id = Agent::join(server.address(), "lb1").await.welcome.fleet_id;
    let facts = Some(v1::NodeFacts {
        interfaces: vec![v1::InterfaceFacts {
            name: "eth0".into(),
            addresses: vec!["192.0.2.300/24".into()],
            promote_secondaries: false,
        }],
        ..Default::default()
    });
    let table = [
        (v1::Hello { fleet_id: "f".into(), ..hello("lb1") }, "belongs to fleet f"),
        (v1::Hello { fleet_id, epoch: 9, ..hello("lb1") }, "is stale"),
        (v1::Hello { protocol_version: 7, ..hello("lb1") }, "bring both to one release"),
        (hello("no such name"), "hello.facts.node"),
        (v1::Hello { facts, ..hello("lb1") }, "hello.facts.interfaces[0].addresses[0]"),
        (v1::Hello { facts: None, ..hello("lb1") }, "hello.facts: absent"),
    ];
    for (hello, expected) in table {
        let Err(status) = Agent::connect(server.address(), hello).await else {
            panic!("welcome, but expected {expected:?}");
        };
        assert!(status.message().contains(expected), "{expected:?}: {}", status.message());
        let precondition = status.code() == Code::FailedPrecondition;
        assert!(precondition || status.code() == Code::InvalidArgument, "{status:?}");
    }
    let rude = Say::Ack(v1::Ack { nonce: 1, generation: 1 });
    let status = open(server.address(), rude).await.unwrap_err();
    assert!(status.message().contains("must be Hello"), "{}", status.message());
}

#[tokio::test]
async fn what_cannot_be_ends_the_session_and_says_where() {
    let server = Server::start().await;
    let table = [
        (
            Say::Report(v1::NodeReport {
                instances: vec![v1::InstanceReport { name: "VI_1".into(), ..Default::default() }],
                ..Default::default()
            }),
            "report.instances[0].state",
        ),
        (
            Say::Transitions(v1::TransitionBatch {
                transitions: vec![v1::Transition { effective_priority: 256, ..transition(1) }],
            }),
            "transitions.effective_priority",
        ),
        (Say::Hello(hello("lb1")), "twice"),
    ];
    for (message, expected) in table {
        let mut agent = Agent::join(server.address(), "lb1").await;
        agent.pushed().await;
        agent.say(message).await;
        let status = agent.hear().await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains(expected), "{expected:?}: {}", status.message());
    }
}

#[tokio::test]
async fn the_second_session_of_a_node_wins() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut first = Agent::join(server.address(), "lb1").await;
    first.pushed().await;
    let mut second = Agent::join(server.address(), "lb1").await;
    second.pushed().await;
    let Some(Heard::GoAway(away)) = first.hear().await.unwrap() else {
        panic!("the first session goes on");
    };
    assert!(away.reason.contains("newer session"), "{}", away.reason);
    assert_eq!(first.hear().await.unwrap(), None);
    apply(&mut client, put([instance(1, &["lb1"])])).await;
    let push = second.pushed().await;
    second.run(&push).await;
    // What the first left behind changes nothing, here or in the store.
    connected(&mut client, "lb1", true).await;
    second.hears_nothing_else().await;
    connected(&mut client, "lb1", true).await;
}

#[tokio::test]
async fn facts_that_change_reach_the_peers() {
    let server = Server::start().await;
    let mut client = server.client().await;
    apply(&mut client, put([instance(1, &["lb1", "lb2"])])).await;
    let mut one = Agent::join(server.address(), "lb1").await;
    let other = Agent::join(server.address(), "lb2").await;
    let mut facts = other.hello.facts.clone().unwrap();
    facts.interfaces[0].addresses = vec!["192.0.2.77/24".into()];
    // A node speaks for itself, whatever it says.
    facts.node = "lb1".into();
    other.say(Say::Facts(facts)).await;
    loop {
        let push = one.pushed().await;
        one.run(&push).await;
        let Some(instance) = push.assignment.as_ref().unwrap().instances.first() else {
            continue;
        };
        let members = &instance.members;
        if members[1].address.as_deref() == Some("192.0.2.77") {
            assert_ne!(members[0].address.as_deref(), Some("192.0.2.77"));
            return;
        }
    }
}

#[tokio::test]
async fn a_slow_agent_is_sent_the_latest_and_not_all_between() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    agent.pushed().await;
    // Large enough that the connection cannot hold them all.
    let nodes: Vec<_> =
        (0..20).map(|it| format!("node-with-a-{}-name-{it}", "long-".repeat(8))).collect();
    let mut names: Vec<_> = nodes.iter().map(String::as_str).collect();
    names.insert(0, "lb1");
    let all = |priority| (1..=15).map(move |it| (it, priority));
    let mut last = 0;
    for priority in 101..=120 {
        let changed =
            all(priority).map(|(it, priority)| with_priority(instance(it, &names), priority));
        last = apply(&mut client, put(changed)).await;
    }
    let mut pushes = 0;
    loop {
        let push = agent.pushed().await;
        pushes += 1;
        if push.generation == last {
            break;
        }
    }
    assert!(pushes < 15, "{pushes} pushes of 20 changes");
}

#[tokio::test]
async fn a_node_that_never_came_back_after_a_crash_is_silent_in_the_store_too() {
    let liveness = Duration::from_secs(1);
    let mut server = Server::start_with(Config { liveness, ..config() }).await;
    let mut client = server.client().await;
    apply(&mut client, put([instance(1, &["lb1", "lb2"])])).await;
    let mut gone = Agent::join(server.address(), "lb1").await;
    let back = Agent::join(server.address(), "lb2").await;
    let push = gone.pushed().await;
    gone.run(&push).await;
    // What it is is known from the store alone.
    let version = |it: &v1::NodeStatus| it.agent_version.is_some();
    status_when(&mut client, |it| node(it, "lb1").is_some_and(version)).await;
    server.crash_and_restart().await;
    let mut client = server.client().await;
    let back = back.again(server.address()).await;
    let links = |it: &v1::StatusResponse| -> Vec<v1::Link> {
        it.instances[0].members.iter().map(v1::MemberStatus::link).collect()
    };
    let before = client.status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(links(&before)[0], v1::Link::Awaited);
    status_when(&mut client, |it| links(it) == [v1::Link::Silent, v1::Link::Connected]).await;
    let deadline = Instant::now() + SOON;
    loop {
        // The store says it a moment after the status does, and only a crash shows the store.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let stored = server.stored_after_a_crash().await;
        if !stored.nodes["lb1"].connected {
            assert_eq!(stored.nodes["lb1"].agent_version, "0.1.0", "the rest is kept");
            break;
        }
        assert!(Instant::now() < deadline, "its record still names a session");
        let mut client = server.client().await;
        status_when(&mut client, |it| links(it)[0] == v1::Link::Silent).await;
    }
    drop(back);
}

#[tokio::test]
async fn a_report_is_kept_over_a_restart_of_the_server() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    apply(&mut client, put([instance(1, &["lb1"])])).await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    let push = agent.placed().await;
    let checks = vec![v1::CheckReport {
        name: "nginx".into(),
        status: v1::CheckStatus::Down.into(),
        detail: "process nginx not running".into(),
        since: "2026-01-02T03:04:05Z".into(),
    }];
    agent.say(Say::Report(v1::NodeReport { checks, ..report(&push) })).await;
    status_when(&mut client, |it| node(it, "lb1").is_some_and(|it| !it.checks.is_empty())).await;
    server.stop_and_restart().await;
    let mut client = server.client().await;
    let status = client.status(v1::StatusRequest {}).await.unwrap().into_inner();
    let lb1 = node(&status, "lb1").unwrap();
    assert_eq!(lb1.checks[0].detail, "process nginx not running");
    assert!(!lb1.connected, "its session ended with the server");
}
