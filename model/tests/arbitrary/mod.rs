//! Definitions of every shape the types allow, whether or not validation would take them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::net::IpAddr;
use vipfleet_model::address::Scope;
use vipfleet_model::check::{
    Check, ExecProbe, FileProbe, HttpProbe, InterfaceProbe, Probe, ProcessProbe, ProcessTarget,
    TcpProbe,
};
use vipfleet_model::hmac::{AntiReplay, Hmac, HmacKey, HmacMode};
use vipfleet_model::instance::{
    Authentication, Checksum, Family, Garp, Instance, Member, Notify, NotifyOn, Takeover, Track,
    Transport,
};
use vipfleet_model::routing::{RouteKind, VirtualRoute, VirtualRule};
use vipfleet_model::secret::Secret;
use vipfleet_model::span::Span;
use vipfleet_model::{Definition, Name, SyncGroup, VirtualAddress};

/// No key twice.
pub(crate) fn definitions() -> impl Strategy<Value = Vec<Definition>> {
    vec(definition(), 0..4).prop_map(|mut all| {
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|definition| seen.insert(definition.key()));
        all
    })
}

fn definition() -> impl Strategy<Value = Definition> {
    prop_oneof![
        (name(), instance())
            .prop_map(|(name, spec)| Definition::Instance { name, spec: Box::new(spec) }),
        (name(), check()).prop_map(|(name, spec)| Definition::Check { name, spec }),
        (name(), vec(name(), 0..4), vec(hook(), 0..2)).prop_map(|(name, instances, notify)| {
            Definition::SyncGroup { name, spec: SyncGroup { instances, notify } }
        }),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        "[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}",
        // Words that YAML would take for something else.
        prop::sample::select(vec!["null", "true", "no", "0x1F", "1e3", "1.0", "007", "on"])
            .prop_map(str::to_owned),
    ]
    .prop_map(|text| text.parse().expect("a name"))
}

/// Text with everything that could trip a writer.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "[\\n\\t:#'\"\\\\{}é≠🦀-]{1,8}",
        prop::sample::select(vec!["", "~", "null", "no", "1111", "0011", "---", "- a", "a: b"])
            .prop_map(str::to_owned),
    ]
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![0..10_000u64, 0..10_000_000u64].prop_map(Span::from_millis)
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
    ]
}

fn address() -> impl Strategy<Value = VirtualAddress> {
    let scope = prop::sample::select(vec![Scope::Global, Scope::Site, Scope::Link, Scope::Host]);
    let parts = (ip(), 0..=128u8, option::of(text()), option::of(text()), scope, option::of(ip()));
    parts.prop_map(|(ip, prefix, dev, label, scope, broadcast)| {
        let address = ipnet::IpNet::new(ip, prefix).unwrap_or_else(|_| ipnet::IpNet::from(ip));
        VirtualAddress { address, dev, label, scope, broadcast }
    })
}

fn track() -> impl Strategy<Value = Track> {
    (name(), any::<i16>(), any::<bool>()).prop_map(|(check, weight, reverse)| Track {
        check,
        weight,
        reverse,
    })
}

