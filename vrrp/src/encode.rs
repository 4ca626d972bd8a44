//! The advert on the wire, sent (RFC 9568 §5.2, RFC 3768 §5.3). Called by
//! [`crate::Router::encode`] at the moment of sending; nothing is cached.

use crate::checksum;
use crate::config::{Authentication, ChecksumForm, Family, Version, Vrid};
use crate::packet::{ADVERTISEMENT, AUTHENTICATION_DATA};
use crate::trailer::{self, Bound, Sequence};
use std::net::IpAddr;
use std::time::Duration;

/// What an advert is to say.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    pub version: Version,
    pub vrid: Vrid,
    /// 0 resigns.
    pub priority: u8,
    /// Valid for the version, as [`crate::Config::check`] demands; the rest is cut off.
    pub interval: Duration,
    /// A password; ignored in v3. A trailer is added by the router.
    pub authentication: Authentication,
    /// For v3 over IPv4 only.
    pub checksum: ChecksumForm,
    /// At most 255, all of the family of the packet's addresses.
    pub addresses: &'a [IpAddr],
}

impl Message<'_> {
    /// Writes the message into `bytes` (cleared first), with the checksum for `source` →
    /// `destination`.
    pub fn encode(&self, source: IpAddr, destination: IpAddr, bytes: &mut Vec<u8>) {
        bytes.clear();
        let version = match self.version {
            Version::V2 => 2,
            Version::V3 => 3,
        };
        let addresses = &self.addresses[..self.addresses.len().min(usize::from(u8::MAX))];
        bytes.push(version << 4 | ADVERTISEMENT);
        bytes.push(self.vrid.get());
        bytes.push(self.priority);
        bytes.push(addresses.len() as u8);
        bytes.extend_from_slice(&self.timing());
        bytes.extend_from_slice(&[0; 2]);
        for address in addresses {
            match address {
                IpAddr::V4(address) => bytes.extend_from_slice(&address.octets()),
                IpAddr::V6(address) => bytes.extend_from_slice(&address.octets()),
            }
        }
        if self.version == Version::V2 {
            // RFC 3768 §5.3.10: always there, zero without a password.
            bytes.extend_from_slice(&match &self.authentication {
                Authentication::Pass(data) => *data,
                Authentication::None | Authentication::Hmac(_) => [0; AUTHENTICATION_DATA],
            });
        }
        let sum = match (self.version, Family::of(source), self.checksum) {
            (Version::V2, ..) | (Version::V3, Family::Ipv4, ChecksumForm::MessageOnly) => {
                checksum::of_message(bytes)
            }
            (Version::V3, ..) => checksum::with_pseudo_header(source, destination, bytes),
        };
        bytes[6..8].copy_from_slice(&(!sum).to_be_bytes());
    }

    /// Ends an encoded message with its authentication trailer, if it is to have one.
    pub(crate) fn sign(
        &self,
        source: IpAddr,
        destination: IpAddr,
        sequence: Sequence,
        bytes: &mut Vec<u8>,
    ) {
        let Authentication::Hmac(keyring) = &self.authentication else { return };
        let bound = Bound { version: self.version, vrid: self.vrid, source };
        trailer::sign(keyring, bound, sequence, bytes);
        if Family::of(source) == Family::Ipv6 {
            // A kernel computes it over all that a raw socket sends (RFC 3542 §3.1).
            bytes[6..8].fill(0);
            let sum = checksum::with_pseudo_header(source, destination, bytes);
            bytes[6..8].copy_from_slice(&(!sum).to_be_bytes());
        }
    }

    /// The two bytes whose meaning changed between the versions.
    fn timing(&self) -> [u8; 2] {
        match self.version {
            // RFC 3768 §5.3.6 and §5.3.7.
            Version::V2 => {
                let seconds = self.interval.as_secs().min(u64::from(u8::MAX)) as u8;
                [u8::from(matches!(self.authentication, Authentication::Pass(_))), seconds]
            }
            // RFC 9568 §5.2.6 and §5.2.7: four reserved bits, twelve of centiseconds.
            Version::V3 => ((self.interval.as_millis() / 10).min(0x0fff) as u16).to_be_bytes(),
        }
    }
}
