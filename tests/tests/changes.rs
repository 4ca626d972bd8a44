//! Every row of the operator's table "What a change disturbs", on a real kernel: two agents whose
//! files change one a moment after the other, a client that asks every address each millisecond,
//! and the wire.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Result, ensure};
use vipfleet_tests::change::{Files, Instance, ORDERS, Order, Scene, Seen};
use vipfleet_tests::lab::Lab;

/// VI_1's, which n1 is preferred for.
const FIRST: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 120);
/// VI_1's too: what is done to the other must not touch it.
const BESIDE: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 122);
/// VI_3's, which n1 is preferred for.
const THIRD: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 123);
const N1: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 248, 11));
/// On its second interface.
const N1_TOO: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 248, 21));
const N2: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 248, 12));

/// At adverts every 100 ms a router that heard nothing of a change has taken over by then.
const QUICK: Duration = Duration::from_millis(800);
/// The same at adverts every 500 ms.
const UNHURRIED: Duration = Duration::from_millis(2500);
/// Longer than the former form is sent for.
const AGREED: Duration = Duration::from_secs(12);
/// Three adverts of 100 ms: a peer that waits for longer takes over.
const NOTICED: Duration = Duration::from_millis(300);

/// Of opposite preference, and a third beside the first.
fn instances() -> Files {
    let one = Instance::quick("VI_1", 51, [100, 80], &["192.168.248.120", "192.168.248.122"]);
    let two = Instance::quick("VI_2", 52, [80, 100], &["192.168.248.121"]);
    let three = Instance::quick("VI_3", 53, [100, 80], &["192.168.248.123"]);
    Files { scripts: String::new(), instances: vec![one, two, three] }
}

/// The same, each with `lines`.
fn instances_with(lines: &str) -> Files {
    let Files { scripts, instances } = instances();
    Files { scripts, instances: instances.into_iter().map(|it| it.with(lines)).collect() }
}

/// No peer and no agent noticed, and nobody else advertised.
fn same_masters(seen: &Seen) -> Result<()> {
    ensure!(seen.transitions.iter().all(Vec::is_empty), "the agents changed their states");
    for (vrid, master) in [(51, N1), (52, N2), (53, N1)] {
        ensure!(seen.claimants(vrid) == [master], "{vrid} had another master");
        ensure!(seen.resignations(vrid) == 0, "{vrid} was resigned");
    }
    Ok(())
}

/// No client noticed and no kernel.
fn every_echo(seen: &Seen) -> Result<()> {
    ensure!(seen.lost() == 0, "echoes were lost");
    for address in seen.losses.keys() {
        let removals = [0, 1].map(|host| seen.removals(host, *address));
        ensure!(removals == [0, 0], "{address} went away from a kernel");
    }
    Ok(())
}

/// Nor did an advert come so late that a peer at 100 ms could have noticed.
fn every_advert(seen: &Seen) -> Result<()> {
    let late = |vrid: &u8| seen.longest_silence(*vrid) >= NOTICED;
    let late: Vec<u8> = [51, 52, 53].into_iter().filter(late).collect();
    ensure!(late.is_empty(), "adverts of {late:?} were late");
    Ok(())
}

/// At any interval.
fn nothing(seen: &Seen) -> Result<()> {
    same_masters(seen)?;
    every_echo(seen)
}

/// At 100 ms.
fn nothing_at_all(seen: &Seen) -> Result<()> {
    nothing(seen)?;
    every_advert(seen)
}

#[test]
fn priorities_that_keep_the_rank_disturb_nobody() {
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, instances(), QUICK);
    for (order, priorities) in ORDERS.into_iter().zip([[120, 90], [90, 70]]) {
        let edit = |files: &mut Files| files.instance("VI_1").priorities = priorities;
        scene.change(order, edit, |seen| {
            ensure!(seen.last(51).priority == priorities[0], "it is not advertised");
            nothing_at_all(seen)
        });
    }
}

#[test]
fn priorities_that_swap_the_rank_are_a_planned_move() {
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, instances(), QUICK);
    for order in ORDERS {
        for (priorities, owner) in [([80, 100], N2), ([100, 80], N1)] {
            let edit = |files: &mut Files| files.instance("VI_1").priorities = priorities;
            scene.change(order, edit, |seen| {
                ensure!(seen.lost() == 0, "echoes were lost");
                // The one steps down, the other up.
                ensure!(seen.of_instance("VI_1").len() == 2, "it did not move once");
                ensure!(seen.transitions.concat().len() == 2, "others moved");
                ensure!(seen.last(51).source == owner, "the other advertises");
                every_advert(seen)
            });
        }
    }
}

#[test]
fn another_interval_of_version_3_disturbs_nobody() {
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, instances(), QUICK);
    for order in ORDERS {
        for interval in ["0.2", "0.1"] {
            let lines = format!("version 3\n advert_int {interval}");
            scene.change(order, |files| files.instance("VI_1").lines.clone_from(&lines), nothing);
        }
    }
}

