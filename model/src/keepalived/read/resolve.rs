//! Drafts with defaults filled in the way keepalived does once the file is read, and what must
//! hold for an instance as a whole.

use super::super::cell::Pos;
use super::super::host::{At, Located, VrrpInstance};
use super::super::report::{Report, finding};
use super::super::unique;
use super::global::Globals;
use super::instance::{Draft, Wanted};
use super::sync_group::Written;
use super::{Put, name, rules};
use crate::address::VirtualAddress;
use crate::finding::Severity;
use crate::instance::{Authentication, Family, Garp};
use crate::name::Name;
use crate::span::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// keepalived's default.
const DEFAULT_PRIORITY: u8 = 100;
/// 12 bits of centiseconds (RFC 9568 § 5.2.7).
const MAX_V3_INTERVAL: Duration = Duration::from_millis(40_950);

/// Resolves every draft; those that lack what an instance cannot do without are left out. With
/// them: where each went.
pub(super) fn instances(
    drafts: Vec<Draft<'_>>,
    globals: &Globals,
    report: &mut Report,
) -> (Vec<VrrpInstance>, Written) {
    let mut done: Vec<VrrpInstance> = Vec::with_capacity(drafts.len());
    let mut written = Written::new();
    let mut names = BTreeSet::new();
    let mut routers = Routers::new();
    for draft in drafts {
        let title = draft.name().text.clone();
        let Some(mut instance) = resolve(draft, globals, report) else {
            written.insert(title, None);
            continue;
        };
        written.insert(title, Some(done.len()));
        instance.name.value = unique(&instance.name.value, |name| names.contains(name));
        names.insert(instance.name.value.clone());
        duplicate_vrid(&instance, &mut routers, report);
        done.push(instance);
    }
    (done, written)
}

pub(super) fn startup_delay(put: Put<Span>, report: &Report) -> Located<Span> {
    let (delay, pos) = put.unwrap_or((Span::default(), Pos { file: 0, line: 1, column: 1 }));
    report.located(delay, pos)
}

fn resolve(draft: Draft<'_>, globals: &Globals, report: &mut Report) -> Option<VrrpInstance> {
    let title = draft.name();
    let start = title.pos;
    let complete = missing(&draft, report);
    let is_ipv6 = family(&draft, report)?;
    let version = version(&draft, globals, is_ipv6, report);
    let (preempt, preempt_delay) = preemption(&draft, report);
    let authentication = authentication(&draft, version.0, report);
    let interval = interval(&draft, version.0, report);
    let garp = garp(&draft, globals);
    let down = draft.down_adverts.or(globals.down_adverts).unwrap_or((3, start));
    let only = draft.check_unicast_source.or(globals.check_unicast_source);
    let only = only.filter(|_| !draft.peers.is_empty()).unwrap_or((false, start));
    let virtual_mac = virtual_mac(&draft, is_ipv6, report);
    if draft.unicast.is_some() && draft.peers.is_empty() {
        let message = "unicast_peer names no peer";
        report.error(start, "no-peer", message, "list the other members, or remove the block");
    }
    let (Some(id), Some(interface), true) =
        (draft.virtual_router_id, draft.interface, complete && !draft.addresses.is_empty())
    else {
        return None;
    };
    let addresses = |report: &Report, list: Vec<(VirtualAddress, Pos)>| {
        list.into_iter().map(|(address, pos)| report.located(address, pos)).collect()
    };
    let priority = draft.priority.unwrap_or((DEFAULT_PRIORITY, start));
    let called = name(&title.text, start, report);
    let kind = if is_ipv6 { Family::Ipv6 } else { Family::Ipv4 };
    Some(VrrpInstance {
        name: report.located(called, start),
        virtual_router_id: report.located(id.0, id.1),
        version: report.located(version.0, version.1),
        interface: report.located(interface.0, interface.1),
        priority: report.located(priority.0, priority.1),
        advert_interval: report.located(interval.0, interval.1),
        down_adverts: report.located(down.0, down.1),
        preempt: report.located(preempt.0, preempt.1),
        preempt_delay: report.located(preempt_delay.0, preempt_delay.1),
        authentication: report.located(authentication.0, authentication.1),
        garp: report.located(garp.0, garp.1),
        members_only: report.located(only.0, only.1),
        virtual_mac: report.located(virtual_mac.0, virtual_mac.1),
        source_address: draft.source.map(|(source, pos)| report.located(source, pos)),
        unicast_peers: draft
            .peers
            .into_iter()
            .map(|(peer, pos)| report.located(peer, pos))
            .collect(),
        virtual_addresses: addresses(report, draft.addresses),
        excluded_addresses: addresses(report, draft.excluded),
        virtual_routes: draft
            .routes
            .into_iter()
            .map(|(route, pos)| report.located(route, pos))
            .collect(),
        virtual_rules: draft
            .rules
            .into_iter()
            .map(|(rule, pos)| report.located(rules::settled(rule, kind), pos))
            .collect(),
        track: draft.tracks.0,
        notify: draft.hooks,
    })
}

