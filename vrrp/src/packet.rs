//! The advert on the wire, received (RFC 9568 §5 and §7.1, RFC 3768 §5 and §7.1). Bytes in,
//! meaning or a counted [`Discard`] out; what only a configured router can judge (VRID, version,
//! authentication, interval, membership, an advert without addresses) is left to
//! [`crate::Router`]. Sending: [`crate::encode`].

use crate::checksum;
use crate::config::{Authentication, ChecksumForm, Family, Version, Vrid};
use crate::output::Discard;
use crate::trailer::TRAILER;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// VRRP's IP protocol number (RFC 9568 §5.1.1.4).
pub const PROTOCOL: u8 = 112;

/// Bytes before the addresses, in both versions.
pub(crate) const HEADER: usize = 8;
/// The authentication data that ends every v2 message (RFC 3768 §5.3.10).
pub(crate) const AUTHENTICATION_DATA: usize = 8;
/// Type 1, the only one (RFC 9568 §5.2.2).
pub(crate) const ADVERTISEMENT: u8 = 1;
/// RFC 9568 §5.1.1.3: a packet that has crossed a router is none of ours.
pub(crate) const TTL: u8 = 255;

/// What the IP layer said of a received packet. Ancillary data of the receive socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
}

/// A well-formed advert; borrows the packet. Meaning, not bytes: no wire units.
#[derive(Clone, PartialEq, Eq)]
pub struct Advertisement<'p> {
    pub version: Version,
    pub family: Family,
    pub vrid: Vrid,
    /// TTL or hop limit it arrived with; 255 unless it was sent to a unicast address.
    pub ttl: u8,
    /// 0 is a resignation.
    pub priority: u8,
    pub interval: Duration,
    /// v2 only; `None` in v3.
    pub authentication: Authentication,
    /// Which form the checksum was right in; always [`ChecksumForm::MessageOnly`] in v2.
    pub checksum: ChecksumForm,
    /// Raw addresses, 4 or 16 bytes each.
    addresses: &'p [u8],
    /// The message with the trailer that ends it, if there are as many bytes as one has.
    pub(crate) signed: Option<&'p [u8]>,
}

impl<'p> Advertisement<'p> {
    /// The advertised virtual addresses, in wire order.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = IpAddr> + 'p {
        let width = width(self.family);
        self.addresses.chunks_exact(width).map(|raw| match *raw {
            [a, b, c, d] => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            _ => <[u8; 16]>::try_from(raw).map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::from),
        })
    }
}

impl fmt::Debug for Advertisement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Advertisement")
            .field("version", &self.version)
            .field("vrid", &self.vrid.get())
            .field("priority", &self.priority)
            .field("interval", &self.interval)
            .field("authentication", &self.authentication)
            .field("checksum", &self.checksum)
            .field("addresses", &self.addresses().collect::<Vec<_>>())
            .finish()
    }
}

/// Bytes of one address.
const fn width(family: Family) -> usize {
    match family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 16,
    }
}

/// Parses the VRRP message (the IP payload) of a packet with protocol 112.
///
/// Bytes after the advert are where an authentication trailer stands ([`crate::trailer`]). It is
/// part of the checksum over IPv6 only, where a kernel computes it. The checks follow RFC 9568
/// §7.1; the first that fails names the [`Discard`].
pub fn parse(envelope: Envelope, message: &[u8]) -> Result<Advertisement<'_>, Discard> {
    let family = Family::of(envelope.source);
    if family != Family::of(envelope.destination) {
        return Err(Discard::NotVrrp);
    }
    // RFC 9568 §7.1. Unicast adverts (an extension of keepalived) may be routed.
    if envelope.destination.is_multicast() && envelope.ttl != TTL {
        return Err(Discard::Ttl);
    }
    let header: &[u8; HEADER] = message.first_chunk().ok_or(Discard::Truncated)?;
    let [version_and_type, vrid, priority, count, timing @ ..] = *header;
    let version = match (version_and_type >> 4, family) {
        (2, Family::Ipv4) => Version::V2,
        (3, _) => Version::V3,
        _ => return Err(Discard::UnknownVersion),
    };
    if version_and_type & 0x0f != ADVERTISEMENT {
        return Err(Discard::UnknownType);
    }
    let addresses_end = HEADER + usize::from(count) * width(family);
    let end = match version {
        Version::V2 => addresses_end + AUTHENTICATION_DATA,
        Version::V3 => addresses_end,
    };
    let signed = message.get(..end + TRAILER);
    let message = message.get(..end).ok_or(Discard::Truncated)?;
    let with_trailer = signed.filter(|_| family == Family::Ipv6);
    let checksum = verify(version, envelope, message)
        .or_else(|| verify(version, envelope, with_trailer?))
        .ok_or(Discard::Checksum)?;
    let vrid = Vrid::new(vrid).ok_or(Discard::VridZero)?;
    let (interval, authentication) = match version {
        // RFC 3768 §5.3.6 and §5.3.7: authentication type, then whole seconds.
        Version::V2 => {
            let data = message.last_chunk().ok_or(Discard::Truncated)?;
            let authentication = match timing[0] {
                0 => Authentication::None,
                1 => Authentication::Pass(*data),
                _ => return Err(Discard::AuthenticationMismatch),
            };
            (Duration::from_secs(u64::from(timing[1])), authentication)
        }
        // RFC 9568 §5.2.7: twelve bits of centiseconds; the four above are ignored (§5.2.6).
        Version::V3 => {
            let centiseconds = u16::from_be_bytes([timing[0], timing[1]]) & 0x0fff;
            (Duration::from_millis(u64::from(centiseconds) * 10), Authentication::None)
        }
    };
    if interval.is_zero() {
        return Err(Discard::IntervalZero);
    }
    Ok(Advertisement {
        version,
        family,
        vrid,
        ttl: envelope.ttl,
        priority,
        interval,
        authentication,
        checksum,
        addresses: &message[HEADER..addresses_end],
        signed,
    })
}

/// The form the checksum is right in, if any.
fn verify(version: Version, envelope: Envelope, message: &[u8]) -> Option<ChecksumForm> {
    let Envelope { source, destination, .. } = envelope;
    let pseudo = || checksum::with_pseudo_header(source, destination, message) == 0xffff;
    let alone = || checksum::of_message(message) == 0xffff;
    match (version, Family::of(source)) {
        // RFC 3768 §5.3.8: the entire message, authentication data included.
        (Version::V2, _) => alone().then_some(ChecksumForm::MessageOnly),
        // RFC 8200 §8.1 leaves IPv6 no choice.
        (Version::V3, Family::Ipv6) => pseudo().then_some(ChecksumForm::PseudoHeader),
        (Version::V3, Family::Ipv4) if pseudo() => Some(ChecksumForm::PseudoHeader),
        (Version::V3, Family::Ipv4) => alone().then_some(ChecksumForm::MessageOnly),
    }
}
