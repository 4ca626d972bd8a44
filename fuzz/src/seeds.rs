//! Inputs to begin with, made of what the tree holds: captures, the reader's corpus, samples,
//! and the messages they become.

use crate::{advert, home, session};
use anyhow::Context;
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use vipfleet_model::document::parse;
use vipfleet_model::keepalived::{self, NoSources, Options};
use vipfleet_model::placement::place_node;
use vipfleet_model::{Definition, Definitions, Name};
use vipfleet_proto::v1;
use vipfleet_proto::v1::{agent_message, server_message};

type Seeds = anyhow::Result<Vec<Vec<u8>>>;

fn tree(path: &str) -> PathBuf {
    home().parent().unwrap_or(Path::new("")).join(path)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

/// What a directory holds, in the order of the names.
fn entries(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The different adverts of the captures, as they were and to be summed anew.
pub fn adverts() -> Seeds {
    let mut seeds = BTreeSet::new();
    for path in entries(&tree("vrrp/tests/vectors"))? {
        if path.extension().is_some_and(|it| it == "pcap") {
            for frame in frames(&read(&path)?) {
                seeds.extend(advert_of(frame));
            }
        }
    }
    Ok(seeds.into_iter().flatten().collect())
}

/// The frames of a little-endian pcap file.
fn frames(file: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    let mut rest = file.get(24..).unwrap_or_default();
    while let Some((record, after)) = rest.split_at_checked(16) {
        let length = u32::from_le_bytes([record[8], record[9], record[10], record[11]]);
        let Some((frame, after)) = after.split_at_checked(length as usize) else { break };
        frames.push(frame);
        rest = after;
    }
    frames
}

fn advert_of(frame: &[u8]) -> Option<[Vec<u8>; 2]> {
    let ip = frame.get(14..)?;
    let (family, ttl, ends, message) = match frame.get(12..14)? {
        [0x08, 0x00] if ip.get(9) == Some(&vipfleet_vrrp::PROTOCOL) => {
            let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
            (0, ip[8], ip.get(12..20)?, ip.get(20..total)?)
        }
        [0x86, 0xdd] if ip.get(6) == Some(&vipfleet_vrrp::PROTOCOL) => {
            (1, ip[7], ip.get(8..40)?, ip.get(40..)?)
        }
        _ => return None,
    };
    let seed = |reading: advert::Reading| [&[reading.0, ttl], ends, message].concat();
    // Addresses as drawn; the checksum as captured, and put right after changes.
    Some([seed(advert::Reading(family | 2)), seed(advert::Reading(family | 2 | 0x20))])
}

/// An address of each family, of each role.
pub fn announcements() -> Seeds {
    let mac = [0x02, 0x00, 0x00, 0x00, 0x00, 0x01];
    let mut seeds = vec![[&mac[..], &[0], &[192, 0, 2, 10]].concat()];
    for address in ["2001:db8::10", "fe80::1", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
        let address: std::net::Ipv6Addr = address.parse()?;
        for role in 0..2 {
            seeds.push([&mac[..], &[role], &address.octets()].concat());
        }
    }
    Ok(seeds)
}

/// The reader's corpus: hosts alone, with everything that can be included, and together.
pub fn keepalived() -> Seeds {
    let corpus = tree("model/tests/keepalived/corpus");
    let mut included = Vec::new();
    for folder in ["include", "include/deeper"] {
        for path in entries(&corpus.join(folder))?.iter().filter(|it| it.is_file()) {
            included.extend(named(path)?);
        }
    }
    let mut seeds = Vec::new();
    for path in entries(&corpus)?.iter().filter(|it| it.extension().is_some_and(|it| it == "conf"))
    {
        let mut text = read(path)?;
        if text.windows(8).any(|it| it == b"include ") {
            text.extend_from_slice(&included);
        }
        seeds.push(text);
    }
    for pair in pairs()? {
        let mut text = Vec::new();
        for path in entries(&pair)? {
            text.extend(named(&path)?);
        }
        seeds.push(text);
    }
    Ok(seeds)
}

fn pairs() -> anyhow::Result<Vec<PathBuf>> {
    entries(&tree("model/tests/keepalived/pairs"))
}

/// A file below a line with its name.
fn named(path: &Path) -> anyhow::Result<Vec<u8>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut text = format!("=== {name}\n").into_bytes();
    text.extend(read(path)?);
    Ok(text)
}

/// Samples, the documents of the model's tests, and what keepalived files are imported as.
pub fn definitions() -> Seeds {
    let mut seeds = Vec::new();
    for path in [
        "deploy/samples/dual-master/definitions.yaml",
        "model/tests/sample.yaml",
        "model/tests/broken.yaml",
    ] {
        seeds.push(read(&tree(path))?);
    }
    for fleet in imported()? {
        seeds.push(vipfleet_model::document::to_yaml(&fleet).into_bytes());
        seeds.push(vipfleet_model::document::to_json(&fleet).into_bytes());
    }
    Ok(seeds)
}

fn imported() -> anyhow::Result<Vec<Vec<Definition>>> {
    let mut fleets = Vec::new();
    for pair in pairs()? {
        let mut hosts = Vec::new();
        for path in entries(&pair)? {
            let name: Name = path.file_stem().unwrap_or_default().to_string_lossy().parse()?;
            let file = format!("{name}.conf");
            let (host, _) = keepalived::parse(&file, read(&path)?, &NoSources, &Options::default());
            hosts.push((name, host));
        }
        fleets.push(keepalived::import(&hosts).0);
    }
    Ok(fleets)
}

/// Sound messages of every kind.
pub fn session() -> Seeds {
    let sample = read(&tree("model/tests/sample.yaml"))?;
    let sample = parse(&String::from_utf8_lossy(&sample), None);
    let mut fleets = imported()?;
    fleets.push(sample.definitions.into_iter().map(|placed| placed.value).collect());
    let mut seeds = Vec::new();
    let mut seed = |kind: u8, message: Vec<u8>| {
        assert!(kind < session::KINDS);
        seeds.push([&[kind][..], &message].concat());
    };
    for message in from_agents() {
        seed(0, v1::AgentMessage { message: Some(message) }.encode_to_vec());
    }
    for message in from_servers(&fleets) {
        seed(1, v1::ServerMessage { message: Some(message) }.encode_to_vec());
    }
    for definition in fleets.into_iter().flatten() {
        seed(3, v1::DefinitionKey::from(definition.key()).encode_to_vec());
        seed(2, v1::Definition::from(definition).encode_to_vec());
    }
    let broken = read(&tree("model/tests/broken.yaml"))?;
    let broken = parse(&String::from_utf8_lossy(&broken), Some("broken.yaml"));
    for finding in broken.judge().0 {
        seed(4, v1::Finding::from(finding).encode_to_vec());
    }
    seed(5, instance_status().encode_to_vec());
    seed(6, node_status().encode_to_vec());
    let local = v1::LocalStateResponse {
        node: "lb1".to_owned(),
        agent_version: "0.1.0".to_owned(),
        mode: "server".to_owned(),
        connected_to: "http://192.0.2.1:7400".to_owned(),
        report: Some(report()),
        recent: vec![transition()],
        facts: Some(facts()),
    };
    seed(7, local.encode_to_vec());
    Ok(seeds)
}

fn from_servers(fleets: &[Vec<Definition>]) -> Vec<server_message::Message> {
    use server_message::Message as Said;
    let mut said = vec![
        Said::Welcome(v1::Welcome {
            fleet_id: "0198f2a4-0000-7000-8000-000000000001".to_owned(),
            epoch: 3,
            server_version: "0.1.0".to_owned(),
            replica: "a".to_owned(),
        }),
        Said::TransitionAck(v1::TransitionAck { sequence: 7 }),
        Said::GoAway(v1::GoAway { reason: "shutting down".to_owned() }),
    ];
    for fleet in fleets {
        let definitions: Definitions = fleet.iter().cloned().collect();
        let members: BTreeSet<Name> = definitions
            .instances()
            .flat_map(|(_, instance)| instance.members.iter().map(|member| member.node.clone()))
            .collect();
        for node in members {
            let assignment = place_node(&definitions, &BTreeMap::new(), &node);
            said.push(Said::Push(v1::Push {
                nonce: 1,
                generation: 42,
                hash: assignment.hash(),
                assignment: Some(assignment.into()),
                server_time: "2026-01-01T00:00:00Z".to_owned(),
                answer_after_ms: 50,
                deleted: vec!["VI_9".to_owned()],
                created: vec!["VI_1".to_owned()],
            }));
        }
    }
    said
}

fn from_agents() -> Vec<agent_message::Message> {
    use agent_message::Message as Said;
    vec![
        Said::Hello(v1::Hello {
            node: "lb1".to_owned(),
            boot_id: "5f0c0a9e-1f3b-4a56-9f2e-0123456789ab".to_owned(),
            agent_version: "0.1.0".to_owned(),
            protocol_version: 1,
            facts: Some(facts()),
            generation: 42,
            ..v1::Hello::default()
        }),
        Said::Ack(v1::Ack { nonce: 1, generation: 42 }),
        Said::Nack(v1::Nack {
            nonce: 1,
            generation: 43,
            field_path: "instances[0].interface".to_owned(),
            reason: "no such interface".to_owned(),
            running_generation: 42,
        }),
        Said::Report(report()),
        Said::Transitions(v1::TransitionBatch { transitions: vec![transition(), transition()] }),
        Said::Facts(facts()),
    ]
}

fn facts() -> v1::NodeFacts {
    let interface = v1::InterfaceFacts {
        name: "eth0".to_owned(),
        addresses: vec!["192.0.2.2/24".to_owned(), "fe80::2/64".to_owned()],
        promote_secondaries: true,
    };
    v1::NodeFacts { node: "lb1".to_owned(), interfaces: vec![interface] }
}

fn address() -> v1::AddressReport {
    v1::AddressReport { address: "192.0.2.10".to_owned(), in_kernel: true, foreign: false }
}

fn check() -> v1::CheckReport {
    v1::CheckReport {
        name: "nginx".to_owned(),
        status: 2,
        detail: "running".to_owned(),
        since: "2026-01-01T00:00:00Z".to_owned(),
    }
}

fn report() -> v1::NodeReport {
    let instance = v1::InstanceReport {
        name: "VI_1".to_owned(),
        state: 1,
        since: "2026-01-01T00:00:00Z".to_owned(),
        reason: "no advert from 192.0.2.3".to_owned(),
        priority: 100,
        effective_priority: 90,
        holding: true,
        master: Some("192.0.2.3".to_owned()),
        addresses: vec![address()],
        adverts_sent: 12,
        adverts_received: 300,
        discards: [("ttl".to_owned(), 3), ("checksum".to_owned(), 1)].into(),
        warnings: vec!["two masters".to_owned()],
    };
    v1::NodeReport {
        generation: 42,
        hash: "ab".to_owned(),
        settled: true,
        instances: vec![instance],
        checks: vec![check()],
    }
}

fn transition() -> v1::Transition {
    v1::Transition {
        sequence: 7,
        at: "2026-01-01T00:00:00.000000001Z".to_owned(),
        instance: "VI_1".to_owned(),
        from: 2,
        to: 1,
        reason: "no advert".to_owned(),
        effective_priority: 100,
        lost_before: 1,
    }
}

fn generations() -> v1::Generations {
    v1::Generations { desired: 3, accepted: 2, observed: 1 }
}

fn instance_status() -> v1::InstanceStatus {
    let member = v1::MemberStatus {
        node: "lb1".to_owned(),
        interface: "eth0".to_owned(),
        priority: 100,
        effective_priority: Some(90),
        state: 1,
        generation: Some(generations()),
        since: Some("2026-01-01T00:00:00Z".to_owned()),
        link: 1,
        addresses: vec![address()],
        ..v1::MemberStatus::default()
    };
    let of_address = v1::AddressStatus {
        address: "192.0.2.10".to_owned(),
        owners: vec!["lb1".to_owned()],
        owner: Some("lb1".to_owned()),
        health: 1,
    };
    v1::InstanceStatus {
        name: "VI_1".to_owned(),
        virtual_router_id: 51,
        version: 3,
        virtual_addresses: vec!["192.0.2.10/24".to_owned()],
        revision: 9,
        members: vec![member],
        owners: vec!["lb1".to_owned()],
        owner: Some("lb1".to_owned()),
        health: 2,
        problems: vec!["lb2 is silent".to_owned()],
        addresses: vec![of_address],
        switchover: Some(v1::SwitchoverStatus {
            instance: "VI_1".to_owned(),
            to: "lb2".to_owned(),
            order: Some(order()),
        }),
    }
}

fn order() -> v1::MoveOrder {
    v1::MoveOrder {
        by: "ana".to_owned(),
        message: "new kernel".to_owned(),
        since: "2026-01-01T00:00:00Z".to_owned(),
        until: Some("2026-01-01T01:00:00Z".to_owned()),
    }
}

fn node_status() -> v1::NodeStatus {
    v1::NodeStatus {
        name: "lb1".to_owned(),
        connected: true,
        replica: Some("a".to_owned()),
        generation: Some(generations()),
        rejected: Some(v1::Rejection {
            generation: 2,
            field_path: "instances[0]".to_owned(),
            reason: "no such interface".to_owned(),
        }),
        interfaces: facts().interfaces,
        checks: vec![check()],
        ..v1::NodeStatus::default()
    }
}
