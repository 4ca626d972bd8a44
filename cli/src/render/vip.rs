//! `get vips` and the heart of `status`: one row an address, the worst first; an election without
//! addresses has one row.

use super::age::age;
use super::instance::{master_since, owner_reason, owners};
use super::list::Listed;
use super::moves;
use super::table::{Cell, Tone, cell, faint, health, plain};
use crate::output::Look;
use jiff::Timestamp;
use serde::Serialize;
use std::net::IpAddr;
use vipfleet_model::Name;
use vipfleet_model::moves::SwitchoverStatus;
use vipfleet_model::ownership::{AddressStatus, Health, InstanceStatus};

/// One virtual address, or the mastership of an election without any.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vip {
    /// `null` in an election without addresses.
    pub(crate) address: Option<IpAddr>,
    pub(crate) instance: Name,
    pub(crate) virtual_router_id: u8,
    pub(crate) owner: Option<Name>,
    pub(crate) owners: Vec<Name>,
    pub(crate) health: Health,
    /// When the owner became master.
    pub(crate) since: Option<String>,
    /// What the owner says of how it came to be.
    pub(crate) reason: String,
    /// Of this address and of the whole instance.
    pub(crate) problems: Vec<String>,
    /// The planned move in force; `null` without one.
    pub(crate) switchover: Option<SwitchoverStatus>,
    /// Members that are drained.
    pub(crate) drained: Vec<Name>,
    /// The instance's first address, where the table says what concerns them all.
    #[serde(skip)]
    first: Option<IpAddr>,
    /// How many of the problems are the whole instance's; they come last.
    #[serde(skip)]
    general: usize,
}

/// Every address of every instance, the worst first.
pub(crate) fn vips(instances: &[InstanceStatus]) -> Vec<Vip> {
    let mut vips = instances.iter().flat_map(of_instance).collect::<Vec<_>>();
    vips.sort_by_key(|vip| std::cmp::Reverse(vip.health));
    vips
}

fn of_instance(status: &InstanceStatus) -> Vec<Vip> {
    if status.addresses.is_empty() {
        return vec![election(status)];
    }
    let about = |problem: &str, address: &IpAddr| {
        problem.split(' ').next() == Some(address.to_string().as_str())
    };
    let is_general =
        move |problem: &&String| !status.addresses.iter().any(|it| about(problem, &it.address));
    let of_address = |judged: &AddressStatus| {
        let own = status.problems.iter().filter(|problem| about(problem, &judged.address));
        let general = status.problems.iter().filter(is_general);
        Vip {
            address: Some(judged.address),
            instance: status.name.clone(),
            virtual_router_id: status.virtual_router_id,
            owner: judged.owner.clone(),
            owners: judged.owners.clone(),
            health: judged.health,
            since: since(judged.owner.as_ref(), status),
            reason: owner_reason(status).to_owned(),
            general: general.clone().count(),
            problems: own.chain(general).cloned().collect(),
            switchover: status.switchover.clone(),
            drained: drained(status),
            first: status.addresses.first().map(|it| it.address),
        }
    };
    status.addresses.iter().map(of_address).collect()
}

fn since(owner: Option<&Name>, status: &InstanceStatus) -> Option<String> {
    owner.and_then(|_| master_since(status)).map(str::to_owned)
}

fn drained(status: &InstanceStatus) -> Vec<Name> {
    let drained = status.members.iter().filter(|member| member.drained);
    drained.map(|member| member.node.clone()).collect()
}

/// The row of an instance without addresses: all its problems are its own.
fn election(status: &InstanceStatus) -> Vip {
    Vip {
        address: None,
        instance: status.name.clone(),
        virtual_router_id: status.virtual_router_id,
        owner: status.owner.clone(),
        owners: status.owners.clone(),
        health: status.health,
        since: since(status.owner.as_ref(), status),
        reason: owner_reason(status).to_owned(),
        general: 0,
        problems: status.problems.clone(),
        switchover: status.switchover.clone(),
        drained: drained(status),
        first: None,
    }
}

impl Vip {
    /// What is wrong, or how it came to be. What concerns every address of an instance is said
    /// once.
    fn why(&self, now: Timestamp) -> Cell {
        let told = self.told();
        if self.first != self.address {
            return told;
        }
        let planned = self.switchover.iter().map(|it| moves::switchover(it, now));
        let drained = self.drained.iter().map(|node| format!("{node} is drained"));
        planned.chain(drained).fold(told, Cell::noting)
    }

    fn told(&self) -> Cell {
        let own = self.problems.len() - self.general;
        if self.problems.is_empty() {
            return faint(&self.reason);
        }
        if self.general == 0 || self.first == self.address {
            return plain(self.problems.join("\n"));
        }
        let mut lines = self.problems[..own].to_vec();
        lines.push(format!("same as {}", shown(self.first)));
        if own == 0 { faint(lines.join("\n")) } else { plain(lines.join("\n")) }
    }
}

impl Listed for Vip {
    const NONE: &'static str = "no virtual addresses: define an instance and `vipctl apply -f` it";

    fn columns(look: &Look) -> Vec<&'static str> {
        let mut columns = vec!["VIP", "INSTANCE", "OWNER", "HEALTH", "SINCE"];
        if look.wide {
            columns.push("VRID");
        }
        columns.push("WHY");
        columns
    }

    fn row(&self, look: &Look) -> Vec<Cell> {
        let urgent = self.health >= Health::NoOwner;
        let vip = if urgent { Tone::Bad } else { Tone::Strong };
        let mut row = vec![
            cell(vip, shown(self.address)),
            plain(&self.instance),
            owners(&self.owners, self.health),
            health(self.health),
            plain(age(self.since.as_deref(), look.now)),
        ];
        if look.wide {
            row.push(plain(self.virtual_router_id));
        }
        row.push(self.why(look.now));
        row
    }

    fn name(&self) -> String {
        self.address.map_or_else(|| self.instance.to_string(), |it| it.to_string())
    }
}

fn shown(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "-".to_owned(), |address| address.to_string())
}
