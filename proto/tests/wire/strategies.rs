//! Any value of the domain, whether or not validation would let it pass: what is declared and what
//! is assigned. What is observed is beside it.

mod observed;

pub(crate) use observed::{
    check_report, finding, instance_status, node_facts, node_report, node_status, transition,
};

use ipnet::IpNet;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::net::IpAddr;
use std::time::Duration;
use vipfleet_model::address::Scope;
use vipfleet_model::assignment::{AssignedGroup, AssignedInstance, AssignedMember};
use vipfleet_model::check::{
    ExecProbe, FileProbe, HttpProbe, InterfaceProbe, NamedCheck, Probe, ProcessProbe,
    ProcessTarget, TcpProbe,
};
use vipfleet_model::hmac::{AntiReplay, Hmac, HmacKey, HmacMode};
use vipfleet_model::instance::{
    Authentication, Checksum, Family, Garp, Member, Notify, NotifyOn, Takeover, Track, Transport,
};
use vipfleet_model::moves::{AssignedMove, Drain, MoveRole, Order, Switchover};
use vipfleet_model::routing::{RouteKind, VirtualRoute, VirtualRule};
use vipfleet_model::secret::Secret;
use vipfleet_model::span::Span;
use vipfleet_model::sync_group::SyncGroup;
use vipfleet_model::{Assignment, Check, Definition, Instance, Key, Kind, Name, VirtualAddress};

/// 10 000 years, the longest google.protobuf.Duration.
pub(crate) const LONGEST_SECONDS: u64 = 315_576_000_000;

pub(crate) fn name() -> impl Strategy<Value = Name> {
    "[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}".prop_map(|text| text.parse().expect("the pattern's names"))
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    ".{0,12}"
}

pub(crate) fn span() -> impl Strategy<Value = Span> {
    let length = (0..LONGEST_SECONDS, 0..1_000_000_000_u32);
    let any = length.prop_map(|(seconds, nanos)| Span(Duration::new(seconds, nanos)));
    prop_oneof![any, (0..100_000_u64).prop_map(Span::from_millis)]
}

pub(crate) fn net() -> impl Strategy<Value = IpNet> {
    (any::<IpAddr>(), any::<u8>()).prop_map(|(address, prefix)| {
        let most = if address.is_ipv4() { 32 } else { 128 };
        IpNet::new(address, prefix % (most + 1)).expect("a prefix that fits")
    })
}

pub(crate) fn virtual_address() -> impl Strategy<Value = VirtualAddress> {
    let scope = prop::sample::select(vec![Scope::Global, Scope::Site, Scope::Link, Scope::Host]);
    let parts = (net(), option::of(text()), option::of(text()), scope, option::of(any::<IpAddr>()));
    parts.prop_map(|(address, dev, label, scope, broadcast)| VirtualAddress {
        address,
        dev,
        label,
        scope,
        broadcast,
    })
}

pub(crate) fn track() -> impl Strategy<Value = Track> {
    (name(), any::<i16>(), any::<bool>()).prop_map(|(check, weight, reverse)| Track {
        check,
        weight,
        reverse,
    })
}

pub(crate) fn notify() -> impl Strategy<Value = Notify> {
    let on = prop::sample::select(vec![
        NotifyOn::Master,
        NotifyOn::Backup,
        NotifyOn::Fault,
        NotifyOn::Stop,
        NotifyOn::Any,
    ]);
    let parts = (on, text(), vec(text(), 0..3), option::of(text()));
    parts.prop_map(|(on, exec, args, user)| Notify { on, exec, args, user })
}

pub(crate) fn garp() -> impl Strategy<Value = Garp> {
    (any::<u8>(), span(), span(), vec(text(), 0..3)).prop_map(|parts| Garp {
        repeat: parts.0,
        delay: parts.1,
        refresh: parts.2,
        interfaces: parts.3,
    })
}

pub(crate) fn authentication() -> impl Strategy<Value = Authentication> {
    let pass = text().prop_map(|clear| Authentication::Pass { password: Secret::new(clear) });
    let key = (any::<u8>(), text()).prop_map(|(id, key)| HmacKey { id, key: Secret::new(key) });
    let hmac = (vec(key, 0..3), any::<u8>(), any::<bool>(), option::of(span()), any::<bool>());
    let hmac = hmac.prop_map(|(keys, active_key, time, time_window, enforce)| {
        Authentication::Hmac(Hmac {
            keys,
            active_key,
            anti_replay: if time { AntiReplay::Time } else { AntiReplay::Monotonic },
            time_window,
            mode: if enforce { HmacMode::Enforce } else { HmacMode::Permissive },
        })
    });
    prop_oneof![Just(Authentication::None), pass, hmac]
}

