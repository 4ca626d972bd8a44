//! A sync group of an IPv4 and an IPv6 instance under a control server: where one goes, both go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vipfleet_tests::fleet::Fleet;
use vipfleet_tests::kernel;
use vipfleet_tests::lab::{INTERFACE, Lab};
use vipfleet_tests::wait;

const VIP_4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 248, 120));
const VIP_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x248, 0, 0, 0, 0, 0x120));
/// While it exists on a host, that host may serve over IPv6.
const READY: &str = "ready";

fn definitions(lab: &Lab) -> String {
    let members = |track: &str| {
        format!(
            "    - {{node: lb1, interface: {INTERFACE}, priority: 100{track}}}\n    \
             - {{node: lb2, interface: {INTERFACE}, priority: 80}}\n"
        )
    };
    let ready = lab.host("n1").directory().join(READY);
    format!(
        "kind: Check\nname: ready\nspec:\n  file: {{path: {ready}}}\n  interval: 100ms\n---\n\
         kind: Instance\nname: VI_4\nspec:\n  virtualRouterId: 51\n  \
         virtualAddresses: [{VIP_4}]\n  advertInterval: 200ms\n  members:\n{}---\n\
         kind: Instance\nname: VI_6\nspec:\n  virtualRouterId: 51\n  \
         virtualAddresses: ['fe80::51', '{VIP_6}']\n  advertInterval: 200ms\n  members:\n{}---\n\
         kind: SyncGroup\nname: web\nspec: {{instances: [VI_4, VI_6]}}\n",
        members(""),
        members(", track: [{check: ready}]"),
        ready = ready.display(),
    )
}

/// Waits until both VIPs are in this one kernel.
#[track_caller]
fn wait_for_owner(lab: &Lab, wanted: &str) {
    let owners = || [kernel::owners(lab, VIP_4), kernel::owners(lab, VIP_6)];
    let what = format!("{wanted} to own both VIPs");
    wait::until(&what, wait::GENEROUS, owners, |all| all.iter().all(|it| *it == [wanted]));
}

#[test]
fn a_fault_of_the_one_family_moves_both_and_so_does_a_dead_host() {
    let lab = Lab::pair();
    let ready = lab.host("n1").directory().join(READY);
    std::fs::write(&ready, "").expect("a writable directory");
    let mut fleet = Fleet::start_empty(&lab);
    let outcome = fleet.vipctl.apply(&definitions(&lab), &["--wait"]);
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    wait_for_owner(&lab, "n1");

    std::fs::remove_file(&ready).expect("it was there");
    wait_for_owner(&lab, "n2");
    let states =
        || ["VI_4", "VI_6"].map(|name| fleet.instance(name)["members"][0]["state"].clone());
    wait::until("both to be in FAULT", wait::GENEROUS, states, |all| {
        all.iter().all(|state| state == "FAULT")
    });
    std::fs::write(&ready, "").expect("a writable directory");
    wait_for_owner(&lab, "n1");

    assert!(fleet.first.terminate().success());
    wait_for_owner(&lab, "n2");
}

#[test]
fn an_operator_moves_the_group_with_an_offset_on_one_of_its_instances_only_if_it_stays_in_order() {
    let lab = Lab::pair();
    std::fs::write(lab.host("n1").directory().join(READY), "").expect("a writable directory");
    let fleet = Fleet::start_empty(&lab);
    let outcome = fleet.vipctl.apply(&definitions(&lab), &["--wait"]);
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    wait_for_owner(&lab, "n1");
    let offset = |name: &str| {
        fleet.vipctl.run(&["set", "instance", name, "--priority-offset", "lb1=-50", "--wait"])
    };
    let refused = offset("VI_4");
    assert_eq!(refused.code, Some(3), "one alone would pull the group apart: {refused:#?}");
    assert!(refused.stderr.contains("sync-group-order"), "{refused:#?}");
    wait_for_owner(&lab, "n1");
    let both = definitions(&lab).replace("priority: 100", "priority: 100, priorityOffset: -50");
    let outcome = fleet.vipctl.apply(&both, &["--wait"]);
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    wait_for_owner(&lab, "n2");
}
