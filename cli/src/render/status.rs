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
use vipfleet_model::ownership::{Health, InstanceStatus};

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
        for (node, last_report) in absent {
            let mark = Tone::Bad.paint(&format!("✖ {node} is not connected"));
            text.push_str(&match last_report {
                Some(at) => format!("{mark}: last heard of {} ago\n", age(Some(at), look.now)),
                None => format!("{mark}: never heard of\n"),
            });
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

impl FleetStatus {
    /// Nodes that should be connected and are not, with their last report: those that were once,
    /// and members that never were.
    fn absent(&self) -> BTreeMap<&Name, Option<&str>> {
        let members = self.instances.iter().flat_map(|instance| &instance.members);
        let managed = members.filter(|member| !member.external);
        let mut absent: BTreeMap<_, _> = managed.map(|member| (&member.node, None)).collect();
        for node in &self.nodes {
            if node.connected {
                absent.remove(&node.name);
            } else {
                absent.insert(&node.name, node.last_report.as_deref());
            }
        }
        absent
    }
}

/// `3 VIPs: 2 ok, 1 no-owner · 2 of 2 nodes connected · revision 12`.
fn summary(vips: &[Vip], connected: usize, all: usize, revision: u64) -> String {
    let mut text = match vips.len() {
        1 => "1 VIP".to_owned(),
        count => format!("{count} VIPs"),
    };
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
