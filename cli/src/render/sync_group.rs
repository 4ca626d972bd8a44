//! `get syncgroups` and `describe syncgroup`: where the instances of a group are, and whether that
//! is one place.

use super::describe::{Recent, definition_and_history, section};
use super::instance::owner_reason;
use super::list::Listed;
use super::table::{Cell, Tone, cell, health, plain, rows, table};
use crate::output::{Look, View};
use serde::Serialize;
use std::collections::BTreeSet;
use vipfleet_model::ownership::{Health, InstanceStatus};
use vipfleet_model::report::InstanceState;
use vipfleet_model::{Definition, Name};

/// A group and where it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SyncGroupStatus {
    pub(crate) name: Name,
    /// That last changed the definition.
    pub(crate) revision: u64,
    pub(crate) standing: Standing,
    /// Where all of it is MASTER, if it is.
    pub(crate) node: Option<Name>,
    pub(crate) instances: Vec<Grouped>,
}

/// One instance of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Grouped {
    pub(crate) name: Name,
    /// Nodes that say they are MASTER of it; one when all is well.
    pub(crate) masters: Vec<Name>,
    pub(crate) health: Health,
}

/// Whether the instances of a group are together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Standing {
    /// All MASTER on one node.
    Together,
    /// On different nodes, or some of them nowhere.
    Apart,
    /// No node says it is MASTER of any.
    Nowhere,
}

/// Joins definitions, with the revision of each, and what nodes report.
pub(crate) fn sync_groups(
    definitions: &[(Definition, u64)],
    instances: &[InstanceStatus],
) -> Vec<SyncGroupStatus> {
    let group = |(definition, revision): &(Definition, u64)| match definition {
        Definition::SyncGroup { name, spec } => {
            let grouped = spec.instances.iter().map(|it| grouped(it, instances)).collect();
            Some(SyncGroupStatus::of(name.clone(), *revision, grouped))
        }
        _ => None,
    };
    definitions.iter().filter_map(group).collect()
}

fn grouped(name: &Name, instances: &[InstanceStatus]) -> Grouped {
    let status = instances.iter().find(|it| it.name == *name);
    let members = status.iter().flat_map(|it| &it.members);
    let masters = members.filter(|it| it.state == InstanceState::Master);
    let masters = masters.map(|it| it.node.clone()).collect();
    // Absent for a moment after it was created.
    let health = status.map_or(Health::Unknown, |it| it.health);
    Grouped { name: name.clone(), masters, health }
}

impl SyncGroupStatus {
    fn of(name: Name, revision: u64, instances: Vec<Grouped>) -> Self {
        let places = instances.iter().map(|it| &it.masters).collect::<BTreeSet<_>>();
        let node = match places.iter().next() {
            Some(masters) if places.len() == 1 && masters.len() == 1 => masters.first().cloned(),
            _ => None,
        };
        let nowhere = places.iter().all(|masters| masters.is_empty());
        let standing = match (&node, nowhere) {
            (Some(_), _) => Standing::Together,
            (None, true) => Standing::Nowhere,
            (None, false) => Standing::Apart,
        };
        Self { name, revision, standing, node, instances }
    }

    fn place(&self) -> Cell {
        match (&self.node, self.standing) {
            (Some(node), _) => cell(Tone::Good, format!("✔ {node}")),
            (None, Standing::Nowhere) => cell(Tone::Bad, "✖ no MASTER"),
            (None, _) => cell(Tone::Bad, "✖ apart"),
        }
    }
}

impl Grouped {
    fn masters(&self) -> String {
        let names = self.masters.iter().map(Name::as_str).collect::<Vec<_>>();
        if names.is_empty() { "none".to_owned() } else { names.join(" + ") }
    }
}

impl Listed for SyncGroupStatus {
    const NONE: &'static str = "no sync groups: define some and `vipctl apply -f` them";

    fn columns(look: &Look) -> Vec<&'static str> {
        let mut columns = vec!["GROUP", "MASTER", "INSTANCES"];
        if look.wide {
            columns.push("REVISION");
        }
        columns
    }

    fn row(&self, look: &Look) -> Vec<Cell> {
        let line = |it: &Grouped| format!("{} {}", it.name, it.masters());
        let lines = self.instances.iter().map(line).collect::<Vec<_>>();
        let mut row =
            vec![cell(Tone::Strong, self.name.as_str()), self.place(), plain(lines.join("\n"))];
        if look.wide {
            row.push(plain(self.revision));
        }
        row
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}

/// Everything about one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SyncGroupStory {
    pub(crate) definition: Definition,
    pub(crate) status: SyncGroupStatus,
    /// Its own, in the order of the group.
    pub(crate) instances: Vec<InstanceStatus>,
    pub(crate) history: Vec<Recent>,
}

impl View for SyncGroupStory {
    fn table(&self, look: &Look) -> String {
        let mut text = Tone::Strong.paint(&self.definition.key().to_string()) + "\n";
        let facts = vec![
            vec![plain("Master"), self.status.place()],
            vec![plain("Revision"), plain(self.status.revision)],
        ];
        text.push_str(&rows(facts, look));
        let row = |it: &Grouped| {
            let status = self.instances.iter().find(|status| status.name == it.name);
            let why = match status {
                Some(status) if !status.problems.is_empty() => status.problems.join("\n"),
                Some(status) => owner_reason(status).to_owned(),
                None => String::new(),
            };
            let addresses = status.map(|it| it.virtual_addresses.join("\n")).unwrap_or_default();
            vec![
                cell(Tone::Strong, it.name.as_str()),
                plain(addresses),
                plain(it.masters()),
                health(it.health),
                plain(why),
            ]
        };
        let columns = ["INSTANCE", "VIPS", "MASTER", "HEALTH", "WHY"];
        let instances = self.status.instances.iter().map(row).collect();
        section(&mut text, "Instances", &table(&columns, instances, look));
        definition_and_history(&mut text, &self.definition, &self.history, look);
        text
    }

    fn names(&self) -> Vec<String> {
        vec![self.definition.name().to_string()]
    }

    fn news(&self, _: &Self, look: &Look) -> String {
        self.table(look)
    }
}
