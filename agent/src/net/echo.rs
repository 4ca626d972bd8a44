//! Own deletions of IPv6 addresses whose news is still on its way. Pure.
//!
//! News of IPv4 addresses say whose request they follow from, and a socket filter drops our own.
//! Those of IPv6 do not: without this, an address that was let go and claimed again at once would
//! look as if somebody had deleted it. The kernel queues its news in the order of the changes, so
//! everything about an address before the news of our deletion is older than that deletion.

use ipnet::IpNet;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Echoes(BTreeMap<(u32, IpNet), u32>);

impl Echoes {
    /// The kernel did as asked and deleted an address: it will say so, exactly once.
    pub(super) fn expect(&mut self, index: u32, address: IpNet) {
        if address.addr().is_ipv6() {
            *self.0.entry((index, address)).or_default() += 1;
        }
    }

    /// Whether the next news of this address are from before our latest deletion of it.
    pub(super) fn is_awaited(&self, index: u32, address: IpNet) -> bool {
        self.0.contains_key(&(index, address))
    }

    /// Takes the news of a deletion: whether it is one of ours.
    pub(super) fn take(&mut self, index: u32, address: IpNet) -> bool {
        let Some(count) = self.0.get_mut(&(index, address)) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            self.0.remove(&(index, address));
        }
        true
    }

    /// News were lost, ours perhaps among them.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deletion_of_ours_accounts_for_one_piece_of_news() {
        let (six, four) = ("2001:db8::1/128".parse().unwrap(), "192.0.2.1/32".parse().unwrap());
        let mut echoes = Echoes::default();
        echoes.expect(2, six);
        echoes.expect(2, six);
        echoes.expect(2, four);
        assert!(!echoes.take(3, six) && !echoes.take(2, four));
        assert!(echoes.take(2, six) && echoes.is_awaited(2, six));
        assert!(echoes.take(2, six) && !echoes.is_awaited(2, six));
        assert!(!echoes.take(2, six));
        echoes.expect(2, six);
        echoes.forget();
        assert!(!echoes.take(2, six));
    }
}
