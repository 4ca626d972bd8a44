//! What `--wait` waits for, over the wire.

use crate::agent::Agent;
use crate::process::{Client, Server, connected};
use crate::samples::{SOON, apply, delete, instance, large, put, with_priority};
use prost_types::Duration;
use tonic::{Code, Streaming};
use vipfleet_model::Definition;
use vipfleet_proto::v1;

async fn watch(client: &mut Client, revision: u64, instance: &str) -> Streaming<v1::Convergence> {
    let instances = vec![instance.to_owned()];
    let request = v1::WatchConvergenceRequest { revision, instances, timeout: None };
    client.watch_convergence(request).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<v1::Convergence>) -> Option<v1::Convergence> {
    tokio::time::timeout(SOON, stream.message()).await.expect("no progress").unwrap()
}

/// Waits for a state of the progress; it must not be done before.
async fn until(
    stream: &mut Streaming<v1::Convergence>,
    wanted: impl Fn(&v1::Convergence) -> bool,
) -> v1::Convergence {
    loop {
        let progress = next(stream).await.expect("the watch goes on");
        if wanted(&progress) {
            return progress;
        }
        assert!(!progress.done, "done too early: {progress:?}");
    }
}

fn member<'a>(progress: &'a v1::Convergence, node: &str) -> &'a v1::MemberConvergence {
    progress.members.iter().find(|it| it.node == node).unwrap()
}

/// Runs what it is pushed until that is of a revision.
async fn catch_up(agent: &mut Agent, revision: u64) -> v1::Push {
    loop {
        let push = agent.pushed().await;
        if push.generation >= revision {
            return push;
        }
        agent.run(&push).await;
    }
}

/// Two members that run `VI_1`.
async fn pair(server: &Server, client: &mut Client) -> (Agent, Agent) {
    let mut one = Agent::join(server.address(), "lb1").await;
    let mut other = Agent::join(server.address(), "lb2").await;
    connected(client, "lb1", true).await;
    connected(client, "lb2", true).await;
    // Both have facts from here on, so that an apply is the only change.
    let revision = apply(client, put([instance(1, &["lb1", "lb2"])])).await;
    let mut progress = watch(client, revision, "VI_1").await;
    let running = async {
        tokio::join!(
            async {
                loop {
                    let push = one.pushed().await;
                    one.run(&push).await;
                }
            },
            async {
                loop {
                    let push = other.pushed().await;
                    other.run(&push).await;
                }
            }
        )
    };
    tokio::select! {
        _ = running => {}
        _ = until(&mut progress, |it| it.done) => {}
    }
    (one, other)
}

#[tokio::test]
async fn it_is_done_when_every_member_shows_it_in_its_kernel_and_not_before() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let (mut one, mut other) = pair(&server, &mut client).await;
    let changed = with_priority(instance(1, &["lb1", "lb2"]), 90);
    let revision = apply(&mut client, put([changed])).await;
    let mut progress = watch(&mut client, revision, "VI_1").await;
    let push = catch_up(&mut one, revision).await;
    one.run(&push).await;
    until(&mut progress, |it| member(it, "lb1").observed).await;
    let push = catch_up(&mut other, revision).await;
    other.accept(&push).await;
    until(&mut progress, |it| member(it, "lb2").accepted && !member(it, "lb2").observed).await;
    other.observe(&push).await;
    let done = until(&mut progress, |it| it.done).await;
    assert!(done.members.iter().all(|it| it.connected && it.accepted && it.observed));
    assert_eq!(next(&mut progress).await, None, "it ends when it is done");
}

#[tokio::test]
async fn a_member_that_is_away_is_named_and_the_watch_ends_undone_in_time() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let revision = apply(&mut client, put([instance(1, &["lb1", "lb2"])])).await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    let push = agent.pushed().await;
    agent.run(&push).await;
    let timeout = Some(Duration { seconds: 0, nanos: 300_000_000 });
    let request = v1::WatchConvergenceRequest { revision, instances: vec![], timeout };
    let mut progress = client.watch_convergence(request).await.unwrap().into_inner();
    let mut last = None;
    while let Some(state) = next(&mut progress).await {
        last = Some(state);
    }
    let last = last.unwrap();
    assert!(!last.done && !member(&last, "lb2").connected);
}

