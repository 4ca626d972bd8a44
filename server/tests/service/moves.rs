//! Planned moves: what is refused and why, what agents are told, and how a move ends.

use crate::agent::{Agent, report};
use crate::process::{Client, Server, status_when};
use crate::samples::{apply, delete, instance, name, put, rules};
use vipfleet_model::Definition;
use vipfleet_model::moves::{Order, Switchover};
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message as Say;

/// Two hosts that run `VI_1`, lb1 as MASTER, and say so.
struct Pair {
    server: Server,
    client: Client,
    lb1: Agent,
    lb2: Agent,
}

impl Pair {
    async fn start() -> Self {
        let server = Server::start().await;
        let mut client = server.client().await;
        let lb1 = Agent::join(server.address(), "lb1").await;
        let lb2 = Agent::join(server.address(), "lb2").await;
        let revision = apply(&mut client, put([instance(1, &["lb1", "lb2"])])).await;
        let mut pair = Self { server, client, lb1, lb2 };
        pair.follow(revision, "lb1").await;
        pair
    }

    /// Both run what is of this revision; `master` has the address. What they were told last.
    async fn follow(&mut self, revision: u64, master: &str) -> [v1::AssignedInstance; 2] {
        let mut told = Vec::new();
        for agent in [&mut self.lb1, &mut self.lb2] {
            let push = loop {
                let push = agent.pushed().await;
                let members = &push.assignment.as_ref().unwrap().instances;
                let known =
                    members.iter().flat_map(|it| &it.members).all(|it| it.address.is_some());
                if push.generation >= revision && known {
                    break push;
                }
                agent.accept(&push).await;
            };
            assert!(!push.server_time.is_empty());
            agent.accept(&push).await;
            let state = match agent.hello.node == master {
                true => v1::InstanceState::Master,
                false => v1::InstanceState::Backup,
            };
            agent.say(Say::Report(seen(&push, state))).await;
            told.push(push.assignment.unwrap().instances.remove(0));
        }
        status_when(&mut self.client, |it| {
            let settled = |it: &v1::MemberStatus| {
                it.generation.is_some_and(|at| at.observed == at.desired) && it.settled
            };
            it.revision >= revision
                && it.instances[0].members.iter().all(settled)
                && it.instances[0].owner() == master
        })
        .await;
        told.try_into().unwrap()
    }

    async fn switchover(&mut self, to: &str) -> v1::ApplyResponse {
        self.ask(v1::SwitchoverRequest { to: Some(to.into()), ..order() }).await
    }

    async fn ask(&mut self, request: v1::SwitchoverRequest) -> v1::ApplyResponse {
        self.client.switchover(request).await.unwrap().into_inner()
    }

    async fn drain(&mut self, node: &str, force: bool) -> v1::ApplyResponse {
        let request = v1::DrainRequest {
            node: node.into(),
            force,
            author: "tester".into(),
            ..Default::default()
        };
        self.client.drain(request).await.unwrap().into_inner()
    }

    async fn status(&mut self) -> v1::StatusResponse {
        self.client.status(v1::StatusRequest {}).await.unwrap().into_inner()
    }
}

fn order() -> v1::SwitchoverRequest {
    v1::SwitchoverRequest {
        instance: "VI_1".into(),
        author: "tester".into(),
        message: "new kernel".into(),
        ..Default::default()
    }
}

fn seen(push: &v1::Push, state: v1::InstanceState) -> v1::NodeReport {
    let mut report = report(push);
    let in_kernel = state == v1::InstanceState::Master;
    for instance in &mut report.instances {
        instance.state = state.into();
        let address = "192.0.2.1".to_owned();
        instance.addresses = vec![v1::AddressReport { address, in_kernel, foreign: false }];
    }
    report
}

fn role(told: &v1::AssignedInstance) -> Option<v1::MoveRole> {
    told.planned_move.as_ref().map(v1::AssignedMove::role)
}

const HOUR: prost_types::Duration = prost_types::Duration { seconds: 3600, nanos: 0 };