fn member() -> impl Strategy<Value = Member> {
    let numbers = (any::<u8>(), any::<i16>());
    let parts = (name(), text(), numbers, option::of(ip()), any::<bool>(), vec(track(), 0..3));
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

fn hook() -> impl Strategy<Value = Notify> {
    let on = prop::sample::select(vec![
        NotifyOn::Master,
        NotifyOn::Backup,
        NotifyOn::Fault,
        NotifyOn::Stop,
        NotifyOn::Any,
    ]);
    (on, text(), prop::collection::vec(text(), 0..3), prop::option::of(text()))
        .prop_map(|(on, exec, args, user)| Notify { on, exec, args, user })
}

fn destination() -> impl Strategy<Value = ipnet::IpNet> {
    (ip(), 0..=128u8).prop_map(|(ip, prefix)| {
        ipnet::IpNet::new(ip, prefix).unwrap_or_else(|_| ipnet::IpNet::from(ip))
    })
}

fn route() -> impl Strategy<Value = VirtualRoute> {
    let scopes = vec![Scope::Global, Scope::Site, Scope::Link, Scope::Host];
    let kinds =
        vec![RouteKind::Unicast, RouteKind::Blackhole, RouteKind::Unreachable, RouteKind::Prohibit];
    let hop = (destination(), option::of(ip()), option::of(text()), option::of(ip()));
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
    let prefixes = (option::of(destination()), option::of(destination()));
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

fn instance() -> impl Strategy<Value = Instance> {
    let lists = (
        vec(address(), 0..3),
        vec(address(), 0..2),
        vec(member(), 0..3),
        vec(track(), 0..2),
        vec(hook(), 0..2),
        vec(text(), 0..2),
        vec(route(), 0..2),
        vec(rule(), 0..2),
    );
    let numbers = (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
    let spans = (span(), span(), span(), span(), span(), span());
    let switches = any::<[bool; 6]>();
    let election_only = option::of(prop::sample::select(vec![Family::Ipv4, Family::Ipv6]));
    let words = (option::of(text()), election_only);
    (lists, numbers, spans, switches, words).prop_map(
        |(lists, (id, version, down_adverts, repeat), spans, switches, words)| {
            let (password, election_only) = words;
            let (
                addresses,
                excluded,
                members,
                track,
                notify,
                interfaces,
                virtual_routes,
                virtual_rules,
            ) = lists;
            let [preempt, members_only, virtual_mac, fast, message, unicast] = switches;
            Instance {
                version,
                excluded_addresses: excluded,
                election_only,
                virtual_routes,
                virtual_rules,
                advert_interval: spans.0,
                preempt,
                preempt_delay: spans.1,
                startup_delay: spans.2,
                recover_delay: spans.3,
                takeover: if fast { Takeover::Fast } else { Takeover::Rfc },
                down_adverts,
                authentication: match password {
                    Some(clear) if clear.len() % 2 == 1 => hmac(&clear, repeat),
                    Some(clear) => Authentication::Pass { password: Secret::new(clear) },
                    None => Authentication::None,
                },
                checksum: if message { Checksum::Message } else { Checksum::PseudoHeader },
                transport: if unicast { Transport::Unicast } else { Transport::Multicast },
                members_only,
                garp: Garp { repeat, delay: spans.4, refresh: spans.5, interfaces },
                virtual_mac,
                track,
                notify,
                ..Instance::new(id, addresses, members)
            }
        },
    )
}

fn hmac(clear: &str, id: u8) -> Authentication {
    let id = id.max(1);
    Authentication::Hmac(Hmac {
        keys: vec![HmacKey { id, key: Secret::new(clear) }],
        active_key: id,
        anti_replay: AntiReplay::Monotonic,
        time_window: None,
        mode: HmacMode::Permissive,
    })
}

fn probe() -> impl Strategy<Value = Probe> {
    prop_oneof![
        process().prop_map(Probe::Process),
        (text(), any::<u16>())
            .prop_map(|(url, expect_status)| Probe::Http(HttpProbe { url, expect_status })),
        text().prop_map(|address| Probe::Tcp(TcpProbe { address })),
        (text(), vec(text(), 0..3), option::of(text()))
            .prop_map(|(file, args, user)| Probe::Exec(ExecProbe { file, args, user })),
        text().prop_map(|path| Probe::File(FileProbe { path })),
        text().prop_map(|name| Probe::Interface(InterfaceProbe { name })),
    ]
}

fn check() -> impl Strategy<Value = Check> {
    (probe(), span(), option::of(span()), any::<u16>(), any::<u16>(), span()).prop_map(
        |(probe, interval, timeout, rise, fall, down_delay)| Check {
            probe,
            interval,
            timeout,
            rise,
            fall,
            down_delay,
        },
    )
}
