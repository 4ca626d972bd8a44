//! Every packet that is no advert, and the name under which it is counted (RFC 9568 §7.1, RFC 3768
//! §7.1). Each is right in everything but one thing, its checksum included, so that no other check
//! can have found it.

use crate::fixture;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;
use vipfleet_vrrp::{
    Advertisement, Authentication, ChecksumForm, Config, Content, Discard, Envelope, Family, Input,
    Message, Output, Router, Time, Version, Vrid, parse,
};

const VRID: u8 = 51;
const CHECKSUM: std::ops::Range<usize> = 6..8;

/// One packet of each kind there is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    V2,
    V3OverIpv4(ChecksumForm),
    V3OverIpv6,
}

const KINDS: [Kind; 4] = [
    Kind::V2,
    Kind::V3OverIpv4(ChecksumForm::PseudoHeader),
    Kind::V3OverIpv4(ChecksumForm::MessageOnly),
    Kind::V3OverIpv6,
];

fn ipv6(last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last))
}

fn group(kind: Kind) -> IpAddr {
    match kind {
        Kind::V3OverIpv6 => "ff02::12".parse().expect("an address"),
        Kind::V2 | Kind::V3OverIpv4(_) => fixture::multicast(),
    }
}

fn envelope(kind: Kind) -> Envelope {
    let source = if kind == Kind::V3OverIpv6 { ipv6(2) } else { fixture::host(2) };
    Envelope { source, destination: group(kind), ttl: 255 }
}

fn addresses(kind: Kind) -> Vec<IpAddr> {
    match kind {
        Kind::V3OverIpv6 => vec![ipv6(0x64), "2001:db8::64".parse().expect("an address")],
        Kind::V2 | Kind::V3OverIpv4(_) => vec![fixture::host(100), fixture::host(101)],
    }
}

/// A sound advert with `addresses`, as our encoder writes it.
fn advert_of(kind: Kind, addresses: &[IpAddr]) -> Vec<u8> {
    let checksum = match kind {
        Kind::V3OverIpv4(form) => form,
        Kind::V2 | Kind::V3OverIpv6 => ChecksumForm::PseudoHeader,
    };
    let message = Message {
        version: if kind == Kind::V2 { Version::V2 } else { Version::V3 },
        vrid: Vrid::new(VRID).expect("not zero"),
        priority: 100,
        interval: Duration::from_secs(1),
        authentication: Authentication::None,
        checksum,
        addresses,
    };
    let Envelope { source, destination, .. } = envelope(kind);
    let mut bytes = Vec::new();
    message.encode(source, destination, &mut bytes);
    bytes
}

fn advert(kind: Kind) -> Vec<u8> {
    advert_of(kind, &addresses(kind))
}

fn judged(kind: Kind, bytes: &[u8]) -> Result<Advertisement<'_>, Discard> {
    parse(envelope(kind), bytes)
}

/// Changes a byte of a sound advert, and its checksum accordingly (RFC 1624 §3).
fn with_byte(kind: Kind, at: usize, value: u8) -> Vec<u8> {
    let mut bytes = advert(kind);
    let word = at & !1;
    let word_at = |bytes: &[u8], at: usize| u32::from(bytes[at]) << 8 | u32::from(bytes[at + 1]);
    let before = word_at(&bytes, word);
    bytes[at] = value;
    let after = word_at(&bytes, word);
    let mut sum = (!word_at(&bytes, CHECKSUM.start) & 0xffff) + (!before & 0xffff) + after;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    bytes[CHECKSUM].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    bytes
}

#[test]
fn an_advert_of_every_kind_is_accepted_whole() {
    for kind in KINDS {
        let bytes = advert(kind);
        let advert = judged(kind, &bytes).unwrap_or_else(|why| panic!("{kind:?}: {why:?}"));
        assert_eq!((advert.vrid.get(), advert.priority), (VRID, 100), "{kind:?}");
        assert!(advert.addresses().eq(addresses(kind)), "{kind:?}");
    }
}

#[test]
fn an_advert_that_was_cut_off_anywhere_is_truncated() {
    for kind in KINDS {
        let whole = advert(kind);
        for length in 0..whole.len() {
            let judged = judged(kind, &whole[..length]);
            assert_eq!(judged, Err(Discard::Truncated), "{kind:?}, {length} of {}", whole.len());
        }
    }
}

#[test]
fn an_advert_that_counts_more_addresses_than_it_carries_is_truncated() {
    for kind in KINDS {
        for count in [3, 4, 17, 255] {
            let bytes = with_byte(kind, 3, count);
            assert_eq!(judged(kind, &bytes), Err(Discard::Truncated), "{kind:?}, {count}");
        }
    }
}

#[test]
fn bytes_behind_the_advert_are_neither_read_nor_summed() {
    for kind in KINDS {
        let mut bytes = advert(kind);
        bytes.extend_from_slice(&[0xa5; 33]);
        let advert = judged(kind, &bytes).unwrap_or_else(|why| panic!("{kind:?}: {why:?}"));
        assert!(advert.addresses().eq(addresses(kind)), "{kind:?}");
    }
}

