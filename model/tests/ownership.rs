//! Who has each address, and how healthy that is, from what the members report.

use std::collections::BTreeMap;
use std::net::IpAddr;
use vipfleet_model::definition::Definition;
use vipfleet_model::document::parse;
use vipfleet_model::instance::{Family, Instance};
use vipfleet_model::ownership::{Evidence, Generations, Health, InstanceStatus, Link};
use vipfleet_model::report::{AddressReport, InstanceReport, InstanceState};
use vipfleet_model::{Name, VirtualAddress};

use InstanceState::{Backup, Fault, Init, Master};

const VIP: &str = "192.168.248.120";

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn spec() -> Instance {
    let definitions = parse(include_str!("sample.yaml"), None).definitions;
    match &definitions[0].value {
        Definition::Instance { spec, .. } => spec.as_ref().clone(),
        other => panic!("{} is no instance", other.key()),
    }
}

/// What one member says; the default is a settled backup without the address.
#[derive(Clone)]
struct Says {
    link: Link,
    generation: Generations,
    settled: bool,
    report: Option<InstanceReport>,
}

fn says(state: InstanceState) -> Says {
    let address: IpAddr = VIP.parse().expect("an address");
    let report = InstanceReport {
        name: name("VI_1"),
        state,
        since: "2026-01-02T03:04:05Z".into(),
        reason: "because".into(),
        priority: 100,
        effective_priority: 100,
        holding: false,
        master: None,
        addresses: vec![AddressReport { address, in_kernel: state == Master, foreign: false }],
        adverts_sent: 0,
        adverts_received: 0,
        discards: BTreeMap::new(),
        warnings: Vec::new(),
    };
    Says {
        link: Link::Connected,
        generation: Generations { desired: 7, accepted: 7, observed: 7 },
        settled: true,
        report: Some(report),
    }
}

impl Says {
    fn but(mut self, change: impl FnOnce(&mut InstanceReport)) -> Self {
        change(self.report.as_mut().expect("a report"));
        self
    }

    fn over(mut self, link: Link) -> Self {
        self.link = link;
        self
    }
}

fn status_of(spec: &Instance, members: &[Says]) -> InstanceStatus {
    let evidence = members.iter().zip(["lb1", "lb2"]).map(|(says, node)| {
        let Says { link, generation, settled, report } = says;
        let (link, generation, settled) = (*link, *generation, *settled);
        (name(node), Evidence { link, generation, settled, report: report.as_ref() })
    });
    InstanceStatus::of(&name("VI_1"), spec, 5, &evidence.collect())
}

fn status(members: &[Says]) -> InstanceStatus {
    status_of(&spec(), members)
}

fn owners(status: &InstanceStatus) -> Vec<&str> {
    status.owners.iter().map(Name::as_str).collect()
}

#[test]
fn one_master_and_one_backup_are_ok() {
    let status = status(&[says(Master), says(Backup)]);
    assert_eq!(status.health, Health::Ok);
    assert_eq!(status.owner, Some(name("lb1")));
    assert!(status.problems.is_empty());
}

#[test]
fn two_members_with_the_address_in_their_kernels_are_two_owners() {
    let status = status(&[says(Master), says(Master)]);
    assert_eq!(status.health, Health::TwoOwners);
    assert_eq!(owners(&status), ["lb1", "lb2"]);
    assert_eq!(status.owner, None);
    assert_eq!(status.problems, [format!("{VIP} is in the kernel of lb1 and lb2")]);
}

#[test]
fn a_member_that_hands_over_is_no_second_owner() {
    let holder = says(Backup).but(|it| {
        it.holding = true;
        it.addresses[0].in_kernel = true;
    });
    let after = status(&[holder.clone(), says(Master)]);
    assert_eq!((after.health, owners(&after)), (Health::Ok, vec!["lb2"]));
    let before = status(&[holder, says(Backup)]);
    assert_eq!((before.health, owners(&before)), (Health::Degraded, vec![]));
}

#[test]
fn nobody_with_the_address_is_no_owner_only_when_every_member_says_so() {
    let all_say_so = status(&[says(Fault), says(Backup)]);
    assert_eq!(all_say_so.health, Health::NoOwner);
    assert_eq!(all_say_so.problems[0], format!("{VIP} is in no member's kernel"));
    for link in [Link::Silent, Link::Awaited] {
        let one_is_silent = status(&[says(Master).over(link), says(Backup)]);
        assert_eq!(one_is_silent.health, Health::Unknown);
        assert_eq!(one_is_silent.members[0].state, InstanceState::Unknown);
    }
}

#[test]
fn an_address_that_an_agent_has_not_taken_yet_is_unknown_rather_than_without_owner() {
    let mut spec = spec();
    spec.virtual_addresses.push(VirtualAddress::host("192.168.248.130".parse().unwrap()));
    let status = status_of(&spec, &[says(Master), says(Backup)]);
    assert_eq!(status.addresses[0].health, Health::Ok);
    assert_eq!(status.addresses[1].health, Health::Unknown);
    assert_eq!(status.health, Health::Unknown);
}

