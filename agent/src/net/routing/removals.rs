//! Routes and rules as the guard must know them. Part of the actor.

use super::{Key, follow};
use crate::net::actor::Actor;
use crate::net::heartbeat::record::Kind;
use crate::net::lease::LeaseTerms;
use netlink_packet_route::RouteNetlinkMessage;
use std::collections::BTreeMap;
use std::time::Duration;
use vipfleet_vrrp::Custody;

impl Actor {
    /// Hands over the message that removes each route and rule that is wanted or held, with the
    /// longest terms of those who want it.
    pub(in crate::net) fn routing_removals(
        &self,
        add: &mut impl FnMut(Kind, LeaseTerms, RouteNetlinkMessage),
    ) {
        let mut known = BTreeMap::<Key, LeaseTerms>::new();
        for instance in self.instances.values().filter(|it| it.desire.custody != Custody::None) {
            for (key, _) in instance.desire.following.things() {
                let longest = known.entry(key).or_insert(instance.desire.lease);
                *longest = longest.longer(instance.desire.lease);
            }
        }
        let held = self.book.entries.iter().filter(|(_, entry)| entry.held.is_some());
        for (key, _) in held {
            known.entry(key.clone()).or_insert(LeaseTerms::of(Duration::ZERO));
        }
        for (key, terms) in known {
            let kind = match key {
                Key::Route(_) => Kind::Route,
                Key::Rule(_) => Kind::Rule,
            };
            let message = follow::removal(&key, self.book.shown.get(&key));
            add(kind, terms, message);
        }
    }
}
