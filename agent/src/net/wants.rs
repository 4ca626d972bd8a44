//! Who wants one address, and how. Pure. Nearly always it is one instance, so this is a list of
//! exact length: the nodes of a map would be most of what a host of a thousand addresses keeps in
//! memory.

use super::lease::LeaseTerms;
use vipfleet_model::{Name, VirtualAddress};
use vipfleet_vrrp::Custody;

/// What one instance wants of a place.
#[derive(Clone, Debug)]
pub(super) struct Want {
    pub(super) custody: Custody,
    pub(super) terms: LeaseTerms,
    pub(super) spec: VirtualAddress,
    /// The lease ran out under this wish: it counts for nothing until it is wished anew.
    pub(super) expired: bool,
}

/// By name of the instance, in their order.
#[derive(Debug, Default)]
pub(super) struct Wants(Vec<(Name, Want)>);

impl Wants {
    /// In place of what the instance wanted before.
    pub(super) fn put(&mut self, instance: Name, want: Want) {
        match self.find(&instance) {
            Ok(at) => self.0[at].1 = want,
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (instance, want));
            }
        }
    }

    pub(super) fn withdraw(&mut self, instance: &Name) {
        if let Ok(at) = self.find(instance) {
            self.0.remove(at);
        }
    }

    fn find(&self, instance: &Name) -> Result<usize, usize> {
        self.0.binary_search_by(|(name, _)| name.cmp(instance))
    }

    pub(super) fn of(&self, instance: &Name) -> Option<&Want> {
        self.find(instance).ok().map(|at| &self.0[at].1)
    }

    pub(super) fn instances(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().map(|(name, _)| name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Want> {
        self.0.iter().map(|(_, want)| want)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Name, &mut Want)> {
        self.0.iter_mut().map(|(name, want)| (&*name, want))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_instance_wants_one_thing_and_they_are_told_in_order() {
        let want = |custody| Want {
            custody,
            terms: LeaseTerms::of(Duration::from_secs(3)),
            spec: "192.0.2.1/32".parse().unwrap(),
            expired: false,
        };
        let (one, two): (Name, Name) = ("one".parse().unwrap(), "two".parse().unwrap());
        let mut wants = Wants::default();
        wants.put(two.clone(), want(Custody::None));
        wants.put(one.clone(), want(Custody::Silent));
        wants.put(two.clone(), want(Custody::Serving));
        assert!(wants.instances().eq([&one, &two]));
        assert_eq!(wants.of(&two).map(|it| it.custody), Some(Custody::Serving));
        assert!(wants.iter().map(|it| it.custody).eq([Custody::Silent, Custody::Serving]));
        wants.withdraw(&one);
        wants.withdraw(&one);
        assert!(wants.instances().eq([&two]) && !wants.is_empty());
        wants.clear();
        assert!(wants.is_empty());
    }
}
