//! Changing definitions: whole or not at all, against what the client saw, with every finding.

use crate::agent::Agent;
use crate::process::{Client, Server};
use crate::samples::{
    apply, check, delete, instance, key, large, put, rules, with_password, with_priority,
};
use std::time::Instant;
use tonic::Code;
use vipfleet_model::Definition;
use vipfleet_proto::v1;

async fn stored(client: &mut Client) -> (u64, Vec<Definition>) {
    let request = v1::GetRequest { reveal_secrets: true, ..Default::default() };
    let answer = client.get(request).await.unwrap().into_inner();
    let all = answer.definitions.into_iter().map(|it| it.definition.unwrap().try_into().unwrap());
    (answer.revision, all.collect())
}

#[tokio::test]
async fn an_apply_says_what_it_changed_and_stores_it() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let request = put([instance(1, &["lb1", "lb2"]), check("nginx")]);
    let answer = client.apply(request.clone()).await.unwrap().into_inner();
    assert!(answer.committed);
    assert_eq!(answer.changes.len(), 2);
    assert!(answer.changes.iter().all(|it| it.before.is_none() && it.after.is_some()));
    assert!(rules(&answer).contains(&"unknown-node"), "{:?}", answer.findings);
    assert_eq!(stored(&mut client).await.0, answer.revision);
    let again = client.apply(request).await.unwrap().into_inner();
    assert!(!again.committed, "nothing differs");
    assert_eq!((again.revision, again.changes.len()), (answer.revision, 0));
}

#[tokio::test]
async fn an_apply_planned_against_an_older_revision_is_refused() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let planned = apply(&mut client, put([instance(1, &["lb1", "lb2"])])).await;
    let moved = apply(&mut client, put([check("nginx")])).await;
    let pinned = |revision| v1::ApplyRequest {
        if_revision: Some(revision),
        ..put([with_priority(instance(1, &["lb1", "lb2"]), 90)])
    };
    let status = client.apply(pinned(planned)).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(status.message(), format!("the definitions are at revision {moved}, not {planned}"));
    let dry = v1::ApplyRequest { dry_run: true, ..pinned(planned) };
    assert_eq!(client.apply(dry).await.unwrap_err().code(), Code::Aborted);
    apply(&mut client, pinned(moved)).await;
}

#[tokio::test]
async fn of_many_applies_at_once_none_is_lost() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let each = (1..=8).map(|router| {
        let mut client = client.clone();
        tokio::spawn(async move { apply(&mut client, put([instance(router, &["lb1"])])).await })
    });
    let mut revisions = Vec::new();
    for applied in each.collect::<Vec<_>>() {
        revisions.push(applied.await.unwrap());
    }
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), 8);
    assert_eq!(stored(&mut client).await.1.len(), 8);
}

#[tokio::test]
async fn a_change_with_one_error_stores_nothing() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let before = apply(&mut client, put([check("nginx")])).await;
    let twice = [large("VI_2", 7, "192.0.2.2", &["lb1"]), large("VI_3", 7, "192.0.2.3", &["lb1"])];
    let request = put([instance(1, &["lb1"])].into_iter().chain(twice));
    let answer = client.apply(request).await.unwrap().into_inner();
    assert!(!answer.committed);
    let finding = answer.findings.iter().find(|it| it.rule == "duplicate-vrid").unwrap();
    assert_eq!(finding.severity(), v1::Severity::Error);
    assert!(!finding.remedy.is_empty());
    assert_eq!(stored(&mut client).await, (before, vec![check("nginx")]));
}

#[tokio::test]
async fn two_thousand_instances_appear_at_once() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let nodes: Vec<_> = (0..10).map(|it| [format!("lb{it}a"), format!("lb{it}b")]).collect();
    let all = |priority: u8| {
        let one = |it: usize| {
            let pair = [nodes[it / 200][0].as_str(), nodes[it / 200][1].as_str()];
            let address = format!("10.{}.{}.1", it / 200, it % 200);
            let made = large(&format!("VI_{it}"), (it % 200) as u8 + 1, &address, &pair);
            with_priority(made, priority)
        };
        put((0..2000).map(one).collect::<Vec<_>>())
    };
    let mut agent = Agent::join(server.address(), "lb3b").await;
    agent.pushed().await;
    let began = Instant::now();
    let revision = apply(&mut client, all(100)).await;
    println!("2,000 instances applied in {:?}", began.elapsed());
    let push = agent.pushed().await;
    println!("200 of them pushed to a member after {:?}", began.elapsed());
    assert_eq!(push.generation, revision);
    assert_eq!(push.assignment.unwrap().instances.len(), 200);
    // A reader meanwhile sees all of one apply or all of the other.
    let reading = {
        let mut client = server.client().await;
        tokio::spawn(async move {
            loop {
                let (at, definitions) = stored(&mut client).await;
                let new = definitions.iter().filter(|it| priority(it) == 90).count();
                let expected = if at == revision { 0 } else { 2000 };
                assert_eq!((definitions.len(), new), (2000, expected));
                if at != revision {
                    return;
                }
            }
        })
    };
    apply(&mut client, all(90)).await;
    reading.await.unwrap();
}

fn priority(definition: &Definition) -> u8 {
    match definition {
        Definition::Instance { spec, .. } => spec.members[0].priority,
        _ => 0,
    }
}