fn member() -> impl Strategy<Value = Member> {
    let parts = (
        name(),
        text(),
        (any::<u8>(), any::<i16>()),
        option::of(any::<IpAddr>()),
        any::<bool>(),
        vec(track(), 0..3),
    );
    parts.prop_map(|(node, interface, (priority, offset), address, external, track)| Member {
        node,
        interface,
        priority,
        priority_offset: offset,
        address,
        external,
        track,
    })
}

fn route() -> impl Strategy<Value = VirtualRoute> {
    let scopes = vec![Scope::Global, Scope::Site, Scope::Link, Scope::Host];
    let kinds =
        vec![RouteKind::Unicast, RouteKind::Blackhole, RouteKind::Unreachable, RouteKind::Prohibit];
    let hop = (net(), option::of(any::<IpAddr>()), option::of(text()), option::of(any::<IpAddr>()));
    let numbers = (option::of(any::<u32>()), option::of(any::<u32>()), option::of(any::<u32>()));
    let words = (option::of(prop::sample::select(scopes)), prop::sample::select(kinds));
    (hop, numbers, words, any::<bool>()).prop_map(|(hop, numbers, words, on_link)| VirtualRoute {
        to: hop.0,
        via: hop.1,
        dev: hop.2,
        source: hop.3,
        table: numbers.0,
        metric: numbers.1,
        mtu: numbers.2,
        scope: words.0,
        kind: words.1,
        on_link,
    })
}

fn rule() -> impl Strategy<Value = VirtualRule> {
    let prefixes = (option::of(net()), option::of(net()));
    let interfaces = (option::of(text()), option::of(text()));
    let marks = (option::of(any::<u32>()), option::of(any::<u32>()));
    (prefixes, interfaces, marks, any::<u32>(), any::<u32>()).prop_map(
        |(prefixes, interfaces, marks, table, priority)| VirtualRule {
            from: prefixes.0,
            to: prefixes.1,
            iif: interfaces.0,
            oif: interfaces.1,
            fwmark: marks.0,
            fwmask: marks.1,
            table,
            priority,
        },
    )
}

fn process() -> impl Strategy<Value = ProcessProbe> {
    let target =
        prop_oneof![text().prop_map(ProcessTarget::Name), text().prop_map(ProcessTarget::PidFile),];
    (target, any::<u16>(), option::of(any::<u16>()))
        .prop_map(|(target, quorum, quorum_max)| ProcessProbe { target, quorum, quorum_max })
}

/// What an Instance and an AssignedInstance have in common.
fn manner() -> impl Strategy<Value = Instance> {
    let numbers = (any::<u8>(), any::<u8>(), any::<u8>());
    let addresses = (vec(virtual_address(), 0..4), vec(virtual_address(), 0..3));
    let spans = (span(), span(), span(), span());
    let choices = (
        prop::sample::select(vec![Takeover::Rfc, Takeover::Fast]),
        authentication(),
        prop::sample::select(vec![Checksum::PseudoHeader, Checksum::Message]),
        prop::sample::select(vec![Transport::Multicast, Transport::Unicast]),
        option::of(prop::sample::select(vec![Family::Ipv4, Family::Ipv6])),
    );
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    let lists = (
        vec(member(), 0..4),
        vec(track(), 0..3),
        vec(notify(), 0..3),
        vec(route(), 0..3),
        vec(rule(), 0..3),
    );
    let parts = (numbers, addresses, spans, choices, switches, garp(), lists);
    parts.prop_map(|(numbers, addresses, spans, choices, switches, garp, lists)| Instance {
        virtual_router_id: numbers.0,
        version: numbers.1,
        down_adverts: numbers.2,
        virtual_addresses: addresses.0,
        excluded_addresses: addresses.1,
        advert_interval: spans.0,
        preempt_delay: spans.1,
        startup_delay: spans.2,
        recover_delay: spans.3,
        takeover: choices.0,
        authentication: choices.1,
        checksum: choices.2,
        transport: choices.3,
        election_only: choices.4,
        preempt: switches.0,
        members_only: switches.1,
        virtual_mac: switches.2,
        garp,
        members: lists.0,
        track: lists.1,
        notify: lists.2,
        virtual_routes: lists.3,
        virtual_rules: lists.4,
    })
}

pub(crate) fn instance() -> impl Strategy<Value = Instance> {
    manner()
}

