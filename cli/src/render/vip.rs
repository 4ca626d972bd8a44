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
    /// Of this address and of the whole instance.
    pub(crate) problems: Vec<String>,
    /// The instance's first address, where the table says what concerns them all.
    #[serde(skip)]
    first: IpAddr,
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

fn of_instance(status: &InstanceStatus) -> impl Iterator<Item = Vip> {
    let about = |problem: &str, address: &IpAddr| {
        problem.split(' ').next() == Some(address.to_string().as_str())
    };
    let is_general =
        move |problem: &&String| !status.addresses.iter().any(|it| about(problem, &it.address));
    status.addresses.iter().map(move |judged| {
        let own = status.problems.iter().filter(|problem| about(problem, &judged.address));
        let general = status.problems.iter().filter(is_general);
        Vip {
            address: judged.address,
            instance: status.name.clone(),
            virtual_router_id: status.virtual_router_id,
            owner: judged.owner.clone(),
            owners: judged.owners.clone(),
            health: judged.health,
            since: judged.owner.as_ref().and_then(|_| master_since(status)).map(str::to_owned),
            reason: owner_reason(status).to_owned(),
            general: general.clone().count(),
            problems: own.chain(general).cloned().collect(),
            first: status.addresses[0].address,
        }
    })
}

impl Vip {
    /// What is wrong, or how it came to be. What concerns every address of an instance is said
    /// once.
    fn why(&self) -> Cell {
        let own = self.problems.len() - self.general;
        if self.problems.is_empty() {
            return faint(&self.reason);
        }
        if self.general == 0 || self.first == self.address {
            return plain(self.problems.join("\n"));
        }
        let mut lines = self.problems[..own].to_vec();
        lines.push(format!("same as {}", self.first));
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
            cell(vip, self.address.to_string()),
            plain(&self.instance),
            owners(&self.owners, self.health),
            health(self.health),
            plain(age(self.since.as_deref(), look.now)),
        ];
        if look.wide {
            row.push(plain(self.virtual_router_id));
        }
        row.push(self.why());
        row
    }

    fn name(&self) -> String {
        self.address.to_string()
    }
}
