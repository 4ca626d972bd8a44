//! What two agents put on a wire, as a neighbour captured it with tcpdump and tshark reads it: from
//! the first advert over a handover to the last. The forms that no agent sends by itself are read
//! in `decoded.rs`.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use vipfleet_tests::daemons::Agent;
use vipfleet_tests::dissect::{Capture, Checksums, Frame, frames, printed};
use vipfleet_tests::lab::{Host, INTERFACE, Lab};
use vipfleet_tests::pair::{VIP_1, VIP_2, first_file, second_file, wait_for_owners};
use vipfleet_tests::wait;

/// What must be read of one virtual router.
struct Expected<'a> {
    vrid: u8,
    version: &'a str,
    /// In the unit of the version's field.
    interval: &'a str,
    /// `None` for a version without the field.
    password: Option<&'a str>,
    addresses: &'a str,
    /// The priorities that n1 and n2 advertise, one after the other.
    priorities: [&'a [&'a str]; 2],
}

/// Everything a neighbour heard of two agents, the first of which was stopped on the way.
struct Heard {
    lab: Lab,
    file: PathBuf,
    frames: Vec<Frame>,
}

/// Starts both, waits until each VIP is where it belongs, stops the first, and waits for the
/// second to have announced everything twice.
fn heard(files: [PathBuf; 2], lab: Lab, owners: [&str; 2]) -> Heard {
    let capture = Capture::start(lab.host("client"));
    let mut first = Agent::standalone(lab.host("n1"), &files[0]);
    let _second = Agent::standalone(lab.host("n2"), &files[1]);
    wait_for_owners(&lab, "each host to own its VIP", owners);
    let read = || frames(capture.file(), Checksums::PseudoHeader);
    let adverts_of = |host: &str, all: &[Frame]| {
        all.iter().filter(|frame| is_advert_of(frame, lab.host(host))).count()
    };
    let several = |all: &Vec<Frame>| adverts_of("n1", all) >= 4;
    wait::until("adverts of the first host", wait::GENEROUS, read, several);
    first.terminate();
    wait_for_owners(&lab, "the second host to own both VIPs", ["n2", "n2"]);
    let rounds = |all: &Vec<Frame>| {
        let of_second = |frame: &&Frame| is_announcement_of(frame, lab.host("n2"), VIP_1);
        all.iter().filter(of_second).count() >= 10
    };
    wait::until("announcements of the second host", wait::GENEROUS, read, rounds);
    let file = capture.finish();
    let frames = frames(&file, Checksums::PseudoHeader);
    Heard { lab, file, frames }
}

fn is_advert_of(frame: &Frame, host: &Host) -> bool {
    frame.has("vrrp.type") && frame.field("ip.src") == host.address().to_string()
}

fn mac(host: &Host) -> String {
    let shown = host.must_run("cat", &[&format!("/sys/class/net/{INTERFACE}/address")]);
    shown.trim().to_owned()
}

fn is_announcement_of(frame: &Frame, host: &Host, vip: Ipv4Addr) -> bool {
    frame.has("arp.isgratuitous")
        && frame.field("arp.src.proto_ipv4") == vip.to_string()
        && frame.field("eth.src") == mac(host)
}

impl Heard {
    fn adverts(&self, host: &str, vrid: u8) -> Vec<&Frame> {
        let (host, vrid) = (self.lab.host(host), vrid.to_string());
        let of_both =
            |frame: &&Frame| is_advert_of(frame, host) && frame.field("vrrp.virt_rtr_id") == vrid;
        self.frames.iter().filter(of_both).collect()
    }

    /// No advert, announcement or other packet that tshark or tcpdump complains of.
    #[track_caller]
    fn assert_sound(&self) {
        for frame in &self.frames {
            assert_eq!(frame.complaints(), "", "{frame:?}");
        }
        let lines = printed(&self.file);
        let adverts: Vec<_> = lines.iter().filter(|line| line.contains("VRRP")).collect();
        let read = self.frames.iter().filter(|frame| frame.has("vrrp.type")).count();
        assert_eq!(adverts.len(), read, "{lines:#?}");
        for line in adverts {
            for complaint in ["bad ", "truncated", "[|"] {
                assert!(!line.contains(complaint), "{line}");
            }
        }
    }

