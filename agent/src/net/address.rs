//! Addresses as netlink messages, both directions. Pure.

use super::lease::LeaseTerms;
use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol,
    AddressScope, CacheInfo,
};
use std::net::IpAddr;
use vipfleet_model::VirtualAddress;
use vipfleet_model::address::Scope;

/// IFA_PROTO of what this agent adds: the IP protocol number of VRRP. Kernels before 5.18 have
/// no such attribute and ignore it.
const MARK: u8 = 112;
/// The kernel's "no end" (`INFINITY_LIFE_TIME`).
const FOREVER: u32 = u32::MAX;

/// One address as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) index: u32,
    pub(crate) address: IpNet,
    /// Seconds left; `None` is for ever.
    pub(crate) valid: Option<u32>,
    pub(crate) mark: Option<u8>,
    pub(crate) standing: Standing,
}

/// How good an IPv6 address is as a source; those of IPv4 are all alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    Good,
    /// Temporary (RFC 8981) or deprecated: one that goes soon.
    Passing,
    /// Duplicate address detection runs (RFC 4862 §5.4).
    Tentative,
    /// Duplicate address detection found another host with it.
    Duplicate,
}

impl Standing {
    fn of(flags: AddressFlags) -> Self {
        // The bit of IPv4's secondary addresses means a temporary one here.
        let passing = AddressFlags::Deprecated | AddressFlags::Secondary;
        if flags.contains(AddressFlags::Dadfailed) {
            Self::Duplicate
        } else if flags.contains(AddressFlags::Tentative)
            && !flags.contains(AddressFlags::Optimistic)
        {
            Self::Tentative
        } else if flags.intersects(passing) {
            Self::Passing
        } else {
            Self::Good
        }
    }
}

impl Seen {
    /// Carries our mark and ends by itself. A permanent address is never ours, whatever else
    /// is said about it.
    pub(crate) fn is_marked_lease(&self) -> bool {
        self.valid.is_some() && self.mark == Some(MARK)
    }

    /// An address of which nothing more is known.
    pub(crate) fn bare(index: u32, address: IpNet) -> Self {
        Self { index, address, valid: None, mark: None, standing: Standing::Good }
    }

    /// What the kernel shows right after we added or renewed.
    pub(crate) fn leased(index: u32, address: IpNet, terms: LeaseTerms) -> Self {
        let valid = Some(terms.valid_seconds());
        Self { valid, mark: Some(MARK), ..Self::bare(index, address) }
    }

    /// `None` for messages without an address.
    pub(crate) fn from_message(message: &AddressMessage) -> Option<Self> {
        let (mut local, mut peer, mut valid, mut mark) = (None, None, None, None);
        let mut standing = Standing::Good;
        let is_ipv6 = message.header.family == AddressFamily::Inet6;
        for attribute in &message.attributes {
            match attribute {
                AddressAttribute::Local(address) => local = Some(*address),
                AddressAttribute::Address(address) => peer = Some(*address),
                AddressAttribute::CacheInfo(info) if info.ifa_valid != FOREVER => {
                    valid = Some(info.ifa_valid);
                }
                AddressAttribute::Flags(flags) if is_ipv6 => standing = Standing::of(*flags),
                AddressAttribute::Protocol(protocol) => mark = Some(u8::from(*protocol)),
                _ => {}
            }
        }
        // On a point-to-point link IFA_ADDRESS is the other end (rtnetlink(7)).
        let address = IpNet::new(local.or(peer)?, message.header.prefix_len).ok()?;
        Some(Self { index: message.header.index, address, valid, mark, standing })
    }
}

