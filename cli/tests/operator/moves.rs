//! `vipctl switchover`, `drain` and `uncordon`.

use crate::fake::Fake;
use crate::terminal::{Outcome, run};
use vipfleet_proto::v1;

fn vipctl(fake: &Fake, arguments: &[&str]) -> Outcome {
    run(&[&["--server", &fake.url()], arguments].concat(), &[], "")
}

fn member(node: &str, in_kernel: bool) -> v1::MemberStatus {
    let generation = v1::Generations { desired: 7, accepted: 7, observed: 7 };
    let address = "192.0.2.10".to_owned();
    v1::MemberStatus {
        node: node.into(),
        interface: "eth0".into(),
        priority: 100,
        state: v1::InstanceState::Backup.into(),
        generation: Some(generation),
        link: v1::Link::Connected.into(),
        settled: true,
        addresses: vec![v1::AddressReport { address, in_kernel, foreign: false }],
        ..Default::default()
    }
}

/// `VI_1` on lb1 and lb2, of which these hold the address.
fn fleet(owner: &str, holders: &[&str]) -> v1::StatusResponse {
    let members = ["lb1", "lb2"].map(|node| member(node, holders.contains(&node)));
    let address = v1::AddressStatus {
        address: "192.0.2.10".into(),
        owners: vec![owner.into()],
        owner: Some(owner.into()),
        health: v1::Health::Ok.into(),
    };
    let instance = v1::InstanceStatus {
        name: "VI_1".into(),
        virtual_router_id: 51,
        version: 3,
        virtual_addresses: vec!["192.0.2.10".into()],
        members: members.to_vec(),
        owners: vec![owner.into()],
        owner: Some(owner.into()),
        health: v1::Health::Ok.into(),
        addresses: vec![address],
        ..Default::default()
    };
    v1::StatusResponse { revision: 7, instances: vec![instance], nodes: Vec::new() }
}

fn taken() -> v1::ApplyResponse {
    let kind = v1::Kind::Switchover.into();
    let change = v1::DefinitionChange {
        key: Some(v1::DefinitionKey { kind, name: "VI_1".into() }),
        ..Default::default()
    };
    v1::ApplyResponse { changes: vec![change], revision: 7, committed: true, ..Default::default() }
}

#[test]
fn a_switchover_is_done_when_the_target_owns_the_vips_and_the_other_let_go() {
    let fake = Fake::start();
    fake.state().moved = taken();
    fake.state().status = fleet("lb2", &["lb2"]);
    let arguments = ["switchover", "VI_1", "--to", "lb2", "--for", "30m", "-m", "why", "--wait"];
    let done = vipctl(&fake, &arguments).exits(0);
    assert!(done.stdout.contains("+ Switchover VI_1 created"), "{}", done.stdout);
    assert!(done.stdout.contains("VI_1 is served by lb2 after"), "{}", done.stdout);
    let request = fake.state().switchovers.remove(0);
    assert_eq!((request.instance.as_str(), request.to()), ("VI_1", "lb2"));
    assert_eq!((request.message.as_str(), request.force), ("why", false));
    assert_eq!(request.r#for.map(|it| it.seconds), Some(1800));

    let json = vipctl(&fake, &[arguments.as_slice(), &["-o", "json"]].concat()).exits(0).json();
    assert_eq!(json["wait"]["done"], true);
    assert_eq!(json["wait"]["owners"][0]["owner"], "lb2");
    assert_eq!(json["changes"][0]["kind"], "Switchover");
}

#[test]
fn time_that_runs_out_ends_it_with_4_and_what_is_missing() {
    let fake = Fake::start();
    fake.state().moved = taken();
    fake.state().status = fleet("lb1", &["lb1"]);
    let waiting = ["switchover", "VI_1", "--to", "lb2", "--wait=300ms"];
    let failed = vipctl(&fake, &waiting).exits(4);
    assert!(failed.stderr.contains("VI_1 is served by lb1, not by lb2"), "{}", failed.stderr);
    fake.state().status = fleet("lb2", &["lb1", "lb2"]);
    let failed = vipctl(&fake, &waiting).exits(4);
    assert!(failed.stderr.contains("lb1 has yet to let go of VI_1"), "{}", failed.stderr);
}

#[test]
fn a_drain_is_done_when_others_serve_all_that_the_node_had() {
    let fake = Fake::start();
    fake.state().moved = taken();
    fake.state().status = fleet("lb2", &["lb2"]);
    vipctl(&fake, &["drain", "lb1", "--wait"]).exits(0);
    let failed = vipctl(&fake, &["drain", "lb2", "--force", "--wait=300ms"]).exits(4);
    assert!(failed.stderr.contains("VI_1 is served by lb2"), "{}", failed.stderr);
    assert!(fake.state().drains[1].force);
    vipctl(&fake, &["uncordon", "lb2", "--wait"]).exits(0);
}

#[test]
fn a_refusal_says_why_and_ends_with_3() {
    let fake = Fake::start();
    let finding = v1::Finding {
        severity: v1::Severity::Error.into(),
        rule: "target-unfit".into(),
        place: Some(v1::Place { document: Some("VI_1".into()), ..Default::default() }),
        message: "lb2 is in FAULT: check nginx is down".into(),
        remedy: "mend lb2, or insist with --force".into(),
        ..Default::default()
    };
    let findings = vec![finding];
    fake.state().moved = v1::ApplyResponse { findings, revision: 6, ..Default::default() };
    let refused = vipctl(&fake, &["switchover", "VI_1", "--to", "lb2", "--wait"]).exits(3);
    assert!(refused.stderr.contains("lb2 is in FAULT: check nginx is down"), "{}", refused.stderr);
    assert!(refused.stderr.contains("insist with --force"), "{}", refused.stderr);
}

#[test]
fn a_switchover_goes_somewhere_or_is_cleared() {
    let fake = Fake::start();
    vipctl(&fake, &["switchover", "VI_1"]).exits(2);
    vipctl(&fake, &["switchover", "VI_1", "--to", "lb2", "--clear"]).exits(2);
    fake.state().moved = taken();
    vipctl(&fake, &["switchover", "VI_1", "--clear"]).exits(0);
    assert_eq!(fake.state().switchovers[0].to, None);
}
