//! Sync groups on a real kernel: two hosts with two wires, one instance on each wire.

use crate::assigned::{assignment, members};
use crate::lab::{Host, Lab, until};
use crate::local;
use crate::process::{Agent, Home};
use crate::server::{FLEET, Held, Server};
use vipfleet_model::Assignment;
use vipfleet_model::assignment::AssignedGroup;
use vipfleet_model::instance::Takeover;
use vipfleet_model::report::InstanceState;
use vipfleet_model::span::Span;

const VIPS: [&str; 2] = ["10.78.0.10", "10.79.0.10"];
const PRIORITIES: [u8; 2] = [100, 80];

fn grouped(this: &str, priority: u8) -> Assignment {
    let mut one = assignment(priority, &[VIPS[0]]);
    let mut other = assignment(priority, &[VIPS[1]]).instances.remove(0);
    other.name = "VI_2".parse().unwrap();
    other.interface = "eth1".into();
    other.virtual_router_id = 52;
    one.instances.push(other);
    for (wire, instance) in one.instances.iter_mut().enumerate() {
        let address = |host: u8| format!("10.7{}.0.{host}", 8 + wire);
        let (first, second) = (address(1), address(2));
        let all = [("n1", first.as_str(), PRIORITIES[0]), ("n2", second.as_str(), PRIORITIES[1])];
        instance.members = members(this, &all);
        instance.members_complete = true;
        instance.takeover = Takeover::Fast;
        instance.version = 3;
        instance.advert_interval = Span::from_millis(200);
        instance.recover_delay = Span::from_millis(200);
    }
    let instances = ["VI_2".parse().unwrap(), "VI_1".parse().unwrap()].to_vec();
    let group = AssignedGroup { name: "both".parse().unwrap(), instances, notify: Vec::new() };
    one.sync_groups = vec![group];
    one
}

fn has_both(host: &Host) -> bool {
    VIPS.iter().all(|vip| host.has(vip))
}

fn has_neither(host: &Host) -> bool {
    !VIPS.iter().any(|vip| host.has(vip))
}

/// Ends in this order: an agent shows its log, which is in its home.
struct Scene {
    agents: [Option<Agent>; 2],
    _sessions: Vec<Held>,
    server: Server,
    homes: [Home; 2],
    lab: Lab,
}

impl Scene {
    fn settled() -> Self {
        let (lab, homes) = (Lab::new(), [Home::new(), Home::new()]);
        lab.plug_second_wire();
        let server = Server::start(&lab.one, "10.78.0.1:7700", FLEET);
        let (mut agents, mut sessions) = ([None, None], Vec::new());
        for (at, (host, node)) in [(&lab.one, "n1"), (&lab.two, "n2")].into_iter().enumerate() {
            agents[at] = Some(Agent::connected(host, &homes[at], node, &[&server.url]));
            let session = server.session();
            session.push_accepted(1, &grouped(node, PRIORITIES[at]));
            sessions.push(session);
        }
        let scene = Self { agents, _sessions: sessions, server, homes, lab };
        scene.until_on(0);
        scene
    }

    /// Both addresses are on one host, and none on the other.
    fn until_on(&self, host: usize) {
        let hosts = [&self.lab.one, &self.lab.two];
        until("both addresses to be on one host", || {
            has_both(hosts[host]) && has_neither(hosts[1 - host])
        });
        let state = |at: usize| match at == host {
            true => InstanceState::Master,
            false => InstanceState::Backup,
        };
        for vi in ["VI_1", "VI_2"] {
            local::instance(&self.homes[host], vi, |it| it.state == state(host));
        }
    }
}

#[test]
fn a_fault_on_one_wire_takes_the_whole_group_along_and_back() {
    let scene = Scene::settled();
    scene.lab.one.ip("addr del 10.79.0.1/24 dev eth1");
    scene.until_on(1);
    let fault = local::instance(&scene.homes[0], "VI_1", |it| it.state == InstanceState::Fault);
    assert!(fault.reason.contains("VI_2 of sync group both: "), "{}", fault.reason);
    scene.lab.one.ip("addr add 10.79.0.1/24 dev eth1");
    scene.until_on(0);
}

#[test]
fn an_agent_that_stops_hands_over_both_and_takes_both_back() {
    let mut scene = Scene::settled();
    scene.agents[0].as_mut().unwrap().terminate();
    scene.until_on(1);
    let url = scene.server.url.clone();
    scene.agents[0] = Some(Agent::connected(&scene.lab.one, &scene.homes[0], "n1", &[&url]));
    scene.until_on(0);
}

#[test]
fn an_agent_that_crashes_and_comes_back_in_time_carries_on_with_both() {
    let mut scene = Scene::settled();
    scene.agents[0].as_mut().unwrap().crash();
    let url = scene.server.url.clone();
    scene.agents[0] = Some(Agent::connected(&scene.lab.one, &scene.homes[0], "n1", &[&url]));
    // With both, or with neither: then the other host has taken them, and gives them back.
    scene.until_on(0);
    for vi in ["VI_1", "VI_2"] {
        let other = local::instance(&scene.homes[1], vi, |it| it.state == InstanceState::Backup);
        assert!(other.addresses.iter().all(|address| !address.in_kernel), "{other:?}");
    }
}