fn probe() -> impl Strategy<Value = Probe> {
    let exec = (text(), vec(text(), 0..4), option::of(text()));
    prop_oneof![
        process().prop_map(Probe::Process),
        (text(), any::<u16>())
            .prop_map(|(url, expect_status)| Probe::Http(HttpProbe { url, expect_status })),
        text().prop_map(|address| Probe::Tcp(TcpProbe { address })),
        exec.prop_map(|(file, args, user)| Probe::Exec(ExecProbe { file, args, user })),
        text().prop_map(|path| Probe::File(FileProbe { path })),
        text().prop_map(|name| Probe::Interface(InterfaceProbe { name })),
    ]
}

pub(crate) fn check() -> impl Strategy<Value = Check> {
    let parts = (probe(), span(), option::of(span()), any::<u16>(), any::<u16>(), span());
    parts.prop_map(|(probe, interval, timeout, rise, fall, down_delay)| Check {
        probe,
        interval,
        timeout,
        rise,
        fall,
        down_delay,
    })
}

pub(crate) fn key() -> impl Strategy<Value = Key> {
    (prop::sample::select(Kind::ALL.to_vec()), name()).prop_map(|(kind, name)| Key { kind, name })
}

fn order() -> impl Strategy<Value = Order> {
    let parts = (text(), text(), text(), option::of(text()));
    parts.prop_map(|(by, message, since, until)| Order { by, message, since, until })
}

fn assigned_move() -> impl Strategy<Value = AssignedMove> {
    let roles = vec![MoveRole::Leads, MoveRole::Follows, MoveRole::Yields];
    let parts = (prop::sample::select(roles), option::of(text()));
    parts.prop_map(|(role, until)| AssignedMove { role, until })
}

pub(crate) fn definition() -> impl Strategy<Value = Definition> {
    prop_oneof![
        (name(), instance())
            .prop_map(|(name, spec)| Definition::Instance { name, spec: Box::new(spec) }),
        (name(), check()).prop_map(|(name, spec)| Definition::Check { name, spec }),
        (name(), vec(name(), 0..4), vec(notify(), 0..2)).prop_map(|(name, instances, notify)| {
            Definition::SyncGroup { name, spec: SyncGroup { instances, notify } }
        }),
        (name(), name(), order()).prop_map(|(name, to, order)| {
            Definition::Switchover { name, spec: Switchover { to, order } }
        }),
        (name(), order())
            .prop_map(|(name, order)| { Definition::Drain { name, spec: Drain { order } } }),
    ]
}

fn assigned_member() -> impl Strategy<Value = AssignedMember> {
    let parts = (
        option::of(name()),
        option::of(any::<IpAddr>()),
        any::<u8>(),
        any::<bool>(),
        any::<bool>(),
    );
    parts.prop_map(|(node, address, priority, external, this)| AssignedMember {
        node,
        address,
        priority,
        external,
        this,
    })
}

fn assigned_instance() -> impl Strategy<Value = AssignedInstance> {
    let priorities = (any::<u8>(), any::<i16>());
    let planned = option::of(assigned_move());
    let own = (name(), text(), priorities, any::<bool>(), option::of(any::<IpAddr>()), planned);
    let parts = (own, manner(), vec(assigned_member(), 0..4));
    parts.prop_map(|(own, manner, members)| AssignedInstance {
        name: own.0,
        interface: own.1,
        priority: own.2.0,
        priority_offset: own.2.1,
        members_complete: own.3,
        source_address: own.4,
        planned_move: own.5,
        members,
        virtual_router_id: manner.virtual_router_id,
        version: manner.version,
        virtual_addresses: manner.virtual_addresses,
        excluded_addresses: manner.excluded_addresses,
        advert_interval: manner.advert_interval,
        preempt: manner.preempt,
        preempt_delay: manner.preempt_delay,
        startup_delay: manner.startup_delay,
        recover_delay: manner.recover_delay,
        takeover: manner.takeover,
        down_adverts: manner.down_adverts,
        authentication: manner.authentication,
        checksum: manner.checksum,
        transport: manner.transport,
        members_only: manner.members_only,
        garp: manner.garp,
        virtual_mac: manner.virtual_mac,
        track: manner.track,
        notify: manner.notify,
        virtual_routes: manner.virtual_routes,
        virtual_rules: manner.virtual_rules,
        election_only: manner.election_only,
    })
}

pub(crate) fn assignment() -> impl Strategy<Value = Assignment> {
    let check = (name(), check()).prop_map(|(name, spec)| NamedCheck { name, spec });
    let group = (name(), vec(name(), 0..4), vec(notify(), 0..2));
    let group =
        group.prop_map(|(name, instances, notify)| AssignedGroup { name, instances, notify });
    let parts = (vec(assigned_instance(), 0..4), vec(check, 0..4), vec(group, 0..3));
    parts.prop_map(|(instances, checks, sync_groups)| Assignment { instances, checks, sync_groups })
}
