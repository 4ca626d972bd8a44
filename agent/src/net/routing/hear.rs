//! What the kernel says of routes and rules, reading them anew, and removing what nobody wants.
//! Part of the actor.

use super::follow::removal;
use super::{Key, route, rule};
use crate::net::actor::Actor;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

impl Actor {
    /// A route or rule came or went by somebody's hand, or by the kernel's.
    pub(in crate::net) fn hear_routing(&mut self, message: &RouteNetlinkMessage) {
        use RouteNetlinkMessage::{DelRoute, DelRule, NewRoute, NewRule};
        let (key, ours) = match message {
            NewRoute(it) | DelRoute(it) => (route::key(it).map(Key::Route), route::is_ours(it)),
            NewRule(it) | DelRule(it) => match rule::read(it) {
                Some((selector, maker)) => (Some(Key::Rule(selector)), maker == rule::Maker::Us),
                None => (None, false),
            },
            _ => (None, false),
        };
        let Some(key) = key else { return };
        let known = self.book.entries.contains_key(&key) || self.book.shown.contains_key(&key);
        if !known {
            self.sweep_wanted |= ours;
            self.book.reread |= ours;
            return;
        }
        if ours && matches!(message, DelRoute(_) | DelRule(_)) {
            self.book.shown.remove(&key);
            self.book.lose(&key);
        } else {
            self.book.reread = true;
            if let Some(entry) = self.book.entries.get_mut(&key) {
                entry.not_before = entry.not_before.filter(|_| entry.lost);
            }
        }
    }

    /// Reads what carries our mark.
    pub(in crate::net) async fn read_routing(&mut self) -> io::Result<()> {
        let mut shown = BTreeMap::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let request = RouteNetlinkMessage::GetRoute(route::dump(family));
            for message in self.netlink.dump(request).await? {
                if let RouteNetlinkMessage::NewRoute(message) = message
                    && route::is_ours(&message)
                    && let Some(key) = route::key(&message)
                {
                    shown.insert(Key::Route(key), Some(message));
                }
            }
            let request = RouteNetlinkMessage::GetRule(rule::dump(family));
            for message in self.netlink.dump(request).await? {
                if let RouteNetlinkMessage::NewRule(message) = message
                    && let Some((selector, maker)) = rule::read(&message)
                    && self.is_ours(&selector, maker)
                {
                    shown.insert(Key::Rule(selector), None);
                }
            }
        }
        self.book.reread = false;
        self.book.shown = shown;
        let entries = self.book.entries.iter();
        let lost = entries.filter(|(key, it)| !it.lost && !self.book.shown.contains_key(key));
        for key in lost.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.book.lose(&key);
        }
        Ok(())
    }

    fn is_ours(&self, selector: &rule::Selector, maker: rule::Maker) -> bool {
        match maker {
            rule::Maker::Us => true,
            rule::Maker::Somebody => false,
            rule::Maker::Untold => {
                let held = self.book.entries.get(&Key::Rule(selector.clone()));
                held.is_some_and(|entry| entry.held.is_some())
                    || self.former.routing.iter().any(|it| it.is_rule(selector))
            }
        }
    }

    /// Removes routes and rules of a former incarnation that no instance names.
    pub(in crate::net) async fn sweep_routing(&mut self) {
        let named = self.instances.values().flat_map(|it| it.desire.following.things());
        let named: BTreeSet<Key> = named.map(|(key, _)| key).collect();
        let known = |key: &Key| named.contains(key) || self.book.entries.contains_key(key);
        let stale = self.book.shown.keys().filter(|key| !known(key)).cloned().collect();
        self.remove_shown(stale).await;
    }

    /// Shutdown: every route and rule with our mark goes.
    pub(in crate::net) async fn let_go_of_routing(&mut self) {
        // What was left over and never looked at since goes, too.
        if let Err(error) = self.read_routing().await {
            tracing::warn!(%error, "cannot read the kernel's routes; removing those known");
        }
        let all = self.book.shown.keys().cloned().collect();
        self.remove_shown(all).await;
        self.book.entries.clear();
    }

    async fn remove_shown(&mut self, keys: Vec<Key>) {
        if keys.is_empty() {
            return;
        }
        let removal = |key: &Key| (removal(key, self.book.shown.get(key)), 0);
        let messages = keys.iter().map(removal).collect();
        let results = self.netlink.batch(messages).await;
        for (key, result) in keys.into_iter().zip(results) {
            match result {
                Ok(()) => tracing::info!(?key, "removed a route or rule that nobody wants"),
                Err(error) => tracing::warn!(?key, %error, "route or rule not removed"),
            }
            self.book.shown.remove(&key);
        }
        self.unwritten = true;
    }
}
