//! One address on one interface: who wants it, what is held of it, what to do next. Pure.

use super::error::Fault;
use super::lease::Lease;
use super::wants::{Want, Wants};
use ipnet::IpNet;
use std::sync::Arc;
use vipfleet_model::VirtualAddress;
use vipfleet_vrrp::{Custody, Time};

/// Where an address is wanted. The same address with another prefix is another place, as it is
/// for the kernel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) interface: Arc<str>,
    pub(super) address: IpNet,
}

/// An address of ours on an interface.
#[derive(Clone, Debug)]
pub(super) struct Tenancy {
    pub(super) index: u32,
    pub(super) lease: Lease,
    pub(super) spec: VirtualAddress,
    /// The kernel serves it; see [`super::readiness`].
    pub(super) is_ready: bool,
    /// Somebody else changed its lifetime or mark.
    pub(super) tampered: bool,
}

/// Everything known of a place.
#[derive(Debug, Default)]
pub(super) struct Holding {
    pub(super) wants: Wants,
    pub(super) address: Option<Tenancy>,
    /// Interface of the handover route.
    pub(super) route: Option<u32>,
    /// The kernel refused the handover route or its settings: let go at once instead.
    pub(super) never_silent: bool,
    /// Somebody deleted it early; said once it is back.
    pub(super) lost: bool,
    /// The lease it had when it went.
    pub(super) lost_lease: Option<Lease>,
    /// When it was last put back or leased again after somebody's hand was in it.
    pub(super) repaired: Option<Time>,
    pub(super) foreign_told: bool,
    pub(super) fault: Option<Fault>,
    /// Nothing is tried before: the kernel refused, or repairs come too fast.
    pub(super) not_before: Option<Time>,
    /// When its renewal is due.
    pub(super) due: Option<Time>,
}

/// What the kernel shows at a place, apart from what we hold there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ground {
    /// The interface's index, while it exists.
    pub(super) index: Option<u32>,
    /// Somebody else's address is there, under whatever prefix.
    pub(super) foreign: bool,
    /// An address of a former incarnation is there.
    pub(super) leftover: bool,
}

/// What all wishes for a place come to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal<'h> {
    Serving(&'h Want),
    Silent,
    Nothing,
}

/// How an address is put on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Only if nobody has it.
    Exclusive,
    /// A former incarnation's: its lease is taken over.
    Adopt,
    /// Ours already: leased anew.
    Relet,
    /// Ours with another label, scope or broadcast, which the kernel cannot change: deleted and
    /// added in one go.
    Remake,
}

/// The next thing to do for a place; an index is the interface to do it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Claim(u32, Claim),
    AddRoute(u32),
    DropAddress(u32),
    DropRoute(u32),
}

