//! Rows of the operator's table "What a change disturbs" that only definitions can say, from the
//! command to both kernels. What files can say too is in `changes.rs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use vipfleet_tests::fleet::Fleet;
use vipfleet_tests::kernel::{self, AddressWatch, Change};
use vipfleet_tests::lab::Lab;
use vipfleet_tests::moves::{Move, during};
use vipfleet_tests::pair::{VIP_1, VIP_2, owners};
use vipfleet_tests::probe::{Advert, AdvertWatch, Neighbour, Pinger};
use vipfleet_tests::upgrade::transitions;
use vipfleet_tests::wait;

const VIP_3: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 123);
const VIP_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x248, 0, 0, 0, 0, 0x120);
/// Longer than a master-down interval: a backup that heard nothing has taken over by then.
const UNHEARD: Duration = Duration::from_secs(4);
const EXTERNAL: &str = "  - node: lb3
    interface: ens33
    priority: 60
    external: true
    address: 192.168.248.13
";

/// Changes of state of both agents so far.
fn told(fleet: &mut Fleet<'_>) -> Vec<String> {
    [transitions(&mut fleet.first), transitions(&mut fleet.second)].concat()
}

/// Runs a command that should disturb nobody: no client, no kernel, no election.
#[track_caller]
fn undisturbed(lab: &Lab, fleet: &mut Fleet<'_>, command: &[&str]) {
    let before = told(fleet);
    let watches = ["n1", "n2"].map(|host| AddressWatch::start(lab.host(host)));
    let Move { losses, .. } = during(lab, fleet, command, ["n1", "n2"]);
    std::thread::sleep(UNHEARD);
    assert!(losses.iter().all(|it| it.lost == 0), "{command:?}: {losses:?}");
    assert_eq!(told(fleet), before, "{command:?}");
    let removed = watches.map(|it| it.changes()).concat();
    let removed = removed.iter().filter(|it| it.change == Change::Removed).count();
    assert_eq!(removed, 0, "{command:?}");
}

#[test]
fn the_manner_of_takeover_disturbs_nobody() {
    let lab = Lab::pair();
    let mut fleet = Fleet::start(&lab);
    for takeover in ["rfc", "fast"] {
        let set = ["set", "instance", "VI_1", "--takeover", takeover, "--wait"];
        undisturbed(&lab, &mut fleet, &set);
    }
}

#[test]
fn a_member_that_comes_or_goes_disturbs_nobody() {
    let lab = Lab::pair();
    let mut fleet = Fleet::start(&lab);
    let two = fleet.import();
    let last = "    priority: 80\n";
    let three = two.replacen(last, &format!("{last}{EXTERNAL}"), 1);
    assert!(three.contains("lb3"), "{three}");
    for (name, text) in [("three.yaml", &three), ("two.yaml", &two)] {
        let file = lab.host("ctl").directory().join(name);
        std::fs::write(&file, text).unwrap();
        undisturbed(&lab, &mut fleet, &["apply", "-f", &file.to_string_lossy(), "--wait"]);
    }
}

/// The members hear of it one after the other, in whatever order.
#[test]
fn an_instance_that_is_added_or_deleted_is_served_by_its_highest_member_alone() {
    let lab = Lab::pair();
    let mut fleet = Fleet::start(&lab);
    let both = fleet.import();
    let (_, second) = both.split_once("---").expect("two definitions");
    let third = second.replace("VI_2", "VI_3").replace(": 52", ": 53");
    let third = third.replace(&VIP_2.to_string(), &VIP_3.to_string());
    assert!(third.contains("53") && third.contains(&VIP_3.to_string()), "{third}");
    let pingers = [VIP_1, VIP_2].map(|it| Pinger::start(lab.host("client"), it, Neighbour::Warm));
    let arrivals = AddressWatch::start(lab.host("n1"));
    let before = transitions(&mut fleet.first).len();
    for _ in 0..2 {
        let outcome = fleet.vipctl.apply(&third, &["--wait"]);
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        let owners = || kernel::owners(&lab, VIP_3);
        wait::until("the highest to serve", wait::GENEROUS, owners, |it| *it == ["n2"]);
        fleet.vipctl.must(&["delete", "instance", "VI_3", "--wait"]);
        assert!(owners().is_empty());
    }
    // A backup that heard of no deletion, or a resignation instead, would have served by now.
    std::thread::sleep(UNHEARD);
    let told = transitions(&mut fleet.first).split_off(before);
    assert!(told.iter().all(|it| !it.contains("MASTER")), "{told:#?}");
    let arrivals = arrivals.changes();
    assert!(arrivals.iter().all(|it| it.address != VIP_3), "{arrivals:?}");
    assert!(pingers.into_iter().all(|it| it.finish().lost == 0));
}