#[test]
fn manners_and_weights_disturb_nobody() {
    let script = |weight: u8| {
        format!("vrrp_script well {{\n script /usr/bin/true\n interval 1\n weight {weight}\n}}\n")
    };
    let lab = Lab::pair();
    let mut files = instances();
    let tracks = "version 3\n advert_int 0.1\n track_script {\n well\n }";
    files.scripts = script(5);
    files.instance("VI_1").lines = tracks.to_owned();
    let mut scene = Scene::start(&lab, files, QUICK);
    let manners = [
        "nopreempt",
        "preempt_delay 5",
        "garp_master_refresh 1\n garp_master_repeat 2\n garp_master_delay 1",
    ];
    for (order, manner) in ORDERS.into_iter().cycle().zip(manners) {
        let lines = format!("{tracks}\n {manner}");
        let edit = |files: &mut Files| files.instance("VI_1").lines.clone_from(&lines);
        scene.change(order, edit, nothing_at_all);
    }
    let edit = |files: &mut Files| files.scripts = script(10);
    scene.change(Order::N1First, edit, |seen| {
        ensure!(seen.last(51).priority == 110, "it is not advertised");
        nothing_at_all(seen)
    });
}

#[test]
fn version_password_and_the_interval_of_version_2_change_in_any_order_unnoticed() {
    let lab = Lab::pair();
    let pass = |word: &str| {
        format!(
            "version 2\n advert_int 1\n \
             authentication {{\n auth_type PASS\n auth_pass {word}\n }}"
        )
    };
    let edit = |files: &mut Files, lines: [&str; 3]| {
        for (name, lines) in ["VI_1", "VI_2", "VI_3"].into_iter().zip(lines) {
            files.instance(name).lines = lines.to_owned();
        }
    };
    let before = ["version 3\n advert_int 1", &pass("1111"), "version 2\n advert_int 1"];
    let after = ["version 2\n advert_int 1", &pass("2222"), "version 2\n advert_int 2"];
    let mut files = instances();
    edit(&mut files, before);
    let mut scene = Scene::start(&lab, files, AGREED);
    for (order, lines, version) in [(Order::N1First, after, 2), (Order::N2First, before, 3)] {
        scene.change(
            order,
            |files| edit(files, lines),
            |seen| {
                ensure!(seen.last(51).version == version, "the former version is still sent");
                nothing(seen)
            },
        );
    }
}

#[test]
fn an_address_added_or_removed_takes_nothing_from_the_others() {
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, instances(), QUICK);
    let (one, both) = (vec![FIRST.to_string()], vec![FIRST.to_string(), BESIDE.to_string()]);
    for order in ORDERS {
        for addresses in [&one, &both] {
            let edit = |files: &mut Files| files.instance("VI_1").addresses.clone_from(addresses);
            scene.change(order, edit, nothing_at_all);
        }
    }
}

/// What the kernel cannot change about an address that it has.
#[test]
fn another_prefix_label_scope_or_broadcast_costs_an_address_no_more_than_an_instant() {
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, instances(), QUICK);
    let forms = ["/24", "/32 label ens33:one", "/32 scope site", "/32 brd 192.168.248.255", "/32"];
    for (order, form) in ORDERS.into_iter().cycle().zip(forms) {
        let address = format!("{FIRST}{form}");
        let edit = |files: &mut Files| files.instance("VI_1").addresses[0].clone_from(&address);
        scene.change(order, edit, |seen| {
            same_masters(seen)?;
            every_advert(seen)?;
            ensure!(seen.removals(0, FIRST) == 1, "it was not made {form}");
            ensure!(seen.removals(0, BESIDE) + seen.removals(0, THIRD) == 0, "others went away");
            let lost = seen.losses[&FIRST].lost;
            ensure!(seen.lost() == lost, "others lost echoes");
            // One message does both, but who reads it may have to wait in between.
            ensure!(lost < 10, "it was away for longer than an instant");
            Ok(())
        });
    }
}

fn give(files: &mut Files, address: Ipv4Addr, [from, to]: [&str; 2]) {
    let address = address.to_string();
    files.instance(from).addresses.retain(|it| *it != address);
    files.instance(to).addresses.push(address);
}

#[test]
fn an_address_given_to_another_instance_of_the_same_master_never_leaves_it() {
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, instances(), QUICK);
    for (order, names) in ORDERS.into_iter().zip([["VI_1", "VI_3"], ["VI_3", "VI_1"]]) {
        scene.change(order, |files| give(files, BESIDE, names), nothing_at_all);
    }
}

