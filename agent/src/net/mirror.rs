//! The kernel's links and addresses as last told, kept by the net thread. Pure.

use super::address::Seen;
use super::interface::Link;
use ipnet::{IpNet, Ipv4Net};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What exists. Links by index; addresses by index and address, each with its place in the
/// kernel's own order.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    links: BTreeMap<u32, Link>,
    names: BTreeMap<String, u32>,
    addresses: BTreeMap<(u32, IpNet), (u64, Seen)>,
    next: u64,
}

impl Mirror {
    /// Forgets everything and takes the two dumps instead.
    pub(super) fn replace(
        &mut self,
        links: impl IntoIterator<Item = Link>,
        addresses: impl IntoIterator<Item = Seen>,
    ) {
        self.links.clear();
        self.names.clear();
        links.into_iter().for_each(|link| self.put_link(link));
        self.replace_addresses(addresses);
    }

    pub(super) fn replace_addresses(&mut self, addresses: impl IntoIterator<Item = Seen>) {
        self.addresses.clear();
        addresses.into_iter().for_each(|seen| self.put_address(seen));
    }

    pub(super) fn put_link(&mut self, link: Link) {
        self.forget_name(link.index);
        self.names.insert(link.name.clone(), link.index);
        self.links.insert(link.index, link);
    }

    fn forget_name(&mut self, index: u32) {
        // The name may be another link's by now.
        let name = self.links.get(&index).map(|link| &link.name);
        if let Some(name) = name.filter(|name| self.names.get(*name) == Some(&index)) {
            self.names.remove(name);
        }
    }

    /// A link went, and its addresses with it.
    pub(super) fn remove_link(&mut self, index: u32) {
        self.forget_name(index);
        self.links.remove(&index);
        self.addresses.retain(|(of, _), _| *of != index);
    }

    /// A new address comes last, as in the kernel's list; a known one keeps its place.
    pub(super) fn put_address(&mut self, seen: Seen) {
        let next = self.next;
        self.next += 1;
        let slot = self.addresses.entry((seen.index, seen.address));
        slot.and_modify(|(_, old)| old.clone_from(&seen)).or_insert((next, seen));
    }

    pub(super) fn remove_address(&mut self, index: u32, address: IpNet) {
        self.addresses.remove(&(index, address));
    }

    pub(super) fn link(&self, index: u32) -> Option<&Link> {
        self.links.get(&index)
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    pub(super) fn index_of(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    pub(super) fn address(&self, index: u32, address: IpNet) -> Option<&Seen> {
        self.addresses.get(&(index, address)).map(|(_, seen)| seen)
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &Seen> {
        self.addresses.values().map(|(_, seen)| seen)
    }

    /// Addresses of one interface in the kernel's order, the primary first.
    pub(super) fn addresses_of(&self, index: u32) -> Vec<&Seen> {
        // The smallest of all networks.
        let low = IpNet::from(Ipv4Net::default());
        let of_link = self.addresses.range((index, low)..).take_while(|((of, _), _)| *of == index);
        let mut found: Vec<_> = of_link.map(|(_, (order, seen))| (*order, seen)).collect();
        found.sort_unstable_by_key(|(order, _)| *order);
        found.into_iter().map(|(_, seen)| seen).collect()
    }

    /// Every entry of one IP address on one interface, whatever the prefix: the kernel takes the
    /// same address with another prefix for a different one.
    pub(super) fn entries(&self, index: u32, ip: IpAddr) -> impl Iterator<Item = &Seen> {
        let widest = IpNet::new(ip, 0).unwrap_or(IpNet::from(ip));
        let entries = self.addresses.range((index, widest)..=(index, IpNet::from(ip)));
        entries.map(|(_, (_, seen))| seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(index: u32, text: &str) -> Seen {
        Seen::bare(index, text.parse().unwrap())
    }

    fn mirror(addresses: &[(u32, &str)]) -> Mirror {
        let mut mirror = Mirror::default();
        mirror.replace([], addresses.iter().map(|(index, text)| seen(*index, text)));
        mirror
    }

    #[test]
    fn the_same_address_is_found_under_every_prefix_and_only_on_its_interface() {
        let mirror = mirror(&[
            (2, "192.0.2.10/24"),
            (2, "192.0.2.10/32"),
            (2, "192.0.2.11/32"),
            (2, "192.0.2.9/24"),
            (3, "192.0.2.10/32"),
        ]);
        let found: Vec<_> = mirror.entries(2, [192, 0, 2, 10].into()).cloned().collect();
        assert_eq!(found, [seen(2, "192.0.2.10/24"), seen(2, "192.0.2.10/32")]);
    }

    #[test]
    fn addresses_keep_the_kernels_order() {
        let mut mirror = mirror(&[(2, "192.0.2.9/24"), (2, "192.0.2.1/24"), (2, "fe80::1/64")]);
        mirror.put_address(seen(2, "10.0.0.1/8"));
        mirror.put_address(seen(2, "192.0.2.1/24"));
        let order: Vec<_> =
            mirror.addresses_of(2).iter().map(|it| it.address.to_string()).collect();
        assert_eq!(order, ["192.0.2.9/24", "192.0.2.1/24", "fe80::1/64", "10.0.0.1/8"]);
    }

    #[test]
    fn addresses_go_with_their_link() {
        let mut mirror = mirror(&[(2, "192.0.2.9/24"), (3, "192.0.2.1/24")]);
        mirror.remove_link(2);
        assert!(mirror.addresses_of(2).is_empty());
        assert_eq!(mirror.addresses_of(3).len(), 1);
    }
}
