//! `get checks`: one row a check, with what each node says of it.

use super::list::Listed;
use super::table::{Cell, Tone, cell, check_status, plain};
use crate::output::Look;
use serde::Serialize;
use vipfleet_model::check::{Check, Probe, ProcessProbe, ProcessTarget};
use vipfleet_model::node::NodeStatus;
use vipfleet_model::report::{CheckReport, CheckStatus};
use vipfleet_model::{Definition, Name};

/// A check and its results.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckStatusOfFleet {
    pub(crate) name: Name,
    /// That last changed the definition.
    pub(crate) revision: u64,
    pub(crate) spec: Check,
    pub(crate) nodes: Vec<CheckOnNode>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CheckOnNode {
    pub(crate) node: Name,
    pub(crate) status: CheckStatus,
    pub(crate) detail: String,
    pub(crate) since: String,
}

/// Joins definitions, with the revision of each, and what nodes report.
pub(crate) fn checks(
    definitions: &[(Definition, u64)],
    nodes: &[NodeStatus],
) -> Vec<CheckStatusOfFleet> {
    let of_nodes = |name: &Name| {
        let on = |node: &NodeStatus| {
            let report = node.checks.iter().find(|check| check.name == *name)?;
            let CheckReport { status, detail, since, .. } = report.clone();
            Some(CheckOnNode { node: node.name.clone(), status, detail, since })
        };
        nodes.iter().filter(|node| node.connected).filter_map(on).collect()
    };
    let check = |(definition, revision): &(Definition, u64)| match definition {
        Definition::Check { name, spec } => Some(CheckStatusOfFleet {
            name: name.clone(),
            revision: *revision,
            spec: spec.clone(),
            nodes: of_nodes(name),
        }),
        _ => None,
    };
    definitions.iter().filter_map(check).collect()
}

impl Listed for CheckStatusOfFleet {
    const NONE: &'static str = "no checks: define some and `vipctl apply -f` them";

    fn columns(look: &Look) -> Vec<&'static str> {
        let mut columns = vec!["CHECK", "STATUS", "PROBE", "EVERY"];
        if look.wide {
            columns.extend(["RISE", "FALL", "REVISION"]);
        }
        columns.push("ON NODES");
        columns
    }

    fn row(&self, look: &Look) -> Vec<Cell> {
        let mut row = vec![
            cell(Tone::Strong, self.name.as_str()),
            worst(&self.nodes),
            plain(probe(&self.spec.probe)),
            plain(self.spec.interval),
        ];
        if look.wide {
            row.extend([plain(self.spec.rise), plain(self.spec.fall), plain(self.revision)]);
        }
        row.push(plain(self.nodes.iter().map(on_node).collect::<Vec<_>>().join("\n")));
        row
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}

fn worst(nodes: &[CheckOnNode]) -> Cell {
    match nodes.iter().map(|it| it.status).max() {
        None => cell(Tone::Faint, "not run"),
        Some(status) => check_status(status),
    }
}

fn on_node(it: &CheckOnNode) -> String {
    let status = match it.status {
        CheckStatus::Up => "up",
        CheckStatus::Down => "down",
        CheckStatus::Pending => "pending",
    };
    match (it.status, it.detail.as_str()) {
        (CheckStatus::Up, _) | (_, "") => format!("{} {status}", it.node),
        (_, detail) => format!("{} {status}: {detail}", it.node),
    }
}

/// `process nginx`, `http http://127.0.0.1/`.
pub(crate) fn probe(probe: &Probe) -> String {
    let what = match probe {
        Probe::Process(it) => process(it),
        Probe::Http(it) => it.url.clone(),
        Probe::Tcp(it) => it.address.clone(),
        Probe::Exec(it) => [std::slice::from_ref(&it.file), it.args.as_slice()].concat().join(" "),
        Probe::File(it) => it.path.clone(),
        Probe::Interface(it) => it.name.clone(),
    };
    format!("{} {what}", probe.kind())
}

/// `nginx`, `worker (4 to 8)`.
fn process(probe: &ProcessProbe) -> String {
    let who = match &probe.target {
        ProcessTarget::Name(name) => name.clone(),
        ProcessTarget::PidFile(file) => format!("of {file}"),
    };
    match (probe.quorum, probe.quorum_max) {
        (1, None) => who,
        (least, None) => format!("{who} ({least} or more)"),
        (least, Some(most)) => format!("{who} ({least} to {most})"),
    }
}
