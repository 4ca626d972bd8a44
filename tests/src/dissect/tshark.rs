//! tshark: every packet as fields, with what it calls malformed or wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const SEPARATOR: char = '\t';
/// Between the values of a field that a packet has several times.
const AGGREGATOR: char = ' ';
const FIELDS: &[&str] = &[
    "eth.src",
    "eth.dst",
    "ip.src",
    "ip.dst",
    "ip.ttl",
    "ip.checksum.status",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.hlim",
    "vrrp.version",
    "vrrp.type",
    "vrrp.virt_rtr_id",
    "vrrp.prio",
    "vrrp.addr_count",
    "vrrp.auth_type",
    "vrrp.auth_string",
    "vrrp.adver_int",
    "vrrp.short_adver_int",
    "vrrp.reserved_mbz",
    "vrrp.checksum.status",
    "vrrp.ip_addr",
    "vrrp.ipv6_addr",
    "arp.opcode",
    "arp.isgratuitous",
    "arp.src.hw_mac",
    "arp.src.proto_ipv4",
    "arp.dst.proto_ipv4",
    "icmp.type",
    "icmpv6.type",
    "icmpv6.checksum.status",
    "icmpv6.nd.na.flag.r",
    "icmpv6.nd.na.flag.s",
    "icmpv6.nd.na.flag.o",
    "icmpv6.nd.na.target_address",
    "icmpv6.opt.linkaddr",
    "_ws.expert.message",
    "_ws.malformed",
];

/// Which checksum of VRRPv3 over IPv4 it takes for right: there are two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksums {
    /// With the pseudo-header, its default.
    PseudoHeader,
    /// Of the message alone, as in version 2.
    MessageOnly,
}

/// One packet. A field that it does not have is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    fields: BTreeMap<&'static str, String>,
}

impl Frame {
    /// A field's value; several with spaces between them.
    ///
    /// # Panics
    /// When it is none of those that are asked for.
    #[track_caller]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_else(|| panic!("{name} is not asked for"))
    }

    /// Whether the packet has the field.
    #[track_caller]
    pub fn has(&self, name: &str) -> bool {
        !self.field(name).is_empty()
    }

    /// What tshark finds wrong; empty for a sound packet.
    pub fn complaints(&self) -> String {
        let said = ["_ws.expert.message", "_ws.malformed"].map(|name| self.field(name));
        said.join(" ").trim().to_owned()
    }
}

/// Every packet of a file.
///
/// # Panics
/// When tshark is missing or cannot read the file.
#[track_caller]
pub fn frames(file: &Path, checksums: Checksums) -> Vec<Frame> {
    let mut command = Command::new("tshark");
    // Nobody's preferences, no names looked up, one pass.
    command.env("WIRESHARK_CONFIG_DIR", file.with_extension("none")).arg("-n").arg("-r").arg(file);
    let as_in_v2 = checksums == Checksums::MessageOnly;
    for preference in [
        "ip.check_checksum:TRUE".to_owned(),
        // An address that moves to another host is what VRRP is for.
        "arp.detect_duplicate_ips:FALSE".to_owned(),
        format!("vrrp.v3_checksum_as_in_v2:{}", if as_in_v2 { "TRUE" } else { "FALSE" }),
    ] {
        command.args(["-o", &preference]);
    }
    command.args(["-T", "fields", "-E", "occurrence=a"]);
    command.arg("-E").arg(format!("aggregator={AGGREGATOR}"));
    command.args(FIELDS.iter().flat_map(|field| ["-e", field]));
    super::text_of("tshark", command.output()).lines().map(frame).collect()
}

fn frame(line: &str) -> Frame {
    let values = line.split(SEPARATOR).map(str::to_owned);
    let fields: BTreeMap<_, _> = FIELDS.iter().copied().zip(values).collect();
    assert_eq!(fields.len(), FIELDS.len(), "a value holds the separator: {line:?}");
    Frame { fields }
}
