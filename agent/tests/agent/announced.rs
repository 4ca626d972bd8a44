//! Announcements on further interfaces (`garp.interfaces`), as neighbours on both wires take them.

use crate::assigned::owner;
use crate::lab::{Host, Lab, until};
use crate::process::{Agent, Home};
use crate::server::{FLEET, Server};
use vipfleet_model::Assignment;
use vipfleet_model::span::Span;

const VIP: &str = "10.78.0.10";
const NOBODY: &str = "02:00:00:00:00:99";

/// A neighbour that believes the VIP is somewhere else.
fn mislead(neighbour: &Host, interface: &str) {
    neighbour.ip(&format!("neigh replace {VIP} lladdr {NOBODY} dev {interface} nud stale"));
}

fn knows(neighbour: &Host, interface: &str, mac: &str) -> bool {
    neighbour.ip(&format!("neigh show {VIP} dev {interface}")).contains(mac)
}

fn mac(host: &Host, interface: &str) -> String {
    let shown = host.ip(&format!("-o link show dev {interface}"));
    let mut words = shown.split_whitespace().skip_while(|word| *word != "link/ether");
    words.nth(1).unwrap().to_owned()
}

#[test]
fn a_master_announces_its_address_on_further_interfaces_too() {
    let (lab, home) = (Lab::new(), Home::new());
    lab.plug_second_wire();
    let server = Server::start(&lab.one, "127.0.0.1:0", FLEET);
    let _agent = Agent::connected(&lab.one, &home, "n1", &[&server.url]);
    let session = server.session();
    for interface in ["eth0", "eth1"] {
        mislead(&lab.two, interface);
    }
    session.push_accepted(1, &owner(&[VIP]));
    let [first, second] = ["eth0", "eth1"].map(|interface| mac(&lab.one, interface));
    until("the first wire to learn", || knows(&lab.two, "eth0", &first));
    // Nothing was asked of the second one yet.
    assert!(knows(&lab.two, "eth1", NOBODY));

    let mut elsewhere = owner(&[VIP]);
    elsewhere.instances[0].garp.interfaces = vec!["eth1".into()];
    elsewhere.instances[0].garp.refresh = Span::from_secs(1);
    session.push_accepted(2, &elsewhere);
    // Each with the address of the interface it leaves through.
    until("the second wire to learn", || knows(&lab.two, "eth1", &second));
    assert!(knows(&lab.two, "eth0", &first));

    // At a takeover as well, not by the refresh alone.
    session.push_accepted(3, &Assignment::default());
    until("the address to go", || !lab.one.has(VIP));
    elsewhere.instances[0].garp.refresh = Span::default();
    mislead(&lab.two, "eth1");
    session.push_accepted(4, &elsewhere);
    until("the second wire to learn again", || knows(&lab.two, "eth1", &second));
    assert!(!lab.one.line(VIP).unwrap().contains("eth1"), "announced there, and not added there");
}
