//! A peer that gives its virtual routers their own MAC: keepalived with `use_vmac` on one host,
//! ours with the interface's MAC on the other one, each way round.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use vipfleet_tests::daemons::{Agent, Keepalived};
use vipfleet_tests::lab::{Host, INTERFACE, Lab};
use vipfleet_tests::pair::{VIP_1, VIP_2, first_file, second_file};
use vipfleet_tests::wait;

/// The file with `use_vmac` in each instance.
fn with_virtual_mac(host: &Host, file: &Path) -> PathBuf {
    let text = std::fs::read_to_string(file).expect("a sample file");
    let line = format!("interface {INTERFACE}");
    assert_eq!(text.matches(&line).count(), 2, "{text}");
    let path = host.directory().join("use-vmac.conf");
    std::fs::write(&path, text.replace(&line, &format!("{line}\n    use_vmac")))
        .expect("a writable directory");
    path
}

/// Which devices have which of the VIPs: `n1 ens33 192.168.248.120`.
fn places(lab: &Lab) -> Vec<String> {
    let mut places = Vec::new();
    for vip in [VIP_1, VIP_2] {
        for host in lab.hosts() {
            let to = vip.to_string();
            let printed = host.must_run("ip", &["-o", "address", "show", "to", &to]);
            let devices = printed.lines().filter_map(|line| line.split_whitespace().nth(1));
            places.extend(devices.map(|device| format!("{} {device} {vip}", host.name())));
        }
    }
    places
}

#[track_caller]
fn wait_for(lab: &Lab, what: &str, devices: [&str; 2]) {
    let wanted = [format!("{} {VIP_1}", devices[0]), format!("{} {VIP_2}", devices[1])];
    wait::until(what, wait::GENEROUS, || places(lab), |seen| *seen == wanted);
}

#[track_caller]
fn insist(lab: &Lab, devices: [&str; 2]) {
    let wanted = [format!("{} {VIP_1}", devices[0]), format!("{} {VIP_2}", devices[1])];
    wait::throughout("places", Duration::from_secs(4), || places(lab), |seen| *seen == wanted);
}

#[track_caller]
fn wait_for_answers(lab: &Lab) {
    for vip in [VIP_1, VIP_2] {
        let answers = || {
            let mut ping = Command::new("ping");
            ping.args(["-n", "-c", "1", "-W", "1"]).arg(vip.to_string());
            lab.host("client").run(ping, wait::GENEROUS).status.success()
        };
        wait::until("the client to reach each VIP", wait::GENEROUS, answers, |it| *it);
    }
}

#[test]
fn keepalived_with_a_virtual_mac_takes_over_from_ours_and_gives_back() {
    let lab = Lab::pair();
    let (n1, n2) = (lab.host("n1"), lab.host("n2"));
    let mut ours = Agent::standalone(n1, &first_file());
    let _theirs = Keepalived::start(n2, &with_virtual_mac(n2, &second_file()));
    wait_for(&lab, "each host to own its VIP", ["n1 ens33", "n2 vrrp.52"]);
    insist(&lab, ["n1 ens33", "n2 vrrp.52"]);
    wait_for_answers(&lab);

    ours.terminate();
    wait_for(&lab, "keepalived to own both", ["n2 vrrp.51", "n2 vrrp.52"]);
    wait_for_answers(&lab);

    let _back = Agent::standalone(n1, &first_file());
    wait_for(&lab, "ours to take its VIP back", ["n1 ens33", "n2 vrrp.52"]);
    insist(&lab, ["n1 ens33", "n2 vrrp.52"]);
    wait_for_answers(&lab);
}

#[test]
fn ours_takes_over_from_keepalived_with_a_virtual_mac_and_gives_back() {
    let lab = Lab::pair();
    let (n1, n2) = (lab.host("n1"), lab.host("n2"));
    let file = with_virtual_mac(n1, &first_file());
    let mut theirs = Keepalived::start(n1, &file);
    let _ours = Agent::standalone(n2, &second_file());
    wait_for(&lab, "each host to own its VIP", ["n1 vrrp.51", "n2 ens33"]);
    insist(&lab, ["n1 vrrp.51", "n2 ens33"]);
    wait_for_answers(&lab);

    theirs.terminate();
    wait_for(&lab, "ours to own both", ["n2 ens33", "n2 ens33"]);
    wait_for_answers(&lab);

    let _back = Keepalived::start(n1, &file);
    wait_for(&lab, "keepalived to take its VIP back", ["n1 vrrp.51", "n2 ens33"]);
    insist(&lab, ["n1 vrrp.51", "n2 ens33"]);
    wait_for_answers(&lab);
}