#[tokio::test]
async fn a_switchover_is_told_to_both_shown_and_remembered_until_it_is_cleared() {
    let mut pair = Pair::start().await;
    let request = v1::SwitchoverRequest { to: Some("lb2".into()), r#for: Some(HOUR), ..order() };
    let answer = pair.ask(request).await;
    assert!(answer.committed, "{:#?}", answer.findings);
    let [lb1, lb2] = pair.follow(answer.revision, "lb2").await;
    assert_eq!((role(&lb1), role(&lb2)), (Some(v1::MoveRole::Follows), Some(v1::MoveRole::Leads)));
    assert!(lb2.planned_move.unwrap().until.is_some());
    let status = pair.status().await;
    let shown = status.instances[0].switchover.clone().unwrap();
    assert_eq!((shown.instance.as_str(), shown.to.as_str()), ("VI_1", "lb2"));
    assert_eq!(shown.order.unwrap().message, "new kernel");

    let answer = pair.ask(order()).await;
    let [lb1, lb2] = pair.follow(answer.revision, "lb2").await;
    assert_eq!((role(&lb1), role(&lb2)), (None, None));
    assert_eq!(pair.status().await.instances[0].switchover, None);
    let again = pair.ask(order()).await;
    assert_eq!((again.committed, rules(&again)), (false, vec!["nothing-to-end"]));

    let history = pair.client.history(v1::HistoryRequest::default()).await.unwrap().into_inner();
    let told = history.changes.iter().map(|it| (it.author.as_str(), it.message.as_str()));
    assert_eq!(told.take(2).collect::<Vec<_>>(), [("tester", "new kernel"); 2]);
}

#[tokio::test]
async fn a_target_that_is_not_fit_is_refused_unless_forced() {
    let mut pair = Pair::start().await;
    let unknown = pair.switchover("lb9").await;
    assert_eq!((unknown.committed, rules(&unknown)), (false, vec!["not-a-member"]));
    let request = v1::SwitchoverRequest { instance: "VI_9".into(), ..order() };
    let unknown = pair.ask(v1::SwitchoverRequest { to: Some("lb2".into()), ..request }).await;
    assert_eq!(rules(&unknown), ["unknown-instance"]);

    let Pair { lb2, .. } = &mut pair;
    let hello = lb2.hello.clone();
    let push = v1::Push {
        generation: hello.generation,
        hash: hello.hash,
        assignment: Some(v1::Assignment {
            instances: vec![v1::AssignedInstance { name: "VI_1".into(), ..Default::default() }],
            ..Default::default()
        }),
        ..Default::default()
    };
    lb2.say(Say::Report(seen(&push, v1::InstanceState::Fault))).await;
    status_when(&mut pair.client, |it| {
        it.instances[0].members[1].state() == v1::InstanceState::Fault
    })
    .await;
    let refused = pair.switchover("lb2").await;
    assert_eq!((refused.committed, rules(&refused)), (false, vec!["target-unfit"]));
    assert!(refused.findings[0].message.contains("lb2 is in FAULT"), "{:#?}", refused.findings);
    let refused = pair.drain("lb1", false).await;
    assert_eq!((refused.committed, rules(&refused)), (false, vec!["no-successor"]));
    // Nothing would be lost: the other one serves.
    assert!(pair.drain("lb2", false).await.committed);
    let drained = pair.switchover("lb2").await;
    assert_eq!(rules(&drained), ["target-unfit", "target-drained"]);
    let forced = pair.drain("lb1", true).await;
    assert_eq!((forced.committed, rules(&forced)), (true, vec!["no-successor"]));
}

#[tokio::test]
async fn a_node_is_drained_and_given_back_and_its_switchovers_end() {
    let mut pair = Pair::start().await;
    let answer = pair.switchover("lb1").await;
    pair.follow(answer.revision, "lb1").await;
    let answer = pair.drain("lb1", false).await;
    assert_eq!((answer.committed, rules(&answer)), (true, vec!["switchover-ends"]));
    let [lb1, lb2] = pair.follow(answer.revision, "lb2").await;
    assert_eq!((role(&lb1), role(&lb2)), (Some(v1::MoveRole::Yields), None));
    let status = pair.status().await;
    assert!(status.instances[0].members[0].drained && !status.instances[0].members[1].drained);
    assert_eq!(status.nodes[0].drain.as_ref().unwrap().by, "tester");
    let request = v1::UncordonRequest { node: "lb1".into(), ..Default::default() };
    let answer = pair.client.uncordon(request.clone()).await.unwrap().into_inner();
    assert!(answer.committed, "{:#?}", answer.findings);
    // Nothing changes for the other.
    let push = pair.lb1.pushed().await;
    assert_eq!(push.generation, answer.revision);
    assert_eq!(role(&push.assignment.unwrap().instances[0]), None);
    let again = pair.client.uncordon(request).await.unwrap().into_inner();
    assert_eq!((again.committed, rules(&again)), (false, vec!["nothing-to-end"]));
}

#[tokio::test]
async fn a_move_outlives_a_crash_of_the_server_and_ends_when_its_time_is_over() {
    let mut pair = Pair::start().await;
    let lasts = prost_types::Duration { seconds: 4, nanos: 0 };
    let request = v1::SwitchoverRequest { to: Some("lb2".into()), r#for: Some(lasts), ..order() };
    assert!(pair.ask(request).await.committed);
    pair.server.crash_and_restart().await;
    let mut client = pair.server.client().await;
    let status = client.status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert!(status.instances[0].switchover.is_some());
    status_when(&mut client, |it| it.instances[0].switchover.is_none()).await;
    let history = client.history(v1::HistoryRequest::default()).await.unwrap().into_inner();
    assert_eq!(history.changes[0].author, "vipfleet-server");
    assert_eq!(history.changes[0].message, "the time of Switchover VI_1 is over");
}

#[tokio::test]
async fn moves_are_no_part_of_what_is_declared() {
    let mut pair = Pair::start().await;
    let before = pair.status().await.revision;
    assert!(pair.switchover("lb2").await.committed);
    let all = pair.client.get(v1::GetRequest::default()).await.unwrap().into_inner();
    assert_eq!(all.definitions.len(), 1);
    let rollback = v1::RollbackRequest { to_revision: before, ..Default::default() };
    let answer = pair.client.rollback(rollback).await.unwrap().into_inner();
    assert!(!answer.committed, "{:#?}", answer.changes);
    let order =
        Order { by: String::new(), message: String::new(), since: String::new(), until: None };
    let spec = Switchover { to: name("lb1"), order };
    let smuggled = put([Definition::Switchover { name: name("VI_1"), spec }]);
    let refused = pair.client.apply(smuggled).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
    // It goes with its instance.
    let answer = pair.client.apply(delete(&["VI_1"])).await.unwrap().into_inner();
    assert_eq!(answer.changes.len(), 2, "{:#?}", answer.changes);
    assert!(pair.status().await.instances.is_empty());
}