#[test]
fn an_address_given_to_an_instance_of_another_master_loses_nothing_when_that_one_hears_first() {
    const TO_N2: [&str; 2] = ["VI_1", "VI_2"];
    const TO_N1: [&str; 2] = ["VI_2", "VI_1"];
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, instances(), QUICK);
    let others_keep_theirs = |seen: &Seen| {
        same_masters(seen)?;
        every_advert(seen)?;
        ensure!(seen.lost() == seen.losses[&BESIDE].lost, "others lost echoes");
        Ok(())
    };
    // Added before it is removed.
    for (order, names) in [(Order::N2First, TO_N2), (Order::N1First, TO_N1)] {
        scene.change(
            order,
            |files| give(files, BESIDE, names),
            |seen| {
                ensure!(seen.lost() == 0, "echoes were lost");
                others_keep_theirs(seen)
            },
        );
    }
    // Nobody has it between the one file and the other.
    for (order, names) in [(Order::N1First, TO_N2), (Order::N2First, TO_N1)] {
        scene.change(
            order,
            |files| give(files, BESIDE, names),
            |seen| {
                ensure!(seen.losses[&BESIDE].gaps.len() == 1, "it was away more than once");
                others_keep_theirs(seen)
            },
        );
    }
}

#[test]
fn another_virtual_router_id_loses_nothing_within_a_master_down_interval() {
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, instances_with("version 3\n advert_int 0.5"), UNHURRIED);
    for (order, [from, to]) in ORDERS.into_iter().zip([[51, 61], [61, 51]]) {
        let edit = |files: &mut Files| files.instance("VI_1").vrid = to;
        scene.change(order, edit, |seen| {
            let claimants = [seen.claimants(from), seen.claimants(to)].concat();
            ensure!(claimants.iter().all(|it| *it == N1), "somebody else advertised");
            ensure!(seen.resignations(from) == 0, "somebody resigned");
            ensure!(seen.last(to).at > seen.began, "the new id is not advertised");
            every_echo(seen)
        });
    }
}

/// A network card is replaced by another on the same LAN, or by a bond: the addresses are on the
/// new interface before they leave the old one.
#[test]
fn another_interface_on_the_same_lan_loses_nothing_on_one_host_or_on_both() {
    let lab = Lab::pair();
    lab.add_interface("n1", "ens34", [192, 168, 248, 21]);
    lab.add_interface("n2", "ens34", [192, 168, 248, 22]);
    let mut scene = Scene::start(&lab, instances_with("version 3\n advert_int 0.5"), UNHURRIED);
    for (order, interface) in [
        (Order::OnlyN1, "ens34"),
        (Order::OnlyN1, "ens33"),
        (Order::N1First, "ens34"),
        (Order::N2First, "ens33"),
    ] {
        let edit = |files: &mut Files| files.instance("VI_1").interface = interface;
        scene.change(order, edit, |seen| {
            ensure!(seen.lost() == 0, "echoes were lost");
            let of_n1 = |it: &IpAddr| [N1, N1_TOO].contains(it);
            ensure!(seen.claimants(51).iter().all(of_n1), "n2 advertised");
            ensure!(seen.resignations(51) == 1, "there was not one goodbye");
            ensure!(seen.claimants(52) == [N2] && seen.claimants(53) == [N1], "others moved");
            let taken = seen.transitions[1].iter().any(|it| it.contains("to=MASTER"));
            ensure!(!taken, "n2 took over");
            Ok(())
        });
    }
}

#[test]
fn another_name_disturbs_nobody() {
    let lab = Lab::pair();
    let mut scene = Scene::start(&lab, instances(), QUICK);
    for (order, [from, to]) in ORDERS.into_iter().zip([["VI_1", "VI_0"], ["VI_0", "VI_1"]]) {
        let edit = |files: &mut Files| files.instance(from).name = to;
        scene.change(order, edit, |seen| {
            every_echo(seen)?;
            every_advert(seen)?;
            ensure!(seen.claimants(51) == [N1], "somebody else advertised");
            ensure!(seen.resignations(51) == 0, "somebody resigned");
            let taken = seen.transitions[1].iter().any(|it| it.contains("to=MASTER"));
            ensure!(!taken, "n2 took over");
            Ok(())
        });
    }
}

#[test]
fn a_checks_rhythm_and_what_it_probes_disturb_nobody() {
    let script = |lines: &str| format!("vrrp_script well {{\n {lines}\n}}\n");
    let lab = Lab::pair();
    let mut files = instances();
    files.scripts = script("script /usr/bin/true\n interval 1");
    files.instance("VI_1").lines += "\n track_script {\n well\n }";
    let mut scene = Scene::start(&lab, files, QUICK);
    for (order, lines) in ORDERS.into_iter().cycle().zip([
        "script /usr/bin/true\n interval 3\n rise 2\n fall 3",
        "script \"/usr/bin/sleep 0.5\"\n interval 3\n rise 2\n fall 3",
        "script /usr/bin/true\n interval 1",
    ]) {
        scene.change(order, |files| files.scripts = script(lines), nothing_at_all);
    }
}