/// A device of another name, another MAC and adverts from the interface are refused: what else
/// the host has may refer to the first, and the others are no virtual MAC as switches know it.
fn virtual_mac(draft: &Draft<'_>, is_ipv6: bool, report: &mut Report) -> (bool, Pos) {
    // Unicast adverts leave from the interface in any case.
    if let Some((_, pos)) = draft.transmit_base.filter(|_| draft.unicast.is_none()) {
        let message =
            "vmac_xmit_base is not supported: multicast adverts leave with the virtual MAC";
        let remedy = "remove it on all members: each works with members that have it";
        report.error(pos, "not-supported", message, remedy);
    }
    let Some((words, pos)) = &draft.virtual_mac else { return (false, draft.name().pos) };
    let id = draft.virtual_router_id.map_or(0, |(id, _)| id);
    let own = format!("vrrp{}.{id}", if is_ipv6 { "6" } else { "" });
    for word in words.iter().filter(|word| **word != own) {
        let message = format!("use_vmac {word} is not supported: the device is {own} with its MAC");
        let remedy = format!("write use_vmac alone, and {own} where others name the device");
        report.error(*pos, "not-supported", message, remedy);
    }
    (true, *pos)
}

/// Whether everything mandatory was given, readable or not.
fn missing(draft: &Draft<'_>, report: &mut Report) -> bool {
    let name = &draft.name().text;
    let mut complete = true;
    for (keyword, example) in [
        ("interface", "interface eth0"),
        ("virtual_router_id", "virtual_router_id 51"),
        ("virtual_ipaddress", "virtual_ipaddress { 192.0.2.10 }"),
    ] {
        let empty = keyword == "virtual_ipaddress" && draft.addresses.is_empty();
        if !draft.given.contains(&keyword) {
            complete = false;
            let message = format!("vrrp_instance {name} lacks {keyword}");
            report.error(draft.name().pos, "missing-keyword", message, format!("add: {example}"));
        } else if empty {
            complete = false;
            let message = format!("vrrp_instance {name} has no usable address");
            report.error(draft.name().pos, "no-address", message, format!("add: {example}"));
        }
    }
    complete
}

/// Whether the instance is IPv6; every address, source and peer must be of the first's family.
fn family(draft: &Draft<'_>, report: &mut Report) -> Option<bool> {
    let is_ipv6 = draft.addresses.first()?.0.ip().is_ipv6();
    let addresses = draft.addresses.iter().map(|(address, pos)| (address.ip(), *pos));
    let peers = draft.peers.iter().copied();
    for (address, pos) in addresses.chain(peers).chain(draft.source) {
        if address.is_ipv6() != is_ipv6 {
            report.error(
                pos,
                "mixed-families",
                format!("{address} is not of the family of the instance's first address"),
                "move it to virtual_ipaddress_excluded, or to an instance of its own",
            );
        }
    }
    Some(is_ipv6)
}

/// IPv6 is version 3 whatever `vrrp_version` says. `version 2` beside it is an error: what
/// keepalived makes of that depends on which of the two lines comes first.
fn version(draft: &Draft<'_>, globals: &Globals, is_ipv6: bool, report: &mut Report) -> (u8, Pos) {
    let start = draft.name().pos;
    if is_ipv6 {
        let (version, pos) = draft.version.unwrap_or((3, start));
        if version != 3 {
            report.error(pos, "ipv6-version", "IPv6 needs version 3", "write version 3");
        }
        return (3, pos);
    }
    draft.version.or(globals.version).unwrap_or((2, start))
}

