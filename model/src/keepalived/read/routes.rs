//! Lines of `virtual_routes`.

use super::super::cell::Pos;
use super::super::lexeme::Word;
use super::super::report::Report;
use super::super::tree::Statement;
use super::super::value::{address, integer, interface};
use super::addresses::{scope, value};
use crate::routing::{RouteKind, VirtualRoute, destination};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};

/// More than a master can take over in time.
const MAX_ROUTES: usize = 1_000;
/// The kernel's own table (`RT_TABLE_LOCAL`).
const LOCAL_TABLE: u32 = 255;
/// Least MTU of a link (RFC 791 §3.2, RFC 8200 §5).
const LEAST_MTU: [u32; 2] = [68, 1280];

/// A route and where it is written.
pub(super) type Placed = (VirtualRoute, Pos);

/// Reads every line of the block; broken ones are findings and left out.
pub(super) fn read(block: &Statement, into: &mut Vec<Placed>, report: &mut Report) {
    for line in block.statements() {
        if line.block.is_some() {
            let message = format!("no block belongs into {}", block.keyword());
            report.error(line.pos(), "stray-block", message, "remove the braces");
            continue;
        }
        let Some(route) = Line::default().read(line, report) else { continue };
        if into.len() >= MAX_ROUTES {
            let message = format!("an instance has at most {MAX_ROUTES} routes");
            return report.error(line.pos(), "too-many", message, "write fewer");
        }
        if into.iter().any(|(other, _)| other.key() == route.key()) {
            let message = format!("the kernel takes one route to {} of this metric", route.to);
            let remedy = "keep one, or give one another metric or table";
            report.error(line.pos(), "duplicate-route", message, remedy);
            continue;
        }
        into.push((route, line.pos()));
    }
}

/// What a line says.
#[derive(Debug, Default)]
struct Line<'a> {
    to: Option<&'a Word>,
    ipv6: bool,
    via: Option<IpAddr>,
    dev: Option<String>,
    source: Option<IpAddr>,
    table: Option<u32>,
    metric: Option<u32>,
    scope: Option<(crate::address::Scope, Pos)>,
    on_link: Option<Pos>,
    kind: RouteKind,
    mtu: Option<u32>,
}

impl<'a> Line<'a> {
    fn read(mut self, line: &'a Statement, report: &mut Report) -> Option<VirtualRoute> {
        let mut words = line.words.iter();
        while let Some(word) = words.next() {
            self.word(word, &mut words, report)?;
        }
        self.finish(line.pos(), report)
    }

