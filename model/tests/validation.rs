//! Every rule of validation on the least document that breaks it, and none on a sound one.

mod fleet;
#[path = "validation/hmac.rs"]
mod hmac;
#[path = "validation/sync_groups.rs"]
mod sync_groups;

use fleet::{Nodes, SAMPLE, both, broken, fleet, host, input, lines};
use vipfleet_model::Severity;

#[test]
fn the_sample_is_sound_with_its_hosts_and_offline() {
    assert_eq!(lines(&fleet(SAMPLE, &both())), "");
    assert_eq!(lines(&input(SAMPLE)), "");
}

#[test]
fn the_seed_pair_is_sound_but_for_the_check_it_never_declares() {
    let seed = "
kind: Instance
name: VI_1
spec:
  virtualRouterId: 51
  virtualAddresses: [192.168.248.120]
  version: 2
  authentication: {type: pass, password: '1111'}
  members:
    - {node: lb1, interface: ens33, priority: 100}
    - {node: lb2, interface: ens33, priority: 80}
---
kind: Instance
name: VI_2
spec:
  virtualRouterId: 52
  virtualAddresses: [192.168.248.121]
  version: 2
  authentication: {type: pass, password: '1111'}
  members:
    - {node: lb1, interface: ens33, priority: 80}
    - {node: lb2, interface: ens33, priority: 100}
";
    assert_eq!(lines(&fleet(seed, &both())), "");
}

/// A rule, how bad, and the sample with a piece replaced (each by each).
type Row = (&'static str, Severity, &'static [(&'static str, &'static str)]);

use Severity::{Error, Warning};

