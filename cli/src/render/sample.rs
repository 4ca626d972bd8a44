//! A fleet in which everything is the matter, for the snapshots.

use super::status::FleetStatus;
use std::collections::BTreeMap;
use vipfleet_model::instance::{Instance, Member};
use vipfleet_model::node::{NodeStatus, Rejection};
use vipfleet_model::ownership::{Evidence, Generations, InstanceStatus, Link};
use vipfleet_model::report::{
    AddressReport, CheckReport, CheckStatus, InstanceReport, InstanceState,
};
use vipfleet_model::{InterfaceFacts, Name};

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

const SETTLED: Generations = Generations { desired: 12, accepted: 12, observed: 12 };

fn spec(id: u8, addresses: &[&str], nodes: [&str; 2]) -> Instance {
    let addresses = addresses.iter().map(|it| it.parse().unwrap()).collect();
    let member = |node: &str, priority| Member::new(name(node), "eth0", priority);
    Instance::new(id, addresses, vec![member(nodes[0], 100), member(nodes[1], 80)])
}

fn report(spec: &Instance, instance: &str, seat: usize, said: Said<'_>) -> InstanceReport {
    let (state, reason) = said;
    let priority = spec.members[seat].priority;
    let address = |it: &vipfleet_model::VirtualAddress| AddressReport {
        address: it.ip(),
        in_kernel: state == InstanceState::Master,
        foreign: false,
    };
    InstanceReport {
        name: name(instance),
        state,
        since: "2026-03-04T11:55:00Z".into(),
        reason: reason.into(),
        priority,
        effective_priority: if state == InstanceState::Fault { 0 } else { priority },
        holding: false,
        master: None,
        addresses: spec.virtual_addresses.iter().map(address).collect(),
        adverts_sent: 0,
        adverts_received: 0,
        discards: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

type Said<'a> = (InstanceState, &'a str);
type Seen<'a> = (&'a str, Option<Said<'a>>);

/// An instance as its members report it; `None` is a member that says nothing.
pub(super) fn instance(
    of: &str,
    id: u8,
    addresses: &[&str],
    seen: [Seen<'_>; 2],
) -> InstanceStatus {
    let spec = spec(id, addresses, [seen[0].0, seen[1].0]);
    let reports = [0, 1].map(|seat| seen[seat].1.map(|said| report(&spec, of, seat, said)));
    let evidence = |(index, report): (usize, &'_ Option<InstanceReport>)| {
        let node = name(seen[index].0);
        let link = if report.is_some() { Link::Connected } else { Link::Silent };
        (node, link)
    };
    let links = reports.iter().enumerate().map(evidence).collect::<Vec<_>>();
    let evidence = links.into_iter().zip(&reports).map(|((node, link), report)| {
        let settled = report.is_some();
        let known = Evidence { link, generation: SETTLED, settled, report: report.as_ref() };
        (node, known)
    });
    InstanceStatus::of(&name(of), &spec, 7, &evidence.collect())
}

pub(super) fn node(of: &str, address: &str, check: CheckStatus) -> NodeStatus {
    NodeStatus {
        name: name(of),
        connected: true,
        connected_since: Some("2026-03-02T09:00:00Z".into()),
        replica: Some("ctl1:7700".into()),
        agent_version: Some("0.1.0".into()),
        boot_id: Some("4d0fb4b4".into()),
        generation: SETTLED,
        rejected: None,
        settled: true,
        interfaces: vec![InterfaceFacts {
            name: "eth0".into(),
            addresses: vec![address.parse().unwrap()],
            promote_secondaries: false,
        }],
        checks: vec![CheckReport {
            name: name("nginx"),
            status: check,
            detail: match check {
                CheckStatus::Up => "process 812 runs".into(),
                CheckStatus::Down | CheckStatus::Pending => "process nginx not running".into(),
            },
            since: "2026-03-04T11:55:00Z".into(),
        }],
        last_report: Some("2026-03-04T11:59:59Z".into()),
        drain: None,
    }
}

/// Every health at once.
pub(super) fn fleet() -> FleetStatus {
    use InstanceState::{Backup, Fault, Master};
    let down = "check nginx is down: process nginx not running";
    let instances = vec![
        instance(
            "web",
            51,
            &["192.0.2.10"],
            [("lb1", Some((Master, "no master heard"))), ("lb2", Some((Backup, "started")))],
        ),
        instance(
            "api",
            52,
            &["192.0.2.20/24", "192.0.2.21/24"],
            [("lb2", Some((Fault, down))), ("lb1", Some((Master, "192.0.2.3 resigned")))],
        ),
        instance(
            "mail",
            53,
            &["192.0.2.30"],
            [("lb1", Some((Master, "no master heard"))), ("lb2", Some((Master, "started")))],
        ),
        instance(
            "dns",
            54,
            &["192.0.2.40"],
            [("lb1", Some((Backup, "started"))), ("lb2", Some((Backup, "started")))],
        ),
        instance("vpn", 55, &["2001:db8::50"], [("lb3", None), ("lb4", None)]),
    ];
    let refusal = Rejection {
        generation: 13,
        field_path: "instances[0].interface".into(),
        reason: "there is no eth9".into(),
    };
    let gone = NodeStatus {
        connected: false,
        connected_since: None,
        replica: None,
        last_report: Some("2026-03-04T11:51:00Z".into()),
        checks: Vec::new(),
        ..node("lb3", "192.0.2.4/24", CheckStatus::Up)
    };
    let behind = NodeStatus {
        rejected: Some(refusal),
        generation: Generations { desired: 13, accepted: 12, observed: 12 },
        ..node("lb2", "192.0.2.3/24", CheckStatus::Down)
    };
    let nodes = vec![node("lb1", "192.0.2.2/24", CheckStatus::Up), behind, gone];
    FleetStatus { revision: 12, instances, nodes }
}
