//! `describe`: sections about one thing, each under a heading.

use super::age::age;
use super::check::{CheckOnNode, probe};
use super::instance::{owners, priority, state, vips};
use super::moves;
use super::node;
use super::revision::Revision;
use super::table::{Cell, Tone, cell, check_status, health, plain, rows, state_tone, table};
use crate::output::{Look, View};
use serde::Serialize;
use vipfleet_model::node::NodeStatus;
use vipfleet_model::ownership::{InstanceStatus, MemberStatus};
use vipfleet_model::report::CheckReport;
use vipfleet_model::{Definition, Name, document};

/// A change without what it changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Recent {
    revision: u64,
    at: Option<String>,
    author: String,
    message: String,
}

impl From<Revision> for Recent {
    fn from(it: Revision) -> Self {
        let Revision { revision, at, author, message, .. } = it;
        Self { revision, at, author, message }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct InstanceStory {
    pub(crate) definition: Definition,
    /// That last changed it.
    pub(crate) revision: u64,
    /// Absent for a moment after it was created.
    pub(crate) status: Option<InstanceStatus>,
    /// Its members.
    pub(crate) nodes: Vec<NodeStatus>,
    pub(crate) history: Vec<Recent>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckStory {
    pub(crate) definition: Definition,
    pub(crate) revision: u64,
    pub(crate) tracked_by: Vec<Name>,
    pub(crate) nodes: Vec<CheckOnNode>,
    pub(crate) history: Vec<Recent>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct NodeStory {
    pub(crate) node: NodeStatus,
    /// Those it is a member of.
    pub(crate) instances: Vec<InstanceStatus>,
}

impl View for InstanceStory {
    fn table(&self, look: &Look) -> String {
        let mut text = Tone::Strong.paint(&self.definition.key().to_string()) + "\n";
        if let Some(status) = &self.status {
            let facts = vec![
                vec![plain("Health"), health(status.health)],
                vec![plain("Owner"), owners(&status.owners, status.health)],
                vec![plain("VIPs"), plain(vips(&status.virtual_addresses))],
                vec![plain("VRID"), plain(status.virtual_router_id)],
                vec![plain("Revision"), plain(self.revision)],
            ];
            let planned = status.switchover.as_ref().map(|it| {
                let (what, who) =
                    (moves::switchover(it, look.now), moves::ordered(&it.order, look.now));
                vec![plain("Move"), plain(format!("{what} {who}"))]
            });
            text.push_str(&rows(facts.into_iter().chain(planned).collect(), look));
            if !status.problems.is_empty() {
                section(&mut text, "Problems", &(status.problems.join("\n") + "\n"));
            }
            section(&mut text, "Members", &members(&status.members, look));
            let warnings = warnings(&status.members);
            if !warnings.is_empty() {
                section(&mut text, "Warnings", &warnings);
            }
        }
        let checks = checks(&self.nodes, &tracked(&self.definition), look);
        if !checks.is_empty() {
            section(&mut text, "Checks", &checks);
        }
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

impl CheckStory {
    /// Instances that track a check, on all members or on one.
    pub(crate) fn trackers<'a>(
        check: &Name,
        definitions: impl Iterator<Item = &'a Definition>,
    ) -> Vec<Name> {
        let tracks = |definition: &&Definition| tracked(definition).contains(check);
        definitions.filter(tracks).map(|definition| definition.name().clone()).collect()
    }
}

impl View for CheckStory {
    fn table(&self, look: &Look) -> String {
        let mut text = Tone::Strong.paint(&self.definition.key().to_string()) + "\n";
        let trackers = self.tracked_by.iter().map(Name::as_str).collect::<Vec<_>>();
        let mut facts = vec![
            vec![plain("Tracked by"), plain(trackers.join(", "))],
            vec![plain("Revision"), plain(self.revision)],
        ];
        if let Definition::Check { spec, .. } = &self.definition {
            facts.insert(0, vec![plain("Probe"), plain(probe(&spec.probe))]);
        }
        text.push_str(&rows(facts, look));
        let row = |it: &CheckOnNode| {
            let since = plain(age(Some(&it.since), look.now));
            vec![plain(&it.node), check_status(it.status), since, plain(&it.detail)]
        };
        if !self.nodes.is_empty() {
            let on = table(
                &["NODE", "STATUS", "SINCE", "DETAIL"],
                self.nodes.iter().map(row).collect(),
                look,
            );
            section(&mut text, "On nodes", &on);
        }
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

impl View for NodeStory {
    fn table(&self, look: &Look) -> String {
        let it = &self.node;
        let mut text = Tone::Strong.paint(&format!("Node {}", it.name)) + "\n";
        let word = |text: &Option<String>| plain(text.as_deref().unwrap_or("-"));
        let connected = if it.connected {
            let since = age(it.connected_since.as_deref(), look.now);
            cell(Tone::Good, format!("✔ yes, for {since}"))
        } else {
            cell(Tone::Bad, "✖ no")
        };
        let generation = it.generation;
        let generations = format!(
            "{} desired, {} accepted, {} in its kernel",
            generation.desired, generation.accepted, generation.observed
        );
        let facts = vec![
            vec![plain("Connected"), connected],
            vec![plain("Replica"), word(&it.replica)],
            vec![plain("Last report"), plain(age(it.last_report.as_deref(), look.now))],
            vec![plain("Agent"), word(&it.agent_version)],
            vec![plain("Boot"), word(&it.boot_id)],
            vec![plain("Generation"), plain(generations)],
            vec![plain("Addresses"), plain(node::addresses(it))],
        ];
        text.push_str(&rows(facts, look));
        let problems = node::why(it, look);
        if !problems.is_empty() {
            section(&mut text, "Problems", &(problems + "\n"));
        }
        if !self.instances.is_empty() {
            section(&mut text, "Instances", &seats(&self.instances, &it.name, look));
        }
        if !it.checks.is_empty() {
            let all = it.checks.iter().map(|check| check.name.clone()).collect::<Vec<_>>();
            section(&mut text, "Checks", &checks(std::slice::from_ref(it), &all, look));
        }
        text
    }

    fn names(&self) -> Vec<String> {
        vec![self.node.name.to_string()]
    }

    fn news(&self, _: &Self, look: &Look) -> String {
        self.table(look)
    }
}

pub(super) fn section(text: &mut String, title: &str, body: &str) {
    text.push_str(&format!("\n{}\n", Tone::Strong.paint(title)));
    for line in body.lines() {
        text.push_str(format!("  {line}").trim_end());
        text.push('\n');
    }
}

pub(super) fn definition_and_history(
    text: &mut String,
    definition: &Definition,
    history: &[Recent],
    look: &Look,
) {
    section(text, "Definition", &document::to_yaml(std::slice::from_ref(definition)));
    let row = |it: &Recent| {
        let at = plain(age(it.at.as_deref(), look.now));
        vec![plain(it.revision), at, plain(&it.author), plain(&it.message)]
    };
    if !history.is_empty() {
        let columns = ["REVISION", "AGE", "AUTHOR", "MESSAGE"];
        let latest = table(&columns, history.iter().map(row).collect(), look);
        section(text, "Latest changes", &latest);
    }
}

fn seat(member: &MemberStatus, look: &Look) -> Vec<Cell> {
    let holding = if member.holding { ", handing over" } else { "" };
    let drained = if member.drained { ", drained" } else { "" };
    let generation = member.generation;
    vec![
        cell(state_tone(member.state), format!("{}{holding}{drained}", state(member))),
        plain(priority(member)),
        plain(age(member.since.as_deref(), look.now)),
        plain(&member.interface),
        plain(kernel(member)),
        plain(format!("{}/{}/{}", generation.desired, generation.accepted, generation.observed)),
        plain(&member.reason),
    ]
}

const SEAT: [&str; 7] =
    ["STATE", "PRIORITY", "SINCE", "INTERFACE", "IN KERNEL", "GENERATIONS", "WHY"];

fn members(members: &[MemberStatus], look: &Look) -> String {
    let row = |member: &MemberStatus| {
        let mut row = vec![cell(Tone::Strong, member.node.as_str())];
        row.extend(seat(member, look));
        row
    };
    let columns = [&["NODE"], SEAT.as_slice()].concat();
    table(&columns, members.iter().map(row).collect(), look)
}

fn seats(instances: &[InstanceStatus], node: &Name, look: &Look) -> String {
    let row = |status: &InstanceStatus| {
        let member = status.members.iter().find(|member| member.node == *node)?;
        let mut row = vec![cell(Tone::Strong, status.name.as_str())];
        row.extend(seat(member, look));
        Some(row)
    };
    let columns = [&["INSTANCE"], SEAT.as_slice()].concat();
    table(&columns, instances.iter().filter_map(row).collect(), look)
}

/// `all`, `none`, or the addresses that are there; one that is not ours is marked.
fn kernel(member: &MemberStatus) -> String {
    let there = member.addresses.iter().filter(|it| it.in_kernel);
    let words = there.map(|it| {
        let foreign = if it.foreign { " (not by us)" } else { "" };
        format!("{}{foreign}", it.address)
    });
    let words = words.collect::<Vec<_>>();
    if words.is_empty() { "-".to_owned() } else { words.join("\n") }
}

fn warnings(members: &[MemberStatus]) -> String {
    let of = |member: &MemberStatus| {
        let line = |warning: &String| format!("{}: {warning}\n", member.node);
        member.warnings.iter().map(line).collect::<String>()
    };
    members.iter().map(of).collect()
}

fn tracked(definition: &Definition) -> Vec<Name> {
    let Definition::Instance { spec, .. } = definition else { return Vec::new() };
    let of_members = spec.members.iter().flat_map(|member| &member.track);
    spec.track.iter().chain(of_members).map(|track| track.check.clone()).collect()
}

fn checks(nodes: &[NodeStatus], wanted: &[Name], look: &Look) -> String {
    let row = |node: &NodeStatus, check: &CheckReport| {
        vec![
            plain(&node.name),
            plain(&check.name),
            check_status(check.status),
            plain(age(Some(&check.since), look.now)),
            plain(&check.detail),
        ]
    };
    let of = |node: &NodeStatus| {
        let checks = node.checks.iter().filter(|check| wanted.contains(&check.name));
        checks.map(|check| row(node, check)).collect::<Vec<_>>()
    };
    let rows = nodes.iter().flat_map(of).collect::<Vec<_>>();
    if rows.is_empty() {
        return String::new();
    }
    table(&["NODE", "CHECK", "STATUS", "SINCE", "DETAIL"], rows, look)
}
