//! Routes and policy rules that follow the MASTER: in the kernel of the member that serves, and
//! of no other. Named by an Instance; carried to agents as they are.

use crate::address::Scope;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Table of a route that names none (`RT_TABLE_MAIN`, linux/rtnetlink.h).
pub const MAIN_TABLE: u32 = 254;
/// What the kernel gives an IPv6 route that names no metric (`IP6_RT_PRIO_USER`).
const IPV6_METRIC: u32 = 1024;

/// A route of the member that serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "wire::Route", into = "wire::Route")]
pub struct VirtualRoute {
    /// Where to. Documents may say `default`: 0.0.0.0/0, or ::/0 beside an IPv6 via or source.
    pub to: IpNet,
    /// The gateway.
    pub via: Option<IpAddr>,
    /// The interface; without it, the one that reaches `via`.
    pub dev: Option<String>,
    /// Address that the host's own packets take here.
    pub source: Option<IpAddr>,
    /// The main table by default.
    pub table: Option<u32>,
    /// The kernel's default without it: 0 over IPv4, 1024 over IPv6.
    pub metric: Option<u32>,
    /// IPv4 only; by default `global` with a gateway and `link` without.
    pub scope: Option<Scope>,
    /// `via` is reached at once on `dev`, whatever the addresses there say.
    pub on_link: bool,
    pub kind: RouteKind,
    /// Bytes.
    pub mtu: Option<u32>,
}

/// What a route does with a packet (ip-route(8)).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    #[default]
    Unicast,
    /// Dropped in silence.
    Blackhole,
    /// Dropped, with an ICMP "host unreachable".
    Unreachable,
    /// Dropped, with an ICMP "administratively prohibited".
    Prohibit,
}

/// A policy rule of the member that serves (ip-rule(8)): which packets look in which table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualRule {
    #[serde(default, skip_serializing_if = "Option::is_none", with = "wire::network")]
    pub from: Option<IpNet>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "wire::network")]
    pub to: Option<IpNet>,
    /// Interface that the packet came in on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iif: Option<String>,
    /// Interface that the sending socket is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oif: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fwmark: Option<u32>,
    /// Bits of the mark that count; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fwmask: Option<u32>,
    /// Where the packet's route is looked up.
    pub table: u32,
    /// Lower ones are asked first.
    pub priority: u32,
}

/// What one kernel can hold once: two routes of one key cannot both be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteKey {
    pub to: IpNet,
    pub table: u32,
    pub metric: u32,
}

impl VirtualRoute {
    /// A unicast route to `to` with nothing else said.
    pub fn new(to: IpNet) -> Self {
        Self {
            to,
            via: None,
            dev: None,
            source: None,
            table: None,
            metric: None,
            scope: None,
            on_link: false,
            kind: RouteKind::Unicast,
            mtu: None,
        }
    }

    /// With the kernel's defaults filled in.
    pub fn key(&self) -> RouteKey {
        let metric = match self.metric {
            // The kernel reads 0 over IPv6 as "not said".
            None | Some(0) if self.to.addr().is_ipv6() => IPV6_METRIC,
            metric => metric.unwrap_or(0),
        };
        RouteKey { to: self.to.trunc(), table: self.table.unwrap_or(MAIN_TABLE), metric }
    }
}

impl VirtualRule {
    /// A rule for every packet.
    pub fn new(table: u32, priority: u32) -> Self {
        let (from, to, iif, oif, fwmark, fwmask) = (None, None, None, None, None, None);
        Self { from, to, iif, oif, fwmark, fwmask, table, priority }
    }

    /// Whether any bit of a mark is compared: 0 without a mask is any mark to the kernel.
    pub fn selects_mark(&self) -> bool {
        self.fwmark.is_some_and(|mark| self.fwmask.unwrap_or(mark) != 0)
    }

    /// Whether it is about IPv4; `None` when neither prefix tells, so that the instance does.
    pub fn ipv4(&self) -> Option<bool> {
        self.from.or(self.to).map(|net| net.addr().is_ipv4())
    }
}

impl RouteKind {
    /// As documents and ip-route(8) write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unicast => "unicast",
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
        }
    }
}

