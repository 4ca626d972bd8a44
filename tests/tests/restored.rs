//! The server's store restored from an older copy: agents go on with what they run, the operator
//! is told why, and a new epoch ends it.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use vipfleet_tests::daemons::{Etcd, PORT, Server, our_program};
use vipfleet_tests::fleet::{Fleet, items};
use vipfleet_tests::kernel;
use vipfleet_tests::lab::{Host, Lab};
use vipfleet_tests::pair::{VIP_1, insist_on_owners, wait_for_owners};
use vipfleet_tests::probe::{Neighbour, Pinger};
use vipfleet_tests::wait;

/// Added after the copy was made.
const LOST: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 122);

fn store_file(control: &Host) -> PathBuf {
    control.directory().join(format!("server-{PORT}/store.redb"))
}

/// Runs `vipfleet-server raise-epoch` as an administrator on the server's host.
fn raise_epoch(control: &Host, store: &[&str]) -> Output {
    let mut command = Command::new(our_program("vipfleet-server"));
    let data_dir = control.directory().join(format!("server-{PORT}"));
    command.arg("raise-epoch").arg("--data-dir").arg(data_dir).args(store);
    control.run(command, Duration::from_secs(60))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Why each node refuses what the store has, as `vipctl get nodes` says.
fn refusals(nodes: &Value) -> Vec<String> {
    let reason = |node: &Value| node["rejected"]["reason"].as_str().map(str::to_owned);
    items(nodes).iter().filter_map(reason).collect()
}

#[test]
fn a_restored_store_changes_no_vip_and_says_why_until_it_gets_a_new_epoch() {
    let lab = Lab::pair();
    let control = lab.host("ctl");
    let mut fleet = Fleet::start(&lab);
    assert!(fleet.server.process().terminate().success());
    let backup = control.directory().join("backup.redb");
    std::fs::copy(store_file(control), &backup).expect("a stopped server's store can be copied");
    fleet.server = Server::start(control);
    fleet.vipctl.must(&["set", "instance", "VI_1", "--add-vip", &LOST.to_string(), "--wait"]);
    assert_eq!(kernel::owners(&lab, LOST), ["n1"]);
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);

    assert!(fleet.server.process().terminate().success());
    std::fs::copy(&backup, store_file(control)).expect("the store can be put back");
    fleet.server = Server::start(control);
    let nodes = || fleet.vipctl.json(&["get", "nodes"]);
    let told = |nodes: &Value| {
        let refusals = refusals(nodes);
        refusals.len() == 2 && refusals.iter().all(|it| it.contains("raise-epoch"))
    };
    wait::until("both nodes to be shown as ahead", wait::GENEROUS, nodes, told);
    assert_eq!(kernel::owners(&lab, LOST), ["n1"], "an older definition takes nothing away");
    insist_on_owners(&lab, Duration::from_secs(2), ["n1", "n2"]);

    // While a server has it, the store is nobody else's.
    let refused = raise_epoch(control, &[]);
    assert!(text(&refused.stderr).contains("in use by another vipfleet-server"), "{refused:?}");
    assert!(fleet.server.process().terminate().success());
    let raised = raise_epoch(control, &[]);
    assert!(raised.status.success(), "{raised:?}");
    assert!(text(&raised.stdout).contains("epoch 2"), "{raised:?}");
    fleet.server = Server::start(control);
    let lost = || kernel::owners(&lab, LOST);
    wait::until("the restored definitions to be run", wait::GENEROUS, lost, Vec::is_empty);
    wait_for_owners(&lab, "the VIPs to be where they were", ["n1", "n2"]);
    let nodes = || fleet.vipctl.json(&["get", "nodes"]);
    let content = |nodes: &Value| refusals(nodes).is_empty();
    wait::until("no node to refuse any more", wait::GENEROUS, nodes, content);
    let losses = pinger.finish();
    assert_eq!(losses.lost, 0, "{losses}");
    // And it goes on from there.
    fleet.vipctl.must(&["set", "instance", "VI_1", "--add-vip", &LOST.to_string(), "--wait"]);
    assert_eq!(kernel::owners(&lab, LOST), ["n1"]);
}

#[test]
fn the_epoch_of_a_store_in_etcd_is_raised_only_while_no_server_runs() {
    let lab = Lab::pair();
    let control = lab.host("ctl");
    let etcd = Etcd::start(control);
    let store = format!("etcd:{}", etcd.endpoint());
    let named = ["--store", store.as_str()];
    let empty = raise_epoch(control, &named);
    assert!(text(&empty.stderr).contains("holds no definitions"), "{empty:?}");

    let mut server = Server::start_on(control, PORT, Some(&store));
    let vipctl = vipfleet_tests::daemons::Vipctl::on(control, &server.url());
    let definition = "kind: Instance\nname: VI_1\nspec:\n  virtualRouterId: 51\n  \
                      virtualAddresses: [192.168.248.120]\n  members:\n    \
                      - {node: lb1, interface: ens33, priority: 100}\n    \
                      - {node: lb2, interface: ens33, priority: 80}\n";
    let outcome = vipctl.apply(definition, &[]);
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    let refused = raise_epoch(control, &named);
    assert!(text(&refused.stderr).contains("stop every vipfleet-server"), "{refused:?}");
    assert!(!refused.status.success());
    assert!(server.process().terminate().success());
    let raised = raise_epoch(control, &named);
    assert!(raised.status.success(), "{raised:?}");
    let _again = Server::start_on(control, PORT, Some(&store));
    let version = vipctl.json(&["version"]);
    assert_eq!(version["server"]["epoch"], 2, "{version:#}");
    assert_eq!(items(&vipctl.json(&["get", "instances"])).len(), 1);
}
