//! Just enough of pcap, Ethernet and IP to get at the adverts of the golden vectors.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use vipfleet_vrrp::{Envelope, PROTOCOL};

/// One advert as it was on the wire: what IP said, the message, and the IPv4 or IPv6 payload.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    pub(crate) envelope: Envelope,
    pub(crate) message: Vec<u8>,
}

/// Every packet of protocol 112 in a file of `tests/vectors/`.
pub(crate) fn adverts(file: &str) -> Vec<Captured> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let captured: Vec<_> = frames(&bytes).into_iter().filter_map(advert_of).collect();
    assert!(!captured.is_empty(), "{file} holds no advert");
    captured
}

/// Splits a little-endian microsecond pcap of link type Ethernet.
fn frames(file: &[u8]) -> Vec<&[u8]> {
    let word =
        |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("inside the packet"));
    assert_eq!(word(0), 0xa1b2_c3d4, "a classic little-endian pcap");
    assert_eq!(word(20), 1, "link type Ethernet");
    let (mut frames, mut at) = (Vec::new(), 24);
    while at < file.len() {
        let length = word(at + 8) as usize;
        frames.push(&file[at + 16..at + 16 + length]);
        at += 16 + length;
    }
    frames
}

fn advert_of(frame: &[u8]) -> Option<Captured> {
    let ip = &frame[14..];
    match u16::from_be_bytes([frame[12], frame[13]]) {
        0x0800 if ip[9] == PROTOCOL => {
            let header = usize::from(ip[0] & 0x0f) * 4;
            let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
            let address = |at: usize| {
                IpAddr::V4(Ipv4Addr::from(
                    <[u8; 4]>::try_from(&ip[at..at + 4]).expect("inside the packet"),
                ))
            };
            let envelope = Envelope { source: address(12), destination: address(16), ttl: ip[8] };
            Some(Captured { envelope, message: ip[header..total].to_vec() })
        }
        0x86dd if ip[6] == PROTOCOL => {
            let length = usize::from(u16::from_be_bytes([ip[4], ip[5]]));
            let address = |at: usize| {
                IpAddr::V6(Ipv6Addr::from(
                    <[u8; 16]>::try_from(&ip[at..at + 16]).expect("inside the packet"),
                ))
            };
            let envelope = Envelope { source: address(8), destination: address(24), ttl: ip[7] };
            Some(Captured { envelope, message: ip[40..40 + length].to_vec() })
        }
        _ => None,
    }
}
