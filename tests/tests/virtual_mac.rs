//! Virtual routers with a MAC of their own: keepalived's beside ours without one, ours beside
//! keepalived's, and two of ours; each way round, over IPv4 and IPv6.

use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use vipfleet_tests::daemons::Program::{self, Ours, Theirs};
use vipfleet_tests::daemons::{Agent, Keepalived, Router};
use vipfleet_tests::dissect::{Capture, Checksums, frames};
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

fn start(program: Program, host: &Host, file: &Path) -> Router {
    if program == Theirs {
        // It leaves this to its host; without it the host's own ARP requests name the VIP.
        host.set_sysctl(&format!("net.ipv4.conf.{INTERFACE}.arp_announce"), "2");
    }
    Router::start(program, host, file)
}

/// The client's idea of where an address is; empty while it has none.
fn neighbour(lab: &Lab, address: IpAddr) -> String {
    let address = address.to_string();
    let shown = lab.host("client").must_run("ip", &["neigh", "show", &address, "dev", INTERFACE]);
    let mut words = shown.split_whitespace().skip_while(|word| *word != "lladdr");
    words.nth(1).unwrap_or_default().to_owned()
}

/// Waits until the addresses are where they should be, while the client's entries never name
/// another MAC than the virtual routers', and until it reaches them there.
#[track_caller]
fn wait_and_watch(lab: &Lab, what: &str, vips: &[(IpAddr, &str)], wanted: &[&str]) {
    let reached = || {
        let answers = vips.iter().all(|(vip, _)| {
            let mut ping = Command::new("ping");
            ping.args(["-n", "-c", "1", "-W", "1"]).arg(vip.to_string());
            lab.host("client").run(ping, wait::GENEROUS).status.success()
        });
        for (vip, mac) in vips {
            let seen = neighbour(lab, *vip);
            assert!(seen.is_empty() || seen == *mac, "{what}: {vip} at {seen}");
        }
        (answers, where_are(lab, vips))
    };
    wait::until(what, wait::GENEROUS, reached, |(answers, seen)| *answers && seen == wanted);
    for (vip, mac) in vips {
        assert_eq!(neighbour(lab, *vip), *mac, "{what}: {vip}");
    }
}

/// `n1 vrrp.51` for each address and place.
fn where_are(lab: &Lab, vips: &[(IpAddr, &str)]) -> Vec<String> {
    let mut places = Vec::new();
    for (vip, _) in vips {
        for host in lab.hosts() {
            let shown = host.must_run("ip", &["-o", "address", "show", "to", &vip.to_string()]);
            let devices = shown.lines().filter_map(|line| line.split_whitespace().nth(1));
            places.extend(devices.map(|device| format!("{} {device}", host.name())));
        }
    }
    places
}

/// Stops each in turn and starts it again.
fn both_take_over_and_give_back(first: Program, second: Program) {
    let lab = Lab::pair();
    let (n1, n2) = (lab.host("n1"), lab.host("n2"));
    let files = [with_virtual_mac(n1, &first_file()), with_virtual_mac(n2, &second_file())];
    let vips = [(VIP_1.into(), "00:00:5e:00:01:33"), (VIP_2.into(), "00:00:5e:00:01:34")];
    let watch = |what: &str, wanted: [&str; 2]| wait_and_watch(&lab, what, &vips, &wanted);
    let mut one = start(first, n1, &files[0]);
    let mut two = start(second, n2, &files[1]);
    watch("each host to own its VIP", ["n1 vrrp.51", "n2 vrrp.52"]);
    one.terminate();
    watch("the second to own both", ["n2 vrrp.51", "n2 vrrp.52"]);
    let _one = start(first, n1, &files[0]);
    watch("the first to take its VIP back", ["n1 vrrp.51", "n2 vrrp.52"]);
    two.terminate();
    watch("the first to own both", ["n1 vrrp.51", "n1 vrrp.52"]);
    let _two = start(second, n2, &files[1]);
    watch("the second to take its VIP back", ["n1 vrrp.51", "n2 vrrp.52"]);
}

#[test]
fn the_clients_entry_stays_when_ours_and_keepalived_take_over_from_each_other() {
    both_take_over_and_give_back(Ours, Theirs);
}

#[test]
fn the_clients_entry_stays_when_keepalived_and_ours_take_over_from_each_other() {
    both_take_over_and_give_back(Theirs, Ours);
}

#[test]
fn the_clients_entry_stays_between_two_of_ours() {
    both_take_over_and_give_back(Ours, Ours);
}

const VIP_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x248, 0, 0, 0, 0, 0x120);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x51);

