//! A pcap file of packets that were never sent: Ethernet, IPv4 or IPv6, and a payload.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

const LINK_TYPE_ETHERNET: u32 = 1;
/// Any MAC will do as a source; locally administered.
const SOURCE_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
const VRRP: u8 = 112;

/// Packets, in the order in which they are added.
#[derive(Debug, Default)]
pub struct Recording {
    frames: Vec<Vec<u8>>,
}

impl Recording {
    /// Adds a VRRP message in a packet to a multicast group.
    ///
    /// # Panics
    /// When the addresses are of two families.
    pub fn advert(&mut self, source: IpAddr, group: IpAddr, message: &[u8]) {
        let mut frame = Vec::new();
        match (source, group) {
            (IpAddr::V4(source), IpAddr::V4(group)) => {
                let [_, b, c, d] = group.octets();
                frame.extend([0x01, 0, 0x5e, b & 0x7f, c, d]);
                frame.extend(SOURCE_MAC);
                frame.extend([0x08, 0x00]);
                frame.extend(ipv4_header(source.octets(), group.octets(), message.len()));
            }
            (IpAddr::V6(source), IpAddr::V6(group)) => {
                frame.extend([0x33, 0x33]);
                frame.extend(&group.octets()[12..]);
                frame.extend(SOURCE_MAC);
                frame.extend([0x86, 0xdd, 0x6c, 0, 0, 0]);
                frame.extend((message.len() as u16).to_be_bytes());
                frame.extend([VRRP, 255]);
                frame.extend(source.octets());
                frame.extend(group.octets());
            }
            _ => panic!("{source} and {group} are of two families"),
        }
        frame.extend(message);
        self.frames.push(frame);
    }

    /// Writes the file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &Path) {
        let mut file = Vec::new();
        for word in [0xa1b2_c3d4, 2 | 4 << 16, 0, 0, 1 << 16, LINK_TYPE_ETHERNET] {
            file.extend(u32::to_le_bytes(word));
        }
        for (second, frame) in self.frames.iter().enumerate() {
            let length = frame.len() as u32;
            for word in [second as u32, 0, length, length] {
                file.extend(word.to_le_bytes());
            }
            file.extend(frame);
        }
        fs::write(path, file).unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
    }
}

fn ipv4_header(source: [u8; 4], group: [u8; 4], payload: usize) -> [u8; 20] {
    let mut header = [0; 20];
    header[..2].copy_from_slice(&[0x45, 0xc0]);
    header[2..4].copy_from_slice(&((20 + payload) as u16).to_be_bytes());
    header[8..10].copy_from_slice(&[255, VRRP]);
    header[12..16].copy_from_slice(&source);
    header[16..].copy_from_slice(&group);
    let words = header.chunks_exact(2).map(|it| u32::from(u16::from_be_bytes([it[0], it[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    header[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    header
}
