//! Definitions, facts and records as a small fleet has them.

use std::time::Duration;
use vipfleet_model::address::VirtualAddress;
use vipfleet_model::check::{Probe, ProcessProbe};
use vipfleet_model::instance::{Authentication, Member};
use vipfleet_model::moves::{Drain, Order, Switchover};
use vipfleet_model::report::{InstanceState, TransitionRecord};
use vipfleet_model::secret::Secret;
use vipfleet_model::{
    Check, Definition, Instance, InterfaceFacts, Key, Name, NodeFacts, NodeReport,
};
use vipfleet_server::store::{Change, ChangeRecord, NodeRecord, Revision, Store};

/// Longest wait for something that must happen.
pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A spec with every default, as a document gives it.
fn spec(router: u8) -> Instance {
    serde_json::from_value(serde_json::json!({
        "virtualRouterId": router, "virtualAddresses": [], "members": []
    }))
    .unwrap()
}

pub(crate) fn instance(text: &str, priority: u8) -> Definition {
    let address = "192.168.248.120".parse().unwrap();
    let member = |node: &str, priority| Member {
        node: name(node),
        interface: "ens33".into(),
        priority,
        priority_offset: 0,
        address: None,
        external: false,
        track: vec![],
    };
    let spec = Instance {
        version: 2,
        virtual_addresses: vec![VirtualAddress::host(address)],
        authentication: Authentication::Pass { password: Secret::new("1111") },
        members: vec![member("lb1", priority), member("lb2", 80)],
        ..spec(51)
    };
    Definition::Instance { name: name(text), spec: Box::new(spec) }
}

/// `count` instances that all have this priority.
pub(crate) fn instances(count: usize, priority: u8) -> Vec<Definition> {
    (0..count).map(|n| instance(&format!("VI_{n}"), priority)).collect()
}

pub(crate) fn priority(definition: &Definition) -> u8 {
    match definition {
        Definition::Instance { spec, .. } => spec.members[0].priority,
        other => panic!("{} has no priority", other.key()),
    }
}

pub(crate) fn check(text: &str) -> Definition {
    let probe = Probe::Process(ProcessProbe::named("nginx"));
    Definition::Check { name: name(text), spec: Check::new(probe) }
}

fn order() -> Order {
    Order {
        by: "tester".into(),
        message: "because".into(),
        since: "2026-01-02T03:04:05Z".into(),
        until: Some("2026-01-02T04:04:05Z".into()),
    }
}

pub(crate) fn switchover(instance: &str, to: &str) -> Definition {
    let spec = Switchover { to: name(to), order: order() };
    Definition::Switchover { name: name(instance), spec }
}

pub(crate) fn drain(node: &str) -> Definition {
    Definition::Drain { name: name(node), spec: Drain { order: order() } }
}

pub(crate) fn put(base: Revision, definitions: Vec<Definition>) -> Change {
    Change {
        base,
        author: "tester".into(),
        message: "because".into(),
        at: "2026-01-02T03:04:05Z".into(),
        put: definitions,
        delete: vec![],
    }
}

pub(crate) fn delete(base: Revision, keys: Vec<Key>) -> Change {
    Change { delete: keys, ..put(base, vec![]) }
}

/// Commits on top of whatever is there.
pub(crate) async fn apply(store: &dyn Store, definitions: Vec<Definition>) -> ChangeRecord {
    let base = store.snapshot().await.unwrap().definitions_revision;
    store.commit(put(base, definitions)).await.unwrap().expect("a change")
}

pub(crate) fn facts(node: &str, interfaces: usize) -> NodeFacts {
    let interface = |n| InterfaceFacts {
        name: format!("eth{n}"),
        addresses: vec!["192.168.248.11/24".parse().unwrap()],
        promote_secondaries: true,
    };
    NodeFacts { node: name(node), interfaces: (0..interfaces).map(interface).collect() }
}

pub(crate) fn record(node: &str, generation: u64) -> NodeRecord {
    NodeRecord {
        node: name(node),
        agent_version: "0.1.0".into(),
        boot_id: "5b6a".into(),
        replica: "a".into(),
        connected: true,
        connected_since: "2026-01-02T03:04:05Z".into(),
        accepted_hash: "cafe".into(),
        rejected: None,
        report: Some(NodeReport { generation, ..NodeReport::default() }),
        reported_at: Some("2026-01-02T03:04:05Z".into()),
    }
}

pub(crate) fn transition(sequence: u64) -> TransitionRecord {
    TransitionRecord {
        sequence,
        at: "2026-01-02T03:04:05.000000001Z".into(),
        instance: name("VI_1"),
        from: InstanceState::Backup,
        to: InstanceState::Master,
        reason: "master down timer ran out".into(),
        effective_priority: 100,
        lost_before: 0,
    }
}

pub(crate) fn transitions(sequences: std::ops::RangeInclusive<u64>) -> Vec<TransitionRecord> {
    sequences.map(transition).collect()
}
