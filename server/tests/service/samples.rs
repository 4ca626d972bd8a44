//! Definitions as a small fleet has them, and changes of them.

use crate::process::Client;
use serde_json::json;
use std::time::Duration;
use vipfleet_model::{Check, Definition, Instance, Name};
use vipfleet_proto::v1;

/// Longest wait for something that must happen.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Of what a client sends and takes.
pub(crate) const MESSAGE_LIMIT: usize = 64 << 20;

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// `VI_{router}` with one address; the first node has the highest priority.
pub(crate) fn instance(router: u8, nodes: &[&str]) -> Definition {
    let address = format!("192.0.2.{router}");
    large(&format!("VI_{router}"), router, &address, nodes)
}

pub(crate) fn large(text: &str, router: u8, address: &str, nodes: &[&str]) -> Definition {
    let member = |(index, node): (usize, &&str)| {
        let priority = 100 - index;
        json!({"node": node, "interface": "eth0", "priority": priority})
    };
    let members: Vec<_> = nodes.iter().enumerate().map(member).collect();
    let mut spec: Instance = serde_json::from_value(json!({
        "virtualRouterId": router, "virtualAddresses": [], "members": members
    }))
    .unwrap();
    let address = vipfleet_model::VirtualAddress::host(address.parse().unwrap());
    spec.virtual_addresses.push(address);
    Definition::Instance { name: name(text), spec: Box::new(spec) }
}

/// The same with another priority of its first member.
pub(crate) fn with_priority(definition: Definition, priority: u8) -> Definition {
    let Definition::Instance { name, mut spec } = definition else {
        panic!("an instance");
    };
    spec.members[0].priority = priority;
    Definition::Instance { name, spec }
}

/// The same in version 2 with a password.
pub(crate) fn with_password(definition: Definition, password: &str) -> Definition {
    use vipfleet_model::instance::Authentication;
    let Definition::Instance { name, mut spec } = definition else {
        panic!("an instance");
    };
    spec.version = 2;
    let password = vipfleet_model::secret::Secret::new(password);
    spec.authentication = Authentication::Pass { password };
    Definition::Instance { name, spec }
}

pub(crate) fn check(text: &str) -> Definition {
    let spec: Check = serde_json::from_value(json!({"process": {"name": "nginx"}})).unwrap();
    Definition::Check { name: name(text), spec }
}

pub(crate) fn put(definitions: impl IntoIterator<Item = Definition>) -> v1::ApplyRequest {
    let put = definitions.into_iter().map(Into::into).collect();
    v1::ApplyRequest {
        put,
        author: "tester".into(),
        message: "because".into(),
        ..Default::default()
    }
}

pub(crate) fn key(instance: &str) -> v1::DefinitionKey {
    v1::DefinitionKey { kind: v1::Kind::Instance.into(), name: instance.into() }
}

pub(crate) fn delete(instances: &[&str]) -> v1::ApplyRequest {
    let delete = instances.iter().map(|it| key(it)).collect();
    v1::ApplyRequest { delete, ..put([]) }
}

/// Applies what must be taken. The revision it made.
pub(crate) async fn apply(client: &mut Client, request: v1::ApplyRequest) -> u64 {
    let answer = client.apply(request).await.unwrap().into_inner();
    assert!(answer.committed, "{:#?}", answer.findings);
    answer.revision
}

pub(crate) fn rules(answer: &v1::ApplyResponse) -> Vec<&str> {
    answer.findings.iter().map(|finding| finding.rule.as_str()).collect()
}
