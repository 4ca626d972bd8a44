//! Fleets that keepalived can express to the last detail, in the form in which an import gives
//! them: members by node, what all members track in one list, no check that nobody tracks.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vipfleet_model::address::Scope;
use vipfleet_model::check::{Check, ExecProbe, InterfaceProbe, Probe, ProcessProbe};
use vipfleet_model::instance::{
    Authentication, Garp, Instance, Member, Notify, NotifyOn, Track, Transport,
};
use vipfleet_model::routing::RouteKind;
use vipfleet_model::secret::Secret;
use vipfleet_model::span::Span;
use vipfleet_model::{
    Definition, Definitions, InterfaceFacts, Name, NodeFacts, SyncGroup, VirtualAddress,
    VirtualRoute, VirtualRule,
};

/// Members sit on the first two; the others are tracked or hold an address.
pub(crate) const INTERFACES: [&str; 4] = ["eth0", "ens33", "eth1", "eth2"];

/// Definitions, and what their hosts say.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(crate) definitions: Definitions,
    pub(crate) facts: BTreeMap<Name, NodeFacts>,
}

/// Who programs run as: `keepalived -t` kills itself over any but root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Users {
    Any,
    RootOnly,
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn node(index: usize) -> Name {
    name(&format!("lb{}", index + 1))
}

pub(crate) fn fleet(users: Users) -> impl Strategy<Value = Fleet> {
    let checks = btree_map("[a-z_][a-z0-9_.-]{0,8}".prop_map(|it| name(&it)), check(users), 0..5);
    let tracked = vec(prop::sample::select(vec!["eth1", "eth2"]), 0..2);
    let startup = prop_oneof![Just(0), 1..4_294_000u64].prop_map(Span::from_millis);
    (checks, tracked, vec(instance(users), 1..4), startup, option::of(settings(users))).prop_map(
        |(mut checks, tracked, drafts, startup, group)| {
            for interface in tracked {
                let probe = Probe::Interface(InterfaceProbe { name: interface.to_owned() });
                checks.insert(name(&format!("interface-{interface}")), Check::new(probe));
            }
            let names: Vec<Name> = checks.keys().cloned().collect();
            let mut all = Vec::new();
            for (index, draft) in drafts.into_iter().enumerate() {
                let name = name(&format!("{}_{index}", draft.name));
                let spec = Box::new(draft.finish(index, &names, startup));
                all.push(Definition::Instance { name, spec });
            }
            if let Some(settings) = group.filter(|_| all.len() > 1) {
                let group = grouped(&mut all[..2], settings.notify);
                all.push(group);
            }
            let tracked = tracked_by(&all);
            let used = checks.into_iter().filter(|(name, _)| tracked.contains(name));
            all.extend(used.map(|(name, spec)| Definition::Check { name, spec }));
            Fleet { definitions: all.into_iter().collect(), facts: facts() }
        },
    )
}

/// A group of the instances: on the same nodes in the same order, tracking the same checks.
fn grouped(instances: &mut [Definition], notify: Vec<Notify>) -> Definition {
    let mut first = None;
    let mut names = Vec::new();
    for definition in instances {
        names.push(definition.name().clone());
        let Definition::Instance { spec, .. } = definition else { continue };
        let Some(model) = &first else {
            for (priority, member) in (100..).step_by(9).zip(&mut spec.members) {
                member.priority = priority;
            }
            first = Some(spec.as_ref().clone());
            continue;
        };
        spec.members = model.members.clone();
        spec.members.iter_mut().for_each(|member| member.address = None);
        spec.track = model.track.clone();
        (spec.preempt, spec.preempt_delay) = (model.preempt, model.preempt_delay);
        (spec.transport, spec.members_only) = (Transport::Multicast, false);
    }
    Definition::SyncGroup { name: name("group"), spec: SyncGroup { instances: names, notify } }
}

fn tracked_by(all: &[Definition]) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for definition in all {
        if let Definition::Instance { spec, .. } = definition {
            let own = spec.members.iter().flat_map(|member| &member.track);
            names.extend(spec.track.iter().chain(own).map(|track| track.check.clone()));
        }
    }
    names
}