    /// `None` when the rest of the line cannot be understood.
    fn word(
        &mut self,
        word: &'a Word,
        words: &mut impl Iterator<Item = &'a Word>,
        report: &mut Report,
    ) -> Option<()> {
        match word.text.as_str() {
            "to" => self.to = Some(value(word, words, report)?),
            "via" | "gw" => {
                let mut word = value(word, words, report)?;
                if matches!(word.text.as_str(), "inet" | "inet6") {
                    word = value(word, words, report)?;
                }
                self.via = Some(address(word, "via", report)?);
            }
            "src" => {
                let word = value(word, words, report)?;
                self.source = Some(address(word, "src", report)?);
            }
            "dev" | "oif" => self.dev = Some(interface(value(word, words, report)?, report)?),
            "table" => {
                let word = value(word, words, report)?;
                let table = table(word, report)?;
                if table == LOCAL_TABLE {
                    let message = "the local table is the kernel's own";
                    let remedy = "write another, or leave it out for the main table";
                    report.error(word.pos, "bad-value", message, remedy);
                    return None;
                }
                self.table = Some(table);
            }
            "metric" | "priority" | "preference" => {
                let range = 0..=i64::from(u32::MAX);
                let metric = integer(value(word, words, report)?, "metric", range, report)?;
                self.metric = u32::try_from(metric).ok();
            }
            "scope" => {
                let word = value(word, words, report)?;
                self.scope = Some((scope(word, report)?, word.pos));
            }
            "mtu" => {
                let word = value(word, words, report)?;
                let mtu = integer(word, "mtu", 68..=i64::from(u32::MAX), report)?;
                self.mtu = u32::try_from(mtu).ok();
            }
            "onlink" => self.on_link = Some(word.pos),
            // A route that goes missing is added again, and never moves the addresses.
            "no_track" => {}
            "inet" | "inet6" => self.ipv6 = last(word, words, report)?,
            "unicast" => self.kind = RouteKind::Unicast,
            "blackhole" => self.kind = RouteKind::Blackhole,
            "unreachable" => self.kind = RouteKind::Unreachable,
            "prohibit" => self.kind = RouteKind::Prohibit,
            "or" | "nexthop" => {
                let message = "a route over several gateways is not supported";
                let remedy = "write one `via`, or set the route in a notify script";
                report.error(word.pos, "not-supported", message, remedy);
                return None;
            }
            option if UNSUPPORTED.contains(&option) => {
                let message = format!("{option} of a route is not supported");
                let remedy = "remove it, or set the route in a notify script";
                report.error(word.pos, "not-supported", message, remedy);
                return None;
            }
            other if destination(other, [None, None]).is_some() || is_every(other) => {
                self.to = Some(word);
            }
            other => {
                let message = format!("unknown option {other:?} of a route");
                let remedy = "options are to, via, dev, src, table, metric, scope, mtu, onlink, \
                              no_track; write one route a line";
                report.error(word.pos, "unknown-keyword", message, remedy);
                return None;
            }
        }
        Some(())
    }

    fn finish(self, start: Pos, report: &mut Report) -> Option<VirtualRoute> {
        let Some(to) = self.to else {
            let message = "the route leads nowhere";
            report.error(start, "missing-value", message, "write: default via 192.0.2.1 dev eth0");
            return None;
        };
        let text = if is_every(&to.text) { "default" } else { &to.text };
        let beside = self.ipv6.then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let Some(net) = destination(text, [self.via.or(beside), self.source]) else {
            let message = format!("{:?} is no destination", to.text);
            let remedy = "write it as 10.0.0.0/8, 2001:db8::/32 or default";
            report.error(to.pos, "bad-address", message, remedy);
            return None;
        };
        let net = whole(net, to.pos, report)?;
        for address in self.via.into_iter().chain(self.source) {
            if address.is_ipv4() != net.addr().is_ipv4() {
                let message = format!("{address} is not of the family of {net}");
                let remedy = "write both as IPv4, or both as IPv6";
                report.error(start, "mixed-families", message, remedy);
                return None;
            }
        }
        self.next_hop(net, start, report)?;
        let ipv4 = net.addr().is_ipv4();
        let least = LEAST_MTU[usize::from(!ipv4)];
        if self.mtu.is_some_and(|mtu| mtu < least) {
            let message = format!("mtu is below the {least} bytes that {net} needs");
            report.error(start, "bad-value", message, format!("write {least} or more"));
            return None;
        }
        let mut scope = self.scope;
        if let (false, Some((_, pos))) = (ipv4, scope.take_if(|_| !ipv4)) {
            let message = "IPv6 routes have no scope";
            report.warning(pos, "no-effect", message, "remove it");
        }
        Some(VirtualRoute {
            to: net,
            via: self.via,
            dev: self.dev,
            source: self.source,
            table: self.table,
            metric: self.metric,
            scope: scope.map(|(scope, _)| scope),
            on_link: self.on_link.is_some(),
            kind: self.kind,
            mtu: self.mtu,
        })
    }