/// Every address of a family.
pub fn default_network(ipv6: impl Fn() -> bool) -> IpNet {
    if ipv6() {
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0))
    } else {
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))
    }
}

/// A prefix as text: `A/prefix`, or `A` alone for the host's.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Where a route leads: [`network`], or `default` in the family of what stands beside it.
pub(crate) fn destination(text: &str, beside: [Option<IpAddr>; 2]) -> Option<IpNet> {
    match text {
        "default" => Some(default_network(|| beside.into_iter().flatten().any(|it| it.is_ipv6()))),
        _ => network(text),
    }
}

impl fmt::Display for VirtualRoute {
    /// As ip-route(8) writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind != RouteKind::Unicast {
            write!(f, "{} ", self.kind.as_str())?;
        }
        match self.to.prefix_len() {
            0 if self.to.addr().is_ipv4() => f.write_str("default")?,
            _ => write!(f, "{}", self.to)?,
        }
        word(f, "via", self.via.as_ref())?;
        word(f, "dev", self.dev.as_ref())?;
        word(f, "src", self.source.as_ref())?;
        word(f, "table", self.table.as_ref())?;
        word(f, "metric", self.metric.as_ref())?;
        word(f, "mtu", self.mtu.as_ref())?;
        if self.on_link { f.write_str(" onlink") } else { Ok(()) }
    }
}

impl fmt::Display for VirtualRule {
    /// As ip-rule(8) writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.priority)?;
        match &self.from {
            Some(from) => write!(f, " from {from}")?,
            None => f.write_str(" from all")?,
        }
        word(f, "to", self.to.as_ref())?;
        word(f, "iif", self.iif.as_ref())?;
        word(f, "oif", self.oif.as_ref())?;
        if let Some(mark) = self.fwmark {
            write!(f, " fwmark {mark:#x}")?;
        }
        if let Some(mask) = self.fwmask {
            write!(f, "/{mask:#x}")?;
        }
        write!(f, " lookup {}", self.table)
    }
}

fn word(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&impl fmt::Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name} {value}"))
}

mod wire {
    use super::{RouteKind, VirtualRoute, destination};
    use crate::address::Scope;
    use serde::{Deserialize, Serialize};
    use std::net::IpAddr;

    #[derive(Clone, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct Route {
        to: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<IpAddr>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dev: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<IpAddr>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        table: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metric: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<Scope>,
        #[serde(default, skip_serializing_if = "is_default")]
        on_link: bool,
        #[serde(default, skip_serializing_if = "is_default")]
        kind: RouteKind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mtu: Option<u32>,
    }

    fn is_default<T: Default + PartialEq>(value: &T) -> bool {
        *value == T::default()
    }

    impl TryFrom<Route> for VirtualRoute {
        type Error = String;

        fn try_from(it: Route) -> Result<Self, String> {
            let to = destination(&it.to, [it.via, it.source]).ok_or_else(|| {
                format!("{:?} is no destination: write it as 10.0.0.0/8 or default", it.to)
            })?;
            let Route { via, dev, source, table, metric, scope, on_link, kind, mtu, .. } = it;
            Ok(Self { to, via, dev, source, table, metric, scope, on_link, kind, mtu })
        }
    }

    impl From<VirtualRoute> for Route {
        fn from(it: VirtualRoute) -> Self {
            let to = it.to.to_string();
            let VirtualRoute { via, dev, source, table, metric, scope, on_link, kind, mtu, .. } =
                it;
            Self { to, via, dev, source, table, metric, scope, on_link, kind, mtu }
        }
    }

    /// A prefix whose length may be left out.
    pub(super) mod network {
        use ipnet::IpNet;
        use serde::de::Error as _;
        use serde::{Deserialize, Deserializer, Serializer};

        pub(in crate::routing) fn serialize<S: Serializer>(
            value: &Option<IpNet>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match value {
                Some(net) => serializer.collect_str(net),
                None => serializer.serialize_none(),
            }
        }

        pub(in crate::routing) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<IpNet>, D::Error> {
            let Some(text) = Option::<String>::deserialize(deserializer)? else {
                return Ok(None);
            };
            let refused = || D::Error::custom(format!("{text:?} is no prefix"));
            super::super::network(&text).ok_or_else(refused).map(Some)
        }
    }
}