const INSTANCE_ROWS: &[Row] = &[
    ("vrid-range", Error, &[("Id: 51", "Id: 0")]),
    (
        "version",
        Error,
        &[("version: 2", "version: 4"), ("type: pass", "type: none"), (", password: \"1111\"", "")],
    ),
    ("advert-interval", Error, &[("Interval: 1s", "Interval: 500ms")]),
    ("advert-interval", Error, &[("Interval: 1s", "Interval: 256s")]),
    ("advert-interval", Error, &[("Interval: 1s", "Interval: 0s")]),
    (
        "advert-interval",
        Error,
        &[
            ("version: 2", "version: 3"),
            ("Interval: 1s", "Interval: 15ms"),
            ("  authentication: {type: pass, password: \"1111\"}\n", ""),
        ],
    ),
    ("down-adverts", Error, &[("version: 2", "version: 2\n  downAdverts: 1")]),
    ("authentication-version", Error, &[("version: 2", "version: 3")]),
    ("password-empty", Error, &[("\"1111\"", "\"\"")]),
    ("password-length", Warning, &[("\"1111\"", "correct-horse")]),
    ("checksum-unused", Warning, &[("version: 2", "version: 2\n  checksum: message")]),
    (
        "preempt-delay-unused",
        Warning,
        &[("version: 2", "version: 2\n  preempt: false\n  preemptDelay: 5s")],
    ),
    ("garp-repeat", Error, &[("version: 2", "version: 2\n  garp: {repeat: 0}")]),
    ("garp-refresh", Error, &[("version: 2", "version: 2\n  garp: {refresh: 10ms}")]),
    ("virtual-mac", Warning, &[("version: 2", "version: 2\n  virtualMac: true")]),
    (
        "virtual-mac-unicast",
        Warning,
        &[("version: 2", "version: 2\n  virtualMac: true\n  transport: unicast")],
    ),
    (
        "virtual-mac-election",
        Error,
        &[("virtualAddresses: [192.168.248.120]", "electionOnly: ipv4\n  virtualMac: true")],
    ),
    ("no-virtual-address", Error, &[("[192.168.248.120]", "[]")]),
    ("mixed-families", Error, &[("[192.168.248.120]", "[192.168.248.120, 2001:db8::1]")]),
    ("ipv6-version", Error, &[("[192.168.248.120]", "[2001:db8::1]")]),
    (
        "link-local-first",
        Warning,
        &[
            ("version: 2", "version: 3"),
            ("  authentication: {type: pass, password: \"1111\"}\n", ""),
            ("[192.168.248.120]", "[2001:db8::1]"),
        ],
    ),
    (
        "scope-unused",
        Warning,
        &[
            ("version: 2", "version: 3"),
            ("  authentication: {type: pass, password: \"1111\"}\n", ""),
            ("[192.168.248.120]", "['fe80::1', {address: '2001:db8::1', scope: link}]"),
        ],
    ),
    (
        "member-address-scope",
        Warning,
        &[
            ("version: 2", "version: 3"),
            ("  authentication: {type: pass, password: \"1111\"}\n", ""),
            ("[192.168.248.120]", "['fe80::1']"),
            ("node: lb2,", "node: lb2, address: '2001:db8::3',"),
        ],
    ),
    ("duplicate-address", Error, &[("[192.168.248.120]", "[192.168.248.120, 192.168.248.120/24]")]),
    ("address-unusable", Error, &[("[192.168.248.120]", "[224.0.0.18]")]),
    ("address-unusable", Error, &[("[192.168.248.120]", "[127.0.0.1]")]),
    ("address-unusable", Error, &[("[192.168.248.120]", "[0.0.0.0]")]),
    ("address-unusable", Error, &[("node: lb2,", "node: lb2, address: 127.0.0.1,")]),
    ("address-prefix", Error, &[("[192.168.248.120]", "[192.168.248.120/0]")]),
    ("address-reserved", Error, &[("[192.168.248.120]", "[192.168.248.255/24]")]),
    ("address-reserved", Error, &[("[192.168.248.120]", "[192.168.248.0/24]")]),
    ("interface-name", Error, &[("[192.168.248.120]", "[{address: 192.168.248.120, dev: eth/0}]")]),
    (
        "label",
        Error,
        &[("[192.168.248.120]", "[{address: 192.168.248.120, label: 'ens33:far-too-long'}]")],
    ),
    (
        "broadcast-family",
        Error,
        &[("[192.168.248.120]", "[{address: 192.168.248.120, broadcast: '::1'}]")],
    ),
    (
        "no-member",
        Error,
        &[
            (
                "members:\n    - {node: lb1, interface: ens33, priority: 100, track: [{check: check_nginx_alive}]}",
                "members: []",
            ),
            ("    - {node: lb2, interface: ens33, priority: 80}\n", ""),
        ],
    ),
    ("one-member", Warning, &[("    - {node: lb2, interface: ens33, priority: 80}\n", "")]),
    ("duplicate-member", Error, &[("node: lb2", "node: lb1")]),
    (
        "duplicate-member-address",
        Error,
        &[
            ("node: lb1,", "node: lb1, address: 192.168.248.2,"),
            ("node: lb2,", "node: lb2, address: 192.168.248.2,"),
        ],
    ),
    ("priority-range", Error, &[("priority: 80", "priority: 0")]),
    ("equal-priorities", Warning, &[("priority: 80", "priority: 100")]),
    (
        "two-address-owners",
        Error,
        &[("priority: 80", "priority: 255"), ("priority: 100", "priority: 255")],
    ),
    ("interface-name", Error, &[("interface: ens33, priority: 80", "interface: '', priority: 80")]),
    (
        "interface-name",
        Error,
        &[("interface: ens33, priority: 80", "interface: sixteen-bytes-it-is, priority: 80")],
    ),
    ("member-address-family", Error, &[("node: lb2,", "node: lb2, address: '2001:db8::3',")]),
    ("vip-own-address", Error, &[("node: lb2,", "node: lb2, address: 192.168.248.120,")]),
    (
        "no-managed-member",
        Error,
        &[
            ("node: lb1,", "node: lb1, external: true, address: 192.168.248.2,"),
            ("node: lb2,", "node: lb2, external: true, address: 192.168.248.3,"),
        ],
    ),
    (
        "external-track",
        Warning,
        &[("node: lb1,", "node: lb1, external: true, address: 192.168.248.2,")],
    ),
    ("external-address", Warning, &[("node: lb2,", "node: lb2, external: true,")]),
    (
        "external-address",
        Error,
        &[
            ("node: lb2,", "node: lb2, external: true,"),
            ("version: 2", "version: 2\n  transport: unicast"),
        ],
    ),
    (
        "external-address",
        Error,
        &[
            ("node: lb2,", "node: lb2, external: true,"),
            ("version: 2", "version: 2\n  membersOnly: true"),
        ],
    ),
    ("unknown-check", Error, &[("{check: check_nginx_alive}", "{check: nobody}")]),
    (
        "duplicate-track",
        Error,
        &[("{check: check_nginx_alive}", "{check: check_nginx_alive}, {check: check_nginx_alive}")],
    ),
    ("track-weight", Error, &[("check_nginx_alive}", "check_nginx_alive, weight: -254}")]),
    (
        "nopreempt-weights",
        Error,
        &[
            ("check_nginx_alive}", "check_nginx_alive, weight: -50}"),
            ("version: 2", "version: 2\n  preempt: false\n  takeover: rfc"),
        ],
    ),
    (
        "nopreempt-weights",
        Warning,
        &[
            ("check_nginx_alive}", "check_nginx_alive, weight: -50}"),
            ("version: 2", "version: 2\n  preempt: false"),
            ("node: lb2,", "node: lb2, external: true, address: 192.168.248.3,"),
        ],
    ),
    (
        "owner-weights",
        Warning,
        &[
            ("priority: 100", "priority: 255"),
            ("check_nginx_alive}", "check_nginx_alive, weight: -50}"),
        ],
    ),
    ("weight-too-small", Warning, &[("check_nginx_alive}", "check_nginx_alive, weight: -10}")]),
    (
        "exec-path",
        Error,
        &[("version: 2", "version: 2\n  notify: [{on: master, exec: ../../bin/sh}]")],
    ),
];