pub(crate) fn facts() -> BTreeMap<Name, NodeFacts> {
    let interface = |index: usize, place: usize| InterfaceFacts {
        name: INTERFACES[place].to_owned(),
        addresses: vec![
            format!("172.16.{place}.{}/24", index + 1).parse().expect("a net"),
            format!("2001:db8:0:{place}::{}/64", index + 1).parse().expect("a net"),
            format!("fe80::{place}:{}/64", index + 1).parse().expect("a net"),
            format!("2001:db8:f{place}::{}/64", index + 1).parse().expect("a net"),
        ],
        promote_secondaries: true,
    };
    let host = |index: usize| NodeFacts {
        node: node(index),
        interfaces: (0..INTERFACES.len()).map(|place| interface(index, place)).collect(),
    };
    (0..3).map(|index| (node(index), host(index))).collect()
}

fn whole_seconds(range: std::ops::RangeInclusive<u64>) -> impl Strategy<Value = Span> {
    range.prop_map(Span::from_secs)
}

fn micros(range: std::ops::RangeInclusive<u64>) -> impl Strategy<Value = Span> {
    range.prop_map(|micros| Span(std::time::Duration::from_micros(micros)))
}

/// Whatever a command line can hold.
fn argument() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "[\\n\\t\\\\:#!'\"{}$~@é≠🦀-]{0,8}",
        prop::sample::select(vec!["", "${_RANDOM}", "$A", "~SEQ(A,1,9)", "\\042", "a\\"])
            .prop_map(str::to_owned),
    ]
}

fn arguments() -> impl Strategy<Value = Vec<String>> {
    vec(argument(), 0..4)
}

fn user(users: Users) -> impl Strategy<Value = Option<String>> {
    let names = match users {
        Users::Any => vec!["root", "nobody", "web-data"],
        Users::RootOnly => vec!["root"],
    };
    option::of(prop::sample::select(names).prop_map(str::to_owned))
}

pub(crate) const PROGRAMS: [&str; 3] = ["check.sh", "up to date.sh", "it's#1!"];

fn program() -> impl Strategy<Value = String> {
    prop::sample::select(PROGRAMS.to_vec()).prop_map(str::to_owned)
}

fn check(users: Users) -> impl Strategy<Value = Check> {
    let delay = prop_oneof![Just(Span::default()), micros(1..=3_600_000_000)];
    let quorum = (1..=1000_u16, option::of(0..=1000_u16));
    let process = ("[a-z]{1,15}", delay, quorum);
    let exec = (program(), arguments(), user(users));
    let times = (whole_seconds(1..=4294), option::of(whole_seconds(1..=4294)));
    prop_oneof![
        process.prop_map(|(name, down_delay, (quorum, more))| {
            let quorum_max = more.map(|more| quorum + more);
            let probe = ProcessProbe { quorum, quorum_max, ..ProcessProbe::named(name) };
            Check { down_delay, ..Check::new(Probe::Process(probe)) }
        }),
        (exec, times, 1..=u16::MAX, 1..=u16::MAX).prop_map(
            |((file, args, user), (interval, timeout), rise, fall)| Check {
                interval,
                timeout,
                rise,
                fall,
                ..Check::new(Probe::Exec(ExecProbe { file, args, user }))
            }
        ),
    ]
}

/// Whose a tracked check is: everybody's, one member's, nobody's.
#[derive(Clone, Copy, Debug)]
enum Whose {
    All,
    One(usize),
    Nobody,
}

