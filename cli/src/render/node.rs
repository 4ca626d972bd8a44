//! `get nodes`: one row a node.

use super::age::age;
use super::list::Listed;
use super::moves;
use super::table::{Cell, Tone, cell, plain};
use crate::output::Look;
use vipfleet_model::node::NodeStatus;
use vipfleet_model::report::CheckStatus;

impl Listed for NodeStatus {
    const NONE: &'static str = "no nodes: start vipfleet-agent --server URL --node NAME on a host";

    fn columns(look: &Look) -> Vec<&'static str> {
        let mut columns = vec!["NODE", "CONNECTED", "SINCE", "GENERATION", "CHECKS"];
        if look.wide {
            columns.extend(["ADDRESSES", "AGENT", "REPLICA", "LAST REPORT"]);
        }
        columns.push("WHY");
        columns
    }

    fn row(&self, look: &Look) -> Vec<Cell> {
        let (word, tone) = match (self.connected, &self.drain) {
            (true, None) => ("✔ yes", Tone::Good),
            (true, Some(_)) => ("✔ yes, drained", Tone::Warn),
            (false, None) => ("✖ no", Tone::Bad),
            (false, Some(_)) => ("✖ no, drained", Tone::Bad),
        };
        let mut row = vec![
            cell(Tone::Strong, self.name.as_str()),
            cell(tone, word),
            plain(age(self.connected_since.as_deref(), look.now)),
            generation(self),
            checks(self),
        ];
        if look.wide {
            let text = |it: &Option<String>| plain(it.as_deref().unwrap_or("-"));
            row.extend([
                plain(addresses(self)),
                text(&self.agent_version),
                text(&self.replica),
                plain(age(self.last_report.as_deref(), look.now)),
            ]);
        }
        row.push(plain(why(self, look)));
        row
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}

/// `12` when the kernel shows what is desired, else how far it got.
fn generation(node: &NodeStatus) -> Cell {
    let it = node.generation;
    match (it.desired, it.observed) {
        (0, _) => plain("-"),
        (desired, observed) if desired == observed => plain(desired),
        (desired, observed) => cell(Tone::Warn, format!("{observed} of {desired}")),
    }
}

fn checks(node: &NodeStatus) -> Cell {
    let count = |status| node.checks.iter().filter(|check| check.status == status).count();
    let (down, pending) = (count(CheckStatus::Down), count(CheckStatus::Pending));
    match (node.checks.len(), down) {
        (0, _) => plain("-"),
        (all, 0) if pending > 0 => cell(Tone::Warn, format!("{pending} of {all} pending")),
        (all, 0) => plain(format!("{all} up")),
        (all, down) => cell(Tone::Bad, format!("{down} of {all} down")),
    }
}

pub(crate) fn addresses(node: &NodeStatus) -> String {
    let of_one = node.interfaces.iter().filter(|interface| interface.name != "lo").map(|it| {
        let addresses = it.addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
        format!("{} {}", it.name, addresses.join(" ")).trim_end().to_owned()
    });
    of_one.collect::<Vec<_>>().join("\n")
}

/// What keeps it from running what it should, one line each.
pub(crate) fn why(node: &NodeStatus, look: &Look) -> String {
    let mut lines = Vec::new();
    if let Some(order) = &node.drain {
        let (drained, ordered) = (moves::drained(order, look.now), moves::ordered(order, look.now));
        lines.push(format!("{drained} {ordered}"));
    }
    if !node.connected {
        lines.push(match &node.last_report {
            Some(at) => format!("last heard of {} ago", age(Some(at), look.now)),
            None => "never heard of".to_owned(),
        });
    }
    if let Some(rejected) = &node.rejected {
        let at = match rejected.field_path.as_str() {
            "" => String::new(),
            path => format!(" at {path}"),
        };
        let generation = rejected.generation;
        lines.push(format!("refused generation {generation}{at}: {}", rejected.reason));
    }
    for check in node.checks.iter().filter(|check| check.status == CheckStatus::Down) {
        lines.push(format!("{}: {}", check.name, check.detail));
    }
    if node.connected && !node.settled && node.generation.accepted > 0 {
        lines.push("its kernel is still being changed".to_owned());
    }
    lines.join("\n")
}
