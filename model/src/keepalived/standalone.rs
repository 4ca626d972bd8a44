//! What a stand-alone agent runs: one host's file as an assignment. The other members are not
//! known, only unicast peers by their addresses, so takeover is by the RFC.

use super::host::{Hook, HostConfig, Located, SyncGroup, VrrpInstance};
use super::report::finding;
use crate::assignment::{AssignedGroup, AssignedInstance, AssignedMember, Assignment};
use crate::check::{NamedCheck, Probe};
use crate::finding::{Findings, Severity};
use crate::instance::{Checksum, Notify, Takeover, Transport};
use crate::placement::joined;
use crate::span::Span;

/// The assignment that `host` amounts to. Only tracked checks are in it. Errors say what cannot
/// run stand-alone, such as a script without an absolute path.
pub fn assignment(host: &HostConfig) -> (Assignment, Findings) {
    let mut findings = Findings::default();
    let mut instances: Vec<AssignedInstance> = host
        .instances
        .iter()
        .map(|instance| assigned(instance, host.startup_delay.value, &mut findings))
        .collect();
    instances.sort_by(|left, right| left.name.cmp(&right.name));
    let mut sync_groups: Vec<AssignedGroup> = host
        .sync_groups
        .iter()
        .filter_map(|group| assigned_group(group, &mut instances, &mut findings))
        .collect();
    sync_groups.sort_by(|left, right| left.name.cmp(&right.name));
    let tracked = host.tracked();
    let mut checks: Vec<NamedCheck> = Vec::new();
    for check in host.checks.iter().filter(|check| tracked.contains(&check.name.value)) {
        if let Probe::Exec(exec) = &check.spec.probe {
            absolute(
                &Located { value: exec.file.clone(), at: check.name.at.clone() },
                &mut findings,
            );
        }
        checks.push(NamedCheck { name: check.name.value.clone(), spec: check.spec.clone() });
    }
    checks.sort_by(|left, right| left.name.cmp(&right.name));
    (Assignment { instances, checks, sync_groups }, findings)
}

/// The group, its instances tracking what any of them does.
fn assigned_group(
    group: &SyncGroup,
    instances: &mut [AssignedInstance],
    findings: &mut Findings,
) -> Option<AssignedGroup> {
    let spec = crate::sync_group::SyncGroup {
        instances: group.instances.iter().map(|name| name.value.clone()).collect(),
        notify: group.notify.iter().map(|hook| notify(hook, findings)).collect(),
    };
    joined(&group.name.value, &spec, instances)
}

fn assigned(
    instance: &VrrpInstance,
    startup_delay: Span,
    findings: &mut Findings,
) -> AssignedInstance {
    let it = instance.clone();
    let transport =
        if it.unicast_peers.is_empty() { Transport::Multicast } else { Transport::Unicast };
    AssignedInstance {
        name: it.name.value,
        virtual_router_id: it.virtual_router_id.value,
        version: it.version.value,
        interface: it.interface.value,
        priority: it.priority.value,
        priority_offset: 0,
        virtual_addresses: it.virtual_addresses.into_iter().map(|a| a.value).collect(),
        excluded_addresses: it.excluded_addresses.into_iter().map(|a| a.value).collect(),
        election_only: None,
        virtual_routes: it.virtual_routes.into_iter().map(|route| route.value).collect(),
        virtual_rules: it.virtual_rules.into_iter().map(|rule| rule.value).collect(),
        advert_interval: it.advert_interval.value,
        preempt: it.preempt.value,
        preempt_delay: it.preempt_delay.value,
        startup_delay,
        recover_delay: Span::from_secs(3),
        takeover: Takeover::Rfc,
        down_adverts: it.down_adverts.value,
        authentication: it.authentication.value,
        checksum: Checksum::PseudoHeader,
        transport,
        members_only: it.members_only.value,
        garp: it.garp.value,
        virtual_mac: it.virtual_mac.value,
        members: members(instance),
        members_complete: false,
        source_address: it.source_address.map(|source| source.value),
        track: it.track.into_iter().map(|track| track.value).collect(),
        planned_move: None,
        notify: it.notify.iter().map(|hook| notify(hook, findings)).collect(),
    }
}

/// This router, and the unicast peers; of those nothing but the address is known.
fn members(instance: &VrrpInstance) -> Vec<AssignedMember> {
    let this = AssignedMember {
        node: None,
        address: instance.source_address.as_ref().map(|source| source.value),
        priority: instance.priority.value,
        external: false,
        this: true,
    };
    let peer = |peer: &Located<std::net::IpAddr>| AssignedMember {
        node: None,
        address: Some(peer.value),
        priority: 0,
        external: true,
        this: false,
    };
    std::iter::once(this).chain(instance.unicast_peers.iter().map(peer)).collect()
}

fn notify(hook: &Located<Hook>, findings: &mut Findings) -> Notify {
    let exec = &hook.value.exec;
    absolute(&exec.file, findings);
    Notify {
        on: hook.value.on,
        exec: exec.file.value.clone(),
        args: exec.args.clone(),
        user: exec.user.clone(),
    }
}

fn absolute(file: &Located<String>, findings: &mut Findings) {
    if file.value.starts_with('/') {
        return;
    }
    let message = format!("the program {:?} is no absolute path", file.value);
    let remedy = if ["killall", "pidof", "pgrep"].contains(&file.value.as_str()) {
        "write the whole path, or better a vrrp_track_process, which sees a death at once"
    } else {
        "write the whole path; PATH is not searched"
    };
    findings.push(finding(Severity::Error, "relative-path", file.at.clone(), message, remedy));
}
