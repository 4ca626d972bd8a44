//! From definitions and node facts to what each node runs, and on to the engine.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use vipfleet_model::assignment::{AssignedInstance, EngineConfigError};
use vipfleet_model::document::parse;
use vipfleet_model::instance::{Instance, Member, Track, Transport};
use vipfleet_model::placement::{place, place_node};
use vipfleet_model::{
    Assignment, Check, Definition, Definitions, InterfaceFacts, Name, NodeFacts, VirtualAddress,
};
use vipfleet_vrrp::config::{Authentication, Destination, Family, Version};

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn sample() -> Definitions {
    let parsed = parse(include_str!("sample.yaml"), None);
    parsed.definitions.into_iter().map(|placed| placed.value).collect()
}

/// The sample with its instance changed.
fn sample_but(change: impl FnOnce(&mut Instance)) -> Definitions {
    let mut definitions = sample();
    let mut change = Some(change);
    for definition in definitions.0.values_mut() {
        if let Definition::Instance { spec, .. } = definition {
            change.take().expect("one instance")(spec);
        }
    }
    definitions
}

fn facts(nodes: &[(&str, &str)]) -> BTreeMap<Name, NodeFacts> {
    let of = |(node, address): &(&str, &str)| {
        let interface = InterfaceFacts {
            name: "ens33".into(),
            addresses: vec!["fe80::1/64".parse().expect("a net"), address.parse().expect("a net")],
            promote_secondaries: true,
        };
        (name(node), NodeFacts { node: name(node), interfaces: vec![interface] })
    };
    nodes.iter().map(of).collect()
}

fn both() -> BTreeMap<Name, NodeFacts> {
    facts(&[("lb1", "192.168.248.2/24"), ("lb2", "192.168.248.3/24")])
}

fn only<'a>(placed: &'a BTreeMap<Name, Assignment>, node: &str) -> &'a AssignedInstance {
    let [instance] = placed[node].instances.as_slice() else { panic!("one instance") };
    instance
}

#[test]
fn each_member_runs_the_instance_with_its_own_priority_and_knows_the_others() {
    insta::assert_json_snapshot!(place(&sample(), &both()));
}

#[test]
fn a_check_tracked_on_one_host_is_assigned_to_that_host_only() {
    let placed = place(&sample(), &both());
    assert_eq!(placed["lb1"].checks[0].name, name("check_nginx_alive"));
    assert!(placed["lb2"].checks.is_empty());
    assert!(only(&placed, "lb2").track.is_empty());
}

#[test]
fn a_members_own_entry_of_a_check_counts_over_the_instances() {
    let check = name("check_nginx_alive");
    let all = Track { check: check.clone(), weight: -5, reverse: false };
    let own = Track { check, weight: -50, reverse: false };
    let placed = place(
        &sample_but(|spec| {
            spec.track = vec![all.clone()];
            spec.members[0].track = vec![own.clone()];
        }),
        &both(),
    );
    assert_eq!(only(&placed, "lb1").track, [own]);
    assert_eq!(only(&placed, "lb2").track, [all]);
}

#[test]
fn a_tracked_name_without_a_check_is_left_out() {
    let mut definitions = sample();
    definitions.0.retain(|_, definition| matches!(definition, Definition::Instance { .. }));
    let placed = place(&definitions, &both());
    assert!(only(&placed, "lb1").track.is_empty());
}

#[test]
fn an_address_comes_from_the_operator_then_the_node_then_is_unknown() {
    let told: IpAddr = "192.168.248.99".parse().unwrap();
    let definitions = sample_but(|spec| spec.members[0].address = Some(told));
    let placed = place(&definitions, &facts(&[("lb1", "192.168.248.2/24")]));
    let instance = only(&placed, "lb1");
    assert_eq!(instance.source_address, Some(told));
    let addresses = instance.members.iter().map(|it| it.address).collect::<Vec<_>>();
    assert_eq!(addresses, [Some(told), None]);
    let placed = place(&sample(), &both());
    let addresses = only(&placed, "lb2").members.iter().map(|it| it.address.unwrap().to_string());
    // The link-local IPv6 address of the interface is no source for an IPv4 instance.
    assert_eq!(addresses.collect::<Vec<_>>(), ["192.168.248.2", "192.168.248.3"]);
}

