//! The codec against adverts that keepalived sent.

use crate::capture::{Captured, adverts};
use std::time::Duration;
use vipfleet_vrrp::{
    Advertisement, Authentication, ChecksumForm, Discard, Family, Message, Version, parse,
};

const FILES: [&str; 5] =
    ["fixture-dual-master-v2.pcap", "v2.pcap", "v3m.pcap", "v3u.pcap", "v6.pcap"];

fn parsed(captured: &Captured) -> Advertisement<'_> {
    parse(captured.envelope, &captured.message)
        .unwrap_or_else(|why| panic!("{why:?}: {captured:02x?}"))
}

fn encoded(advert: &Advertisement<'_>, checksum: ChecksumForm, captured: &Captured) -> Vec<u8> {
    let addresses: Vec<_> = advert.addresses().collect();
    let message = Message {
        version: advert.version,
        vrid: advert.vrid,
        priority: advert.priority,
        interval: advert.interval,
        authentication: advert.authentication.clone(),
        checksum,
        addresses: &addresses,
    };
    let mut bytes = vec![0xee; 3];
    message.encode(captured.envelope.source, captured.envelope.destination, &mut bytes);
    bytes
}

#[test]
fn every_captured_advert_parses_and_encodes_to_the_same_bytes() {
    for file in FILES {
        for captured in adverts(file) {
            let advert = parsed(&captured);
            assert_eq!(captured.envelope.ttl, 255);
            assert_eq!(encoded(&advert, advert.checksum, &captured), captured.message, "{file}");
        }
    }
}

#[test]
fn the_dual_master_capture_tells_its_story() {
    let captured = adverts("fixture-dual-master-v2.pcap");
    let mut story = Vec::new();
    for captured in &captured {
        let advert = parsed(captured);
        assert_eq!(advert.version, Version::V2);
        assert_eq!(advert.interval, Duration::from_secs(1));
        assert_eq!(advert.authentication, Authentication::Pass(*b"1111\0\0\0\0"));
        if advert.vrid.get() == 51 {
            let addresses = advert.addresses().len();
            story.push((captured.envelope.source.to_string(), advert.priority, addresses));
        }
    }
    story.dedup();
    let (one, two) = ("10.99.0.1", "10.99.0.2");
    let told: Vec<_> = story.iter().map(|(who, prio, vips)| (who.as_str(), *prio, *vips)).collect();
    assert_eq!(
        told,
        [
            (one, 100, 1), // starts
            (one, 0, 1),   // stops
            (two, 80, 1),  // takes over
            (one, 100, 1), // returns
            (one, 100, 2), // has a second address after a reload
            (two, 80, 1),  // discards that and takes over as well
            (one, 100, 2), // two masters
            (one, 0, 2),
            (two, 0, 1),
        ]
    );
}

#[test]
fn a_v3_advert_over_ipv4_says_which_checksum_form_it_has() {
    for file in ["v3m.pcap", "v3u.pcap"] {
        let mut captured = adverts(file).remove(0);
        let advert = parsed(&captured);
        assert_eq!(advert.checksum, ChecksumForm::PseudoHeader, "as keepalived sends it");
        let message_only = encoded(&advert, ChecksumForm::MessageOnly, &captured);
        assert_ne!(message_only, captured.message);
        captured.message = message_only;
        assert_eq!(parsed(&captured).checksum, ChecksumForm::MessageOnly);
    }
}

#[test]
fn an_ipv6_advert_is_accepted_with_its_pseudo_header_only() {
    let mut captured = adverts("v6.pcap").remove(0);
    let advert = parsed(&captured);
    assert_eq!(advert.family, Family::Ipv6);
    assert_eq!(
        advert.addresses().map(|address| address.to_string()).collect::<Vec<_>>(),
        ["fe80::99", "fd99::100"]
    );
    let message_only = encoded(&advert, ChecksumForm::MessageOnly, &captured);
    assert_eq!(message_only, captured.message, "the form is ignored for IPv6");
    captured.envelope.destination = "ff02::13".parse().unwrap();
    assert_eq!(parse(captured.envelope, &captured.message), Err(Discard::Checksum));
}