#[test]
fn every_version_but_two_and_three_is_unknown_and_version_two_is_of_ipv4_only() {
    for kind in KINDS {
        for version in (0..16).filter(|version| ![2, 3].contains(version)) {
            let bytes = with_byte(kind, 0, version << 4 | 1);
            assert_eq!(judged(kind, &bytes), Err(Discard::UnknownVersion), "{kind:?}, {version}");
        }
    }
    let bytes = with_byte(Kind::V3OverIpv6, 0, 0x21);
    assert_eq!(judged(Kind::V3OverIpv6, &bytes), Err(Discard::UnknownVersion));
}

#[test]
fn every_type_but_an_advertisement_is_unknown() {
    for kind in KINDS {
        let first = advert(kind)[0] & 0xf0;
        for other in (0..16).filter(|other| *other != 1) {
            let bytes = with_byte(kind, 0, first | other);
            assert_eq!(judged(kind, &bytes), Err(Discard::UnknownType), "{kind:?}, {other}");
        }
    }
}

#[test]
fn a_virtual_router_has_an_identifier_from_one_to_255() {
    for kind in KINDS {
        assert_eq!(judged(kind, &with_byte(kind, 1, 0)), Err(Discard::VridZero), "{kind:?}");
        for vrid in [1, 255] {
            let bytes = with_byte(kind, 1, vrid);
            let advert = judged(kind, &bytes).unwrap_or_else(|why| panic!("{kind:?}: {why:?}"));
            assert_eq!(advert.vrid.get(), vrid);
        }
    }
}

#[test]
fn an_advert_without_an_address_is_ignored() {
    for kind in KINDS {
        let counted = heard_without_addresses(kind, Content::Addresses);
        assert_eq!(counted, Some(Discard::NoAddresses), "{kind:?}");
    }
}

#[test]
fn an_election_without_addresses_hears_adverts_that_carry_none() {
    for kind in KINDS {
        assert_eq!(heard_without_addresses(kind, Content::Election), None, "{kind:?}");
    }
}

/// What a backup that hears an advert without addresses counts it as.
fn heard_without_addresses(kind: Kind, content: Content) -> Option<Discard> {
    let config = Config {
        version: if kind == Kind::V2 { Version::V2 } else { Version::V3 },
        family: Family::of(envelope(kind).source),
        addresses: if content == Content::Election { Vec::new() } else { addresses(kind) },
        content,
        ..fixture::config()
    };
    let mut router = Router::new(config).expect("a valid configuration");
    let own = if kind == Kind::V3OverIpv6 { ipv6(1) } else { fixture::host(1) };
    router.handle(Time::ZERO, Input::PrimaryAddress(Some(own)));
    router.handle(Time::ZERO, Input::Start);
    while router.poll_output().is_some() {}
    let bytes = advert_of(kind, &[]);
    let advert = judged(kind, &bytes).unwrap_or_else(|why| panic!("{kind:?}: {why:?}"));
    assert_eq!(advert.addresses().len(), 0);
    let source = envelope(kind).source;
    router.handle(Time::ZERO, Input::Advert { source, advert });
    let outputs = std::iter::from_fn(|| router.poll_output());
    let counted = outputs.filter_map(|output| match output {
        Output::Discarded { why, .. } => Some(why),
        _ => None,
    });
    counted.last()
}

#[test]
fn a_multicast_advert_with_another_ttl_or_hop_limit_than_255_is_discarded() {
    for kind in KINDS {
        let bytes = advert(kind);
        for ttl in [0, 1, 64, 254] {
            let judged = parse(Envelope { ttl, ..envelope(kind) }, &bytes);
            assert_eq!(judged, Err(Discard::Ttl), "{kind:?}, {ttl}");
        }
    }
}

#[test]
fn a_packet_whose_addresses_are_of_two_families_is_no_advert() {
    for kind in KINDS {
        let source = if kind == Kind::V3OverIpv6 { fixture::host(2) } else { ipv6(2) };
        let judged_as = parse(Envelope { source, ..envelope(kind) }, &advert(kind)).map(|_| ());
        assert_eq!(judged_as, Err(Discard::NotVrrp), "{kind:?}");
    }
}

#[test]
fn an_interval_of_zero_is_discarded() {
    let bytes = with_byte(Kind::V2, 5, 0);
    assert_eq!(judged(Kind::V2, &bytes), Err(Discard::IntervalZero), "no seconds");
    for kind in &KINDS[1..] {
        // One second is 0x064 centiseconds; its upper four bits are zero as they are.
        let bytes = with_byte(*kind, 5, 0);
        assert_eq!(judged(*kind, &bytes), Err(Discard::IntervalZero), "{kind:?}");
    }
}