#[tokio::test]
async fn a_refusal_is_told() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let (mut one, _other) = pair(&server, &mut client).await;
    let changed = with_priority(instance(1, &["lb1", "lb2"]), 90);
    let revision = apply(&mut client, put([changed])).await;
    let mut progress = watch(&mut client, revision, "VI_1").await;
    let push = catch_up(&mut one, revision).await;
    one.refuse(&push, "instances[VI_1].interface", "there is no eth0").await;
    let told = until(&mut progress, |it| !member(it, "lb1").rejected.is_empty()).await;
    assert_eq!(member(&told, "lb1").rejected, "instances[VI_1].interface: there is no eth0");
    assert!(!member(&told, "lb1").accepted);
}

#[tokio::test]
async fn a_deleted_instance_is_done_when_it_is_gone_from_both() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let (mut one, mut other) = pair(&server, &mut client).await;
    let revision = apply(&mut client, delete(&["VI_1"])).await;
    let mut progress = watch(&mut client, revision, "VI_1").await;
    until(&mut progress, |it| it.members.len() == 2).await;
    let push = catch_up(&mut one, revision).await;
    one.run(&push).await;
    until(&mut progress, |it| it.members.len() == 1 && it.members[0].node == "lb2").await;
    let push = catch_up(&mut other, revision).await;
    other.run(&push).await;
    let done = until(&mut progress, |it| it.done).await;
    assert_eq!(done.members, []);
}

#[tokio::test]
async fn members_are_told_of_a_deletion_unless_somebody_goes_on_or_succeeds() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let (mut one, mut other) = pair(&server, &mut client).await;
    let Definition::Instance { name, mut spec } = instance(2, &["lb1", "lb2"]) else { panic!() };
    spec.members[1].external = true;
    let beside = Definition::Instance { name, spec };
    let renamed = large("VI_4", 4, "192.0.2.3", &["lb1"]);
    let made = put([beside, instance(3, &["lb1", "lb2"]), instance(5, &["lb1", "lb2"])]);
    let revision = apply(&mut client, made).await;
    for agent in [&mut one, &mut other] {
        let push = catch_up(agent, revision).await;
        assert_eq!(push.deleted, Vec::<String>::new());
        // Nobody said yet that it serves one of them.
        let all = push.assignment.iter().flat_map(|it| &it.instances).map(|it| &it.name);
        assert!(push.created.iter().eq(all), "{:?}", push.created);
        agent.run(&push).await;
    }
    // VI_2 goes on in a keepalived, the address of VI_3 in VI_4.
    let mut request = delete(&["VI_1", "VI_2", "VI_3"]);
    request.put = put([renamed]).put;
    let revision = apply(&mut client, request).await;
    for agent in [&mut one, &mut other] {
        let push = catch_up(agent, revision).await;
        assert_eq!(push.deleted, ["VI_1"]);
        agent.run(&push).await;
    }
    // What is defined again is not deleted.
    let revision = apply(&mut client, put([instance(1, &["lb1", "lb2"])])).await;
    let push = catch_up(&mut one, revision).await;
    assert_eq!(push.deleted, Vec::<String>::new());
}

#[tokio::test]
async fn a_revision_that_this_replica_has_not_seen_is_not_done() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let (_one, _other) = pair(&server, &mut client).await;
    let mut progress = watch(&mut client, 1_000_000, "VI_1").await;
    let first = next(&mut progress).await.unwrap();
    assert!(!first.done && first.members.iter().all(|it| it.connected && !it.observed));
}

#[tokio::test]
async fn what_cannot_be_waited_for_is_refused() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let negative = v1::WatchConvergenceRequest {
        timeout: Some(Duration { seconds: -1, nanos: 0 }),
        ..Default::default()
    };
    let nameless = v1::WatchConvergenceRequest {
        instances: vec!["VI_1".into(), "no such name".into()],
        ..Default::default()
    };
    for (request, path) in [(negative, "timeout"), (nameless, "instances[1]")] {
        let status = client.watch_convergence(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(path), "{}", status.message());
    }
}
