//! Instances and their parts. An absent field takes the default that documents give it.

use crate::field::{
    all, choice, choice_or, duration, ip, mirrored, name, net, number, optional, optional_choice,
    present, repeated, span_or,
};
use crate::malformed::{Malformed, Under};
use crate::v1;
use crate::v1::authentication::Method;
use std::fmt;
use vipfleet_model::address::Scope;
use vipfleet_model::instance::{
    Authentication, Checksum, Family, Garp, Member, Notify, NotifyOn, Takeover, Track, Transport,
};
use vipfleet_model::secret::{REDACTED, Secret};
use vipfleet_model::span::Span;
use vipfleet_model::{Instance, VirtualAddress};

mirrored!(Scope, v1::Scope, Global, Site, Link, Host);
mirrored!(NotifyOn, v1::NotifyOn, Master, Backup, Fault, Stop, Any);
mirrored!(Family, v1::Family, Ipv4, Ipv6);
mirrored!(Takeover, v1::Takeover, Rfc, Fast);
mirrored!(Checksum, v1::Checksum, PseudoHeader, Message);
mirrored!(Transport, v1::Transport, Multicast, Unicast);

const DEFAULT_VERSION: u32 = 3;
const DEFAULT_DOWN_ADVERTS: u32 = 3;
const DEFAULT_ADVERT_INTERVAL: Span = Span::from_secs(1);
const DEFAULT_RECOVER_DELAY: Span = Span::from_secs(3);
const NONE: Span = Span::from_secs(0);

impl From<Instance> for v1::Instance {
    fn from(it: Instance) -> Self {
        Self {
            virtual_router_id: it.virtual_router_id.into(),
            version: Some(it.version.into()),
            virtual_addresses: all(it.virtual_addresses),
            excluded_addresses: all(it.excluded_addresses),
            advert_interval: duration(it.advert_interval),
            preempt: Some(it.preempt),
            preempt_delay: duration(it.preempt_delay),
            startup_delay: duration(it.startup_delay),
            recover_delay: duration(it.recover_delay),
            takeover: Some(v1::Takeover::from(it.takeover).into()),
            down_adverts: Some(it.down_adverts.into()),
            authentication: Some(it.authentication.into()),
            checksum: Some(v1::Checksum::from(it.checksum).into()),
            transport: Some(v1::Transport::from(it.transport).into()),
            members_only: it.members_only,
            garp: Some(it.garp.into()),
            virtual_mac: it.virtual_mac,
            members: all(it.members),
            track: all(it.track),
            notify: all(it.notify),
            virtual_routes: all(it.virtual_routes),
            virtual_rules: all(it.virtual_rules),
            election_only: it.election_only.map(|family| v1::Family::from(family).into()),
        }
    }
}

impl TryFrom<v1::Instance> for Instance {
    type Error = Malformed;

    fn try_from(wire: v1::Instance) -> Result<Self, Malformed> {
        let down_adverts = wire.down_adverts.unwrap_or(DEFAULT_DOWN_ADVERTS);
        let takeover = Takeover::default();
        let checksum = Checksum::default();
        let transport = Transport::default();
        Ok(Self {
            virtual_router_id: number(wire.virtual_router_id, "virtual_router_id")?,
            version: number(wire.version.unwrap_or(DEFAULT_VERSION), "version")?,
            virtual_addresses: repeated(wire.virtual_addresses, "virtual_addresses")?,
            excluded_addresses: repeated(wire.excluded_addresses, "excluded_addresses")?,
            advert_interval: span_or(
                wire.advert_interval,
                DEFAULT_ADVERT_INTERVAL,
                "advert_interval",
            )?,
            preempt: wire.preempt.unwrap_or(true),
            preempt_delay: span_or(wire.preempt_delay, NONE, "preempt_delay")?,
            startup_delay: span_or(wire.startup_delay, NONE, "startup_delay")?,
            recover_delay: span_or(wire.recover_delay, DEFAULT_RECOVER_DELAY, "recover_delay")?,
            takeover: choice_or::<v1::Takeover, _>(wire.takeover, takeover, "takeover")?,
            down_adverts: number(down_adverts, "down_adverts")?,
            authentication: optional(wire.authentication, "authentication")?.unwrap_or_default(),
            checksum: choice_or::<v1::Checksum, _>(wire.checksum, checksum, "checksum")?,
            transport: choice_or::<v1::Transport, _>(wire.transport, transport, "transport")?,
            members_only: wire.members_only,
            garp: optional(wire.garp, "garp")?.unwrap_or_default(),
            virtual_mac: wire.virtual_mac,
            members: repeated(wire.members, "members")?,
            track: repeated(wire.track, "track")?,
            notify: repeated(wire.notify, "notify")?,
            virtual_routes: repeated(wire.virtual_routes, "virtual_routes")?,
            virtual_rules: repeated(wire.virtual_rules, "virtual_rules")?,
            election_only: optional_choice::<v1::Family, _>(wire.election_only, "election_only")?,
        })
    }
}