    /// What the kernel refuses, which keepalived finds out as a master only.
    fn next_hop(&self, to: IpNet, start: Pos, report: &mut Report) -> Option<()> {
        let link_local = matches!(self.via, Some(IpAddr::V6(via)) if via.is_unicast_link_local());
        let (message, remedy) = match self.kind {
            RouteKind::Unicast if self.via.is_none() && self.dev.is_none() => (
                format!("the route to {to} says neither via nor dev"),
                "write via, the gateway, or dev, the interface",
            ),
            RouteKind::Unicast if link_local && self.dev.is_none() => {
                ("a link-local gateway is one on every interface".to_owned(), "write dev too")
            }
            RouteKind::Unicast
                if self.on_link.is_some() && (self.via.is_none() || self.dev.is_none()) =>
            {
                ("onlink says that dev reaches via".to_owned(), "write both, or remove it")
            }
            RouteKind::Unicast => return Some(()),
            kind => {
                let leads = self.via.is_some()
                    || self.dev.is_some()
                    || self.source.is_some()
                    || self.on_link.is_some()
                    || self.mtu.is_some();
                if !leads {
                    return Some(());
                }
                let message = format!("a {} route leads nowhere", kind.as_str());
                (message, "remove via, dev, src, onlink and mtu, or the kind")
            }
        };
        report.error(start, "route-next-hop", message, remedy);
        None
    }
}

/// Options of ip-route(8) that keepalived knows and vipfleet does not.
const UNSUPPORTED: [&str; 33] = [
    "throw",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "nat",
    "xresolve",
    "tos",
    "dsfield",
    "protocol",
    "realms",
    "rtt",
    "rttvar",
    "reordering",
    "window",
    "cwnd",
    "ssthresh",
    "rto_min",
    "hoplimit",
    "advmss",
    "initcwnd",
    "initrwnd",
    "features",
    "quickack",
    "congctl",
    "pref",
    "expires",
    "encap",
    "ttl-propagate",
    "fastopen_no_cookie",
    "vrf",
    "append",
    "as",
];

/// Other words for `default`.
fn is_every(text: &str) -> bool {
    matches!(text, "default" | "all" | "any")
}

/// Whether `inet6` is meant, at the end of a line: keepalived swallows a word after it.
pub(super) fn last<'a>(
    word: &Word,
    words: &mut impl Iterator<Item = &'a Word>,
    report: &mut Report,
) -> Option<bool> {
    if words.next().is_some() {
        let message = format!("keepalived swallows the word after {}", word.text);
        let remedy = "put it at the end of the line, or write the prefix: ::/0 or 0.0.0.0/0";
        report.error(word.pos, "bad-value", message, remedy);
        return None;
    }
    Some(word.text == "inet6")
}

/// Without bits beyond the prefix, which the kernel refuses.
fn whole(net: IpNet, pos: Pos, report: &mut Report) -> Option<IpNet> {
    if net == net.trunc() {
        return Some(net);
    }
    let message = format!("{net} has bits beyond its prefix: the kernel refuses such a route");
    report.error(pos, "route-prefix", message, format!("write {}, or {}", net.trunc(), net.addr()));
    None
}

/// A table by its number, or by a name that every host has.
pub(super) fn table(word: &Word, report: &mut Report) -> Option<u32> {
    let text = word.text.as_str();
    let number = match text {
        "main" => Some(crate::routing::MAIN_TABLE),
        "default" => Some(253),
        "local" => Some(LOCAL_TABLE),
        _ => number(text),
    };
    match number {
        None => {
            let message = format!("{text:?} is no number of a table");
            let remedy = "write the number that /etc/iproute2/rt_tables gives the name";
            report.error(word.pos, "bad-value", message, remedy);
            None
        }
        Some(0) => {
            report.error(word.pos, "bad-value", "table 0 is none", "write 1 or more, or main");
            None
        }
        table => table,
    }
}

/// Decimal or hexadecimal.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) if !digits.starts_with('+') => u32::from_str_radix(digits, 16).ok(),
        None if !text.starts_with('+') => text.parse().ok(),
        _ => None,
    }
}
