//! Virtual routes and rules. An absent field takes the default that documents give it.

use crate::field::{choice_or, ip, mirrored, net, optional_choice};
use crate::malformed::{Malformed, Under};
use crate::v1;
use ipnet::IpNet;
use vipfleet_model::routing::{RouteKind, VirtualRoute, VirtualRule};

mirrored!(RouteKind, v1::RouteKind, Unicast, Blackhole, Unreachable, Prohibit);

impl From<VirtualRoute> for v1::VirtualRoute {
    fn from(it: VirtualRoute) -> Self {
        let VirtualRoute { to, via, dev, source, table, metric, scope, on_link, kind, mtu } = it;
        Self {
            to: to.to_string(),
            via: via.map(|via| via.to_string()),
            dev,
            source: source.map(|source| source.to_string()),
            table,
            metric,
            scope: scope.map(|scope| v1::Scope::from(scope).into()),
            on_link,
            kind: Some(v1::RouteKind::from(kind).into()),
            mtu,
        }
    }
}

impl TryFrom<v1::VirtualRoute> for VirtualRoute {
    type Error = Malformed;

    fn try_from(wire: v1::VirtualRoute) -> Result<Self, Malformed> {
        let v1::VirtualRoute { to, via, dev, source, table, metric, scope, on_link, kind, mtu } =
            wire;
        Ok(Self {
            to: net(&to).under("to")?,
            via: via.map(|via| ip(&via, "via")).transpose()?,
            dev,
            source: source.map(|source| ip(&source, "source")).transpose()?,
            table,
            metric,
            scope: optional_choice::<v1::Scope, _>(scope, "scope")?,
            on_link,
            kind: choice_or::<v1::RouteKind, _>(kind, RouteKind::default(), "kind")?,
            mtu,
        })
    }
}

impl From<VirtualRule> for v1::VirtualRule {
    fn from(it: VirtualRule) -> Self {
        let VirtualRule { from, to, iif, oif, fwmark, fwmask, table, priority } = it;
        let text = |net: Option<IpNet>| net.map(|net| net.to_string());
        Self { from: text(from), to: text(to), iif, oif, fwmark, fwmask, table, priority }
    }
}

impl TryFrom<v1::VirtualRule> for VirtualRule {
    type Error = Malformed;

    fn try_from(wire: v1::VirtualRule) -> Result<Self, Malformed> {
        let v1::VirtualRule { from, to, iif, oif, fwmark, fwmask, table, priority } = wire;
        let prefix =
            |text: Option<String>, field| text.map(|text| net(&text).under(field)).transpose();
        let (from, to) = (prefix(from, "from")?, prefix(to, "to")?);
        Ok(Self { from, to, iif, oif, fwmark, fwmask, table, priority })
    }
}
