//! The founding pair of files.

use vipfleet_model::keepalived::{self, NoSources, Options};
use vipfleet_model::validate::validate_input;
use vipfleet_model::{Definition, Severity};

const LB1: &str = include_str!("keepalived/corpus/seed-lb1.conf");
const LB2: &str = include_str!("keepalived/corpus/seed-lb2.conf");

/// Name, VRID, and the members with their priorities.
type Said = (String, u8, Vec<(String, u8)>);

#[test]
fn the_seed_pair_imports_as_two_instances_with_both_hosts_as_members() {
    let (one, first) = keepalived::parse("lb1.conf", LB1, &NoSources, &Options::default());
    let (two, second) = keepalived::parse("lb2.conf", LB2, &NoSources, &Options::default());
    assert!(second.is_empty(), "{second:?}");
    let [undeclared] = &first.0[..] else { panic!("{first:?}") };
    assert_eq!(undeclared.severity, Severity::Warning);
    assert!(undeclared.message.contains("check_nginx_alive"));
    assert_eq!(undeclared.place.line, Some(20));

    let hosts = [("lb1".parse().unwrap(), one), ("lb2".parse().unwrap(), two)];
    let (definitions, findings) = keepalived::import(&hosts);
    assert!(findings.is_empty(), "{findings:?}");
    let said: Vec<Said> = definitions
        .iter()
        .map(|definition| {
            let Definition::Instance { name, spec } = definition else { panic!("{definition:?}") };
            let members = spec.members.iter().map(|m| (m.node.to_string(), m.priority)).collect();
            (name.to_string(), spec.virtual_router_id, members)
        })
        .collect();
    let member = |node: &str, priority| (node.to_owned(), priority);
    assert_eq!(
        said,
        [
            ("VI_1".to_owned(), 51, vec![member("lb1", 100), member("lb2", 80)]),
            ("VI_2".to_owned(), 52, vec![member("lb1", 80), member("lb2", 100)]),
        ]
    );
}

#[test]
fn a_seed_file_runs_stand_alone() {
    let (host, findings) = keepalived::parse("lb1.conf", LB1, &NoSources, &Options::default());
    assert!(!findings.has_errors());
    let (assignment, findings) = keepalived::assignment(&host);
    assert!(findings.is_empty());
    assert_eq!(assignment.instances.len(), 2);
    let first = &assignment.instances[0];
    assert_eq!((first.interface.as_str(), first.priority, first.version), ("ens33", 100, 2));
    assert!(!first.members_complete);
    assert!(first.track.is_empty());
}

#[test]
fn the_imported_pair_has_no_finding_in_validation() {
    let read =
        |file: &str, text: &str| keepalived::parse(file, text, &NoSources, &Options::default()).0;
    let hosts = [
        ("lb1".parse().unwrap(), read("lb1.conf", LB1)),
        ("lb2".parse().unwrap(), read("lb2.conf", LB2)),
    ];
    let (definitions, _) = keepalived::import(&hosts);
    let findings = validate_input(&definitions.into_iter().collect());
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn a_file_with_unicast_peers_runs_stand_alone() {
    let text = "vrrp_instance V {\n interface eth0\n virtual_router_id 51\n version 3\n \
                virtual_ipaddress { 192.0.2.10 }\n unicast_src_ip 198.51.100.1\n \
                unicast_peer {\n 198.51.100.2\n 198.51.100.3\n }\n}\n";
    let (host, findings) = keepalived::parse("k.conf", text, &NoSources, &Options::default());
    assert!(!findings.has_errors(), "{findings:?}");
    let (assignment, findings) = keepalived::assignment(&host);
    assert!(!findings.has_errors(), "{findings:?}");
    let config = assignment.instances[0].engine_config().unwrap();
    let peers = ["198.51.100.2".parse().unwrap(), "198.51.100.3".parse().unwrap()];
    assert_eq!(config.destination, vipfleet_vrrp::Destination::Unicast(peers.into()));
    assert!(!config.members_complete);
    assert!(vipfleet_vrrp::Router::new(config).is_ok());
}
