//! A running fleet: the founding pair under a control server, as the operator sees it.

use std::path::Path;

use serde_json::Value;

use crate::daemons::{Agent, Server, Vipctl};
use crate::lab::Lab;
use crate::pair::{first_file, second_file, wait_for_owners};
use crate::wait;

/// One server on the embedded store and an agent on each host, with the pair's two files imported.
#[derive(Debug)]
pub struct Fleet<'lab> {
    /// The agent of n1, node `lb1`.
    pub first: Agent,
    /// The agent of n2, node `lb2`.
    pub second: Agent,
    /// The server on `ctl`.
    pub server: Server,
    /// A terminal on `ctl`.
    pub vipctl: Vipctl<'lab>,
}

impl<'lab> Fleet<'lab> {
    /// Starts all of it and waits until each host owns its VIP.
    #[track_caller]
    pub fn start(lab: &'lab Lab) -> Self {
        let fleet = Self::start_empty(lab);
        let definitions = fleet.import();
        let outcome = fleet.vipctl.apply(&definitions, &["--wait"]);
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        wait_for_owners(lab, "each host to own its VIP", ["n1", "n2"]);
        fleet
    }

    /// Starts the programs with nothing defined, and waits until both nodes are connected.
    #[track_caller]
    pub fn start_empty(lab: &'lab Lab) -> Self {
        let server = Server::start(lab.host("ctl"));
        let url = server.url();
        let first = Agent::connected(lab.host("n1"), "lb1", &[&url]);
        let second = Agent::connected(lab.host("n2"), "lb2", &[&url]);
        let vipctl = Vipctl::on(lab.host("ctl"), &url);
        wait_for_nodes(&vipctl);
        Self { first, second, server, vipctl }
    }

    /// The definitions that the pair's files import as.
    #[track_caller]
    pub fn import(&self) -> String {
        let argument = |node: &str, file: &Path| format!("{node}={}", file.display());
        let first = argument("lb1", &first_file());
        let second = argument("lb2", &second_file());
        self.vipctl.must(&["import", "keepalived", &first, &second])
    }

    /// One instance as `vipctl get instances -o json` shows it.
    #[track_caller]
    pub fn instance(&self, name: &str) -> Value {
        instance(&self.vipctl, name)
    }
}

/// Waits until both nodes have a session with the fleet.
#[track_caller]
pub fn wait_for_nodes(vipctl: &Vipctl<'_>) {
    wait::until(
        "both nodes to be connected",
        wait::GENEROUS,
        || vipctl.json(&["get", "nodes"]),
        |nodes| {
            let connected = |name: &str| {
                items(nodes).iter().any(|node| node["name"] == name && node["connected"] == true)
            };
            connected("lb1") && connected("lb2")
        },
    );
}

/// One instance as `vipctl get instances -o json` shows it; null when it does not.
#[track_caller]
pub fn instance(vipctl: &Vipctl<'_>, name: &str) -> Value {
    let instances = vipctl.json(&["get", "instances"]);
    items(&instances).iter().find(|instance| instance["name"] == name).cloned().unwrap_or_default()
}

/// What a list document lists.
pub fn items(document: &Value) -> &[Value] {
    document["items"].as_array().map_or(&[], Vec::as_slice)
}
