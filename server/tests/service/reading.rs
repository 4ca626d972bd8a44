//! Definitions and their history, with secrets hidden from whoever does not ask for them.

use crate::process::Server;
use crate::samples::{apply, check, delete, instance, key, put, with_password, with_priority};
use tonic::Code;
use vipfleet_proto::v1;

fn password(definition: &v1::Definition) -> &str {
    use v1::authentication::Method;
    let Some(v1::definition::Spec::Instance(spec)) = &definition.spec else {
        panic!("an instance");
    };
    match spec.authentication.as_ref().and_then(|it| it.method.as_ref()) {
        Some(Method::Pass(pass)) => &pass.password,
        _ => panic!("no password"),
    }
}

#[tokio::test]
async fn secrets_are_shown_to_who_asks_for_them_and_to_nobody_else() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let secret = |priority| with_password(with_priority(instance(1, &["lb1"]), priority), "1111");
    let answer = client.apply(put([secret(100)])).await.unwrap().into_inner();
    assert_eq!(password(answer.changes[0].after.as_ref().unwrap()), "<redacted>");
    apply(&mut client, put([secret(90)])).await;
    let hidden = client.get(v1::GetRequest::default()).await.unwrap().into_inner();
    assert_eq!(password(hidden.definitions[0].definition.as_ref().unwrap()), "<redacted>");
    let request = v1::GetRequest { reveal_secrets: true, ..Default::default() };
    let shown = client.get(request).await.unwrap().into_inner();
    assert_eq!(password(shown.definitions[0].definition.as_ref().unwrap()), "1111");
    let history = client.history(v1::HistoryRequest::default()).await.unwrap().into_inner();
    for change in history.changes.iter().flat_map(|it| &it.changes) {
        for definition in change.before.iter().chain(&change.after) {
            assert_eq!(password(definition), "<redacted>");
        }
    }
}

#[tokio::test]
async fn get_finds_by_key_and_says_when_each_changed() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let first = apply(&mut client, put([instance(1, &["lb1"]), check("nginx")])).await;
    let second = apply(&mut client, put([instance(2, &["lb1"])])).await;
    let all = client.get(v1::GetRequest::default()).await.unwrap().into_inner();
    assert_eq!(all.revision, second);
    let revisions: Vec<_> = all.definitions.iter().map(|it| it.revision).collect();
    assert_eq!(revisions, [first, first, second]);
    let by = |keys| v1::GetRequest { keys, ..Default::default() };
    let one = client.get(by(vec![key("VI_2")])).await.unwrap().into_inner();
    assert_eq!(one.definitions.len(), 1);
    let status = client.get(by(vec![key("VI_1"), key("VI_9")])).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.message(), "there is no Instance VI_9");
    let status = client.get(by(vec![v1::DefinitionKey::default()])).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("keys[0].kind"), "{}", status.message());
}

#[tokio::test]
async fn history_comes_newest_first_and_in_pages() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut revisions = Vec::new();
    for priority in 1..=5 {
        let change = with_priority(instance(1, &["lb1"]), priority);
        revisions.push(apply(&mut client, put([change])).await);
    }
    let other = apply(&mut client, put([check("nginx")])).await;
    let gone = apply(&mut client, delete(&["VI_1"])).await;
    let newest = client.history(v1::HistoryRequest::default()).await.unwrap().into_inner();
    assert_eq!(newest.changes.len(), 7);
    assert_eq!(newest.changes[0].revision, gone);
    assert_eq!(newest.changes[1].revision, other);
    let deleted = &newest.changes[0];
    assert_eq!((deleted.author.as_str(), deleted.message.as_str()), ("tester", "because"));
    assert!(deleted.at.is_some());
    assert!(deleted.changes[0].before.is_some() && deleted.changes[0].after.is_none());
    let (mut before, mut pages) = (0, Vec::new());
    loop {
        let request = v1::HistoryRequest { key: Some(key("VI_1")), limit: 2, before };
        let page = client.history(request).await.unwrap().into_inner().changes;
        let Some(last) = page.last() else { break };
        before = last.revision;
        pages.push(page.iter().map(|it| it.revision).collect::<Vec<_>>());
    }
    let expected = [gone].into_iter().chain(revisions.into_iter().rev()).collect::<Vec<_>>();
    assert_eq!(pages.concat(), expected);
    assert!(pages.iter().all(|page| page.len() <= 2));
}
