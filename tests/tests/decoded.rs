//! Adverts of our engine, read by tshark and tcpdump. The messages are encoded here and wrapped in
//! packets that were never sent: every form there is, the rare ones, too. What really goes over a
//! wire is read by `captured.rs`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use vipfleet_tests::dissect::{Checksums, Frame, Recording, frames, printed};
use vipfleet_vrrp::{Authentication, ChecksumForm, Message, Version, Vrid};

/// A message and what a reader must find in it.
struct Case {
    what: &'static str,
    version: Version,
    vrid: u8,
    priority: u8,
    interval: Duration,
    authentication: Authentication,
    addresses: Vec<IpAddr>,
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// `count` addresses that differ in their last byte.
fn many(count: u8, family: &Case) -> Vec<IpAddr> {
    let of = |last: u8| match family.addresses[0] {
        IpAddr::V4(_) => address(&format!("10.9.0.{last}")),
        IpAddr::V6(_) => address(&format!("fe80::{last:x}")),
    };
    (0..count).map(of).collect()
}

impl Case {
    fn v2() -> Self {
        let authentication = Authentication::None;
        let interval = Duration::from_secs(3);
        Self { what: "v2", version: Version::V2, interval, authentication, ..Self::v3() }
    }

    fn v3() -> Self {
        Self {
            what: "v3",
            version: Version::V3,
            vrid: 51,
            priority: 100,
            interval: Duration::from_millis(1_230),
            authentication: Authentication::None,
            addresses: vec![address("10.9.0.100"), address("10.9.0.101")],
        }
    }

    fn v6() -> Self {
        let addresses = vec![address("fe80::64"), address("2001:db8::64")];
        Self { what: "v3 over IPv6", addresses, ..Self::v3() }
    }

    fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for basis in [Self::v2, Self::v3, Self::v6] {
            let longest = match basis().version {
                Version::V2 => Duration::from_secs(255),
                Version::V3 => Duration::from_millis(40_950),
            };
            cases.push(basis());
            cases.push(Self { what: "a resignation", priority: 0, ..basis() });
            cases.push(Self { what: "an owner", priority: 255, vrid: 255, ..basis() });
            cases.push(Self { what: "the least", priority: 1, vrid: 1, ..basis() });
            cases.push(Self { what: "the longest interval", interval: longest, ..basis() });
            let addresses = many(255, &basis());
            cases.push(Self { what: "255 addresses", addresses, ..basis() });
        }
        for password in [*b"1111\0\0\0\0", *b"Gr8-pass"] {
            let authentication = Authentication::Pass(password);
            cases.push(Self { what: "a password", authentication, ..Self::v2() });
        }
        cases
    }

    fn is_ipv6(&self) -> bool {
        self.addresses[0].is_ipv6()
    }

    fn ends(&self) -> [IpAddr; 2] {
        match self.is_ipv6() {
            true => [address("fe80::1"), address("ff02::12")],
            false => [address("10.9.0.1"), address("224.0.0.18")],
        }
    }

    fn encode(&self, checksum: ChecksumForm) -> Vec<u8> {
        let message = Message {
            version: self.version,
            vrid: Vrid::new(self.vrid).expect("not zero"),
            priority: self.priority,
            interval: self.interval,
            authentication: self.authentication.clone(),
            checksum,
            addresses: &self.addresses,
        };
        let [source, group] = self.ends();
        let mut bytes = Vec::new();
        message.encode(source, group, &mut bytes);
        bytes
    }

    /// Insists on what was configured.
    #[track_caller]
    fn assert_read(&self, frame: &Frame) {
        let (what, [source, group]) = (self.what, self.ends());
        let expect = |field: &str, value: &str| {
            assert_eq!(frame.field(field), value, "{what}, {field}: {frame:?}");
        };
        let (version, interval) = match self.version {
            Version::V2 => ("2", "vrrp.adver_int"),
            Version::V3 => ("3", "vrrp.short_adver_int"),
        };
        let unit = if self.version == Version::V2 { 1_000 } else { 10 };
        expect("vrrp.version", version);
        expect("vrrp.type", "1");
        expect("vrrp.virt_rtr_id", &self.vrid.to_string());
        expect("vrrp.prio", &self.priority.to_string());
        expect(interval, &(self.interval.as_millis() / unit).to_string());
        expect("vrrp.addr_count", &self.addresses.len().to_string());
        expect("vrrp.checksum.status", "1");
        let (listed, from, to) = match self.is_ipv6() {
            true => ("vrrp.ipv6_addr", "ipv6.src", "ipv6.dst"),
            false => ("vrrp.ip_addr", "ip.src", "ip.dst"),
        };
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        expect(listed, &addresses.join(" "));
        expect(from, &source.to_string());
        expect(to, &group.to_string());
        match (self.version, &self.authentication) {
            (Version::V3, _) => expect("vrrp.reserved_mbz", "0"),
            (Version::V2, Authentication::None | Authentication::Hmac(_)) => {
                expect("vrrp.auth_type", "0")
            }
            (Version::V2, Authentication::Pass(data)) => {
                expect("vrrp.auth_type", "1");
                let text = String::from_utf8_lossy(data);
                expect("vrrp.auth_string", text.trim_end_matches('\0'));
            }
        }
        assert_eq!(frame.complaints(), "", "{what}");
    }
}

