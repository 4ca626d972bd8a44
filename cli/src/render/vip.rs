//! `get vips` and the heart of `status`: one row an address, the worst first.

use super::age::age;
use super::instance::{master_since, owner_reason, owners};
use super::list::Listed;
use super::table::{Cell, Tone, cell, faint, health, plain};
use crate::output::Look;
use serde::Serialize;
use std::net::IpAddr;
use vipfleet_model::Name;
use vipfleet_model::ownership::{Health, InstanceStatus};

/// One virtual address.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vip {
    pub(crate) address: IpAddr,
    pub(crate) instance: Name,
    pub(crate) virtual_router_id: u8,
    pub(crate) owner: Option<Name>,
    pub(crate) owners: Vec<Name>,
    pub(crate) health: Health,
    /// When the owner became master.
    pub(crate) since: Option<String>,
    /// What the owner says of how it came to be.
    pub(crate) reason: String,
    /// Of this address; those of the whole instance are at its first one.
    pub(crate) problems: Vec<String>,
}

/// Every address of every instance, the worst first.
pub(crate) fn vips(instances: &[InstanceStatus]) -> Vec<Vip> {
    let mut vips = instances.iter().flat_map(of_instance).collect::<Vec<_>>();
    vips.sort_by_key(|vip| std::cmp::Reverse(vip.health));
    vips
}

fn of_instance(status: &InstanceStatus) -> impl Iterator<Item = Vip> {
    let about = |problem: &str, address: &IpAddr| {
        problem.split(' ').next() == Some(address.to_string().as_str())
    };
    status.addresses.iter().enumerate().map(move |(index, judged)| {
        let concerns = |problem: &&String| {
            let of_one = status.addresses.iter().any(|it| about(problem, &it.address));
            if of_one { about(problem, &judged.address) } else { index == 0 }
        };
        Vip {
            address: judged.address,
            instance: status.name.clone(),
            virtual_router_id: status.virtual_router_id,
            owner: judged.owner.clone(),
            owners: judged.owners.clone(),
            health: judged.health,
            since: judged.owner.as_ref().and_then(|_| master_since(status)).map(str::to_owned),
            reason: owner_reason(status).to_owned(),
            problems: status.problems.iter().filter(concerns).cloned().collect(),
        }
    })
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
            cell(vip, self.address.to_string()),
            plain(&self.instance),
            owners(&self.owners, self.health),
            health(self.health),
            plain(age(self.since.as_deref(), look.now)),
        ];
        if look.wide {
            row.push(plain(self.virtual_router_id));
        }
        row.push(match self.problems.as_slice() {
            [] => faint(&self.reason),
            problems => plain(problems.join("\n")),
        });
        row
    }

    fn name(&self) -> String {
        self.address.to_string()
    }
}
