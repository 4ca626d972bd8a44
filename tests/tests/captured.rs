//! What two agents put on a wire, as a neighbour captured it with tcpdump and tshark reads it: from
//! the first advert over a handover to the last. The forms that no agent sends by itself are read
//! in `decoded.rs`.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use vipfleet_tests::daemons::Agent;
use vipfleet_tests::dissect::{Capture, Checksums, Frame, frames, printed};
use vipfleet_tests::kernel;
use vipfleet_tests::lab::{Host, INTERFACE, Lab};
use vipfleet_tests::pair::{first_file, second_file};
use vipfleet_tests::wait;

const VIP_1: IpAddr = IpAddr::V4(vipfleet_tests::pair::VIP_1);
const VIP_2: IpAddr = IpAddr::V4(vipfleet_tests::pair::VIP_2);
/// RFC 9568 §5.2.9: the link-local one first.
const VIP_LINK: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x66));
const VIP_GLOBAL: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x66));

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

impl<'a> Expected<'a> {
    fn fields(&self) -> Vec<(&'static str, &'a str)> {
        let mut fields =
            vec![("vrrp.version", self.version), ("vrrp.type", "1"), ("vrrp.checksum.status", "1")];
        fields.extend(match self.addresses.contains(':') {
            false => [
                ("eth.dst", "01:00:5e:00:00:12"),
                ("ip.dst", "224.0.0.18"),
                ("ip.ttl", "255"),
                ("vrrp.ip_addr", self.addresses),
            ],
            true => [
                ("eth.dst", "33:33:00:00:00:12"),
                ("ipv6.dst", "ff02::12"),
                ("ipv6.hlim", "255"),
                ("vrrp.ipv6_addr", self.addresses),
            ],
        });
        fields.extend(match self.password {
            Some(password) => [
                ("vrrp.auth_type", "1"),
                ("vrrp.auth_string", password),
                ("vrrp.adver_int", self.interval),
            ],
            None => [
                ("vrrp.auth_type", ""),
                ("vrrp.reserved_mbz", "0"),
                ("vrrp.short_adver_int", self.interval),
            ],
        });
        fields
    }
}

/// Everything a neighbour heard of two agents, the first of which was stopped on the way.
struct Heard {
    speakers: [Speaker; 2],
    /// In the laboratory's directory.
    file: PathBuf,
    frames: Vec<Frame>,
    _lab: Lab,
}

/// Starts both, waits until each VIP is where it belongs, stops the first, and waits for the
/// second to have announced everything twice.
fn heard(files: [PathBuf; 2], lab: Lab, vips: [IpAddr; 2], owners: [&str; 2]) -> Heard {
    let capture = Capture::start(lab.host("client"));
    let mut first = Agent::standalone(lab.host("n1"), &files[0]);
    let _second = Agent::standalone(lab.host("n2"), &files[1]);
    let held_by = |what: &str, wanted: [&str; 2]| {
        let seen = || vips.map(|vip| kernel::owners(&lab, vip));
        let wanted = wanted.map(|owner| vec![owner.to_owned()]);
        wait::until(what, wait::GENEROUS, seen, |seen| *seen == wanted);
    };
    held_by("each host to own its VIP", owners);
    let read = || frames(capture.file(), Checksums::PseudoHeader);
    let (n1, n2) = (Speaker::of(lab.host("n1")), Speaker::of(lab.host("n2")));
    let several = |all: &Vec<Frame>| all.iter().filter(|frame| n1.advertises(frame)).count() >= 4;
    wait::until("adverts of the first host", wait::GENEROUS, read, several);
    first.terminate();
    held_by("the second host to own both VIPs", ["n2", "n2"]);
    let rounds =
        |all: &Vec<Frame>| all.iter().filter(|frame| n2.announces(frame, vips[0])).count() >= 10;
    wait::until("announcements of the second host", wait::GENEROUS, read, rounds);
    let file = capture.finish();
    let frames = frames(&file, Checksums::PseudoHeader);
    Heard { speakers: [n1, n2], file, frames, _lab: lab }
}

/// A host by what its packets have in common.
struct Speaker {
    name: String,
    /// Its primary address of IPv4.
    address: String,
    mac: String,
}

impl Speaker {
    fn of(host: &Host) -> Self {
        let shown = host.must_run("cat", &[&format!("/sys/class/net/{INTERFACE}/address")]);
        let (name, address) = (host.name().to_owned(), host.address().to_string());
        Self { name, address, mac: shown.trim().to_owned() }
    }

    fn advertises(&self, frame: &Frame) -> bool {
        frame.has("vrrp.type") && frame.field("eth.src") == self.mac
    }

    /// Gratuitous ARP, or an unsolicited neighbour advertisement.
    fn announces(&self, frame: &Frame, vip: IpAddr) -> bool {
        let announced = match vip {
            IpAddr::V4(_) if frame.has("arp.isgratuitous") => "arp.src.proto_ipv4",
            IpAddr::V4(_) => return false,
            IpAddr::V6(_) => "icmpv6.nd.na.target_address",
        };
        frame.field("eth.src") == self.mac && frame.field(announced) == vip.to_string()
    }
}

