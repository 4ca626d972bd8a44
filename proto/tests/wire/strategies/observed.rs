//! Any report, finding or status.

use super::{name, net, order, text};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::net::IpAddr;
use vipfleet_model::moves::SwitchoverStatus;
use vipfleet_model::node::{NodeStatus, Rejection};
use vipfleet_model::ownership::{
    AddressStatus, Generations, Health, InstanceStatus, Link, MemberStatus,
};
use vipfleet_model::report::{
    AddressReport, CheckReport, CheckStatus, InstanceReport, InstanceState, TransitionRecord,
};
use vipfleet_model::{Finding, InterfaceFacts, NodeFacts, NodeReport, Place, Severity};

fn place() -> impl Strategy<Value = Place> {
    let parts = (
        option::of(text()),
        option::of(any::<u32>()),
        option::of(any::<u32>()),
        option::of(text()),
        option::of(text()),
    );
    parts.prop_map(|(file, line, column, document, path)| Place {
        file,
        line,
        column,
        document,
        path,
    })
}

pub(crate) fn finding() -> impl Strategy<Value = Finding> {
    let severity = prop::sample::select(vec![Severity::Warning, Severity::Error]);
    let parts = (severity, text(), place(), text(), text(), vec(place(), 0..3));
    parts.prop_map(|(severity, rule, place, message, remedy, related)| Finding {
        severity,
        rule,
        place,
        message,
        remedy,
        related,
    })
}

fn state() -> impl Strategy<Value = InstanceState> {
    prop::sample::select(vec![
        InstanceState::Master,
        InstanceState::Backup,
        InstanceState::Fault,
        InstanceState::Init,
        InstanceState::Unknown,
    ])
}

fn address_report() -> impl Strategy<Value = AddressReport> {
    (any::<IpAddr>(), any::<bool>(), any::<bool>())
        .prop_map(|(address, in_kernel, foreign)| AddressReport { address, in_kernel, foreign })
}

pub(crate) fn check_report() -> impl Strategy<Value = CheckReport> {
    let statuses = vec![CheckStatus::Pending, CheckStatus::Up, CheckStatus::Down];
    let parts = (name(), prop::sample::select(statuses), text(), text());
    parts.prop_map(|(name, status, detail, since)| CheckReport { name, status, detail, since })
}

fn instance_report() -> impl Strategy<Value = InstanceReport> {
    let who = (name(), state(), text(), text());
    let election = (any::<u8>(), any::<u8>(), any::<bool>(), option::of(any::<IpAddr>()));
    let counters = (any::<u64>(), any::<u64>(), btree_map(text(), any::<u64>(), 0..4));
    let lists = (vec(address_report(), 0..4), vec(text(), 0..3));
    (who, election, counters, lists).prop_map(|(who, election, counters, lists)| InstanceReport {
        name: who.0,
        state: who.1,
        since: who.2,
        reason: who.3,
        priority: election.0,
        effective_priority: election.1,
        holding: election.2,
        master: election.3,
        adverts_sent: counters.0,
        adverts_received: counters.1,
        discards: counters.2,
        addresses: lists.0,
        warnings: lists.1,
    })
}

pub(crate) fn node_report() -> impl Strategy<Value = NodeReport> {
    let parts = (
        any::<u64>(),
        text(),
        any::<bool>(),
        vec(instance_report(), 0..4),
        vec(check_report(), 0..4),
    );
    parts.prop_map(|(generation, hash, settled, instances, checks)| NodeReport {
        generation,
        hash,
        settled,
        instances,
        checks,
    })
}

pub(crate) fn transition() -> impl Strategy<Value = TransitionRecord> {
    let parts = (any::<u64>(), text(), name(), state(), state(), text(), any::<u8>(), any::<u64>());
    parts.prop_map(|parts| TransitionRecord {
        sequence: parts.0,
        at: parts.1,
        instance: parts.2,
        from: parts.3,
        to: parts.4,
        reason: parts.5,
        effective_priority: parts.6,
        lost_before: parts.7,
    })
}