const CHECK_ROWS: &[Row] = &[
    ("check-interval", Error, &[("}}", "}, interval: 0s}")]),
    ("check-interval", Warning, &[("}}", "}, interval: 2h}")]),
    ("check-timeout", Error, &[("}}", "}, timeout: 0s}")]),
    ("check-timeout", Warning, &[("}}", "}, timeout: 2s}")]),
    ("check-count", Error, &[("}}", "}, rise: 0}")]),
    ("check-count", Error, &[("}}", "}, fall: 0}")]),
    ("process-name", Error, &[("name: nginx}}", "name: /usr/sbin/nginx}}")]),
    ("process-quorum", Error, &[("name: nginx}}", "name: nginx, quorum: 0}}")]),
    ("process-quorum", Error, &[("name: nginx}}", "name: nginx, quorum: 4, quorumMax: 3}}")]),
    (
        "process-quorum",
        Error,
        &[("process: {name: nginx}", "process: {pidFile: /run/nginx.pid, quorum: 2}")],
    ),
    ("absolute-path", Error, &[("process: {name: nginx}", "process: {pidFile: run/nginx.pid}")]),
    ("absolute-path", Error, &[("process: {name: nginx}", "file: {path: up}")]),
    ("http-url", Error, &[("process: {name: nginx}", "http: {url: 'https://127.0.0.1/'}")]),
    ("http-url", Error, &[("process: {name: nginx}", "http: {url: '127.0.0.1/healthz'}")]),
    ("http-url", Error, &[("process: {name: nginx}", "http: {url: 'http:///healthz'}")]),
    ("http-url", Error, &[("process: {name: nginx}", "http: {url: 'http://h:99999/'}")]),
    ("http-url", Error, &[("process: {name: nginx}", "http: {url: 'http://h/a b'}")]),
    (
        "http-status",
        Error,
        &[("process: {name: nginx}", "http: {url: 'http://h/', expectStatus: 42}")],
    ),
    ("tcp-address", Error, &[("process: {name: nginx}", "tcp: {address: '127.0.0.1'}")]),
    ("tcp-address", Error, &[("process: {name: nginx}", "tcp: {address: '::1:80'}")]),
    ("exec-path", Error, &[("process: {name: nginx}", "exec: {file: /bin/true}")]),
    (
        "exec-argument",
        Error,
        &[("process: {name: nginx}", "exec: {file: probe, args: [\"a\\0b\"]}")],
    ),
    ("exec-user", Warning, &[("process: {name: nginx}", "exec: {file: probe, user: nobody}")]),
    ("interface-name", Error, &[("process: {name: nginx}", "interface: {name: ''}")]),
];

