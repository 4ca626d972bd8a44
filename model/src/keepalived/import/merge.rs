//! One Instance out of the parts that its hosts have in it.

use super::super::host::{Located, VrrpInstance};
use super::agree::Compare;
use super::checks::Called;
use super::hooks::{Hooks, shared};
use super::programs::Programs;
use super::{Seat, pair};
use crate::address::VirtualAddress;
use crate::finding::Findings;
use crate::instance::{
    Authentication, Checksum, Garp, Instance, Member, Notify, Takeover, Track, Transport,
};
use crate::name::Name;
use crate::span::Span;
use std::fmt::Display;
use std::net::IpAddr;

/// Merges `seats`, of which there is at least one.
pub(super) fn instance(
    name: &Name,
    seats: &[Seat<'_>],
    checks: &Called,
    programs: &mut Programs,
    findings: &mut Findings,
) -> Instance {
    let mut compare = Compare { name, seats, findings };
    let version = compare.shared("version", |it| &it.version, u8::to_string);
    let advert_interval = compare.shared("advert_int", |it| &it.advert_interval, Span::to_string);
    let authentication =
        compare.shared("authentication", |it| &it.authentication, |it| said(it).to_owned());
    let down_adverts = compare.shared("down_timer_adverts", |it| &it.down_adverts, u8::to_string);
    let transport = transport(&mut compare);
    let preempt = compare.chosen("preempt", |s| own(&s.instance.preempt));
    let preempt_delay = compare.chosen("preempt_delay", |s| own(&s.instance.preempt_delay));
    let startup_delay = compare.chosen("vrrp_startup_delay", |s| own(&s.host.startup_delay));
    let members_only = compare.chosen("check_unicast_src", |s| own(&s.instance.members_only));
    let virtual_mac = compare.chosen("use_vmac", |s| own(&s.instance.virtual_mac));
    let garp = garp(&mut compare);
    let virtual_addresses = addresses(&mut compare, |it| &it.virtual_addresses);
    let excluded_addresses = addresses(&mut compare, |it| &it.excluded_addresses);
    let virtual_routes = alike(&mut compare, "route", |it| &it.virtual_routes);
    let virtual_rules = alike(&mut compare, "rule", |it| &it.virtual_rules);
    let notify = hooks(&mut compare, programs);
    let (track, mut tracks) = tracks(seats, checks);
    let member = |(seat, track): (&Seat<'_>, Vec<Track>)| Member {
        node: seat.node.clone(),
        interface: seat.instance.interface.value.clone(),
        priority: seat.instance.priority.value,
        priority_offset: 0,
        address: seat.instance.source_address.as_ref().map(|source| source.value),
        external: false,
        track,
    };
    Instance {
        virtual_router_id: seats[0].instance.virtual_router_id.value,
        version,
        virtual_addresses,
        excluded_addresses,
        election_only: None,
        virtual_routes,
        virtual_rules,
        advert_interval,
        preempt,
        preempt_delay,
        startup_delay,
        recover_delay: Span::from_secs(3),
        // What keepalived does is rfc, and is what runs as long as a member is external.
        takeover: Takeover::default(),
        down_adverts,
        authentication,
        checksum: Checksum::PseudoHeader,
        transport,
        members_only,
        garp,
        virtual_mac,
        members: seats.iter().zip(tracks.drain(..)).map(member).collect(),
        track,
        notify,
    }
}

fn own<T: Clone>(located: &Located<T>) -> (T, super::At) {
    (located.value.clone(), located.at.clone())
}

/// Never the password itself.
fn said(authentication: &Authentication) -> &'static str {
    match authentication {
        Authentication::None => "none",
        Authentication::Pass { .. } => "a password",
        Authentication::Hmac(_) => "signed adverts",
    }
}

fn garp(compare: &mut Compare<'_, '_>) -> Garp {
    let at = |seat: Seat<'_>| seat.instance.garp.at.clone();
    let repeat = compare.chosen("garp_master_repeat", |s| (s.instance.garp.value.repeat, at(s)));
    let delay = compare.chosen("garp_master_delay", |s| (s.instance.garp.value.delay, at(s)));
    let refresh = compare.chosen("garp_master_refresh", |s| (s.instance.garp.value.refresh, at(s)));
    Garp { repeat, delay, refresh, interfaces: Vec::new() }
}

/// Unicast everywhere or nowhere; every peer must be one of the hosts.
fn transport(compare: &mut Compare<'_, '_>) -> Transport {
    let seats = compare.seats;
    let first = seats[0];
    let is_unicast = |seat: &Seat<'_>| !seat.instance.unicast_peers.is_empty();
    if let Some(other) = seats.iter().find(|seat| is_unicast(seat) != is_unicast(&first)) {
        let message = format!("one of {} and {} has unicast_peer", first.node, other.node);
        let place = |seat: &Seat<'_>| {
            let peer = seat.instance.unicast_peers.first();
            peer.map_or(&seat.instance.name.at, |peer| &peer.at).clone()
        };
        let remedy = "all members of an instance need the same: correct one file";
        compare.push(pair("hosts-disagree", &place(other), &place(&first), message, remedy));
    }
    if seats.iter().any(is_unicast) {
        seats.iter().for_each(|seat| peers(compare, seat));
        Transport::Unicast
    } else {
        Transport::Multicast
    }
}