impl Heard {
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
        let vrid = expected.vrid.to_string();
        for (speaker, priorities) in self.speakers.iter().zip(expected.priorities) {
            let of_both = |frame: &&Frame| {
                speaker.advertises(frame) && frame.field("vrrp.virt_rtr_id") == vrid
            };
            let adverts: Vec<_> = self.frames.iter().filter(of_both).collect();
            for advert in &adverts {
                let (of_ipv4, of_ipv6) = (advert.field("ip.src"), advert.field("ipv6.src"));
                let is_own = of_ipv4 == speaker.address || of_ipv6.starts_with("fe80::");
                assert!(is_own, "{advert:?}");
                for (field, value) in expected.fields() {
                    let name = &speaker.name;
                    assert_eq!(advert.field(field), value, "{field} of {name}: {advert:?}");
                }
            }
            let mut said: Vec<_> = adverts.iter().map(|it| it.field("vrrp.prio")).collect();
            said.dedup();
            assert_eq!(said, priorities, "{}, {vrid}", speaker.name);
        }
    }

    /// Whoever took an address announced it, to everybody and in the form of its family.
    #[track_caller]
    fn assert_announced(&self, host: &str, vip: IpAddr) {
        let is_host = |speaker: &&Speaker| speaker.name == host;
        let speaker = self.speakers.iter().find(is_host).expect("one of the two");
        let announces = |frame: &&Frame| speaker.announces(frame, vip);
        let told: Vec<_> = self.frames.iter().filter(announces).collect();
        assert!(told.len() >= 5, "{vip} by {host}: {} announcements", told.len());
        let address = vip.to_string();
        let fields = match vip {
            IpAddr::V4(_) => vec![
                ("eth.dst", "ff:ff:ff:ff:ff:ff"),
                ("arp.opcode", "1"),
                ("arp.src.hw_mac", speaker.mac.as_str()),
                ("arp.dst.proto_ipv4", address.as_str()),
            ],
            IpAddr::V6(_) => vec![
                ("eth.dst", "33:33:00:00:00:01"),
                ("ipv6.src", address.as_str()),
                ("ipv6.dst", "ff02::1"),
                ("ipv6.hlim", "255"),
                ("icmpv6.type", "136"),
                ("icmpv6.checksum.status", "1"),
                // Neither is a router here, nobody asked, and it is to be believed.
                ("icmpv6.nd.na.flag.r", "0"),
                ("icmpv6.nd.na.flag.s", "0"),
                ("icmpv6.nd.na.flag.o", "1"),
                ("icmpv6.opt.linkaddr", speaker.mac.as_str()),
            ],
        };
        for frame in told {
            for (field, value) in &fields {
                assert_eq!(frame.field(field), *value, "{field}: {frame:?}");
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

/// A file for either host that differs in the priority alone.
fn files(lab: &Lab, priorities: [u8; 2], vrid: u8, vips: [IpAddr; 2]) -> [PathBuf; 2] {
    let [one, two] = vips;
    let hosts = [(lab.host("n1"), priorities[0]), (lab.host("n2"), priorities[1])];
    hosts.map(|(host, priority)| {
        let text = format!(
            "vrrp_instance VI_1 {{\n interface {INTERFACE}\n virtual_router_id {vrid}\n \
             version 3\n priority {priority}\n advert_int 0.5\n \
             virtual_ipaddress {{\n  {one}\n  {two}\n }}\n}}\n"
        );
        let path = host.directory().join("v3.conf");
        std::fs::write(&path, text).expect("a file in the host's directory");
        path
    })
}

#[test]
fn tshark_reads_a_handover_of_version_two_as_the_files_say() {
    let files = [first_file(), second_file()];
    let heard = heard(files, Lab::pair(), [VIP_1, VIP_2], ["n1", "n2"]);
    heard.assert_sound();
    let (version, interval, password) = ("2", "1", Some("1111"));
    let of_both = Expected {
        vrid: 51,
        version,
        interval,
        password,
        addresses: &VIP_1.to_string(),
        priorities: [&["100", "0"], &["80"]],
    };
    heard.assert_adverts(&of_both);
    heard.assert_adverts(&Expected {
        vrid: 52,
        addresses: &VIP_2.to_string(),
        priorities: [&[], &["100"]],
        ..of_both
    });
    heard.assert_announced("n1", VIP_1);
    heard.assert_announced("n2", VIP_2);
    heard.assert_announced("n2", VIP_1);
    heard.assert_nothing_of_a_router();
}

/// A handover of version 3 with two addresses of one virtual router.
#[track_caller]
fn version_three(vrid: u8, vips: [IpAddr; 2]) {
    let lab = Lab::pair();
    let files = files(&lab, [150, 90], vrid, vips);
    let heard = heard(files, lab, vips, ["n1", "n1"]);
    heard.assert_sound();
    heard.assert_adverts(&Expected {
        vrid,
        version: "3",
        interval: "50",
        password: None,
        addresses: &vips.map(|vip| vip.to_string()).join(" "),
        priorities: [&["150", "0"], &["90"]],
    });
    for vip in vips {
        heard.assert_announced("n1", vip);
        heard.assert_announced("n2", vip);
    }
    heard.assert_nothing_of_a_router();
}

#[test]
fn tshark_reads_a_handover_of_version_three_as_the_files_say() {
    version_three(77, [VIP_1, VIP_2]);
}

#[test]
fn tshark_reads_a_handover_over_ipv6_as_the_files_say() {
    version_three(66, [VIP_LINK, VIP_GLOBAL]);
}
