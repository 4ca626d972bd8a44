//! The spec of an Instance, read field by field so that every finding is noted. Names and
//! defaults are those of [`crate::instance`]; a round-trip test keeps the two together.

use super::fields::{Context, Fields, Spot, list};
use super::hmac;
use super::routing::{routes, rules};
use super::scalar::{boolean, choice, duration, integer, ip, name, secret, text};
use super::tree::Value;
use crate::address::{Scope, VirtualAddress};
use crate::instance::{
    Authentication, Checksum, Family, Garp, Instance, Member, Notify, NotifyOn, Takeover, Track,
    Transport,
};

pub(super) fn instance(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Instance> {
    let mut fields = Fields::of(context, spot)?;
    let id = fields.required(context, "virtualRouterId", |c, s| integer(c, s, "1 to 255"));
    let version = fields.optional(context, "version", |c, s| integer(c, s, "2 to 3"));
    let election_only = fields.optional(context, "electionOnly", |c, s| {
        choice(c, s, &[("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)])
    });
    let addresses = match election_only {
        Some(_) => fields.optional(context, "virtualAddresses", addresses).flatten(),
        None => fields.required(context, "virtualAddresses", addresses),
    };
    let excluded = fields.optional(context, "excludedAddresses", self::addresses);
    let virtual_routes = fields.optional(context, "virtualRoutes", routes);
    let virtual_rules = fields.optional(context, "virtualRules", rules);
    let interval = fields.optional(context, "advertInterval", duration);
    let preempt = fields.optional(context, "preempt", boolean);
    let preempt_delay = fields.optional(context, "preemptDelay", duration);
    let startup_delay = fields.optional(context, "startupDelay", duration);
    let recover_delay = fields.optional(context, "recoverDelay", duration);
    let takeover = fields.optional(context, "takeover", |c, s| {
        choice(c, s, &[("rfc", Takeover::Rfc), ("fast", Takeover::Fast)])
    });
    let down_adverts = fields.optional(context, "downAdverts", |c, s| integer(c, s, "2 to 10"));
    let authentication = fields.optional(context, "authentication", authentication);
    let checksum = fields.optional(context, "checksum", |c, s| {
        let forms = [("pseudo-header", Checksum::PseudoHeader), ("message", Checksum::Message)];
        choice(c, s, &forms)
    });
    let transport = fields.optional(context, "transport", |c, s| {
        choice(c, s, &[("multicast", Transport::Multicast), ("unicast", Transport::Unicast)])
    });
    let members_only = fields.optional(context, "membersOnly", boolean);
    let garp = fields.optional(context, "garp", garp);
    let virtual_mac = fields.optional(context, "virtualMac", boolean);
    let members = fields.required(context, "members", |c, s| list(c, s, member));
    let tracked = fields.optional(context, "track", tracks);
    let notify = fields.optional(context, "notify", |c, s| list(c, s, hook));
    fields.finish(context);

    // What could not be read is stood in for, so that the rest can be judged too: the findings
    // keep such an instance from being taken.
    let plain =
        Instance::new(id.unwrap_or(1), addresses.unwrap_or_default(), members.unwrap_or_default());
    Some(Instance {
        version: version.flatten().unwrap_or(plain.version),
        excluded_addresses: excluded.flatten().unwrap_or_default(),
        election_only: election_only.flatten(),
        virtual_routes: virtual_routes.flatten().unwrap_or_default(),
        virtual_rules: virtual_rules.flatten().unwrap_or_default(),
        advert_interval: interval.flatten().unwrap_or(plain.advert_interval),
        preempt: preempt.flatten().unwrap_or(plain.preempt),
        preempt_delay: preempt_delay.flatten().unwrap_or(plain.preempt_delay),
        startup_delay: startup_delay.flatten().unwrap_or(plain.startup_delay),
        recover_delay: recover_delay.flatten().unwrap_or(plain.recover_delay),
        takeover: takeover.flatten().unwrap_or_default(),
        down_adverts: down_adverts.flatten().unwrap_or(plain.down_adverts),
        authentication: authentication.flatten().unwrap_or_default(),
        checksum: checksum.flatten().unwrap_or_default(),
        transport: transport.flatten().unwrap_or_default(),
        members_only: members_only.flatten().unwrap_or_default(),
        garp: garp.flatten().unwrap_or_default(),
        virtual_mac: virtual_mac.flatten().unwrap_or_default(),
        track: tracked.flatten().unwrap_or_default(),
        notify: notify.flatten().unwrap_or_default(),
        ..plain
    })
}

fn addresses(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Vec<VirtualAddress>> {
    list(context, spot, address)
}

fn address(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<VirtualAddress> {
    if !matches!(spot.node.value, Value::Mapping(_)) {
        return net(context, spot);
    }
    let mut fields = Fields::of(context, spot)?;
    let net = fields.required(context, "address", net);
    let dev = fields.optional(context, "dev", text);
    let label = fields.optional(context, "label", text);
    let scope = fields.optional(context, "scope", scope);
    let broadcast = fields.optional(context, "broadcast", ip);
    fields.finish(context);
    Some(VirtualAddress {
        dev: dev.flatten(),
        label: label.flatten(),
        scope: scope.flatten().unwrap_or_default(),
        broadcast: broadcast.flatten(),
        ..net?
    })
}

pub(super) fn scope(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Scope> {
    let scopes = [
        ("global", Scope::Global),
        ("site", Scope::Site),
        ("link", Scope::Link),
        ("host", Scope::Host),
    ];
    choice(context, spot, &scopes)
}

fn net(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<VirtualAddress> {
    let read = match &spot.node.value {
        Value::Scalar { text, .. } => text.parse().ok(),
        _ => None,
    };
    if read.is_none() {
        let remedy = "write it as 192.0.2.10, 192.0.2.10/24 or 2001:db8::10";
        context.wrong(spot, "an address", remedy);
    }
    read
}

fn authentication(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Authentication> {
    if !matches!(spot.node.value, Value::Mapping(_)) {
        // What stands here may be the password: it is not repeated.
        let place = context.place(spot.node.at, &spot.path);
        let remedy = "write {type: pass, password: \"...\"}";
        context.error("wrong-type", place, "authentication takes a mapping", remedy);
        return None;
    }
    let mut fields = Fields::of(context, spot)?;
    let kind = fields.required(context, "type", |c, s| {
        choice(c, s, &[("none", Kind::None), ("pass", Kind::Pass), ("hmac", Kind::Hmac)])
    });
    let authentication = match kind {
        Some(Kind::Pass) => fields
            .required(context, "password", secret)
            .map(|password| Authentication::Pass { password }),
        Some(Kind::None) => Some(Authentication::None),
        Some(Kind::Hmac) => hmac::hmac(context, &mut fields).map(Authentication::Hmac),
        None => {
            for name in ["password", "keys", "activeKey", "antiReplay", "timeWindow", "mode"] {
                fields.spot(name);
            }
            None
        }
    };
    fields.finish(context);
    authentication
}

/// The kinds of authentication.
#[derive(Clone, Copy)]
enum Kind {
    None,
    Pass,
    Hmac,
}

fn garp(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Garp> {
    let mut fields = Fields::of(context, spot)?;
    let repeat = fields.optional(context, "repeat", |c, s| integer(c, s, "1 to 255"));
    let delay = fields.optional(context, "delay", duration);
    let refresh = fields.optional(context, "refresh", duration);
    let interfaces = fields.optional(context, "interfaces", |c, s| list(c, s, text));
    fields.finish(context);
    let plain = Garp::default();
    Some(Garp {
        repeat: repeat.flatten().unwrap_or(plain.repeat),
        delay: delay.flatten().unwrap_or(plain.delay),
        refresh: refresh.flatten().unwrap_or(plain.refresh),
        interfaces: interfaces.flatten().unwrap_or_default(),
    })
}

fn member(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Member> {
    let mut fields = Fields::of(context, spot)?;
    let node = fields.required(context, "node", name);
    let interface = fields.required(context, "interface", text);
    let priority = fields.required(context, "priority", |c, s| integer(c, s, "1 to 255"));
    let offset = fields.optional(context, "priorityOffset", |c, s| integer(c, s, "-253 to 253"));
    let address = fields.optional(context, "address", ip);
    let external = fields.optional(context, "external", boolean);
    let track = fields.optional(context, "track", tracks);
    fields.finish(context);
    Some(Member {
        node: node?,
        interface: interface?,
        priority: priority?,
        priority_offset: offset.flatten().unwrap_or_default(),
        address: address.flatten(),
        external: external.flatten().unwrap_or_default(),
        track: track.flatten().unwrap_or_default(),
    })
}

fn tracks(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Vec<Track>> {
    list(context, spot, |context, spot| {
        let mut fields = Fields::of(context, spot)?;
        let check = fields.required(context, "check", name);
        let weight = fields.optional(context, "weight", |c, s| integer(c, s, "-253 to 253"));
        let reverse = fields.optional(context, "reverse", boolean);
        fields.finish(context);
        Some(Track {
            check: check?,
            weight: weight.flatten().unwrap_or_default(),
            reverse: reverse.flatten().unwrap_or_default(),
        })
    })
}

pub(super) fn hook(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Notify> {
    let mut fields = Fields::of(context, spot)?;
    let on = fields.required(context, "on", |c, s| {
        let events = [
            ("master", NotifyOn::Master),
            ("backup", NotifyOn::Backup),
            ("fault", NotifyOn::Fault),
            ("stop", NotifyOn::Stop),
            ("any", NotifyOn::Any),
        ];
        choice(c, s, &events)
    });
    let exec = fields.required(context, "exec", text);
    let args = fields.optional(context, "args", |c, s| list(c, s, text));
    let user = fields.optional(context, "user", text);
    fields.finish(context);
    Some(Notify {
        on: on?,
        exec: exec?,
        args: args.flatten().unwrap_or_default(),
        user: user.flatten(),
    })
}