fn peers(compare: &mut Compare<'_, '_>, seat: &Seat<'_>) {
    let source = |seat: &Seat<'_>| seat.instance.source_address.as_ref().map(|it| it.value);
    let others: Vec<&Seat<'_>> =
        compare.seats.iter().filter(|other| other.index != seat.index).collect();
    let known: Vec<IpAddr> = others.iter().filter_map(|other| source(other)).collect();
    let mut unnamed = others.len() - known.len();
    for peer in &seat.instance.unicast_peers {
        if known.contains(&peer.value) {
            continue;
        }
        // A host that does not say its address may be any of the peers.
        if unnamed > 0 {
            unnamed -= 1;
            continue;
        }
        let message = format!("{}'s peer {} is none of the hosts imported", seat.node, peer.value);
        let remedy = "import that host's file as well, or remove the peer";
        let at = &seat.instance.name.at;
        compare.push(pair("unknown-peer", &peer.at, at, message, remedy));
    }
}

/// The first host's addresses in its order. A host that lacks one, or says otherwise how it sits
/// on its interface, is an error. The instance's own interface as `dev` goes without saying.
fn addresses(
    compare: &mut Compare<'_, '_>,
    pick: impl Fn(&VrrpInstance) -> &Vec<Located<VirtualAddress>>,
) -> Vec<VirtualAddress> {
    let mut merged: Vec<(VirtualAddress, super::At, &Name)> = Vec::new();
    let plain = |seat: &Seat<'_>, address: &VirtualAddress| {
        let dev = address.dev.clone().filter(|dev| *dev != seat.instance.interface.value);
        VirtualAddress { dev, ..address.clone() }
    };
    for seat in compare.seats {
        for address in pick(seat.instance) {
            let ours = plain(seat, &address.value);
            let ip = ours.ip();
            match merged.iter().find(|(known, ..)| known.ip() == ip) {
                None => merged.push((ours, address.at.clone(), seat.node)),
                Some((known, at, node)) if *known != ours => {
                    let message = format!(
                        "{ip} has another prefix, dev, label, scope or brd on {} than on {node}",
                        seat.node
                    );
                    let remedy = "an instance has one way to hold an address: make them equal";
                    compare.push(pair("hosts-disagree", &address.at, at, message, remedy));
                }
                Some(_) => {}
            }
        }
    }
    for (address, at, node) in &merged {
        let ip = address.ip();
        for seat in compare.seats {
            let list = pick(seat.instance);
            if list.iter().all(|other| other.value.ip() != ip) {
                let message = format!("{ip} is on {node} and not on {}", seat.node);
                let remedy = "all members hold the same addresses: correct one file";
                let there = list.first().map_or(&seat.instance.name.at, |first| &first.at);
                compare.push(pair("hosts-disagree", at, there, message, remedy));
            }
        }
    }
    merged.into_iter().map(|(address, ..)| address).collect()
}

/// The first host's list; whatever another has not, or has alone, is an error.
fn alike<T: PartialEq + Clone + Display>(
    compare: &mut Compare<'_, '_>,
    what: &str,
    pick: impl Fn(&VrrpInstance) -> &Vec<Located<T>>,
) -> Vec<T> {
    let seats = compare.seats;
    let first = &seats[0];
    for seat in &seats[1..] {
        for (one, other) in [(seat, first), (first, seat)] {
            let theirs = pick(other.instance);
            for item in pick(one.instance) {
                if theirs.iter().any(|it| it.value == item.value) {
                    continue;
                }
                let message = format!(
                    "the {what} `{}` is on {} and not on {}",
                    item.value, one.node, other.node
                );
                let remedy = "all members have the same: make the files equal";
                let there = &other.instance.name.at;
                compare.push(pair("hosts-disagree", &item.at, there, message, remedy));
            }
        }
    }
    pick(first.instance).iter().map(|item| item.value.clone()).collect()
}

fn hooks(compare: &mut Compare<'_, '_>, programs: &mut Programs) -> Vec<Notify> {
    let hosts: Vec<Hooks<'_>> = compare
        .seats
        .iter()
        .map(|seat| Hooks {
            node: seat.node,
            at: &seat.instance.name.at,
            list: &seat.instance.notify,
        })
        .collect();
    shared(&format!("Instance {}", compare.name), &hosts, programs, compare.findings)
}

/// What all members track alike is the instance's, the rest each member's own.
fn tracks(seats: &[Seat<'_>], checks: &Called) -> (Vec<Track>, Vec<Vec<Track>>) {
    let of = |seat: &Seat<'_>| -> Vec<Track> {
        let renamed = |track: &Located<Track>| {
            let key = (seat.index, track.value.check.clone());
            let check = checks.get(&key).cloned().unwrap_or(key.1);
            Track { check, ..track.value.clone() }
        };
        seat.instance.track.iter().map(renamed).collect()
    };
    let mut each: Vec<Vec<Track>> = seats.iter().map(of).collect();
    if each.len() < 2 {
        return (Vec::new(), each);
    }
    let everywhere = |track: &&Track| each.iter().all(|tracks| tracks.contains(track));
    let common: Vec<Track> = each[0].iter().filter(everywhere).cloned().collect();
    for tracks in &mut each {
        tracks.retain(|track| !common.contains(track));
    }
    (common, each)
}