#[derive(Clone, Debug)]
struct Draft {
    name: String,
    members: Vec<(usize, &'static str, Option<()>)>,
    priorities: Vec<u8>,
    ipv6: bool,
    unicast: bool,
    addresses: Vec<VirtualAddress>,
    excluded: Vec<VirtualAddress>,
    whose: Vec<(Whose, i16, bool)>,
    spec: Instance,
    password: Option<String>,
    interval: u64,
    /// Which of some routes and rules it has.
    routing: u8,
}

fn instance(users: Users) -> impl Strategy<Value = Draft> {
    let member = (0..3usize, prop::sample::select(INTERFACES[..2].to_vec()), option::of(Just(())));
    let members = vec(member, 1..=3).prop_map(|mut all| {
        all.sort_by_key(|(node, ..)| *node);
        all.dedup_by_key(|(node, ..)| *node);
        all
    });
    let priorities = vec(1..=254u8, 3).prop_map(|mut all| {
        for (index, priority) in all.iter_mut().enumerate() {
            *priority = (*priority / 3 * 3 + u8::try_from(index).expect("small")).clamp(1, 254);
        }
        all
    });
    let whose =
        prop_oneof![Just(Whose::All), (0..3usize).prop_map(Whose::One), Just(Whose::Nobody)];
    let whose = vec((whose, -253..=253i16, any::<bool>()), 7);
    let protocol = (option::of(password()), 1..=4095u64);
    let parts = (members, priorities, any::<[bool; 2]>(), protocol, any::<u8>());
    let addresses = (vec(address(), 1..4), vec(address(), 0..3));
    (("[A-Za-z0-9_][A-Za-z0-9_.-]{0,10}", parts), addresses, whose, settings(users)).prop_map(
        |((name, parts), (addresses, excluded), whose, spec)| {
            let (members, priorities, [ipv6, unicast], (password, interval), routing) = parts;
            Draft {
                name,
                members,
                priorities,
                ipv6,
                unicast,
                addresses,
                excluded,
                whose,
                spec,
                password,
                interval,
                routing,
            }
        },
    )
}

/// Where it sits, without its place in the network, which depends on the instance.
fn address() -> impl Strategy<Value = VirtualAddress> {
    let scope = prop::sample::select(vec![Scope::Global, Scope::Site, Scope::Link, Scope::Host]);
    let dev = option::of(prop::sample::select(vec!["eth1", "eth2"]).prop_map(str::to_owned));
    let label = option::of("eth0:[a-z0-9#!{}@]{1,8}");
    let broadcast = option::of(any::<[u8; 4]>().prop_map(IpAddr::from));
    let prefix = prop::sample::select(vec![8u8, 24, 30, 31, 32]);
    (prefix, dev, label, scope, broadcast).prop_map(|(prefix, dev, label, scope, broadcast)| {
        let address = format!("10.0.0.0/{prefix}").parse().expect("a net");
        VirtualAddress { address, dev, label, scope, broadcast }
    })
}

/// One to eight printable characters, without those that no ordinary line gives back.
fn password() -> impl Strategy<Value = String> {
    "[!#%-}&&[^\"\\\\]]{1,8}|[a-z] [a-z]|[é≠]{1,2}"
}

fn settings(users: Users) -> impl Strategy<Value = Instance> {
    let hook = (program(), arguments(), user(users));
    let on = [NotifyOn::Master, NotifyOn::Backup, NotifyOn::Fault, NotifyOn::Stop, NotifyOn::Any];
    let hooks = vec(hook, 0..5).prop_map(move |hooks| {
        let hook = |((exec, args, user), on)| Notify { on, exec, args, user };
        hooks.into_iter().zip(on).map(hook).collect::<Vec<_>>()
    });
    let garp = (1..=255u8, whole_seconds(0..=4294), whole_seconds(0..=86_400));
    let preempt = prop_oneof![
        Just((true, Span::default())),
        Just((false, Span::default())),
        micros(1..=1_000_000_000).prop_map(|delay| (true, delay)),
    ];
    (hooks, garp, preempt, 2..=10u8, any::<[bool; 2]>()).prop_map(
        |(
            notify,
            (repeat, delay, refresh),
            (preempt, preempt_delay),
            down_adverts,
            [only, virtual_mac],
        )| {
            Instance {
                preempt,
                preempt_delay,
                down_adverts,
                members_only: only,
                virtual_mac,
                garp: Garp { repeat, delay, refresh, interfaces: Vec::new() },
                notify,
                ..Instance::new(1, Vec::new(), Vec::new())
            }
        },
    )
}

impl Draft {
    fn finish(self, index: usize, checks: &[Name], startup_delay: Span) -> Instance {
        let unicast = self.unicast && self.members.len() > 1;
        let mut spec = Instance {
            virtual_router_id: u8::try_from(index + 1).expect("small"),
            startup_delay,
            transport: if unicast { Transport::Unicast } else { Transport::Multicast },
            members_only: self.spec.members_only && unicast,
            ..self.spec.clone()
        };
        let member = |(position, (host, interface, own)): (usize, &(usize, &str, Option<()>))| {
            let last = u8::try_from(host + 1).expect("small");
            let source: IpAddr = match self.ipv6 {
                true => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 9, last.into()).into(),
                false => Ipv4Addr::new(172, 16, 9, last).into(),
            };
            let address = own.map(|()| source);
            let priority = self.priorities[position];
            Member { address, ..Member::new(node(*host), *interface, priority) }
        };
        spec.members = self.members.iter().enumerate().map(member).collect();
        match self.password {
            Some(password) if !self.ipv6 => {
                spec.version = 2;
                spec.advert_interval = Span::from_secs(self.interval % 255 + 1);
                spec.authentication = Authentication::Pass { password: Secret::new(password) };
            }
            _ => spec.advert_interval = Span::from_millis(self.interval * 10),
        }
        let place = |list: Vec<VirtualAddress>, base: u8| -> Vec<VirtualAddress> {
            let put = |(at, it): (usize, VirtualAddress)| placed(it, self.ipv6, index, base, at);
            list.into_iter().enumerate().map(put).collect()
        };
        routing(&mut spec, self.routing, self.ipv6, index);
        spec.virtual_addresses = place(self.addresses, 0);
        spec.excluded_addresses = place(self.excluded, 100);
        for ((whose, weight, reverse), check) in self.whose.iter().zip(checks) {
            // Weights without preemption are refused.
            let weight = if spec.preempt { *weight } else { 0 };
            let track = Track { check: check.clone(), weight, reverse: *reverse };
            let count = spec.members.len();
            match whose {
                Whose::All if count > 1 => spec.track.push(track),
                Whose::All => spec.members[0].track.push(track),
                Whose::One(member) => spec.members[member % count].track.push(track),
                Whose::Nobody => {}
            }
        }
        spec
    }
}

