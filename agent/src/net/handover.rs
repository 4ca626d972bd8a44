//! The interface settings that handovers and addresses with a subnet need: borrowed before,
//! put back after. Part of the actor.

use super::actor::Actor;
use super::error::Fault;
use super::place::{Place, Step};
use super::sysctl::Key;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a handover waits for the ledger to be written before it goes on regardless.
const LEDGER_PATIENCE: Duration = Duration::from_millis(100);

impl Actor {
    /// Makes the interfaces of the coming handovers answer ARP for their addresses only. Returns
    /// those where that holds; the others cannot be silent.
    pub(super) async fn silence(&mut self, steps: &[(Place, Step)]) -> BTreeSet<u32> {
        let mut silent = BTreeSet::new();
        for (place, step) in steps {
            let Step::AddRoute(index) = *step else {
                continue;
            };
            if silent.contains(&index) {
                continue;
            }
            // ARP is IPv4's; neighbour discovery answers for addresses only, never for routes.
            let quiet =
                place.address.addr().is_ipv6() || self.borrow_at(place, index, &Key::SILENCE).await;
            if quiet {
                silent.insert(index);
            }
        }
        silent
    }

    /// Without `promote_secondaries` the kernel deletes a primary's secondaries with it, be they
    /// the host's own. Held while an address with a subnet is.
    pub(super) async fn protect_secondaries(&mut self, place: &Place, index: u32) -> bool {
        let address = place.address;
        let alone = address.prefix_len() == address.max_prefix_len();
        alone
            || address.addr().is_ipv6()
            || self.borrow_at(place, index, &[Key::PromoteSecondaries]).await
    }

    async fn borrow_at(&mut self, place: &Place, index: u32, keys: &[Key]) -> bool {
        let borrowed = self.borrow(index, &place.interface, keys).await;
        borrowed.map_err(|fault| self.fail(place, fault)).is_ok()
    }

    /// Raises settings, written to the ledger first so that a crash is repaired.
    pub(super) async fn borrow(
        &mut self,
        index: u32,
        interface: &str,
        keys: &[Key],
    ) -> Result<(), Fault> {
        if keys.iter().all(|key| self.settings.is_raised(index, *key)) {
            return Ok(());
        }
        let refused = |key: Key| {
            move |error: std::io::Error| Fault::setting(&key.path_name(interface), &error)
        };
        for key in keys {
            self.settings.note(index, interface, *key).map_err(refused(*key))?;
        }
        self.write_ledger().await;
        for key in keys {
            self.settings.raise(index, *key).map_err(refused(*key))?;
        }
        Ok(())
    }

    /// What is about to be done is known to the next incarnation, unless the disk is too slow.
    pub(super) async fn write_ledger(&mut self) {
        let ledger = self.ledger();
        let number = self.writer.put(ledger);
        let _ = tokio::time::timeout(LEDGER_PATIENCE, self.writer.written(number)).await;
    }

    /// Puts back the settings that no address and no route needs any more.
    pub(super) fn put_settings_back(&mut self) {
        if self.settings.is_empty() {
            return;
        }
        let parents = self.parents_of_devices().into_iter();
        let mut needed: BTreeSet<_> =
            parents.flat_map(|index| Key::SILENCE.map(|key| (index, key))).collect();
        for (place, holding) in &self.holdings {
            let wide = place.address.prefix_len() < place.address.max_prefix_len();
            if let Some(index) = holding.route {
                needed.extend(Key::SILENCE.map(|key| (index, key)));
            }
            if let Some(tenancy) = holding.address.as_ref().filter(|_| wide) {
                needed.insert((tenancy.index, Key::PromoteSecondaries));
            }
        }
        self.unwritten |= self.settings.release(|index, key| needed.contains(&(index, key)));
    }
}