#[test]
fn reserved_bits_are_ignored_on_receipt_and_never_sent() {
    for kind in &KINDS[1..] {
        let bytes = advert(*kind);
        assert_eq!(bytes[4] & 0xf0, 0, "{kind:?}: sent");
        let reserved = with_byte(*kind, 4, bytes[4] | 0xf0);
        let read = judged(*kind, &reserved).unwrap_or_else(|why| panic!("{kind:?}: {why:?}"));
        assert_eq!(read.interval, Duration::from_secs(1), "{kind:?}: read");
    }
}

#[test]
fn the_longest_interval_sets_no_reserved_bit() {
    let kind = Kind::V3OverIpv4(ChecksumForm::PseudoHeader);
    let addresses = addresses(kind);
    let message = Message {
        version: Version::V3,
        vrid: Vrid::new(VRID).expect("not zero"),
        priority: 100,
        interval: Duration::from_millis(40_950),
        authentication: Authentication::None,
        checksum: ChecksumForm::PseudoHeader,
        addresses: &addresses,
    };
    let Envelope { source, destination, .. } = envelope(kind);
    let mut bytes = Vec::new();
    message.encode(source, destination, &mut bytes);
    assert_eq!(bytes[4..6], [0x0f, 0xff]);
    assert_eq!(judged(kind, &bytes).map(|it| it.interval), Ok(Duration::from_millis(40_950)));
}

#[test]
fn a_wrong_checksum_is_discarded_whatever_its_distance_from_the_right_one() {
    for kind in KINDS {
        let whole = advert(kind);
        let right = u16::from_be_bytes([whole[6], whole[7]]);
        for distance in [1, 0x00ff, 0x0100, 0x7fff, 0xfffe] {
            let mut bytes = whole.clone();
            bytes[CHECKSUM].copy_from_slice(&right.wrapping_add(distance).to_be_bytes());
            // Of the two forms accepted over IPv4, the other may be right by chance: it is not.
            assert_eq!(judged(kind, &bytes), Err(Discard::Checksum), "{kind:?}, {distance:#x}");
        }
    }
}

/// The one's complement of the sum of 16-bit words (RFC 1071), with `extra` words in front.
fn checksum(message: &[u8], extra: u32) -> [u8; 2] {
    let words = message.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let mut sum = extra + words.sum::<u32>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

#[test]
fn an_ipv6_advert_with_the_checksum_of_its_message_alone_is_discarded() {
    let mut bytes = advert(Kind::V3OverIpv6);
    bytes[CHECKSUM].fill(0);
    let alone = checksum(&bytes, 0);
    bytes[CHECKSUM].copy_from_slice(&alone);
    assert_eq!(judged(Kind::V3OverIpv6, &bytes), Err(Discard::Checksum));
}

#[test]
fn a_v2_advert_with_a_checksum_over_a_pseudo_header_is_discarded() {
    let mut bytes = advert(Kind::V2);
    bytes[CHECKSUM].fill(0);
    assert_eq!(checksum(&bytes, 0), advert(Kind::V2)[CHECKSUM], "as it has to be");
    // 10.0.0.2 to 224.0.0.18, protocol 112 and the length.
    let pseudo_header = 0x0a00 + 0x0002 + 0xe000 + 0x0012 + 112 + bytes.len() as u32;
    let with_it = checksum(&bytes, pseudo_header);
    bytes[CHECKSUM].copy_from_slice(&with_it);
    assert_eq!(judged(Kind::V2, &bytes), Err(Discard::Checksum));
}

#[test]
fn an_ipv6_advert_carries_sixteen_bytes_an_address_in_the_order_configured() {
    let bytes = advert(Kind::V3OverIpv6);
    assert_eq!(bytes.len(), 8 + 2 * 16);
    assert_eq!(bytes[3], 2, "the count");
    assert_eq!(bytes[8..10], [0xfe, 0x80], "RFC 9568 §5.2.9: the link-local one first");
    let most: Vec<_> = (0..255).map(ipv6).collect();
    let bytes = advert_of(Kind::V3OverIpv6, &most);
    let read = judged(Kind::V3OverIpv6, &bytes).expect("as many as the count can say");
    assert!(read.addresses().eq(most.iter().copied()));
}

#[test]
fn an_unknown_authentication_type_is_discarded() {
    for kind in 2..=255 {
        let bytes = with_byte(Kind::V2, 4, kind);
        assert_eq!(judged(Kind::V2, &bytes), Err(Discard::AuthenticationMismatch), "{kind}");
    }
}

#[test]
fn version_two_carries_eight_bytes_of_authentication_even_without_any() {
    let bytes = advert(Kind::V2);
    assert_eq!(bytes.len(), 8 + 2 * 4 + 8);
    assert_eq!(bytes[16..], [0; 8]);
}

#[test]
fn authentication_data_without_a_type_is_ignored() {
    for at in 16..24 {
        let bytes = with_byte(Kind::V2, at, 0x55);
        let read = judged(Kind::V2, &bytes).unwrap_or_else(|why| panic!("{at}: {why:?}"));
        assert_eq!(read.authentication, Authentication::None);
    }
}