/// Those routes and rules whose bits are set, in a table of the instance's own.
fn routing(spec: &mut Instance, bits: u8, ipv6: bool, index: usize) {
    let table = u32::try_from(100 + index).expect("small");
    let to = |four: &str, six: &str| VirtualRoute {
        table: Some(table),
        dev: Some("eth1".to_owned()),
        ..VirtualRoute::new(if ipv6 { six } else { four }.parse().expect("a net"))
    };
    let via = if ipv6 { "fe80::1" } else { "172.16.2.1" }.parse().ok();
    let scope = (!ipv6).then_some(Scope::Link);
    let blackhole =
        VirtualRoute { kind: RouteKind::Blackhole, dev: None, ..to("10.0.0.0/8", "fc00::/8") };
    let routes = [
        VirtualRoute { via, metric: Some(7), ..to("0.0.0.0/0", "::/0") },
        VirtualRoute { via, on_link: true, mtu: Some(1400), ..to("10.1.0.0/16", "fc01::/16") },
        VirtualRoute { scope, ..to("10.2.3.4/32", "fc02::1/128") },
        blackhole,
    ];
    let rule = VirtualRule::new(table, 1000 + table);
    let net = if ipv6 { "fc00::/8" } else { "10.0.0.0/8" }.parse().ok();
    let (iif, oif) = (Some("eth1".to_owned()), Some("eth2".to_owned()));
    let other = if ipv6 { "0.0.0.0/0" } else { "::/0" }.parse().ok();
    let rules = [
        VirtualRule { from: net, ..rule.clone() },
        VirtualRule { to: net, iif, oif, ..rule.clone() },
        VirtualRule { fwmark: Some(0x10), fwmask: Some(0xff), ..rule.clone() },
        VirtualRule { fwmark: Some(3), from: other, ..rule },
    ];
    let set = |at: usize| bits >> at & 1 == 1;
    spec.virtual_routes = (0..4).filter(|at| set(*at)).map(|at| routes[at].clone()).collect();
    spec.virtual_rules = (0..4).filter(|at| set(at + 4)).map(|at| rules[at].clone()).collect();
}

/// The `at`-th address of an instance, in the network that is the instance's own.
fn placed(it: VirtualAddress, ipv6: bool, index: usize, base: u8, at: usize) -> VirtualAddress {
    let third = base + u8::try_from(index).expect("small");
    let last = 4 * u8::try_from(at).expect("small") + 1;
    let prefix = it.address.prefix_len();
    if ipv6 {
        let ip = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, third.into(), last.into());
        let prefix = if prefix == 32 { 128 } else { 64 };
        let address = ipnet::Ipv6Net::new(ip, prefix).expect("a prefix").into();
        let dev = it.dev;
        return VirtualAddress {
            dev,
            ..VirtualAddress { address, ..VirtualAddress::host(ip.into()) }
        };
    }
    let ip = Ipv4Addr::new(10, 7, third, last);
    VirtualAddress { address: ipnet::Ipv4Net::new(ip, prefix).expect("a prefix").into(), ..it }
}