impl Holding {
    pub(super) fn goal(&self) -> Goal<'_> {
        let valid = |want: &&Want| !want.expired;
        let serving = self.wants.iter().filter(|want| want.custody == Custody::Serving);
        if let Some(want) = serving.filter(valid).max_by_key(|want| want.terms.master_down) {
            return Goal::Serving(want);
        }
        let silent = |want: &Want| want.custody == Custody::Silent;
        if self.wants.iter().any(silent) { Goal::Silent } else { Goal::Nothing }
    }

    /// The next step towards the goal; `None` when there is nothing to do.
    pub(super) fn step(&self, ground: Ground) -> Option<Step> {
        let held = self.address.as_ref();
        match (self.goal(), ground.index) {
            (Goal::Serving(want), Some(index)) => match held {
                Some(it) if it.index != index => Some(Step::DropAddress(it.index)),
                Some(it) if it.spec != want.spec => Some(Step::Claim(index, Claim::Remake)),
                Some(it) if it.tampered => Some(Step::Claim(index, Claim::Relet)),
                None if ground.leftover => Some(Step::Claim(index, Claim::Adopt)),
                None if !ground.foreign => Some(Step::Claim(index, Claim::Exclusive)),
                Some(it) if !it.is_ready => None,
                // Only now that the address is there again.
                _ => self.route.map(Step::DropRoute),
            },
            // Without an address there is nobody to serve silently: a handover begins with one.
            (Goal::Silent, Some(index)) if !self.never_silent => match (held, self.route) {
                (Some(it), None) if it.index == index => Some(Step::AddRoute(index)),
                (Some(it), _) => Some(Step::DropAddress(it.index)),
                (None, _) => None,
            },
            _ => self.let_go(ground),
        }
    }

    /// The address goes before the route, so that no ARP request is answered in between.
    fn let_go(&self, ground: Ground) -> Option<Step> {
        let held = self.address.as_ref().map(|it| it.index);
        let left = ground.index.filter(|_| ground.leftover);
        held.or(left).map(Step::DropAddress).or(self.route.map(Step::DropRoute))
    }

    /// Whether the kernel shows what is wanted.
    pub(super) fn is_settled(&self, ground: Ground) -> bool {
        let served = self.address.as_ref().map_or(ground.foreign, |it| it.is_ready);
        let wants_serving = self.wants.iter().any(|it| it.custody == Custody::Serving);
        self.step(ground).is_none() && (!wants_serving || served)
    }

    /// Whether nobody wants it and nothing is left of it.
    pub(super) fn is_over(&self) -> bool {
        self.wants.is_empty() && self.address.is_none() && self.route.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::super::lease::LeaseTerms;
    use super::*;
    use std::time::Duration;

    const TERMS: LeaseTerms = LeaseTerms::of(Duration::from_secs(3));

    fn spec() -> VirtualAddress {
        VirtualAddress::host([192, 0, 2, 10].into())
    }

    fn holding(custody: Custody, address: Option<u32>, route: Option<u32>) -> Holding {
        let want = Want { custody, terms: TERMS, spec: spec(), expired: false };
        let mut wants = Wants::default();
        wants.put("a".parse().unwrap(), want);
        let lease = Lease { renewed: Time::ZERO, terms: TERMS };
        let tenancy =
            |index| Tenancy { index, lease, spec: spec(), is_ready: true, tampered: false };
        Holding { wants, address: address.map(tenancy), route, ..Holding::default() }
    }

    const CLEAR: Ground = Ground { index: Some(2), foreign: false, leftover: false };
    const FOREIGN: Ground = Ground { foreign: true, ..CLEAR };
    const LEFT: Ground = Ground { leftover: true, ..CLEAR };
    const GONE: Ground = Ground { index: None, foreign: false, leftover: false };

    #[test]
    fn every_combination_of_wish_and_kernel_has_its_next_step() {
        use Custody::{None as Nothing, Serving, Silent};
        use Step::{AddRoute, Claim as Take, DropAddress, DropRoute};
        let table = [
            (Serving, None, None, CLEAR, Some(Take(2, Claim::Exclusive))),
            (Serving, None, None, LEFT, Some(Take(2, Claim::Adopt))),
            (Serving, None, None, FOREIGN, None),
            (Serving, None, None, GONE, None),
            (Serving, Some(2), None, CLEAR, None),
            // The interface came back under another index, or its name moved.
            (Serving, Some(3), None, CLEAR, Some(DropAddress(3))),
            (Serving, Some(3), None, GONE, Some(DropAddress(3))),
            // Back from a silent grace: the address first.
            (Serving, None, Some(2), CLEAR, Some(Take(2, Claim::Exclusive))),
            (Serving, Some(2), Some(2), CLEAR, Some(DropRoute(2))),
            // Into a silent grace: the route first.
            (Silent, Some(2), None, CLEAR, Some(AddRoute(2))),
            (Silent, Some(2), Some(2), CLEAR, Some(DropAddress(2))),
            (Silent, None, Some(2), CLEAR, None),
            (Silent, None, None, CLEAR, None),
            (Silent, None, None, FOREIGN, None),
            (Nothing, Some(2), None, CLEAR, Some(DropAddress(2))),
            (Nothing, Some(2), Some(2), CLEAR, Some(DropAddress(2))),
            (Nothing, None, Some(2), CLEAR, Some(DropRoute(2))),
            (Nothing, None, None, LEFT, Some(DropAddress(2))),
            (Nothing, None, None, FOREIGN, None),
            (Nothing, None, None, CLEAR, None),
        ];
        for (custody, address, route, ground, step) in table {
            let seen = holding(custody, address, route).step(ground);
            assert_eq!(seen, step, "{custody:?}, {address:?}, {route:?}, {ground:?}");
        }
    }

    #[test]
    fn an_expired_wish_holds_nothing_until_it_is_wished_anew() {
        let mut holding = holding(Custody::Serving, Some(2), None);
        holding.wants.iter_mut().for_each(|(_, want)| want.expired = true);
        assert_eq!(holding.step(CLEAR), Some(Step::DropAddress(2)));
        holding.address = None;
        assert_eq!(holding.step(CLEAR), None);
        assert!(!holding.is_settled(CLEAR));
    }

    #[test]
    fn a_handover_route_stays_until_the_kernel_serves_the_address() {
        let mut holding = holding(Custody::Serving, Some(2), Some(2));
        holding.address.iter_mut().for_each(|it| it.is_ready = false);
        assert_eq!(holding.step(CLEAR), None);
        assert!(!holding.is_settled(CLEAR));
        holding.address.iter_mut().for_each(|it| it.is_ready = true);
        assert_eq!(holding.step(CLEAR), Some(Step::DropRoute(2)));
    }

    #[test]
    fn a_refused_silence_lets_go_at_once() {
        let mut holding = holding(Custody::Silent, Some(2), None);
        holding.never_silent = true;
        assert_eq!(holding.step(CLEAR), Some(Step::DropAddress(2)));
    }

    #[test]
    fn the_longest_terms_of_two_instances_count() {
        let mut holding = holding(Custody::Serving, None, None);
        let terms = LeaseTerms::of(Duration::from_secs(30));
        let other = Want { custody: Custody::Serving, terms, spec: spec(), expired: false };
        holding.wants.put("b".parse().unwrap(), other);
        assert!(matches!(holding.goal(), Goal::Serving(want) if want.terms == terms));
    }

    #[test]
    fn a_changed_label_makes_the_address_anew() {
        let mut holding = holding(Custody::Serving, Some(2), None);
        let labelled = VirtualAddress { label: Some("eth0:1".into()), ..spec() };
        holding.wants.iter_mut().for_each(|(_, want)| want.spec = labelled.clone());
        assert_eq!(holding.step(CLEAR), Some(Step::Claim(2, Claim::Remake)));
    }
}
