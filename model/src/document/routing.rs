//! Virtual routes and rules, read field by field. Names are those of [`crate::routing`].

use super::fields::{Context, Fields, Spot, list};
use super::instance::scope;
use super::scalar::{boolean, choice, integer, ip, text};
use super::tree::Value;
use crate::routing::{RouteKind, VirtualRoute, VirtualRule, destination, network};
use ipnet::IpNet;

pub(super) fn routes(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Vec<VirtualRoute>> {
    list(context, spot, route)
}

pub(super) fn rules(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Vec<VirtualRule>> {
    list(context, spot, rule)
}

fn route(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<VirtualRoute> {
    let mut fields = Fields::of(context, spot)?;
    // Which `default` is meant shows in what stands beside it.
    let via = fields.optional(context, "via", ip);
    let source = fields.optional(context, "source", ip);
    let beside = [via.flatten(), source.flatten()];
    let to = fields.required(context, "to", |context, spot| {
        let read = written(spot).and_then(|text| destination(text, beside));
        if read.is_none() {
            let remedy = "write it as 10.0.0.0/8, 2001:db8::/32 or default";
            context.wrong(spot, "a destination", remedy);
        }
        read
    });
    let dev = fields.optional(context, "dev", text);
    let table = fields.optional(context, "table", |c, s| integer(c, s, "1 to 4294967295"));
    let metric = fields.optional(context, "metric", |c, s| integer(c, s, "0 to 4294967295"));
    let scope = fields.optional(context, "scope", scope);
    let on_link = fields.optional(context, "onLink", boolean);
    let kind = fields.optional(context, "kind", |c, s| {
        let kinds =
            [RouteKind::Unicast, RouteKind::Blackhole, RouteKind::Unreachable, RouteKind::Prohibit];
        choice(c, s, &kinds.map(|kind| (kind.as_str(), kind)))
    });
    let mtu = fields.optional(context, "mtu", |c, s| integer(c, s, "68 to 65535"));
    fields.finish(context);
    Some(VirtualRoute {
        via: via.flatten(),
        dev: dev.flatten(),
        source: source.flatten(),
        table: table.flatten(),
        metric: metric.flatten(),
        scope: scope.flatten(),
        on_link: on_link.flatten().unwrap_or_default(),
        kind: kind.flatten().unwrap_or_default(),
        mtu: mtu.flatten(),
        ..VirtualRoute::new(to?)
    })
}

fn rule(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<VirtualRule> {
    let mut fields = Fields::of(context, spot)?;
    let from = fields.optional(context, "from", prefix);
    let to = fields.optional(context, "to", prefix);
    let iif = fields.optional(context, "iif", text);
    let oif = fields.optional(context, "oif", text);
    let fwmark = fields.optional(context, "fwmark", mark);
    let fwmask = fields.optional(context, "fwmask", mark);
    let table = fields.required(context, "table", |c, s| integer(c, s, "1 to 4294967295"));
    let priority = fields.required(context, "priority", |c, s| integer(c, s, "1 to 32765"));
    fields.finish(context);
    Some(VirtualRule {
        from: from.flatten(),
        to: to.flatten(),
        iif: iif.flatten(),
        oif: oif.flatten(),
        fwmark: fwmark.flatten(),
        fwmask: fwmask.flatten(),
        ..VirtualRule::new(table?, priority?)
    })
}

fn prefix(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<IpNet> {
    let read = written(spot).and_then(network);
    if read.is_none() {
        context.wrong(spot, "a prefix", "write it as 10.0.0.0/8, 192.0.2.10 or 2001:db8::/32");
    }
    read
}

/// Decimal, or hexadecimal as firewalls write marks.
fn mark(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<u32> {
    let read = written(spot).and_then(|text| match text.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|it| it.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None if text.bytes().all(|it| it.is_ascii_digit()) => text.parse().ok(),
        None => None,
    });
    if read.is_none() {
        context.wrong(spot, "a mark", "write 0 to 4294967295, or hexadecimal such as 0x10");
    }
    read
}

fn written<'n>(spot: &Spot<'n>) -> Option<&'n str> {
    match &spot.node.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}
