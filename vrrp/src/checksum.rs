//! The Internet checksum of a VRRP message (RFC 1071), with and without the pseudo-header.

use crate::packet::PROTOCOL;
use std::net::IpAddr;

/// The message with its pseudo-header in front, summed as 16-bit words. `0xffff` over a message
/// whose checksum field is filled in means that the checksum is right.
pub(crate) fn with_pseudo_header(source: IpAddr, destination: IpAddr, message: &[u8]) -> u16 {
    let mut sum = Sum::default();
    sum.address(source);
    sum.address(destination);
    // RFC 8200 §8.1 has a 32-bit length and RFC 793 a 16-bit one: the same sum.
    sum.add(message.len() as u64);
    sum.add(u64::from(PROTOCOL));
    sum.bytes(message);
    sum.fold()
}

/// The message alone, summed as 16-bit words.
pub(crate) fn of_message(message: &[u8]) -> u16 {
    let mut sum = Sum::default();
    sum.bytes(message);
    sum.fold()
}

/// Wide enough never to overflow: 2^48 words of 16 bits.
#[derive(Default)]
struct Sum(u64);

impl Sum {
    fn add(&mut self, words: u64) {
        self.0 += words;
    }

    fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.bytes(&address.octets()),
            IpAddr::V6(address) => self.bytes(&address.octets()),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(2);
        for word in &mut words {
            self.add(u64::from(u16::from_be_bytes([word[0], word[1]])));
        }
        if let [last] = words.remainder() {
            self.add(u64::from(*last) << 8);
        }
    }

    fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }
}