/// Between interface and device the address may be away for an instant, but nobody is elected.
#[test]
fn a_virtual_mac_that_is_set_or_removed_needs_no_election_and_leaves_the_others_alone() {
    let lab = Lab::pair();
    let mut fleet = Fleet::start(&lab);
    let plain = fleet.import();
    let own = plain.replacen("  version: 2\n", "  version: 2\n  virtualMac: true\n", 1);
    let before = told(&mut fleet);
    for (text, device) in [(&own, "vrrp.51"), (&plain, "ens33")] {
        let pinger = Pinger::start(lab.host("client"), VIP_2, Neighbour::Warm);
        let moved = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
        let outcome = fleet.vipctl.apply(text, &["--wait"]);
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        assert_eq!(owners(&lab), [["n1"], ["n2"]]);
        let to = VIP_1.to_string();
        let shown = lab.host("n1").must_run("ip", &["-o", "address", "show", "to", &to]);
        assert!(shown.contains(&format!(" {device} ")), "not on {device}: {shown}");
        std::thread::sleep(UNHEARD);
        let moved = moved.finish();
        println!("to {device}: {moved}");
        assert!(moved.longest_gap() < Duration::from_secs(1), "an election: {moved}");
        let losses = pinger.finish();
        assert_eq!(losses.lost, 0, "of the other instance: {losses}");
    }
    assert_eq!(told(&mut fleet), before);
}

#[test]
fn another_family_is_another_router_that_says_goodbye_and_leaves_the_others_alone() {
    let lab = Lab::pair();
    lab.add_ipv6();
    let fleet = Fleet::start(&lab);
    let four = fleet.import();
    let (start, others) = four.split_once("---").expect("two definitions");
    let address = format!("\"{VIP_1}\"");
    assert!(start.contains(&address), "{start}");
    // Version 3 has no passwords.
    let six = start.replace("version: 2", "version: 3").replace(&address, &format!("\"{VIP_6}\""));
    let (six, _) = six.split_once("  authentication:").expect("a password");
    let (_, members) = start.split_once("  members:").expect("members");
    let six = format!("{six}  members:{members}---{others}");
    let (old, new) = (IpAddr::from(VIP_1), IpAddr::from(VIP_6));
    for (text, gone, come) in [(&six, old, new), (&four, new, old)] {
        let adverts = AdvertWatch::start(lab.host("client"), gone);
        let pinger = Pinger::start(lab.host("client"), VIP_2, Neighbour::Warm);
        let outcome = fleet.vipctl.apply(text, &["--wait"]);
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        let where_it_is = || [kernel::owners(&lab, gone), kernel::owners(&lab, come)];
        wait::until("the new address instead of the old", wait::GENEROUS, where_it_is, |seen| {
            *seen == [vec![], vec!["n1".to_owned()]]
        });
        // By n2 as well, where it took over before it heard of the change.
        let mut heard = adverts.heard().into_iter();
        let is_goodbye = |it: Advert| it.router_id == 51 && it.priority == 0;
        assert!(heard.any(is_goodbye), "{gone} went without a goodbye");
        let losses = pinger.finish();
        assert_eq!(losses.lost, 0, "of the other instance: {losses}");
    }
}