impl From<Member> for v1::Member {
    fn from(it: Member) -> Self {
        let Member { node, interface, priority, priority_offset, address, external, track } = it;
        Self {
            node: node.into(),
            interface,
            priority: priority.into(),
            address: address.map(|address| address.to_string()),
            external,
            track: all(track),
            priority_offset: priority_offset.into(),
        }
    }
}

impl TryFrom<v1::Member> for Member {
    type Error = Malformed;

    fn try_from(wire: v1::Member) -> Result<Self, Malformed> {
        let v1::Member { node, interface, priority, address, external, track, priority_offset } =
            wire;
        Ok(Self {
            node: name(node, "node")?,
            interface,
            priority: number(priority, "priority")?,
            address: address.map(|address| ip(&address, "address")).transpose()?,
            external,
            track: repeated(track, "track")?,
            priority_offset: number(priority_offset, "priority_offset")?,
        })
    }
}

impl From<VirtualAddress> for v1::VirtualAddress {
    fn from(it: VirtualAddress) -> Self {
        let VirtualAddress { address, dev, label, scope, broadcast } = it;
        Self {
            address: address.to_string(),
            dev,
            label,
            scope: Some(v1::Scope::from(scope).into()),
            broadcast: broadcast.map(|broadcast| broadcast.to_string()),
        }
    }
}

impl TryFrom<v1::VirtualAddress> for VirtualAddress {
    type Error = Malformed;

    fn try_from(wire: v1::VirtualAddress) -> Result<Self, Malformed> {
        let v1::VirtualAddress { address, dev, label, scope, broadcast } = wire;
        Ok(Self {
            address: net(&address).under("address")?,
            dev,
            label,
            scope: choice_or::<v1::Scope, _>(scope, Scope::default(), "scope")?,
            broadcast: broadcast.map(|broadcast| ip(&broadcast, "broadcast")).transpose()?,
        })
    }
}

impl From<Track> for v1::Track {
    fn from(Track { check, weight, reverse }: Track) -> Self {
        Self { check: check.into(), weight: weight.into(), reverse }
    }
}

impl TryFrom<v1::Track> for Track {
    type Error = Malformed;

    fn try_from(v1::Track { check, weight, reverse }: v1::Track) -> Result<Self, Malformed> {
        Ok(Self { check: name(check, "check")?, weight: number(weight, "weight")?, reverse })
    }
}

impl From<Notify> for v1::Notify {
    fn from(Notify { on, exec, args, user }: Notify) -> Self {
        Self { on: v1::NotifyOn::from(on).into(), exec, args, user }
    }
}

impl TryFrom<v1::Notify> for Notify {
    type Error = Malformed;

    fn try_from(v1::Notify { on, exec, args, user }: v1::Notify) -> Result<Self, Malformed> {
        Ok(Self { on: choice::<v1::NotifyOn, _>(on, "on")?, exec, args, user })
    }
}

impl From<Authentication> for v1::Authentication {
    fn from(authentication: Authentication) -> Self {
        let method = match authentication {
            Authentication::None => Method::None(v1::NoAuthentication {}),
            Authentication::Pass { password } => {
                // Servers redact what is for showing before they convert it; the rest of the
                // wire carries it in clear.
                let password = password.reveal().to_owned();
                Method::Pass(v1::PassAuthentication { password })
            }
            Authentication::Hmac(hmac) => Method::Hmac(hmac.into()),
        };
        Self { method: Some(method) }
    }
}

impl TryFrom<v1::Authentication> for Authentication {
    type Error = Malformed;

    fn try_from(wire: v1::Authentication) -> Result<Self, Malformed> {
        Ok(match present(wire.method, "method")? {
            Method::None(v1::NoAuthentication {}) => Self::None,
            Method::Pass(v1::PassAuthentication { password }) => {
                Self::Pass { password: Secret::new(password) }
            }
            Method::Hmac(hmac) => Self::Hmac(hmac.try_into().under("hmac")?),
        })
    }
}

impl fmt::Debug for v1::PassAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redacted = format_args!("{REDACTED}");
        f.debug_struct("PassAuthentication").field("password", &redacted).finish()
    }
}

impl From<Garp> for v1::Garp {
    fn from(Garp { repeat, delay, refresh, interfaces }: Garp) -> Self {
        Self {
            repeat: Some(repeat.into()),
            delay: duration(delay),
            refresh: duration(refresh),
            interfaces,
        }
    }
}

impl TryFrom<v1::Garp> for Garp {
    type Error = Malformed;

    fn try_from(wire: v1::Garp) -> Result<Self, Malformed> {
        let v1::Garp { repeat, delay, refresh, interfaces } = wire;
        let default = Self::default();
        Ok(Self {
            repeat: number(repeat.unwrap_or(default.repeat.into()), "repeat")?,
            delay: span_or(delay, default.delay, "delay")?,
            refresh: span_or(refresh, default.refresh, "refresh")?,
            interfaces,
        })
    }
}