#[test]
fn over_ipv6_members_send_from_their_link_local_address_and_by_unicast_from_a_global_one() {
    let facts = facts(&[("lb1", "2001:db8::2/64"), ("lb2", "2001:db8::3/64")]);
    let addresses = |transport| {
        let definitions = sample_but(|spec| {
            spec.transport = transport;
            spec.virtual_addresses = vec!["fe80::10".parse().unwrap()];
        });
        let placed = place(&definitions, &facts);
        let members = only(&placed, "lb1").members.iter();
        members.map(|it| it.address.unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(addresses(Transport::Multicast), ["fe80::1", "fe80::1"]);
    assert_eq!(addresses(Transport::Unicast), ["2001:db8::2", "2001:db8::3"]);
}

#[test]
fn an_external_member_runs_nothing_and_is_known_to_the_others() {
    let placed = place(&sample_but(|spec| spec.members[1].external = true), &both());
    assert!(placed["lb2"].instances.is_empty());
    assert!(only(&placed, "lb1").members[1].external);
}

#[test]
fn a_node_without_an_instance_gets_an_empty_assignment() {
    let placed = place(&sample(), &facts(&[("lb9", "192.168.248.9/24")]));
    assert_eq!(placed["lb9"], Assignment::default());
    assert_eq!(placed.len(), 3);
}

#[test]
fn placing_one_node_gives_what_placing_all_gives_it() {
    let (definitions, facts) = (sample(), both());
    for (node, assignment) in place(&definitions, &facts) {
        assert_eq!(place_node(&definitions, &facts, &node), assignment);
    }
}

#[test]
fn equal_content_has_an_equal_hash_and_a_change_another() {
    let hash = |definitions: &Definitions| place(definitions, &both())["lb1"].hash();
    assert_eq!(hash(&sample()), hash(&sample()));
    assert_ne!(hash(&sample()), hash(&sample_but(|spec| spec.preempt = false)));
}

#[test]
fn ten_thousand_instances_over_a_thousand_nodes_are_placed_without_quadratic_work() {
    let mut all = vec![Definition::Check {
        name: name("c"),
        spec: serde_json::from_str::<Check>(r#"{"file": {"path": "/up"}}"#).unwrap(),
    }];
    for number in 0..10_000u32 {
        let node = |offset| name(&format!("n{}", (number + offset) % 1_000));
        let members = vec![Member::new(node(0), "eth0", 100), Member::new(node(1), "eth0", 90)];
        let vip = VirtualAddress::host(IpAddr::V4((0x0a00_0000 + number).into()));
        let id = u8::try_from(number % 255).unwrap() + 1;
        let mut spec = Instance::new(id, vec![vip], members);
        spec.track = vec![Track { check: name("c"), weight: 0, reverse: false }];
        all.push(Definition::Instance { name: name(&format!("i{number}")), spec: Box::new(spec) });
    }
    let definitions = all.into_iter().collect::<Definitions>();
    let start = Instant::now();
    let placed = place(&definitions, &BTreeMap::new());
    // Looking at each instance for each node would take far longer; this is no measurement.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert_eq!(placed.len(), 1_000);
    assert!(placed.values().all(|it| it.instances.len() == 20 && it.checks.len() == 1));
}

#[test]
fn the_engine_is_configured_as_the_instance_says() {
    let placed = place(&sample(), &both());
    let config = only(&placed, "lb1").engine_config().unwrap();
    assert_eq!((config.version, config.family), (Version::V2, Family::Ipv4));
    assert_eq!((config.vrid.get(), config.priority.get()), (51, 100));
    assert_eq!(config.addresses, ["192.168.248.120".parse::<IpAddr>().unwrap()]);
    assert_eq!(config.authentication, Authentication::Pass(*b"1111\0\0\0\0"));
    assert_eq!(config.destination, Destination::Multicast);
    assert!(config.members_complete && config.handover);
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn unicast_goes_to_the_known_addresses_of_the_others() {
    let definitions = sample_but(|spec| {
        spec.transport = Transport::Unicast;
        spec.members.push(Member::new(name("lb3"), "ens33", 60));
    });
    let config = only(&place(&definitions, &both()), "lb1").engine_config().unwrap();
    let peer = "192.168.248.3".parse().unwrap();
    assert_eq!(config.destination, Destination::Unicast(vec![peer]));
}

#[test]
fn a_long_password_is_cut_at_eight_bytes() {
    let yaml = include_str!("sample.yaml").replace("1111", "123456789");
    let parsed = parse(&yaml, None);
    let definitions = parsed.definitions.into_iter().map(|it| it.value).collect();
    let config = only(&place(&definitions, &both()), "lb2").engine_config().unwrap();
    assert_eq!(config.authentication, Authentication::Pass(*b"12345678"));
}

#[test]
fn what_no_engine_can_run_is_an_error_that_names_the_field() {
    let placed = place(&sample(), &both());
    let broken = |change: fn(&mut AssignedInstance)| {
        let mut instance = only(&placed, "lb1").clone();
        change(&mut instance);
        instance.engine_config().unwrap_err()
    };
    let rows = [
        (broken(|it| it.virtual_router_id = 0), EngineConfigError::VirtualRouterId),
        (broken(|it| it.version = 4), EngineConfigError::Version(4)),
        (broken(|it| it.priority = 0), EngineConfigError::Priority),
        (broken(|it| it.members[1].priority = 0), EngineConfigError::Priority),
        (broken(|it| it.virtual_addresses.clear()), EngineConfigError::NoAddress),
    ];
    for (error, expected) in rows {
        assert_eq!(error, expected);
        assert!(error.to_string().starts_with(error.field()));
    }
}