#[test]
fn every_rule_fires_on_the_least_change_that_breaks_it() {
    let mut shown = String::new();
    for (rule, severity, replacements) in INSTANCE_ROWS.iter().chain(CHECK_ROWS) {
        let findings = fleet(&broken(replacements), &both());
        let fired = findings.iter().any(|it| it.rule == *rule && it.severity == *severity);
        assert!(fired, "{rule} on {replacements:?} gave:\n{}", lines(&findings));
        let placed =
            |it: &vipfleet_model::Finding| it.place.line.is_some() && !it.remedy.is_empty();
        assert!(findings.iter().all(placed), "{}", lines(&findings));
        shown += &lines(&findings);
    }
    insta::assert_snapshot!(shown);
}

/// The sample over IPv6, with these virtual addresses.
fn over_ipv6(addresses: &str) -> String {
    broken(&[
        ("version: 2", "version: 3"),
        ("  authentication: {type: pass, password: \"1111\"}\n", ""),
        ("[192.168.248.120]", addresses),
    ])
}

#[test]
fn an_ipv6_instance_with_its_link_local_address_first_is_sound() {
    let nodes = Nodes::from([
        host("lb1", &[("ens33", &["2001:db8::2/64", "fe80::2/64"]), ("lan", &["fe80::1/64"])]),
        host("lb2", &[("ens33", &["2001:db8::3/64", "fe80::3/64"])]),
    ]);
    let text = over_ipv6("['fe80::1', '2001:db8::10']");
    // The fe80::1 of lb1 is on another link.
    assert_eq!(lines(&fleet(&text, &nodes)), "");
}

#[test]
fn an_ipv6_instance_needs_a_link_local_address_or_over_unicast_a_global_one() {
    let nodes = Nodes::from([
        host("lb1", &[("ens33", &["2001:db8::2/64"])]),
        host("lb2", &[("ens33", &["fe80::3/64"])]),
    ]);
    let found = |text: &str| {
        let findings = fleet(text, &nodes);
        let found = findings.iter().filter(|it| it.rule == "interface-without-address");
        found.map(|it| it.message.clone()).collect::<Vec<_>>()
    };
    let text = over_ipv6("['fe80::1']");
    let message = "ens33 of lb1 has no link-local IPv6 address to send adverts from";
    assert_eq!(found(&text), [message]);
    let unicast = text.replace("version: 3", "version: 3\n  transport: unicast");
    let message = "ens33 of lb2 has no global IPv6 address to send adverts from";
    assert_eq!(found(&unicast), [message]);
}

#[test]
fn sound_variants_of_checks_have_no_finding() {
    for probe in [
        "http: {url: 'http://127.0.0.1:8080/healthz', expectStatus: 204}",
        "http: {url: 'http://[::1]/'}",
        "tcp: {address: '[2001:db8::1]:443'}",
        "exec: {file: check_nginx.sh, args: [--fast]}",
        "file: {path: /run/up}",
        "interface: {name: bond0.100}",
        "process: {pidFile: /run/nginx.pid}",
        "process: {name: nginx, quorum: 3}",
        "process: {name: nginx, quorum: 3, quorumMax: 3}",
    ] {
        let text = broken(&[("process: {name: nginx}", probe)]);
        assert_eq!(lines(&fleet(&text, &both())), "", "{probe}");
    }
}

#[test]
fn addresses_beyond_what_an_advert_carries_are_an_error() {
    let vips = |count: u8| {
        let all = (0..count).map(|it| format!("10.0.0.{it}")).collect::<Vec<_>>();
        format!("[192.168.248.120, {}]", all.join(", "))
    };
    let rules = |count| {
        let text = broken(&[("[192.168.248.120]", &vips(count))]);
        let findings = input(&text);
        findings.iter().map(|it| it.rule.clone()).collect::<Vec<_>>()
    };
    assert_eq!(rules(254), Vec::<String>::new());
    assert_eq!(rules(255), ["too-many-addresses"]);
}

#[test]
fn offline_a_check_that_is_not_in_the_input_may_be_in_the_store() {
    let (instance, _) = SAMPLE.split_once("---").unwrap();
    insta::assert_snapshot!(lines(&input(instance)), @"[unknown-check] warning: fleet.yaml:10:68 Instance VI_1 spec.members[0].track[0].check: Check check_nginx_alive is not in this input; that is fine if the server has it already");
}