/// An address of `virtual_address` on the interface `index`, leased.
pub(super) fn leased(
    index: u32,
    virtual_address: &VirtualAddress,
    terms: LeaseTerms,
) -> AddressMessage {
    let ip = virtual_address.ip();
    let valid = terms.valid_seconds();
    let mut message = named(index, virtual_address.address);
    message.header.scope = match virtual_address.scope {
        Scope::Global => AddressScope::Universe,
        Scope::Site => AddressScope::Site,
        Scope::Link => AddressScope::Link,
        Scope::Host => AddressScope::Host,
    };
    let mut lifetimes = CacheInfo::default();
    lifetimes.ifa_valid = valid;
    // IPv6 prefers undeprecated sources; a VIP must not become the source of the host's own
    // traffic. IPv4 source selection does not look at it, and there a shorter preferred time
    // would only make the kernel report each address once more.
    lifetimes.ifa_preferred = if ip.is_ipv6() { 0 } else { valid };
    message.attributes.push(AddressAttribute::CacheInfo(lifetimes));
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(MARK)));
    if let Some(label) = &virtual_address.label {
        message.attributes.push(AddressAttribute::Label(label.clone()));
    }
    if let Some(IpAddr::V4(broadcast)) = virtual_address.broadcast {
        message.attributes.push(AddressAttribute::Broadcast(broadcast));
    }
    if ip.is_ipv6() {
        // Duplicate address detection would make the address unusable for a second.
        message.header.flags = AddressHeaderFlags::Nodad;
        let mut flags = AddressFlags::Nodad;
        if virtual_address.address.prefix_len() == 128 {
            flags |= AddressFlags::Noprefixroute;
        }
        message.attributes.push(AddressAttribute::Flags(flags));
    }
    message
}

/// The message that names an address, which is all that a deletion needs. The kernel compares
/// local address and prefix, so that another prefix of the same address is never meant.
pub(crate) fn named(index: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match address {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(address.addr()));
    message.attributes.push(AddressAttribute::Address(address.addr()));
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn terms() -> LeaseTerms {
        LeaseTerms::of(Duration::from_millis(3609))
    }

    fn vip(text: &str) -> VirtualAddress {
        VirtualAddress { address: text.parse().unwrap(), ..VirtualAddress::host([0; 4].into()) }
    }

    fn lifetimes(message: &AddressMessage) -> (u32, u32) {
        let info = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::CacheInfo(info) => Some((info.ifa_preferred, info.ifa_valid)),
            _ => None,
        });
        info.unwrap()
    }

    #[test]
    fn what_we_add_is_recognised_as_ours_when_it_is_seen_again() {
        for text in ["192.0.2.10/32", "192.0.2.10/24", "2001:db8::10/128"] {
            let message = leased(7, &vip(text), terms());
            let seen = Seen::from_message(&message).unwrap();
            assert_eq!(seen, Seen::leased(7, text.parse().unwrap(), terms()));
            assert!(seen.is_marked_lease());
        }
    }

    #[test]
    fn a_permanent_address_is_never_ours_even_with_our_mark() {
        let mut seen = Seen::leased(7, "192.0.2.10/32".parse().unwrap(), terms());
        seen.valid = None;
        assert!(!seen.is_marked_lease());
    }

    #[test]
    fn an_ipv6_address_is_never_preferred_as_a_source() {
        assert_eq!(lifetimes(&leased(7, &vip("2001:db8::10/128"), terms())), (0, 5));
        assert_eq!(lifetimes(&leased(7, &vip("192.0.2.10/32"), terms())), (5, 5));
    }

    #[test]
    fn label_scope_and_broadcast_reach_the_kernel_as_written() {
        let written = VirtualAddress {
            label: Some("eth0:1".into()),
            scope: Scope::Link,
            broadcast: Some([192, 0, 2, 255].into()),
            ..vip("192.0.2.10/24")
        };
        let message = leased(7, &written, terms());
        assert_eq!(message.header.scope, AddressScope::Link);
        assert!(message.attributes.contains(&AddressAttribute::Label("eth0:1".into())));
        let broadcast = AddressAttribute::Broadcast([192, 0, 2, 255].into());
        assert!(message.attributes.contains(&broadcast));
    }
}