/// The lab with IPv6 on it, once the link-local addresses may be used.
fn lab_over_ipv6() -> Lab {
    let lab = Lab::pair();
    for (number, host) in lab.hosts().iter().enumerate() {
        let address = format!("2001:db8:248::{:x}/64", number + 1);
        host.must_run("ip", &["address", "add", &address, "dev", INTERFACE, "nodad"]);
    }
    for host in lab.hosts() {
        let shown = || host.must_run("ip", &["-6", "address", "show", "dev", INTERFACE]);
        let usable = |text: &String| text.contains("fe80::") && !text.contains("tentative");
        wait::until("a usable link-local address", wait::GENEROUS, shown, usable);
    }
    lab
}

fn file_over_ipv6(host: &Host, priority: u8) -> PathBuf {
    let text = format!(
        "vrrp_instance SIX {{\n interface {INTERFACE}\n use_vmac\n virtual_router_id 51\n \
         priority {priority}\n advert_int 1\n version 3\n virtual_ipaddress {{\n \
         {LINK_LOCAL}\n {VIP_6}\n }}\n}}\n"
    );
    let path = host.directory().join("six.conf");
    std::fs::write(&path, text).expect("a writable directory");
    path
}

fn over_ipv6(first: Program, second: Program) {
    let lab = lab_over_ipv6();
    let (n1, n2) = (lab.host("n1"), lab.host("n2"));
    let vips = [(VIP_6.into(), "00:00:5e:00:02:33")];
    let watch = |what: &str, host: &str, program: Program| {
        // keepalived 2.2.7 has one name for both families.
        let device = match program {
            Ours => "vrrp6.51",
            Theirs => "vrrp.51",
        };
        wait_and_watch(&lab, what, &vips, &[&format!("{host} {device}")]);
    };
    let mut one = start(first, n1, &file_over_ipv6(n1, 100));
    let _two = start(second, n2, &file_over_ipv6(n2, 80));
    watch("the first to own", "n1", first);
    one.terminate();
    watch("the second to take over", "n2", second);
    let _one = start(first, n1, &file_over_ipv6(n1, 100));
    watch("the first to take back", "n1", first);
}

#[test]
fn the_clients_entry_stays_over_ipv6_between_ours_and_keepalived() {
    over_ipv6(Ours, Theirs);
}

#[test]
fn the_clients_entry_stays_over_ipv6_between_keepalived_and_ours() {
    over_ipv6(Theirs, Ours);
}

#[test]
fn the_clients_entry_stays_over_ipv6_between_two_of_ours() {
    over_ipv6(Ours, Ours);
}

#[test]
fn adverts_and_announcements_carry_the_virtual_mac_and_no_backup_sends_any() {
    let lab = Lab::pair();
    let (n1, n2) = (lab.host("n1"), lab.host("n2"));
    let capture = Capture::start(lab.host("client"));
    let _one = start(Ours, n1, &with_virtual_mac(n1, &first_file()));
    let _two = start(Ours, n2, &with_virtual_mac(n2, &second_file()));
    let vips = [(VIP_1.into(), "00:00:5e:00:01:33"), (VIP_2.into(), "00:00:5e:00:01:34")];
    wait_and_watch(&lab, "each to own its VIP", &vips, &["n1 vrrp.51", "n2 vrrp.52"]);
    insist(&lab, ["n1 vrrp.51", "n2 vrrp.52"]);
    let seen = frames(&capture.finish(), Checksums::PseudoHeader);
    let sources = [n1.address().to_string(), n2.address().to_string()];
    let adverts: Vec<_> = seen.iter().filter(|it| it.has("vrrp.virt_rtr_id")).collect();
    assert!(adverts.len() >= 8, "{} adverts", adverts.len());
    for advert in adverts {
        let vrid: u8 = advert.field("vrrp.virt_rtr_id").parse().expect("a number");
        assert_eq!(advert.field("eth.src"), format!("00:00:5e:00:01:{vrid:02x}"));
        assert!(sources.iter().any(|it| it == advert.field("ip.src")), "{advert:?}");
        assert_eq!(advert.complaints(), "", "{advert:?}");
    }
    let announced = |frame: &&_| vipfleet_tests::dissect::Frame::has(frame, "arp.isgratuitous");
    let announcements: Vec<_> = seen.iter().filter(announced).collect();
    assert!(announcements.len() >= 10, "{} announcements", announcements.len());
    for frame in announcements {
        assert!(frame.field("eth.src").starts_with("00:00:5e:00:01:3"), "{frame:?}");
        assert_eq!(frame.field("eth.src"), frame.field("arp.src.hw_mac"));
    }
}
