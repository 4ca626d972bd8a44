//! The fleet's state: whole, and again when it changed.

use crate::agent::{Agent, report};
use crate::process::{Server, status_when};
use crate::samples::{SOON, apply, instance, put};
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message as Say;

/// A report of a master that has sent so many adverts.
fn master(push: &v1::Push, adverts_sent: u64) -> v1::NodeReport {
    let mut report = report(push);
    let address =
        |in_kernel| v1::AddressReport { address: "192.0.2.1".into(), in_kernel, foreign: false };
    for instance in &mut report.instances {
        instance.state = v1::InstanceState::Master.into();
        instance.addresses = vec![address(true)];
        instance.adverts_sent = adverts_sent;
    }
    report
}

#[tokio::test]
async fn the_owner_is_who_reports_the_address_in_its_kernel() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let revision = apply(&mut client, put([instance(1, &["lb1"])])).await;
    let before = client.status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((before.revision, before.instances[0].owner.as_deref()), (revision, None));
    assert_eq!(before.instances[0].health(), v1::Health::Unknown);
    let mut agent = Agent::join(server.address(), "lb1").await;
    let push = agent.placed().await;
    agent.accept(&push).await;
    agent.say(Say::Report(master(&push, 1))).await;
    let owned = status_when(&mut client, |it| it.instances[0].owner.is_some()).await;
    assert_eq!(owned.instances[0].owner(), "lb1");
    assert_eq!(owned.instances[0].health(), v1::Health::Ok, "{:?}", owned.instances[0].problems);
    assert_eq!(owned.instances[0].revision, revision);
    drop(agent);
    let lost = status_when(&mut client, |it| it.instances[0].owner.is_none()).await;
    assert_eq!(lost.instances[0].members[0].state(), v1::InstanceState::Unknown);
}

#[tokio::test]
async fn many_reports_come_as_few_states_and_the_last_is_the_newest() {
    let server = Server::start().await;
    let mut client = server.client().await;
    apply(&mut client, put([instance(1, &["lb1"])])).await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    let push = agent.placed().await;
    let mut states = client.watch_status(v1::StatusRequest {}).await.unwrap().into_inner();
    const REPORTS: u64 = 500;
    for count in 1..=REPORTS {
        let mut report = master(&push, count);
        report.instances[0].reason = format!("reason {count}");
        agent.say(Say::Report(report)).await;
    }
    let mut seen = 0;
    let newest = format!("reason {REPORTS}");
    loop {
        let state = tokio::time::timeout(SOON, states.message()).await.unwrap().unwrap().unwrap();
        seen += 1;
        if state.instances[0].members[0].reason == newest {
            break;
        }
    }
    assert!(seen < REPORTS / 4, "{seen} states of {REPORTS} reports");
}

#[tokio::test]
async fn the_version_names_the_fleet_and_its_store() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let version = client.version(v1::VersionRequest {}).await.unwrap().into_inner();
    let agent = Agent::join(server.address(), "lb1").await;
    assert_eq!(version.fleet_id, agent.welcome.fleet_id);
    assert_eq!((version.epoch, agent.welcome.server_version), (1, version.version));
    assert!(version.store.starts_with("embedded:"), "{}", version.store);
}
