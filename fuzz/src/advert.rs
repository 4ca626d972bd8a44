//! The advert parser against a second reading of the same bytes, and against the encoder: what
//! parses is what the bytes say, and is encoded to the same bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use vipfleet_vrrp::{
    Advertisement, Authentication, ChecksumForm, Discard, Envelope, Family, Message, PROTOCOL,
    Version, parse,
};

const HEADER: usize = 8;
const AUTHENTICATION: usize = 8;
/// Bytes of an authentication trailer.
const TRAILER: usize = 28;

/// An input: how to read it, TTL, source, destination, message.
struct Case {
    envelope: Envelope,
    message: Vec<u8>,
}

/// First byte of an input: bit 0 IPv6, bits 1 and 2 where to, bit 3 the TTL as drawn, bits 4 and
/// 5 which checksum is put right.
#[derive(Clone, Copy)]
pub(crate) struct Reading(pub(crate) u8);

impl Reading {
    fn family(self) -> Family {
        if self.0 & 1 == 0 { Family::Ipv4 } else { Family::Ipv6 }
    }

    fn destination(self) -> u8 {
        self.0 >> 1 & 3
    }

    fn ttl(self, drawn: u8) -> u8 {
        if self.0 >> 3 & 1 == 0 { 255 } else { drawn }
    }

    fn repair(self) -> Option<ChecksumForm> {
        match self.0 >> 4 & 3 {
            0 => None,
            1 => Some(ChecksumForm::MessageOnly),
            _ => Some(ChecksumForm::PseudoHeader),
        }
    }
}

/// Reads one input.
pub fn run(data: &[u8]) {
    let Some(Case { envelope, message }) = case(data) else { return };
    match parse(envelope, &message) {
        Ok(advert) => {
            says(envelope, &message, &advert);
            encodes(envelope, &message, &advert);
        }
        Err(why) => refused(envelope, &message, why),
    }
}

fn case(data: &[u8]) -> Option<Case> {
    let (&[reading, ttl], rest) = data.split_first_chunk()?;
    let reading = Reading(reading);
    let (source, rest) = address(reading.family(), rest)?;
    let other = match reading.family() {
        Family::Ipv4 => Family::Ipv6,
        Family::Ipv6 => Family::Ipv4,
    };
    let (destination, rest) = match (reading.destination(), reading.family()) {
        (0, Family::Ipv4) => (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)), rest),
        (0, Family::Ipv6) => (IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)), rest),
        (3, _) => address(other, rest)?,
        (_, same) => address(same, rest)?,
    };
    let envelope = Envelope { source, destination, ttl: reading.ttl(ttl) };
    let mut message = rest.to_vec();
    if let Some(form) = reading.repair() {
        repair(envelope, &mut message, form);
    }
    Some(Case { envelope, message })
}

fn address(family: Family, data: &[u8]) -> Option<(IpAddr, &[u8])> {
    match family {
        Family::Ipv4 => data.split_first_chunk::<4>().map(|(it, rest)| ((*it).into(), rest)),
        Family::Ipv6 => data.split_first_chunk::<16>().map(|(it, rest)| ((*it).into(), rest)),
    }
}

/// Where an advert ends by its own header.
fn end(source: IpAddr, message: &[u8]) -> Option<usize> {
    let count = usize::from(*message.get(3)?);
    let width = if source.is_ipv4() { 4 } else { 16 };
    let tail = if message[0] >> 4 == 2 { AUTHENTICATION } else { 0 };
    Some(HEADER + count * width + tail)
}

/// RFC 1071 §1, in the plain way: words added, carries added back.
fn sum(parts: &[&[u8]]) -> u16 {
    let mut bytes = parts.concat();
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    bytes.chunks(2).fold(0u16, |sum, word| {
        let (sum, carried) = sum.overflowing_add(u16::from_be_bytes([word[0], word[1]]));
        sum + u16::from(carried)
    })
}

fn sum_in(form: ChecksumForm, envelope: Envelope, message: &[u8]) -> u16 {
    let length = (message.len() as u32).to_be_bytes();
    match (form, envelope.source, envelope.destination) {
        (ChecksumForm::MessageOnly, ..) => sum(&[message]),
        (ChecksumForm::PseudoHeader, source, destination) => {
            let octets = |it| match it {
                IpAddr::V4(it) => it.octets().to_vec(),
                IpAddr::V6(it) => it.octets().to_vec(),
            };
            let (source, destination) = (octets(source), octets(destination));
            sum(&[&source, &destination, &length, &[0, 0, 0, PROTOCOL], message])
        }
    }
}

fn repair(envelope: Envelope, message: &mut [u8], form: ChecksumForm) {
    let Some(end) = end(envelope.source, message) else { return };
    let Some(message) = message.get_mut(..end) else { return };
    message[6..8].fill(0);
    let sum = sum_in(form, envelope, message);
    message[6..8].copy_from_slice(&(!sum).to_be_bytes());
}

