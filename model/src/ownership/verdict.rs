//! The rules of health, in the words of the module above.

use super::{AddressStatus, Health, Link, MemberStatus};
use crate::name::Name;
use crate::report::InstanceState;
use std::net::IpAddr;

/// What one member of an instance has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Prize {
    /// In its kernel.
    Address(IpAddr),
    /// By its own word: an election without addresses leaves nothing to look at.
    Mastership,
}

/// Members with the prize, those that hand over left out. An external one counts when its
/// adverts are heard.
pub(super) fn owners(members: &[MemberStatus], prize: Prize) -> Vec<Name> {
    let owns = |it: &&MemberStatus| match it.external {
        true => it.state == InstanceState::Master,
        false => has(it, prize) && !it.holding,
    };
    members.iter().filter(owns).map(|it| it.node.clone()).collect()
}

fn has(member: &MemberStatus, prize: Prize) -> bool {
    match prize {
        Prize::Address(address) => {
            member.addresses.iter().any(|it| it.address == address && it.in_kernel)
        }
        Prize::Mastership => member.state == InstanceState::Master,
    }
}

pub(super) fn health(
    members: &[MemberStatus],
    prize: Prize,
    owners: &[Name],
    problems: &[String],
) -> Health {
    let held = members.iter().any(|it| it.holding && has(it, prize));
    // An external member that is not heard as master may still be one that nobody hears; an
    // agent that has not taken a new address yet says nothing about it.
    let mute = |it: &MemberStatus| match prize {
        Prize::Address(address) => !it.addresses.iter().any(|it| it.address == address),
        Prize::Mastership => it.state == InstanceState::Unknown,
    };
    let awaited = members.iter().any(|it| it.link == Link::Awaited && !it.external);
    match owners {
        [_, _, ..] => Health::TwoOwners,
        [] if held => Health::Degraded,
        [] if members.iter().any(mute) => Health::Unknown,
        [] => Health::NoOwner,
        [_] if !problems.is_empty() => Health::Degraded,
        [_] if awaited => Health::Unknown,
        [_] => Health::Ok,
    }
}

/// What keeps an owned address from being ok, one line a cause.
pub(super) fn problems(members: &[MemberStatus]) -> Vec<String> {
    members.iter().filter(|member| !member.external).filter_map(problem).collect()
}

fn problem(member: &MemberStatus) -> Option<String> {
    let node = &member.node;
    let reason = &member.reason;
    match member.link {
        Link::Silent => return Some(format!("{node}: {reason}")),
        Link::Awaited => return None,
        Link::Connected => {}
    }
    let missing = || member.addresses.iter().find(|it| !it.in_kernel);
    let surplus = || member.addresses.iter().find(|it| it.in_kernel && !it.foreign);
    let generation = &member.generation;
    match member.state {
        InstanceState::Fault | InstanceState::Init | InstanceState::Unknown => {
            return Some(format!("{node} is in {}: {reason}", member.state));
        }
        InstanceState::Master => {
            if let Some(it) = missing() {
                return Some(format!("{node} is MASTER, but {} is not in its kernel", it.address));
            }
        }
        InstanceState::Backup => {
            if let Some(it) = surplus().filter(|_| !member.holding) {
                return Some(format!("{node} is BACKUP, but {} is in its kernel", it.address));
            }
        }
    }
    if generation.accepted < generation.desired {
        return Some(format!(
            "{node} runs generation {}, not {}",
            generation.accepted, generation.desired
        ));
    }
    (!member.settled).then(|| format!("{node} is still changing its kernel"))
}

/// The problems, with what is wrong with each address before them.
pub(super) fn explain(problems: Vec<String>, addresses: &[AddressStatus]) -> Vec<String> {
    let line = |it: &AddressStatus| match it.health {
        Health::TwoOwners => {
            let owners = it.owners.iter().map(Name::as_str).collect::<Vec<_>>();
            Some(format!("{} is in the kernel of {}", it.address, owners.join(" and ")))
        }
        Health::NoOwner => Some(format!("{} is in no member's kernel", it.address)),
        Health::Unknown if it.owners.is_empty() => {
            Some(format!("{} is with nobody who reports", it.address))
        }
        Health::Ok | Health::Degraded | Health::Unknown => None,
    };
    addresses.iter().filter_map(line).chain(problems).collect()
}

/// What is wrong with an election without addresses.
pub(super) fn explain_election(health: Health, owners: &[Name]) -> Option<String> {
    match health {
        Health::TwoOwners => {
            let owners = owners.iter().map(Name::as_str).collect::<Vec<_>>();
            Some(format!("{} are both MASTER", owners.join(" and ")))
        }
        Health::NoOwner => Some("no member is MASTER".to_owned()),
        Health::Unknown if owners.is_empty() => Some("nobody who reports is MASTER".to_owned()),
        Health::Ok | Health::Degraded | Health::Unknown => None,
    }
}
