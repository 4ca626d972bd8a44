//! The way back to keepalived.conf: what is written is read again as what it was, what gets lost
//! has a finding, and the real keepalived takes it.

#[path = "keepalived_export/expressible.rs"]
mod expressible;
#[path = "keepalived_export/laboratory.rs"]
mod laboratory;
#[path = "keepalived_export/samples.rs"]
mod samples;

use expressible::{Fleet, Users, facts, name};
use laboratory::Laboratory;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use vipfleet_model::address::Scope;
use vipfleet_model::check::{
    Check, ExecProbe, FileProbe, HttpProbe, InterfaceProbe, Probe, ProcessProbe, TcpProbe,
};
use vipfleet_model::instance::{
    Authentication, Checksum, Garp, Instance, Member, Notify, NotifyOn, Track,
};
use vipfleet_model::keepalived::{
    self, ExportOptions, Inexpressible, NoSources, Options, Origin, export,
};
use vipfleet_model::secret::Secret;
use vipfleet_model::span::Span;
use vipfleet_model::{
    Definition, Definitions, Findings, Name, Severity, SyncGroup, VirtualAddress,
};

fn options(inexpressible: Inexpressible) -> ExportOptions {
    ExportOptions {
        exec_dir: Some("/etc/vipfleet/exec".to_owned()),
        inexpressible,
        ..ExportOptions::default()
    }
}

fn members(definitions: &Definitions) -> BTreeSet<Name> {
    let all = definitions.instances().flat_map(|(_, instance)| &instance.members);
    all.map(|member| member.node.clone()).collect()
}

/// The files of all members, and what was said on the way.
fn files(
    fleet: &Fleet,
    options: &ExportOptions,
) -> Result<(BTreeMap<Name, String>, Findings), Findings> {
    let mut files = BTreeMap::new();
    let mut findings = Findings::default();
    for node in members(&fleet.definitions) {
        let (text, said) = export(&fleet.definitions, &fleet.facts, &node, options)?;
        findings.append(said);
        files.insert(node, text);
    }
    Ok((files, findings))
}

/// Imports `files`, which must go without an error.
fn read_back(files: &BTreeMap<Name, String>) -> (Definitions, Findings) {
    let mut said = Findings::default();
    let mut hosts = Vec::new();
    for (node, text) in files {
        let file = format!("{node}.conf");
        let (host, findings) = keepalived::parse(&file, text, &NoSources, &Options::default());
        assert!(!findings.has_errors(), "{findings:?}\n{text}");
        said.append(findings);
        hosts.push((node.clone(), host));
    }
    let (definitions, findings) = keepalived::import(&hosts);
    assert!(!findings.has_errors(), "{findings:?}\n{files:?}");
    said.append(findings);
    (definitions.into_iter().collect(), said)
}