#[tokio::test]
async fn a_dry_run_says_everything_and_changes_nothing() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let before = apply(&mut client, put([instance(1, &["lb1"])])).await;
    let wish = put([with_priority(instance(1, &["lb1"]), 90), instance(2, &["lb1"])]);
    let dry = v1::ApplyRequest { dry_run: true, ..wish };
    let answer = client.apply(dry).await.unwrap().into_inner();
    assert_eq!((answer.committed, answer.revision, answer.changes.len()), (false, before, 2));
    assert!(rules(&answer).contains(&"unknown-node"));
    assert_eq!(stored(&mut client).await, (before, vec![instance(1, &["lb1"])]));
}

#[tokio::test]
async fn a_rollback_is_a_new_revision_with_the_old_content() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let old = instance(1, &["lb1"]);
    let first = apply(&mut client, put([with_password(old.clone(), "1111")])).await;
    apply(&mut client, put([with_password(old.clone(), "2222"), instance(2, &["lb1"])])).await;
    let last = apply(&mut client, delete(&["VI_1"])).await;
    let request = v1::RollbackRequest { to_revision: first, ..Default::default() };
    let dry = v1::RollbackRequest { dry_run: true, ..request.clone() };
    let answer = client.rollback(dry).await.unwrap().into_inner();
    assert_eq!((answer.committed, answer.revision, answer.changes.len()), (false, last, 2));
    let stale = v1::RollbackRequest { if_revision: Some(first), ..request.clone() };
    assert_eq!(client.rollback(stale).await.unwrap_err().code(), Code::Aborted);
    let answer = client.rollback(request).await.unwrap().into_inner();
    assert!(answer.committed && answer.revision > last);
    let restored = vec![with_password(old, "1111")];
    assert_eq!(stored(&mut client).await, (answer.revision, restored));
    let history = client.history(v1::HistoryRequest::default()).await.unwrap().into_inner();
    assert_eq!(history.changes[0].message, format!("roll back to revision {first}"));
}

#[tokio::test]
async fn a_rollback_to_nowhere_is_refused() {
    let server = Server::start().await;
    let mut client = server.client().await;
    apply(&mut client, put([instance(1, &["lb1"])])).await;
    for (to_revision, code) in [(1_000_000, Code::NotFound), (0, Code::InvalidArgument)] {
        let request = v1::RollbackRequest { to_revision, ..Default::default() };
        assert_eq!(client.rollback(request).await.unwrap_err().code(), code);
    }
    assert_eq!(stored(&mut client).await.1.len(), 1);
}

#[tokio::test]
async fn deleting_what_is_not_there_is_a_finding() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let before = apply(&mut client, put([instance(1, &["lb1"])])).await;
    let answer = client.apply(delete(&["VI_1", "VI_9"])).await.unwrap().into_inner();
    assert!(!answer.committed);
    let finding = answer.findings.iter().find(|it| it.rule == "nothing-to-delete").unwrap();
    assert_eq!(finding.place.as_ref().unwrap().document(), "Instance VI_9");
    assert_eq!(stored(&mut client).await.0, before);
}

#[tokio::test]
async fn a_definition_that_is_named_twice_is_refused() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let put_twice = put([instance(1, &["lb1"]), with_priority(instance(1, &["lb1"]), 90)]);
    let both = v1::ApplyRequest { delete: vec![key("VI_1")], ..put([instance(1, &["lb1"])]) };
    for request in [put_twice, both] {
        let answer = client.apply(request).await.unwrap().into_inner();
        assert!(!answer.committed);
        assert!(rules(&answer).contains(&"duplicate-definition"), "{:?}", answer.findings);
    }
    assert_eq!(stored(&mut client).await.1, []);
}

#[tokio::test]
async fn a_malformed_message_is_refused_with_the_path() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut wire = put([check("nginx"), instance(1, &["lb1"])]);
    let Some(v1::definition::Spec::Instance(spec)) = &mut wire.put[1].spec else {
        panic!("an instance");
    };
    spec.members[0].priority = 256;
    let status = client.apply(wire).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let path = "put[1].instance.members[0].priority";
    assert!(status.message().starts_with(path), "{}", status.message());
    let nameless = v1::DefinitionKey { name: String::new(), ..key("VI_1") };
    let request = v1::ApplyRequest { delete: vec![key("VI_1"), nameless], ..put([]) };
    let status = client.apply(request).await.unwrap_err();
    assert!(status.message().starts_with("delete[1].name"), "{}", status.message());
}

#[tokio::test]
async fn the_word_redacted_keeps_the_stored_password() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let shown = with_password(with_priority(instance(1, &["lb1"]), 90), "<redacted>");
    let answer = client.apply(put([shown.clone()])).await.unwrap().into_inner();
    assert!(!answer.committed, "there is nothing it could stand for");
    assert!(rules(&answer).contains(&"no-stored-secret"));
    apply(&mut client, put([with_password(instance(1, &["lb1"]), "1111")])).await;
    apply(&mut client, put([shown])).await;
    let expected = with_password(with_priority(instance(1, &["lb1"]), 90), "1111");
    assert_eq!(stored(&mut client).await.1, [expected]);
}