fn interface_facts() -> impl Strategy<Value = InterfaceFacts> {
    let parts = (text(), vec(net(), 0..4), any::<bool>());
    parts.prop_map(|(name, addresses, promote_secondaries)| InterfaceFacts {
        name,
        addresses,
        promote_secondaries,
    })
}

pub(crate) fn node_facts() -> impl Strategy<Value = NodeFacts> {
    let parts = (name(), vec(interface_facts(), 0..4));
    parts.prop_map(|(node, interfaces)| NodeFacts { node, interfaces })
}

fn generations() -> impl Strategy<Value = Generations> {
    any::<[u64; 3]>().prop_map(|[desired, accepted, observed]| Generations {
        desired,
        accepted,
        observed,
    })
}

fn rejection() -> impl Strategy<Value = Rejection> {
    (any::<u64>(), text(), text()).prop_map(|(generation, field_path, reason)| Rejection {
        generation,
        field_path,
        reason,
    })
}

pub(crate) fn node_status() -> impl Strategy<Value = NodeStatus> {
    let session = (any::<bool>(), option::of(text()), option::of(text()));
    let agent = (name(), option::of(text()), option::of(text()));
    let progress = (generations(), option::of(rejection()), any::<bool>());
    let lists = (vec(interface_facts(), 0..3), vec(check_report(), 0..3));
    let seen = (lists, option::of(text()), option::of(order()));
    (session, agent, progress, seen).prop_map(|(session, agent, progress, seen)| NodeStatus {
        connected: session.0,
        connected_since: session.1,
        replica: session.2,
        name: agent.0,
        agent_version: agent.1,
        boot_id: agent.2,
        generation: progress.0,
        rejected: progress.1,
        settled: progress.2,
        interfaces: seen.0.0,
        checks: seen.0.1,
        last_report: seen.1,
        drain: seen.2,
    })
}

fn health() -> impl Strategy<Value = Health> {
    prop::sample::select(vec![
        Health::Ok,
        Health::Degraded,
        Health::Unknown,
        Health::NoOwner,
        Health::TwoOwners,
    ])
}

fn address_status() -> impl Strategy<Value = AddressStatus> {
    let parts = (any::<IpAddr>(), vec(name(), 0..3), option::of(name()), health());
    parts.prop_map(|(address, owners, owner, health)| AddressStatus {
        address,
        owners,
        owner,
        health,
    })
}

fn member_status() -> impl Strategy<Value = MemberStatus> {
    let links = vec![Link::Connected, Link::Awaited, Link::Silent];
    let who = (name(), text(), any::<u8>(), prop::sample::select(links));
    let election = (option::of(any::<u8>()), state(), option::of(text()), text());
    let switches = any::<[bool; 4]>();
    let lists = (vec(address_report(), 0..3), vec(text(), 0..3));
    let parts = (who, election, generations(), switches, lists);
    parts.prop_map(|(who, election, generation, switches, lists)| MemberStatus {
        node: who.0,
        interface: who.1,
        priority: who.2,
        link: who.3,
        effective_priority: election.0,
        state: election.1,
        since: election.2,
        reason: election.3,
        generation,
        holding: switches[0],
        external: switches[1],
        settled: switches[2],
        drained: switches[3],
        addresses: lists.0,
        warnings: lists.1,
    })
}

pub(crate) fn instance_status() -> impl Strategy<Value = InstanceStatus> {
    let what = (name(), any::<u8>(), any::<u8>(), vec(text(), 0..3), any::<u64>());
    let verdict = (vec(name(), 0..3), option::of(name()), health(), vec(text(), 0..3));
    let moved = (name(), name(), order());
    let moved = moved.prop_map(|(instance, to, order)| SwitchoverStatus { instance, to, order });
    let lists = (vec(member_status(), 0..4), vec(address_status(), 0..4));
    let parts = (what, verdict, lists, option::of(moved));
    parts.prop_map(|(what, verdict, (members, addresses), switchover)| InstanceStatus {
        name: what.0,
        virtual_router_id: what.1,
        version: what.2,
        virtual_addresses: what.3,
        revision: what.4,
        owners: verdict.0,
        owner: verdict.1,
        health: verdict.2,
        problems: verdict.3,
        members,
        addresses,
        switchover,
    })
}
