//! Three hosts under a control server: the order of succession is the order of priorities, whoever
//! dies, and however.

use std::net::Ipv4Addr;

use vipfleet_tests::daemons::{Agent, Server, Vipctl};
use vipfleet_tests::fleet::items;
use vipfleet_tests::kernel;
use vipfleet_tests::lab::{INTERFACE, Lab, Plan};
use vipfleet_tests::wait;

const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 120);
const HOSTS: [&str; 3] = ["n1", "n2", "n3"];

struct Three {
    agents: [Option<Agent>; 3],
    server: Server,
    lab: Lab,
}

impl Three {
    fn start(takeover: &str) -> Self {
        let lab = Plan::default()
            .host("n1", [192, 168, 248, 11])
            .host("n2", [192, 168, 248, 12])
            .host("n3", [192, 168, 248, 13])
            .host("ctl", [192, 168, 248, 10])
            .build();
        let server = Server::start(lab.host("ctl"));
        let mut three = Self { agents: [None, None, None], server, lab };
        for host in HOSTS {
            three.begin(host);
        }
        let vipctl = Vipctl::on(three.lab.host("ctl"), &three.server.url());
        let all_connected = |nodes: &serde_json::Value| {
            items(nodes).iter().filter(|node| node["connected"] == true).count() == HOSTS.len()
        };
        let nodes = || vipctl.json(&["get", "nodes"]);
        wait::until("three nodes to be connected", wait::GENEROUS, nodes, all_connected);
        let member = |(host, priority): (&str, u8)| {
            format!("    - {{node: {host}, interface: {INTERFACE}, priority: {priority}}}\n")
        };
        let members: String = HOSTS.into_iter().zip([150, 100, 50]).map(member).collect();
        let definitions = format!(
            "kind: Instance\nname: VI_1\nspec:\n  virtualRouterId: 51\n  virtualAddresses: [{VIP}]\n  \
             advertInterval: 200ms\n  takeover: {takeover}\n  members:\n{members}"
        );
        let outcome = vipctl.apply(&definitions, &["--wait"]);
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        three.wait_for("n1");
        three
    }

    fn begin(&mut self, host: &str) {
        let agent = Agent::connected(self.lab.host(host), host, &[&self.server.url()]);
        self.agents[index(host)] = Some(agent);
    }

    fn agent(&mut self, host: &str) -> &mut Agent {
        self.agents[index(host)].as_mut().expect("a running agent")
    }

    /// The one host that has the VIP and can be heard.
    #[track_caller]
    fn wait_for(&self, wanted: &str) {
        let owners = || kernel::owners(&self.lab, VIP);
        let what = format!("{wanted} to be the only owner");
        wait::until(&what, wait::GENEROUS, owners, |owners| *owners == [wanted]);
    }
}

fn index(host: &str) -> usize {
    HOSTS.iter().position(|name| *name == host).expect("one of the three")
}

/// The first two go in turn and come back in the other order; each time the best that is left has
/// the VIP.
fn in_turn(takeover: &str) {
    let mut three = Three::start(takeover);
    for (gone, heir) in [("n1", "n2"), ("n2", "n3")] {
        assert!(three.agent(gone).terminate().success());
        three.wait_for(heir);
    }
    for back in ["n2", "n1"] {
        three.begin(back);
        three.wait_for(back);
    }
    // Without a word: the port is gone, and what is left on the host is nobody's.
    for (gone, heir) in [("n1", "n2"), ("n2", "n3")] {
        three.lab.detach(gone);
        let heir_has_it = || kernel::holds(three.lab.host(heir), VIP);
        wait::until("the next in rank to take over", wait::GENEROUS, heir_has_it, |held| *held);
        let later = HOSTS[index(heir) + 1..].iter();
        for other in later.map(|name| three.lab.host(name)) {
            assert!(!kernel::holds(other, VIP), "{} was not next", other.name());
        }
    }
    for back in ["n1", "n2"] {
        three.lab.attach(back);
    }
    three.wait_for("n1");
}

#[test]
fn the_first_two_of_three_go_in_turn_and_the_rank_is_kept_with_fast_takeover() {
    in_turn("fast");
}

#[test]
fn the_first_two_of_three_go_in_turn_and_the_rank_is_kept_with_rfc_takeover() {
    in_turn("rfc");
}
