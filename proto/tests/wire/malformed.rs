//! What a broken or newer peer may say: an error that names the field.

use crate::strategies::LONGEST_SECONDS;
use prost_types::Duration as WireDuration;
use std::time::Duration;
use vipfleet_model::node::NodeStatus;
use vipfleet_model::ownership::InstanceStatus;
use vipfleet_model::report::TransitionRecord;
use vipfleet_model::span::Span;
use vipfleet_model::{
    Assignment, Check, Definition, Finding, Instance, Key, NodeFacts, NodeReport,
};
use vipfleet_proto::v1::authentication::Method;
use vipfleet_proto::v1::check::Probe;
use vipfleet_proto::v1::definition::Spec;
use vipfleet_proto::v1::process_probe::Match;
use vipfleet_proto::{Malformed, v1};

fn process_check() -> v1::Check {
    let process =
        v1::ProcessProbe { r#match: Some(Match::Name("nginx".into())), ..Default::default() };
    v1::Check { probe: Some(Probe::Process(process)), ..Default::default() }
}

fn instance() -> v1::Instance {
    let member = |node: &str| v1::Member {
        node: node.into(),
        interface: "eth0".into(),
        priority: 100,
        track: vec![v1::Track { check: "nginx".into(), weight: -20, reverse: false }],
        ..Default::default()
    };
    v1::Instance {
        virtual_router_id: 51,
        virtual_addresses: vec![v1::VirtualAddress {
            address: "192.0.2.10/24".into(),
            ..Default::default()
        }],
        members: vec![member("lb1"), member("lb2")],
        ..Default::default()
    }
}

fn definition() -> v1::Definition {
    v1::Definition { name: "VI_1".into(), spec: Some(Spec::Instance(instance())) }
}

/// The conversion of a definition with a broken instance.
fn refused(change: impl FnOnce(&mut v1::Instance)) -> (String, String) {
    let mut instance = instance();
    change(&mut instance);
    let definition = v1::Definition { spec: Some(Spec::Instance(instance)), ..definition() };
    let Malformed { path, reason } =
        Definition::try_from(definition).expect_err("a broken instance");
    (path, reason)
}

fn path_of<W, T>(wire: W) -> String
where
    T: TryFrom<W, Error = Malformed> + std::fmt::Debug,
{
    T::try_from(wire).expect_err("a broken message").path
}

fn assignment() -> v1::Assignment {
    let definition = Definition::try_from(definition()).expect("sound");
    let Definition::Instance { spec, .. } = definition else { unreachable!() };
    let wire = v1::Instance::from(*spec);
    let assigned = v1::AssignedInstance {
        name: "VI_1".into(),
        virtual_router_id: 51,
        version: 3,
        interface: "eth0".into(),
        priority: 100,
        virtual_addresses: wire.virtual_addresses,
        advert_interval: wire.advert_interval,
        preempt_delay: wire.preempt_delay,
        startup_delay: wire.startup_delay,
        recover_delay: wire.recover_delay,
        takeover: v1::Takeover::Rfc.into(),
        down_adverts: 3,
        authentication: wire.authentication,
        checksum: v1::Checksum::PseudoHeader.into(),
        transport: v1::Transport::Multicast.into(),
        garp: wire.garp,
        members: vec![v1::AssignedMember { priority: 100, ..Default::default() }],
        ..Default::default()
    };
    let check = v1::NamedCheck { name: "nginx".into(), spec: Some(process_check()) };
    v1::Assignment { instances: vec![assigned], checks: vec![check], sync_groups: Vec::new() }
}

#[test]
fn the_messages_these_tests_break_are_well_formed() {
    Definition::try_from(definition()).unwrap();
    Assignment::try_from(assignment()).unwrap();
}

#[test]
fn a_missing_oneof_is_named() {
    let empty = v1::Definition { spec: None, ..definition() };
    assert_eq!(path_of::<_, Definition>(empty), "spec");
    assert_eq!(path_of::<_, Check>(v1::Check::default()), "probe");
    let no_match = v1::Check {
        probe: Some(Probe::Process(v1::ProcessProbe::default())),
        ..Default::default()
    };
    assert_eq!(path_of::<_, Check>(no_match), "process.match");
    let (path, reason) = refused(|it| it.authentication = Some(v1::Authentication::default()));
    assert_eq!((path.as_str(), reason.as_str()), ("instance.authentication.method", "is missing"));
}

#[test]
fn a_number_that_the_domain_has_no_room_for_is_named_with_its_range() {
    let (path, reason) = refused(|it| it.members[1].priority = 256);
    assert_eq!(path, "instance.members[1].priority");
    assert_eq!(reason, "256 is out of range: 0 to 255");
    let (path, reason) = refused(|it| it.members[0].track[0].weight = -32_769);
    assert_eq!(path, "instance.members[0].track[0].weight");
    assert_eq!(reason, "-32769 is out of range: -32768 to 32767");
    let check = v1::Check { rise: Some(65_536), ..process_check() };
    let malformed = Check::try_from(check).unwrap_err();
    assert_eq!(malformed.to_string(), "rise: 65536 is out of range: 0 to 65535");
    assert_eq!(refused(|it| it.virtual_router_id = u32::MAX).0, "instance.virtual_router_id");
    assert_eq!(refused(|it| it.version = Some(300)).0, "instance.version");
    assert_eq!(refused(|it| it.down_adverts = Some(300)).0, "instance.down_adverts");
    let garp = v1::Garp { repeat: Some(300), ..Default::default() };
    assert_eq!(refused(|it| it.garp = Some(garp)).0, "instance.garp.repeat");
}

#[test]
fn a_route_or_rule_that_says_something_impossible_is_named() {
    let route = |change: fn(&mut v1::VirtualRoute)| {
        let mut route = v1::VirtualRoute { to: "10.0.0.0/8".into(), ..Default::default() };
        change(&mut route);
        refused(|it| it.virtual_routes = vec![route]).0
    };
    assert_eq!(route(|it| it.to = "default".into()), "instance.virtual_routes[0].to");
    assert_eq!(route(|it| it.via = Some("gw".into())), "instance.virtual_routes[0].via");
    assert_eq!(route(|it| it.source = Some("".into())), "instance.virtual_routes[0].source");
    assert_eq!(route(|it| it.kind = Some(99)), "instance.virtual_routes[0].kind");
    assert_eq!(route(|it| it.scope = Some(0)), "instance.virtual_routes[0].scope");
    let rule = v1::VirtualRule { from: Some("10.0.0.0/33".into()), ..Default::default() };
    let (path, _) = refused(|it| it.virtual_rules = vec![rule]);
    assert_eq!(path, "instance.virtual_rules[0].from");
    assert_eq!(refused(|it| it.election_only = Some(0)).0, "instance.election_only");
    let process = v1::ProcessProbe {
        r#match: Some(Match::Name("nginx".into())),
        quorum: Some(65_536),
        ..Default::default()
    };
    let check = v1::Check { probe: Some(Probe::Process(process)), ..Default::default() };
    assert_eq!(path_of::<_, Check>(check), "process.quorum");
}

#[test]
fn a_bad_name_is_named_and_quoted() {
    let nameless = v1::Definition { name: String::new(), ..definition() };
    assert_eq!(path_of::<_, Definition>(nameless), "name");
    let (path, reason) = refused(|it| it.members[0].node = "lb 1".into());
    assert_eq!(path, "instance.members[0].node");
    assert!(reason.starts_with("\"lb 1\" is no name"), "{reason}");
    let (path, _) = refused(|it| it.members[1].track[0].check = "../x".into());
    assert_eq!(path, "instance.members[1].track[0].check");
    let key = v1::DefinitionKey { kind: v1::Kind::Check.into(), name: ".".into() };
    assert_eq!(path_of::<_, Key>(key), "name");
    assert_eq!(path_of::<_, NodeFacts>(v1::NodeFacts::default()), "node");
}

#[test]
fn a_bad_address_is_named_and_quoted() {
    let (path, reason) = refused(|it| it.virtual_addresses[0].address = "192.0.2.10/33".into());
    assert_eq!(path, "instance.virtual_addresses[0].address");
    assert!(reason.starts_with("\"192.0.2.10/33\" is no address"), "{reason}");
    let (path, _) = refused(|it| it.virtual_addresses[0].broadcast = Some("all".into()));
    assert_eq!(path, "instance.virtual_addresses[0].broadcast");
    let (path, _) = refused(|it| it.members[0].address = Some(String::new()));
    assert_eq!(path, "instance.members[0].address");
    let interface = v1::InterfaceFacts {
        name: "eth0".into(),
        addresses: vec!["192.0.2.2/24".into(), "eth0".into()],
        promote_secondaries: false,
    };
    let facts = v1::NodeFacts { node: "lb1".into(), interfaces: vec![interface] };
    assert_eq!(path_of::<_, NodeFacts>(facts), "interfaces[0].addresses[1]");
}

#[test]
fn an_enum_that_says_nothing_or_something_newer_is_named() {
    let unspecified = v1::Scope::Unspecified.into();
    let (path, reason) = refused(|it| it.virtual_addresses[0].scope = Some(unspecified));
    assert_eq!(path, "instance.virtual_addresses[0].scope");
    assert_eq!(reason, "is unspecified");
    let (path, reason) = refused(|it| it.takeover = Some(99));
    assert_eq!(path, "instance.takeover");
    assert_eq!(reason, "99 is no value known here: the peer may be newer");
    assert_eq!(refused(|it| it.checksum = Some(0)).0, "instance.checksum");
    assert_eq!(refused(|it| it.transport = Some(-1)).0, "instance.transport");
    let hooks = vec![v1::Notify::default()];
    assert_eq!(refused(|it| it.notify = hooks).0, "instance.notify[0].on");
    let key = v1::DefinitionKey { kind: 0, name: "VI_1".into() };
    assert_eq!(path_of::<_, Key>(key), "kind");
    assert_eq!(path_of::<_, Finding>(v1::Finding::default()), "severity");
}

#[test]
fn a_duration_below_zero_or_beyond_ten_thousand_years_is_named() {
    let length = |seconds, nanos| Some(WireDuration { seconds, nanos });
    let (path, reason) = refused(|it| it.advert_interval = length(-1, 0));
    assert_eq!(path, "instance.advert_interval");
    assert_eq!(reason, "-1 s and 0 ns is negative");
    for (seconds, nanos) in [(0, -1), (1, -1), (i64::MIN, i32::MIN), (i64::MAX, i32::MAX)] {
        let (path, _) = refused(|it| it.preempt_delay = length(seconds, nanos));
        assert_eq!(path, "instance.preempt_delay");
    }
    assert_eq!(
        refused(|it| it.startup_delay = length(0, 1_000_000_000)).0,
        "instance.startup_delay"
    );
    assert_eq!(
        refused(|it| it.recover_delay = length(315_576_000_001, 0)).0,
        "instance.recover_delay"
    );
    let check = v1::Check { timeout: length(-5, 0), ..process_check() };
    assert_eq!(path_of::<_, Check>(check), "timeout");
}

#[test]
fn a_length_that_the_wire_cannot_say_becomes_the_longest_it_can() {
    let mut instance = Instance::try_from(instance()).unwrap();
    instance.preempt_delay = Span(Duration::MAX);
    let heard = Instance::try_from(v1::Instance::from(instance)).unwrap();
    assert_eq!(heard.preempt_delay, Span(Duration::new(LONGEST_SECONDS, 999_999_999)));
}

#[test]
fn the_last_nanosecond_of_the_longest_length_is_not_lost() {
    let interval = WireDuration { seconds: 315_576_000_000, nanos: 1 };
    let wire = v1::Check { interval: Some(interval), ..process_check() };
    let check = Check::try_from(wire.clone()).unwrap();
    assert_eq!(v1::Check::from(check).interval, wire.interval);
}

#[test]
fn an_assignment_says_everything_or_is_refused() {
    let without = |change: fn(&mut v1::AssignedInstance)| {
        let mut assignment = assignment();
        change(&mut assignment.instances[0]);
        path_of::<_, Assignment>(assignment)
    };
    assert_eq!(without(|it| it.advert_interval = None), "instances[0].advert_interval");
    assert_eq!(without(|it| it.preempt_delay = None), "instances[0].preempt_delay");
    assert_eq!(without(|it| it.startup_delay = None), "instances[0].startup_delay");
    assert_eq!(without(|it| it.recover_delay = None), "instances[0].recover_delay");
    assert_eq!(without(|it| it.takeover = 0), "instances[0].takeover");
    assert_eq!(without(|it| it.authentication = None), "instances[0].authentication");
    assert_eq!(without(|it| it.checksum = 0), "instances[0].checksum");
    assert_eq!(without(|it| it.transport = 0), "instances[0].transport");
    assert_eq!(without(|it| it.garp = None), "instances[0].garp");
    assert_eq!(without(|it| it.members[0].priority = 300), "instances[0].members[0].priority");
    assert_eq!(without(|it| it.members[0].node = Some(" ".into())), "instances[0].members[0].node");
    assert_eq!(without(|it| it.source_address = Some("x".into())), "instances[0].source_address");
    let mut no_check = assignment();
    no_check.checks[0].spec = None;
    assert_eq!(path_of::<_, Assignment>(no_check), "checks[0].spec");
}

#[test]
fn a_report_with_a_bad_part_is_refused_with_its_path() {
    let report = |instance: v1::InstanceReport| {
        let instances = vec![instance];
        path_of::<_, NodeReport>(v1::NodeReport { instances, ..Default::default() })
    };
    let sound = v1::InstanceReport {
        name: "VI_1".into(),
        state: v1::InstanceState::Master.into(),
        ..Default::default()
    };
    let stateless = v1::InstanceReport { state: 0, ..sound.clone() };
    assert_eq!(report(stateless), "instances[0].state");
    let loud = v1::InstanceReport { effective_priority: 256, ..sound.clone() };
    assert_eq!(report(loud), "instances[0].effective_priority");
    let lost = v1::InstanceReport { master: Some("lb2".into()), ..sound.clone() };
    assert_eq!(report(lost), "instances[0].master");
    let addresses =
        vec![v1::AddressReport { address: "192.0.2.1/24".into(), ..Default::default() }];
    let networked = v1::InstanceReport { addresses, ..sound };
    assert_eq!(report(networked), "instances[0].addresses[0].address");
    let checks = vec![v1::CheckReport { name: "nginx".into(), ..Default::default() }];
    let report = v1::NodeReport { checks, ..Default::default() };
    assert_eq!(path_of::<_, NodeReport>(report), "checks[0].status");
    let transition = v1::Transition { instance: "VI_1".into(), from: 2, ..Default::default() };
    assert_eq!(path_of::<_, TransitionRecord>(transition), "to");
}

#[test]
fn a_status_with_a_bad_part_is_refused_with_its_path() {
    let member = v1::MemberStatus {
        node: "lb1".into(),
        state: v1::InstanceState::Unknown.into(),
        generation: Some(v1::Generations::default()),
        link: v1::Link::Silent.into(),
        ..Default::default()
    };
    let sound = v1::InstanceStatus {
        name: "VI_1".into(),
        health: v1::Health::Ok.into(),
        members: vec![member],
        ..Default::default()
    };
    InstanceStatus::try_from(sound.clone()).unwrap();
    let broken = |change: fn(&mut v1::InstanceStatus)| {
        let mut status = sound.clone();
        change(&mut status);
        path_of::<_, InstanceStatus>(status)
    };
    assert_eq!(broken(|it| it.health = 0), "health");
    assert_eq!(broken(|it| it.owners = vec!["lb1".into(), "".into()]), "owners[1]");
    assert_eq!(broken(|it| it.owner = Some("?".into())), "owner");
    assert_eq!(broken(|it| it.members[0].link = 0), "members[0].link");
    assert_eq!(broken(|it| it.members[0].generation = None), "members[0].generation");
    let silent = broken(|it| it.members[0].effective_priority = Some(256));
    assert_eq!(silent, "members[0].effective_priority");
    assert_eq!(broken(|it| it.addresses = vec![Default::default()]), "addresses[0].address");
    let node = v1::NodeStatus { name: "lb1".into(), ..Default::default() };
    assert_eq!(path_of::<_, NodeStatus>(node), "generation");
}

#[test]
fn absent_fields_mean_what_documents_mean_by_leaving_them_out() {
    let text = r#"{"virtualRouterId": 51, "virtualAddresses": [], "members": []}"#;
    let document: Instance = serde_json::from_str(text).unwrap();
    let wire = v1::Instance { virtual_router_id: 51, ..Default::default() };
    assert_eq!(Instance::try_from(wire).unwrap(), document);
    let empty_garp = v1::Garp::default();
    let wire = v1::Instance { virtual_router_id: 51, garp: Some(empty_garp), ..Default::default() };
    assert_eq!(Instance::try_from(wire).unwrap(), document);

    let document: Check = serde_json::from_str(r#"{"process": {"name": "nginx"}}"#).unwrap();
    assert_eq!(Check::try_from(process_check()).unwrap(), document);
    let document: Check = serde_json::from_str(r#"{"http": {"url": "http://h/"}}"#).unwrap();
    let http = v1::HttpProbe { url: "http://h/".into(), expect_status: None };
    let wire = v1::Check { probe: Some(Probe::Http(http)), ..Default::default() };
    assert_eq!(Check::try_from(wire).unwrap(), document);
}

#[test]
fn a_message_with_a_password_does_not_show_it_when_debugged() {
    let mut definition = instance();
    let pass = v1::PassAuthentication { password: "hunter2".into() };
    definition.authentication = Some(v1::Authentication { method: Some(Method::Pass(pass)) });
    let request = v1::ApplyRequest {
        put: vec![v1::Definition { name: "VI_1".into(), spec: Some(Spec::Instance(definition)) }],
        ..Default::default()
    };
    let shown = format!("{request:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("<redacted>"), "{shown}");
}