/// A file with one packet for each message.
fn file<'a>(messages: impl IntoIterator<Item = (&'a Case, Vec<u8>)>) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut recording = Recording::default();
    for (case, message) in messages {
        let [source, group] = case.ends();
        recording.advert(source, group, &message);
    }
    let path = directory.path().join("adverts.pcap");
    recording.write(&path);
    (directory, path)
}

fn encoded(cases: &[Case], checksum: ChecksumForm) -> (TempDir, PathBuf) {
    file(cases.iter().map(|case| (case, case.encode(checksum))))
}

#[test]
fn tshark_reads_every_form_as_it_was_meant_and_finds_nothing_wrong() {
    let cases = Case::all();
    let (_directory, path) = encoded(&cases, ChecksumForm::PseudoHeader);
    let frames = frames(&path, Checksums::PseudoHeader);
    assert_eq!(frames.len(), cases.len());
    for (case, frame) in cases.iter().zip(&frames) {
        case.assert_read(frame);
        assert!(case.is_ipv6() || frame.field("ip.checksum.status") == "1", "{}", case.what);
    }
}

#[test]
fn tshark_reads_a_checksum_of_the_message_alone_once_it_is_told_to_expect_it() {
    let cases: Vec<_> = Case::all().into_iter().filter(|case| !case.is_ipv6()).collect();
    let (_directory, path) = encoded(&cases, ChecksumForm::MessageOnly);
    for (case, frame) in cases.iter().zip(frames(&path, Checksums::MessageOnly)) {
        case.assert_read(&frame);
    }
    // Its default is the reading of RFC 5798, which RFC 9568 §5.2.8 took back for IPv4.
    for (case, frame) in cases.iter().zip(frames(&path, Checksums::PseudoHeader)) {
        let complains = case.version == Version::V3;
        let complaint = frame.complaints();
        assert_eq!(complaint.starts_with("Bad checksum"), complains, "{}: {complaint}", case.what);
    }
}

#[test]
fn tcpdump_prints_every_form_without_a_complaint() {
    let cases = Case::all();
    let (_directory, path) = encoded(&cases, ChecksumForm::PseudoHeader);
    let lines = printed(&path);
    assert_eq!(lines.len(), cases.len(), "{lines:#?}");
    for (case, line) in cases.iter().zip(&lines) {
        for complaint in ["bad ", "truncated", "[|", "invalid"] {
            assert!(!line.contains(complaint), "{}: {line}", case.what);
        }
        let version = if case.version == Version::V2 { "VRRPv2" } else { "VRRPv3" };
        for said in [
            format!("{version}, Advertisement, vrid {}, prio {}", case.vrid, case.priority),
            case.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        ] {
            assert!(line.contains(&said), "{}: no {said:?} in {line}", case.what);
        }
    }
}

#[test]
fn tcpdump_knows_the_checksum_with_the_pseudo_header_only() {
    let (_directory, path) = encoded(&[Case::v3()], ChecksumForm::MessageOnly);
    let lines = printed(&path);
    assert!(lines[0].contains("bad vrrp cksum"), "{lines:?}");
}

/// Over IPv4 the trailer of a signed advert is no part of what is summed; these tools know of none
/// and sum it. Everything else they read as it is.
#[test]
fn both_take_the_trailer_of_a_signed_advert_for_a_part_of_it() {
    let cases = [Case::v2(), Case::v3()];
    let signed = |case: &Case| [case.encode(ChecksumForm::PseudoHeader), vec![0xa5; 28]].concat();
    let (_directory, path) = file(cases.iter().map(|case| (case, signed(case))));
    for (case, frame) in cases.iter().zip(frames(&path, Checksums::PseudoHeader)) {
        assert!(frame.complaints().starts_with("Bad checksum"), "{}: {frame:?}", case.what);
        assert_eq!(frame.field("vrrp.prio"), case.priority.to_string());
    }
    for line in printed(&path) {
        assert!(line.contains("bad vrrp cksum") && line.contains("10.9.0.101"), "{line}");
    }
}

/// What the tests above would see if our encoder were wrong.
#[test]
fn both_see_what_is_wrong() {
    for case in [Case::v2(), Case::v3(), Case::v6()] {
        let whole = case.encode(ChecksumForm::PseudoHeader);
        let mut damaged = whole.clone();
        damaged[2] ^= 1;
        let cut = whole[..10].to_vec();
        let (_directory, path) = file([(&case, damaged), (&case, cut)]);
        let frames = frames(&path, Checksums::PseudoHeader);
        assert_eq!(frames[0].field("vrrp.checksum.status"), "0", "{}", case.what);
        for frame in &frames {
            assert_ne!(frame.complaints(), "", "{}: {frame:?}", case.what);
        }
        let lines = printed(&path);
        assert!(lines[0].contains("bad vrrp cksum"), "{}: {lines:?}", case.what);
        assert!(lines[1].contains("[|vrrp]"), "{}: {lines:?}", case.what);
    }
}
