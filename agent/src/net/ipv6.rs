//! IPv6 of one interface: which of its addresses may be used, and what the host has set.
//!
//! IPv6 knows no primary address, and the kernel lists the newest first: the order here depends
//! on the addresses alone, so that an agent and the members that were told of it agree.

use super::address::{Seen, Standing};
use super::neighbour::Role;
use ipnet::IpNet;
use std::fs;
use std::net::IpAddr;

/// What the VRRP loop has to know apart from the usable addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ipv6State {
    /// `net.ipv6.conf.IF.disable_ipv6`: there is no IPv6 on the interface.
    pub disabled: bool,
    /// From `net.ipv6.conf.IF.forwarding`.
    pub role: Role,
    /// Usable soon: duplicate address detection runs.
    pub tentative: Vec<IpAddr>,
    /// Unusable: another host on the link has them.
    pub duplicate: Vec<IpAddr>,
}

impl Ipv6State {
    /// Of the interface's own addresses.
    pub(super) fn of(interface: &str, own: &[&Seen]) -> Self {
        let with = |standing| {
            let found = own.iter().filter(|seen| seen.standing == standing);
            found.map(|seen| seen.address.addr()).collect()
        };
        let role = if is_set(interface, "forwarding") { Role::Router } else { Role::Host };
        Self {
            disabled: is_set(interface, "disable_ipv6"),
            role,
            tentative: with(Standing::Tentative),
            duplicate: with(Standing::Duplicate),
        }
    }
}

/// Those of IPv4 as the kernel lists them; then those of IPv6 that may be used, temporary and
/// deprecated ones last, else by number.
pub(super) fn usable(own: &[&Seen]) -> Vec<IpNet> {
    let (four, mut six) = own
        .iter()
        .filter(|seen| seen.standing < Standing::Tentative)
        .partition::<Vec<&Seen>, _>(|seen| seen.address.addr().is_ipv4());
    six.sort_unstable_by_key(|seen| (seen.standing, seen.address));
    four.into_iter().chain(six).map(|seen| seen.address).collect()
}

/// A host without IPv6 has no such file.
fn is_set(interface: &str, key: &str) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/{key}");
    fs::read_to_string(path).is_ok_and(|text| text.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_depends_on_the_addresses_alone_and_unusable_ones_are_left_out() {
        let seen = |text: &str, standing| Seen { standing, ..Seen::bare(2, text.parse().unwrap()) };
        let mut addresses = [
            seen("2001:db8::9/64", Standing::Passing),
            seen("192.0.2.9/24", Standing::Good),
            seen("fe80::7/64", Standing::Duplicate),
            seen("fe80::2/64", Standing::Good),
            seen("2001:db8::f/64", Standing::Good),
            seen("192.0.2.1/24", Standing::Good),
            seen("fe80::1/64", Standing::Tentative),
        ];
        let order = |addresses: &[Seen]| {
            let refs: Vec<_> = addresses.iter().collect();
            usable(&refs).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let six = ["2001:db8::f/64", "fe80::2/64", "2001:db8::9/64"];
        assert_eq!(order(&addresses)[..2], ["192.0.2.9/24", "192.0.2.1/24"]);
        assert_eq!(order(&addresses)[2..], six);
        addresses.reverse();
        assert_eq!(order(&addresses)[2..], six);
    }
}