    /// Every advert of a virtual router says what the two files say.
    #[track_caller]
    fn assert_adverts(&self, expected: &Expected<'_>) {
        for (host, priorities) in ["n1", "n2"].into_iter().zip(expected.priorities) {
            let adverts = self.adverts(host, expected.vrid);
            for advert in &adverts {
                let mut fields = vec![
                    ("eth.dst", "01:00:5e:00:00:12"),
                    ("ip.dst", "224.0.0.18"),
                    ("ip.ttl", "255"),
                    ("ip.checksum.status", "1"),
                    ("vrrp.version", expected.version),
                    ("vrrp.type", "1"),
                    ("vrrp.checksum.status", "1"),
                    ("vrrp.ip_addr", expected.addresses),
                ];
                match expected.password {
                    Some(password) => fields.extend([
                        ("vrrp.auth_type", "1"),
                        ("vrrp.auth_string", password),
                        ("vrrp.adver_int", expected.interval),
                    ]),
                    None => fields.extend([
                        ("vrrp.reserved_mbz", "0"),
                        ("vrrp.short_adver_int", expected.interval),
                    ]),
                }
                for (field, value) in fields {
                    assert_eq!(advert.field(field), value, "{field} of {host}: {advert:?}");
                }
            }
            let mut said: Vec<_> = adverts.iter().map(|it| it.field("vrrp.prio")).collect();
            said.dedup();
            assert_eq!(said, priorities, "{host}, {}", expected.vrid);
        }
    }

    /// Whoever took an address announced it, as a request with the address at both ends.
    #[track_caller]
    fn assert_announced(&self, host: &str, vip: Ipv4Addr) {
        let host = self.lab.host(host);
        let told: Vec<_> =
            self.frames.iter().filter(|frame| is_announcement_of(frame, host, vip)).collect();
        assert!(told.len() >= 5, "{vip} by {}: {} announcements", host.name(), told.len());
        for frame in told {
            for (field, value) in [
                ("eth.dst", "ff:ff:ff:ff:ff:ff"),
                ("arp.opcode", "1"),
                ("arp.src.hw_mac", &mac(host)),
                ("arp.dst.proto_ipv4", &vip.to_string()),
            ] {
                assert_eq!(frame.field(field), value, "{field}: {frame:?}");
            }
        }
    }

    /// RFC 9568 has its routers send redirects and router advertisements; ours route nothing.
    #[track_caller]
    fn assert_nothing_of_a_router(&self) {
        let (redirect, router_advertisement, redirect_v6) = ("5", "134", "137");
        for frame in &self.frames {
            assert_ne!(frame.field("icmp.type"), redirect, "{frame:?}");
            for kind in [router_advertisement, redirect_v6] {
                assert_ne!(frame.field("icmpv6.type"), kind, "{frame:?}");
            }
        }
    }
}

#[test]
fn tshark_reads_a_handover_of_version_two_as_the_files_say() {
    let heard = heard([first_file(), second_file()], Lab::pair(), ["n1", "n2"]);
    heard.assert_sound();
    let (version, interval, password) = ("2", "1", Some("1111"));
    let (one, two) = (VIP_1.to_string(), VIP_2.to_string());
    let of_both = Expected {
        vrid: 51,
        version,
        interval,
        password,
        addresses: &one,
        priorities: [&["100", "0"], &["80"]],
    };
    heard.assert_adverts(&of_both);
    heard.assert_adverts(&Expected {
        vrid: 52,
        addresses: &two,
        priorities: [&[], &["100"]],
        ..of_both
    });
    heard.assert_announced("n1", VIP_1);
    heard.assert_announced("n2", VIP_2);
    heard.assert_announced("n2", VIP_1);
    heard.assert_nothing_of_a_router();
}

#[test]
fn tshark_reads_a_handover_of_version_three_as_the_files_say() {
    let lab = Lab::pair();
    let files = [("n1", 150), ("n2", 90)].map(|(host, priority)| {
        let text = format!(
            "vrrp_instance VI_1 {{\n interface {INTERFACE}\n virtual_router_id 77\n version 3\n \
             priority {priority}\n advert_int 0.25\n virtual_ipaddress {{\n  {VIP_1}\n  {VIP_2}\n }}\n}}\n"
        );
        let path = lab.host(host).directory().join("v3.conf");
        std::fs::write(&path, text).expect("a file in the host's directory");
        path
    });
    let heard = heard(files, lab, ["n1", "n1"]);
    heard.assert_sound();
    heard.assert_adverts(&Expected {
        vrid: 77,
        version: "3",
        interval: "25",
        password: None,
        addresses: &format!("{VIP_1} {VIP_2}"),
        priorities: [&["150", "0"], &["90"]],
    });
    for vip in [VIP_1, VIP_2] {
        heard.assert_announced("n1", vip);
        heard.assert_announced("n2", vip);
    }
    heard.assert_nothing_of_a_router();
}