#[test]
fn a_member_that_stands_not_ready_degrades_and_is_named() {
    let behind =
        Says { generation: Generations { desired: 8, accepted: 7, observed: 7 }, ..says(Backup) };
    let unsettled = Says { settled: false, ..says(Backup) };
    let unreported = Says { report: None, ..says(Backup) };
    let rows = [
        (says(Fault), "lb2 is in FAULT: because"),
        (says(Init), "lb2 is in INIT: because"),
        (says(Backup).over(Link::Silent), "lb2: its agent is not connected"),
        (behind, "lb2 runs generation 7, not 8"),
        (unsettled, "lb2 is still changing its kernel"),
        (unreported, "lb2 is in UNKNOWN: connected, no report about this instance yet"),
    ];
    for (second, problem) in rows {
        let status = status(&[says(Master), second]);
        assert_eq!(status.health, Health::Degraded, "{problem}");
        assert_eq!(status.problems, [problem]);
        assert_eq!(owners(&status), ["lb1"]);
    }
}

#[test]
fn a_kernel_that_disagrees_with_its_engine_degrades() {
    let present = |it: &mut InstanceReport| it.addresses[0].in_kernel = true;
    let absent = |it: &mut InstanceReport| it.addresses[0].in_kernel = false;
    let status = status(&[says(Master).but(absent), says(Backup).but(present)]);
    assert_eq!((status.health, owners(&status)), (Health::Degraded, vec!["lb2"]));
    let disagreements = [
        format!("lb1 is MASTER, but {VIP} is not in its kernel"),
        format!("lb2 is BACKUP, but {VIP} is in its kernel"),
    ];
    assert_eq!(status.problems, disagreements);
}

#[test]
fn after_a_server_start_an_owner_without_its_peers_is_not_judged_yet() {
    let status = status(&[says(Master), says(Backup).over(Link::Awaited)]);
    assert_eq!((status.health, owners(&status)), (Health::Unknown, vec!["lb1"]));
}

#[test]
fn an_external_member_owns_the_address_when_its_adverts_are_heard() {
    let mut spec = spec();
    let address: IpAddr = "192.168.248.3".parse().unwrap();
    spec.members[1].external = true;
    spec.members[1].address = Some(address);
    let hearing = says(Backup).but(|it| it.master = Some(address));
    let heard = status_of(&spec, &[hearing]);
    assert_eq!((heard.health, owners(&heard)), (Health::Ok, vec!["lb2"]));
    let unheard = status_of(&spec, &[says(Backup)]);
    assert_eq!(unheard.health, Health::Unknown);
}

#[test]
fn waiting_is_for_members_that_are_silent_unsettled_or_behind() {
    let observed = Generations { desired: 8, accepted: 8, observed: 7 };
    let behind = Says { generation: observed, ..says(Backup) };
    for second in [behind, says(Backup).over(Link::Silent), Says { settled: false, ..says(Backup) }]
    {
        let status = status(&[says(Master), second]);
        let names = status.behind().map(|it| it.node.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["lb2"]);
    }
    assert_eq!(status(&[says(Master), says(Backup)]).behind().count(), 0);
}

#[test]
fn json_has_the_field_names_that_scripts_rely_on() {
    let status = status(&[says(Master), says(Backup).over(Link::Silent)]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&status).unwrap());
}

/// An election without addresses: nothing of it is in any kernel.
fn election(members: [InstanceState; 2]) -> InstanceStatus {
    let spec = Instance {
        election_only: Some(Family::Ipv4),
        ..Instance::new(51, Vec::new(), spec().members)
    };
    let bare = |state| says(state).but(|it| it.addresses.clear());
    status_of(&spec, &members.map(bare))
}

#[test]
fn the_owner_of_an_election_without_addresses_is_its_one_master() {
    let sound = election([Master, Backup]);
    assert_eq!((sound.health, sound.owner.clone()), (Health::Ok, Some(name("lb1"))));
    assert!(sound.problems.is_empty() && sound.addresses.is_empty());
    let two = election([Master, Master]);
    assert_eq!((two.health, two.owner.clone()), (Health::TwoOwners, None));
    assert_eq!(two.problems, ["lb1 and lb2 are both MASTER"]);
    let none = election([Backup, Backup]);
    assert_eq!(none.health, Health::NoOwner);
    assert_eq!(none.problems, ["no member is MASTER"]);
    let faulty = election([Fault, Master]);
    assert_eq!((faulty.health, faulty.owner), (Health::Degraded, Some(name("lb2"))));
}

#[test]
fn an_election_of_which_a_member_says_nothing_may_have_a_master() {
    let spec = Instance {
        election_only: Some(Family::Ipv4),
        ..Instance::new(51, Vec::new(), spec().members)
    };
    let backup = says(Backup).but(|it| it.addresses.clear());
    let silent = says(Backup).over(Link::Silent);
    let status = status_of(&spec, &[backup, silent]);
    assert_eq!((status.health, status.owner), (Health::Unknown, None));
    assert_eq!(status.problems[0], "nobody who reports is MASTER");
}