/// keepalived clears both when the initial state is MASTER.
fn preemption(draft: &Draft<'_>, report: &mut Report) -> ((bool, Pos), (Span, Pos)) {
    let start = draft.name().pos;
    let mut preempt = draft.preempt.unwrap_or((true, start));
    let mut delay = draft.preempt_delay.unwrap_or((Span::default(), start));
    let master = matches!(draft.state, Some((Wanted::Master, _)));
    if master && !preempt.0 {
        let message = "nopreempt does not work with state MASTER; keepalived clears it";
        report.warning(preempt.1, "no-effect", message, "write state BACKUP, or remove nopreempt");
        preempt.0 = true;
    }
    if master && !delay.0.is_zero() {
        let message = "preempt_delay does not work with state MASTER; keepalived clears it";
        report.warning(delay.1, "no-effect", message, "write state BACKUP, or remove the delay");
        delay.0 = Span::default();
    }
    (preempt, delay)
}

/// Version 3 has none (RFC 9568 § 9).
fn authentication(draft: &Draft<'_>, version: u8, report: &mut Report) -> (Authentication, Pos) {
    match &draft.authentication {
        Some((_, pos)) if version == 3 => {
            let message = "VRRP version 3 has no authentication; keepalived ignores the block";
            report.warning(*pos, "no-effect", message, "remove it, or write version 2");
            (Authentication::None, *pos)
        }
        Some((authentication, pos)) => (authentication.clone(), *pos),
        None => (Authentication::None, draft.name().pos),
    }
}

/// Rounds to what the version can carry, as keepalived does.
fn interval(draft: &Draft<'_>, version: u8, report: &mut Report) -> (Span, Pos) {
    let Some((written, pos)) = draft.advert_interval else {
        return (Span::from_secs(1), draft.name().pos);
    };
    let step = if version == 2 { 1_000_000 } else { 10_000 };
    let micros = written.0.as_micros();
    let mut rounded = (((micros + step / 2) / step) * step).max(step);
    if version == 3 {
        rounded = rounded.min(MAX_V3_INTERVAL.as_micros());
    }
    let taken = Span(Duration::from_micros(u64::try_from(rounded).unwrap_or(u64::MAX)));
    if taken != written {
        let carries = if version == 2 { "whole seconds" } else { "10 ms steps up to 40.95 s" };
        report.warning(
            pos,
            "interval-rounded",
            format!(
                "version {version} carries {carries}; {written} becomes {taken}, as in keepalived"
            ),
            format!("write the interval in {carries}"),
        );
    }
    (taken, pos)
}

/// `vrrp_min_garp` is one announcement and no second block, unless said otherwise.
fn garp(draft: &Draft<'_>, globals: &Globals) -> (Garp, Pos) {
    let least = globals.min_garp.is_some_and(|(on, _)| on);
    let standard = Garp::default();
    let standard =
        if least { Garp { repeat: 1, delay: Span::default(), ..standard } } else { standard };
    let delay = draft.garp_delay.or(globals.garp_delay);
    let repeat = draft.garp_repeat.or(globals.garp_repeat);
    let refresh = draft.garp_refresh.or(globals.garp_refresh);
    let places = [delay.map(|put| put.1), repeat.map(|put| put.1), refresh.map(|put| put.1)];
    let pos = places.into_iter().flatten().next().unwrap_or(draft.name().pos);
    let garp = Garp {
        repeat: repeat.map_or(standard.repeat, |put| put.0),
        delay: delay.map_or(standard.delay, |put| put.0),
        refresh: refresh.map_or(standard.refresh, |put| put.0),
        interfaces: Vec::new(),
    };
    (garp, pos)
}

/// Who has an id on an interface in a family, and where that is written.
type Routers = BTreeMap<(String, u8, bool), (Name, At)>;

fn duplicate_vrid(instance: &VrrpInstance, routers: &mut Routers, report: &mut Report) {
    let id = &instance.virtual_router_id;
    let interface = &instance.interface.value;
    let key = (interface.clone(), id.value, instance.is_ipv6());
    let own = (instance.name.value.clone(), id.at.clone());
    let Some((first, at)) = routers.get(&key) else {
        routers.insert(key, own);
        return;
    };
    let message = format!("virtual_router_id {} on {interface} is {first}'s already", id.value);
    let remedy = "give each instance on an interface its own";
    let mut twice = finding(Severity::Error, "duplicate-vrid", id.at.clone(), message, remedy);
    twice.related.push(at.place());
    report.push(twice);
}
