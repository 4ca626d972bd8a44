//! `vipctl` alone: who has each VIP, is it healthy, and which nodes are missing.

use super::age::age;
use super::list::{List, Listed as _};
use super::table::Tone;
use super::vip::{Vip, vips};
use crate::output::{Look, View};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use vipfleet_model::Name;
use vipfleet_model::node::NodeStatus;
use vipfleet_model::ownership::{Health, InstanceStatus, Link};

/// The fleet at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FleetStatus {
    /// Of the definitions.
    pub(crate) revision: u64,
    pub(crate) instances: Vec<InstanceStatus>,
    pub(crate) nodes: Vec<NodeStatus>,
}

impl View for FleetStatus {
    fn table(&self, look: &Look) -> String {
        let vips = vips(&self.instances);
        let absent = self.absent();
        let connected = self.nodes.iter().filter(|node| node.connected).count();
        let mut text = summary(&vips, connected, connected + absent.len(), self.revision);
        for (node, absence) in absent {
            text.push_str(&absence.line(node, look));
        }
        let table = List { items: vips }.table(look);
        if look.wide && !self.nodes.is_empty() {
            let nodes = List { items: self.nodes.clone() }.table(look);
            return format!("{table}\n{nodes}\n{text}");
        }
        format!("{table}\n{text}")
    }

    fn names(&self) -> Vec<String> {
        vips(&self.instances).iter().map(Vip::name).collect()
    }

    fn news(&self, _: &Self, look: &Look) -> String {
        format!("\n{}", self.table(look))
    }
}

/// Why a node is not connected.
#[derive(Clone, Copy)]
enum Absence<'a> {
    /// The server has just started and gives its agent time.
    Awaited,
    Never,
    Since(&'a str),
}

impl Absence<'_> {
    fn line(self, node: &Name, look: &Look) -> String {
        let gone = Tone::Bad.paint(&format!("✖ {node} is not connected"));
        match self {
            Self::Awaited => {
                let awaited = Tone::Warn.paint(&format!("? {node} is not connected yet"));
                format!("{awaited}: the server has just started\n")
            }
            Self::Never => format!("{gone}: never heard of\n"),
            Self::Since(at) => format!("{gone}: last heard of {} ago\n", age(Some(at), look.now)),
        }
    }
}

impl FleetStatus {
    /// Nodes that should be connected and are not: those that were once, and members that never
    /// were.
    fn absent(&self) -> BTreeMap<&Name, Absence<'_>> {
        let mut absent = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| !node.connected) {
            let absence = node.last_report.as_deref().map_or(Absence::Never, Absence::Since);
            absent.insert(&node.name, absence);
        }
        let members = self.instances.iter().flat_map(|instance| &instance.members);
        for member in members.filter(|member| !member.external) {
            match member.link {
                Link::Connected => {}
                Link::Awaited => {
                    absent.insert(&member.node, Absence::Awaited);
                }
                Link::Silent => {
                    absent.entry(&member.node).or_insert(Absence::Never);
                }
            }
        }
        absent
    }
}

/// `3 VIPs: 2 ok, 1 no-owner · 2 of 2 nodes connected · revision 12`. Elections without addresses
/// are counted beside: `2 VIPs, 1 election: 3 ok · …`.
fn summary(vips: &[Vip], connected: usize, all: usize, revision: u64) -> String {
    let elections = vips.iter().filter(|vip| vip.address.is_none()).count();
    let mut text = counted(vips.len() - elections, "VIP");
    if elections > 0 {
        text = format!("{text}, {}", counted(elections, "election"));
    }
    let mut separator = ": ";
    for (health, tone) in [
        (Health::TwoOwners, Tone::Bad),
        (Health::NoOwner, Tone::Bad),
        (Health::Unknown, Tone::Warn),
        (Health::Degraded, Tone::Warn),
        (Health::Ok, Tone::Good),
    ] {
        let count = vips.iter().filter(|vip| vip.health == health).count();
        if count > 0 {
            let part = tone.paint(&format!("{count} {health}"));
            // Writing to a String cannot fail.
            write!(text, "{separator}{part}").ok();
            separator = ", ";
        }
    }
    let part = format!("{connected} of {all} nodes connected");
    let tone = if connected == all { Tone::Plain } else { Tone::Bad };
    format!("{text} · {} · revision {revision}\n", tone.paint(&part))
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