fn rules(findings: &Findings) -> BTreeSet<&str> {
    findings.iter().map(|finding| finding.rule.as_str()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_keepalived_can_express_comes_back_as_it_was(fleet in expressible::fleet(Users::Any)) {
        let exported = files(&fleet, &options(Inexpressible::Refuse));
        let (files, said) = exported.map_err(|it| TestCaseError::fail(format!("{it:?}")))?;
        let preflight = ["virtual-mac", "virtual-mac-unicast"];
        let harmless = ["script-user", "nopreempt-weights"].into_iter().chain(preflight).collect();
        prop_assert!(rules(&said).is_subset(&harmless), "{:?}", said);
        let (back, said) = read_back(&files);
        let harmless = BTreeSet::from(["script-user", "exec-dir"]);
        prop_assert!(rules(&said).is_subset(&harmless), "{:?}", said);
        prop_assert_eq!(&back, &fleet.definitions, "{:?}", files);
        // Once more from there: equal definitions are equal files.
        let again = Fleet { definitions: back, facts: fleet.facts };
        let written = self::files(&again, &options(Inexpressible::Refuse));
        prop_assert_eq!(Ok(files), written.map(|it| it.0));
    }

    #[test]
    fn what_does_not_come_back_as_it_was_has_a_finding(
        fleet in expressible::fleet(Users::Any),
        changes in prop::collection::vec(0..CHANGES.len(), 1..4),
    ) {
        let mut fleet = fleet;
        for change in changes {
            CHANGES[change].1(&mut fleet.definitions);
        }
        let Ok((files, said)) = files(&fleet, &options(Inexpressible::LeaveOut)) else {
            return Ok(());
        };
        let (back, _) = read_back(&files);
        let no_loss = ["script-user", "virtual-mac", "virtual-mac-unicast"];
        let lost = said.iter().any(|finding| !no_loss.contains(&finding.rule.as_str()));
        prop_assert!(lost || back == fleet.definitions, "{:?}\n{:?}", files, said);
    }
}

fn each_instance(all: &mut Definitions, change: impl Fn(&mut Instance)) {
    for definition in all.0.values_mut() {
        if let Definition::Instance { spec, .. } = definition {
            change(spec);
        }
    }
}

fn each_check(all: &mut Definitions, change: impl Fn(&mut Check)) {
    for definition in all.0.values_mut() {
        if let Definition::Check { spec, .. } = definition {
            change(spec);
        }
    }
}

fn probes(all: &mut Definitions, probe: &Probe) {
    each_check(all, |check| check.probe = probe.clone());
}

type Change = (&'static str, fn(&mut Definitions));

/// What an export loses or says in another way, with the rule of its finding.
const CHANGES: [Change; 21] = [
    ("nopreempt-weights", |all| {
        each_instance(all, |it| {
            it.preempt = false;
            it.track.iter_mut().for_each(|track| track.weight = -50);
        });
    }),
    ("no-effect", |all| each_instance(all, |it| it.recover_delay = Span::from_secs(9))),
    ("no-effect", |all| each_instance(all, |it| it.members_only = true)),
    ("no-effect", |all| {
        each_instance(all, |it| {
            it.preempt = false;
            it.members[0].priority = 255;
        });
    }),
    ("no-effect", |all| {
        each_instance(all, |it| {
            let address = "2001:db8::9/64".parse().expect("an address");
            it.excluded_addresses = vec![VirtualAddress { scope: Scope::Link, ..address }];
        });
    }),
    ("approximated", |all| each_instance(all, |it| it.garp.delay = Span::from_millis(1_500))),
    ("approximated", |all| each_instance(all, |it| it.preempt_delay = Span::from_secs(2_000))),
    ("approximated", |all| each_instance(all, |it| it.startup_delay = Span::from_secs(9_000))),
    ("approximated", |all| each_instance(all, |it| it.members[0].priority_offset = -7)),
    ("password-cut", |all| {
        each_instance(all, |it| {
            it.version = 2;
            it.advert_interval = Span::from_secs(1);
            let password = Secret::new("ten letters");
            it.authentication = Authentication::Pass { password };
        });
    }),
    ("not-in-keepalived", |all| {
        each_instance(all, |it| {
            let hook = |exec: &str| Notify {
                on: NotifyOn::Any,
                exec: exec.to_owned(),
                args: Vec::new(),
                user: None,
            };
            it.notify = vec![hook("a.sh"), hook("b.sh")];
        });
    }),
    ("approximated", |all| each_check(all, |it| it.interval = Span::from_millis(500))),
    ("approximated", |all| {
        probes(all, &Probe::Process(ProcessProbe::named("nginx")));
        each_check(all, |it| it.rise = 2);
    }),
    ("approximated", |all| each_check(all, |it| it.down_delay = Span::from_millis(2_500))),
    ("approximated", |all| {
        probes(all, &Probe::Process(ProcessProbe::of_pid_file("/run/nginx.pid")));
    }),
    ("approximated", |all| probes(all, &Probe::File(FileProbe { path: "/run/it's up".into() }))),
    ("not-in-keepalived", |all| {
        probes(all, &Probe::Http(HttpProbe::new("http://127.0.0.1/up?'".into())));
    }),
    ("not-in-keepalived", |all| {
        probes(all, &Probe::Tcp(TcpProbe { address: "[::1]:80".into() }));
    }),
    ("name-changed", |all| {
        probes(all, &Probe::Interface(InterfaceProbe { name: "eth1".into() }));
    }),
    ("no-effect", |all| probes(all, &Probe::Interface(InterfaceProbe { name: "eth0".into() }))),
    ("not-in-keepalived", |all| {
        probes(all, &Probe::Process(ProcessProbe::named("nginx: worker")));
    }),
];

/// One instance on two hosts with a script check.
fn pair() -> Fleet {
    let member = |node: &str, priority| Member::new(name(node), "eth0", priority);
    let members = vec![member("lb1", 100), member("lb2", 80)];
    let vip = "10.0.0.9".parse().expect("an address");
    let probe = Probe::Exec(ExecProbe { file: "check.sh".into(), args: Vec::new(), user: None });
    let spec = Box::new(Instance {
        track: vec![Track { check: name("check"), weight: 0, reverse: false }],
        ..Instance::new(51, vec![vip], members)
    });
    let instance = Definition::Instance { name: name("VI_1"), spec };
    let check = Definition::Check { name: name("check"), spec: Check::new(probe) };
    Fleet { definitions: [instance, check].into_iter().collect(), facts: facts() }
}

#[test]
fn every_loss_has_a_finding_of_its_own() {
    for (index, (rule, change)) in CHANGES.iter().enumerate() {
        let mut fleet = pair();
        change(&mut fleet.definitions);
        let (_, said) = files(&fleet, &options(Inexpressible::LeaveOut))
            .unwrap_or_else(|said| panic!("change {index}: {said:?}"));
        assert!(rules(&said).contains(rule), "change {index}: {said:?}");
        for finding in &said {
            assert_eq!(finding.severity, Severity::Warning, "{finding}");
            assert!(!finding.remedy.is_empty() && finding.place.document.is_some(), "{finding}");
        }
        // What keepalived has no word for is refused unless it may be left out.
        let refused = files(&fleet, &options(Inexpressible::Refuse)).is_err();
        assert_eq!(refused, *rule == "not-in-keepalived", "change {index}");
    }
}

type Spoil = dyn Fn(&mut Instance);

#[test]
fn what_would_make_two_masters_or_no_file_at_all_is_refused_in_any_case() {
    let redacted = |it: &mut Instance| {
        it.version = 2;
        let password = Secret::new(vipfleet_model::secret::REDACTED);
        it.authentication = Authentication::Pass { password };
    };
    let unwritable = |it: &mut Instance| {
        it.version = 2;
        it.authentication = Authentication::Pass { password: Secret::new("a\"$") };
    };
    let unicast = |it: &mut Instance| {
        it.transport = vipfleet_model::instance::Transport::Unicast;
        it.members[1].node = name("stranger");
    };
    let alone = |it: &mut Instance| {
        it.transport = vipfleet_model::instance::Transport::Unicast;
        it.members.truncate(1);
    };
    let table: [(&str, &Spoil); 7] = [
        ("redacted", &redacted),
        ("bad-word", &unwritable),
        ("unknown-peer", &unicast),
        ("not-in-keepalived", &alone),
        ("not-in-keepalived", &|it| it.checksum = Checksum::Message),
        ("vrid-range", &|it| it.virtual_router_id = 0),
        ("garp-repeat", &|it| it.garp = Garp { repeat: 0, ..Garp::default() }),
    ];
    for (rule, change) in table {
        let mut fleet = pair();
        each_instance(&mut fleet.definitions, change);
        let node = name("lb1");
        let exported =
            export(&fleet.definitions, &fleet.facts, &node, &options(Inexpressible::LeaveOut));
        let said = exported.expect_err(rule);
        let errors = said.iter().filter(|finding| finding.severity == Severity::Error);
        assert_eq!(errors.map(|it| it.rule.as_str()).collect::<Vec<_>>(), [rule], "{said:?}");
        assert!(!format!("{said:?}").contains("a\"$"), "{said:?}");
    }
}

#[test]
fn a_program_without_its_directory_and_a_node_without_an_instance_are_refused() {
    let fleet = pair();
    let said = export(&fleet.definitions, &fleet.facts, &name("lb1"), &ExportOptions::default());
    assert!(rules(&said.unwrap_err()).contains("exec-dir"));
    let known = options(Inexpressible::Refuse);
    let said = export(&fleet.definitions, &fleet.facts, &name("lb9"), &known);
    assert_eq!(rules(&said.unwrap_err()), BTreeSet::from(["not-a-member"]));
}

#[test]
fn a_line_beyond_what_keepalived_reads_is_refused() {
    let mut fleet = pair();
    let args = vec!["x".repeat(1_100)];
    let exec = ExecProbe { file: "check.sh".into(), args, user: None };
    probes(&mut fleet.definitions, &Probe::Exec(exec));
    let known = options(Inexpressible::LeaveOut);
    let said = export(&fleet.definitions, &fleet.facts, &name("lb1"), &known).unwrap_err();
    assert!(rules(&said).contains("line-too-long"), "{said:?}");
}

#[test]
fn a_host_that_keepalived_serves_gets_the_file_of_a_member_of_ours() {
    let mut fleet = pair();
    let known = options(Inexpressible::Refuse);
    let ours = export(&fleet.definitions, &fleet.facts, &name("lb2"), &known).unwrap();
    each_instance(&mut fleet.definitions, |it| {
        it.members[1].external = true;
        it.members[1].address = None;
    });
    let theirs = export(&fleet.definitions, &fleet.facts, &name("lb2"), &known).unwrap();
    assert_eq!(ours.0, theirs.0);
}

#[test]
fn the_comment_at_the_top_cannot_break_out() {
    let fleet = pair();
    let origin = Origin { fleet: "f\nvrrp_instance X {\\".to_owned(), revision: 12 };
    let known = ExportOptions { origin: Some(origin), ..options(Inexpressible::Refuse) };
    let (text, _) = export(&fleet.definitions, &fleet.facts, &name("lb1"), &known).unwrap();
    assert!(text.contains("# from revision 12 of fleet f_vrrp_instance X {_\n"), "{text}");
    let files = BTreeMap::from([(name("lb1"), text)]);
    assert_eq!(read_back(&files).0.instances().count(), 1);
}

/// Instances of one group that do not track alike are written as they run.
#[test]
fn a_group_comes_back_with_what_it_ran_tracked_by_all_of_it() {
    let mut fleet = pair();
    let mut second = fleet.definitions.instance(&name("VI_1")).unwrap().clone();
    second.virtual_router_id = 52;
    second.virtual_addresses = vec!["10.0.0.10".parse().unwrap()];
    second.track.clear();
    let instances = vec![name("VI_1"), name("VI_2")];
    let spec = SyncGroup { instances, notify: Vec::new() };
    let more = [
        Definition::Instance { name: name("VI_2"), spec: Box::new(second) },
        Definition::SyncGroup { name: name("web"), spec },
    ];
    fleet.definitions.0.extend(more.map(|it| (it.key(), it)));
    each_instance(&mut fleet.definitions, |it| {
        it.track.iter_mut().for_each(|track| track.weight = -20);
    });
    let (files, said) = files(&fleet, &options(Inexpressible::Refuse)).expect("an export");
    assert_eq!(rules(&said), BTreeSet::from(["script-user"]));
    let (back, said) = read_back(&files);
    assert!(!rules(&said).contains("no-effect"), "{said:?}");
    assert_ne!(back, fleet.definitions);
    let placed = |definitions| vipfleet_model::placement::place(definitions, &fleet.facts);
    assert_eq!(placed(&back), placed(&fleet.definitions));
}

/// Generated fleets that the real keepalived is shown.
const SHOWN: usize = 48;

#[test]
fn keepalived_takes_what_is_written_of_any_fleet_it_can_express() {
    let laboratory = Laboratory::new();
    let known =
        ExportOptions { exec_dir: Some(laboratory.exec_dir()), ..options(Inexpressible::Refuse) };
    let mut runner = TestRunner::deterministic();
    for _ in 0..SHOWN {
        let fleet = expressible::fleet(Users::RootOnly).new_tree(&mut runner).unwrap().current();
        let (files, _) = files(&fleet, &known).expect("an export");
        files.values().for_each(|text| laboratory.test(text));
    }
}

#[test]
fn keepalived_hands_programs_their_arguments_word_for_word() {
    let laboratory = Laboratory::new();
    let heard = laboratory.path("heard");
    // Whole when it appears, and as it was at first.
    let body = format!(
        "printf '[%s]' \"$@\" > '{0}.part' && ln '{0}.part' '{0}' 2>/dev/null; exit 0",
        heard.display()
    );
    laboratory.program("check.sh", &body);
    let args =
        ["a b", "", "it's", "\"$HOME\"", "\\n\\", "#1! {x}", "~SEQ(a,1,2)", "${_PWD}", "é\n"];
    let mut fleet = pair();
    let written = args.map(str::to_owned).to_vec();
    let exec = ExecProbe { file: "check.sh".into(), args: written, user: None };
    probes(&mut fleet.definitions, &Probe::Exec(exec));
    let known =
        ExportOptions { exec_dir: Some(laboratory.exec_dir()), ..options(Inexpressible::Refuse) };
    let (text, _) = export(&fleet.definitions, &fleet.facts, &name("lb1"), &known).unwrap();
    laboratory.run_until(&text, || heard.exists());
    let expected: String = args.iter().map(|arg| format!("[{arg}]")).collect();
    assert_eq!(fs::read_to_string(&heard).unwrap(), expected);
}