/// The parsed advert is what the bytes say.
fn says(envelope: Envelope, message: &[u8], advert: &Advertisement<'_>) {
    let end = end(envelope.source, message).expect("it has a header");
    let addresses = match advert.version {
        Version::V2 => &message[HEADER..end - AUTHENTICATION],
        Version::V3 => &message[HEADER..end],
    };
    let said: Vec<u8> = advert
        .addresses()
        .flat_map(|address| match address {
            IpAddr::V4(it) => it.octets().to_vec(),
            IpAddr::V6(it) => it.octets().to_vec(),
        })
        .collect();
    assert_eq!(said, addresses);
    assert_eq!(advert.addresses().len(), usize::from(message[3]));
    assert!(advert.addresses().all(|it| it.is_ipv4() == envelope.source.is_ipv4()));
    assert_eq!(advert.family, Family::of(envelope.source));
    assert_eq!(advert.vrid.get(), message[1]);
    assert_eq!(advert.priority, message[2]);
    assert_eq!(advert.ttl, envelope.ttl);
    assert!(advert.ttl == 255 || !envelope.destination.is_multicast());
    match advert.version {
        Version::V2 => {
            assert_eq!(message[0], 0x21);
            assert!(envelope.source.is_ipv4());
            assert_eq!(advert.interval, Duration::from_secs(message[5].into()));
            assert_eq!(advert.checksum, ChecksumForm::MessageOnly);
            let password = message[4] == 1;
            assert_eq!(matches!(advert.authentication, Authentication::Pass(_)), password);
        }
        Version::V3 => {
            assert_eq!(message[0], 0x31);
            let centiseconds = u64::from(message[4] & 0x0f) << 8 | u64::from(message[5]);
            assert_eq!(advert.interval, Duration::from_millis(centiseconds * 10));
            assert_eq!(advert.authentication, Authentication::None);
        }
    }
    assert!(!advert.interval.is_zero());
    let alone = sum_in(advert.checksum, envelope, &message[..end]) == 0xffff;
    // Over IPv6 an authentication trailer is part of the checksum.
    let signed = message.get(..end + TRAILER).filter(|_| envelope.source.is_ipv6());
    let with_trailer = signed.map(|it| sum_in(advert.checksum, envelope, it)) == Some(0xffff);
    assert!(alone || with_trailer, "{advert:?}");
}

/// It is sent as it was received, less what a receiver has to ignore: the reserved bits of v3
/// and, without authentication, its data in v2.
fn encodes(envelope: Envelope, message: &[u8], advert: &Advertisement<'_>) {
    let end = end(envelope.source, message).expect("it has a header");
    let mut canonical = message[..end].to_vec();
    match (advert.version, &advert.authentication) {
        (Version::V3, _) => canonical[4] &= 0x0f,
        (Version::V2, Authentication::None | Authentication::Hmac(_)) => {
            canonical[end - AUTHENTICATION..].fill(0)
        }
        (Version::V2, Authentication::Pass(_)) => {}
    }
    repair(envelope, &mut canonical, advert.checksum);
    let addresses: Vec<_> = advert.addresses().collect();
    let again = Message {
        version: advert.version,
        vrid: advert.vrid,
        priority: advert.priority,
        interval: advert.interval,
        authentication: advert.authentication.clone(),
        checksum: advert.checksum,
        addresses: &addresses,
    };
    let mut bytes = vec![0xee; 3];
    again.encode(envelope.source, envelope.destination, &mut bytes);
    assert_eq!(bytes, canonical);
    // Debug says all that it means, and nothing of a trailer.
    let again = parse(envelope, &bytes).map(|it| format!("{it:?}"));
    assert_eq!(again, Ok(format!("{advert:?}")));
}

/// The reason it gives is one.
fn refused(envelope: Envelope, message: &[u8], why: Discard) {
    let Envelope { source, destination, ttl } = envelope;
    let end = end(source, message);
    let whole = end.and_then(|end| message.get(..end));
    let right = match why {
        Discard::NotVrrp => source.is_ipv4() != destination.is_ipv4(),
        Discard::Ttl => destination.is_multicast() && ttl != 255,
        Discard::Truncated => message.len() < HEADER || whole.is_none(),
        Discard::UnknownVersion => {
            !matches!((message[0] >> 4, source), (2, IpAddr::V4(_)) | (3, _))
        }
        Discard::UnknownType => message[0] & 0x0f != 1,
        Discard::Checksum => whole.is_some_and(|whole| {
            let is = |form| sum_in(form, envelope, whole) == 0xffff;
            match (message[0] >> 4, source) {
                (2, _) => !is(ChecksumForm::MessageOnly),
                (_, IpAddr::V6(_)) => !is(ChecksumForm::PseudoHeader),
                _ => !is(ChecksumForm::PseudoHeader) && !is(ChecksumForm::MessageOnly),
            }
        }),
        Discard::VridZero => message[1] == 0,
        Discard::NoAddresses => message[3] == 0,
        Discard::AuthenticationMismatch => message[0] == 0x21 && message[4] > 1,
        Discard::IntervalZero => match message[0] {
            0x21 => message[5] == 0,
            _ => message[4] & 0x0f == 0 && message[5] == 0,
        },
        _ => false,
    };
    assert!(right, "{why:?} is no reason to refuse {message:02x?} in {envelope:?}");
}
