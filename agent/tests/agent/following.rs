//! Virtual routes, rules and elections without addresses, by the whole agent.

use crate::assigned::{assignment, members};
use crate::guard;
use crate::lab::{Host, Lab, until};
use crate::local;
use crate::process::{Agent, Home};
use crate::server::{FLEET, Server};
use vipfleet_model::Assignment;
use vipfleet_model::instance::Family;
use vipfleet_model::report::InstanceState;
use vipfleet_model::routing::{VirtualRoute, VirtualRule};

/// One member of an instance with a route and a rule.
pub(crate) fn member(this: &str, addresses: &[&str]) -> Assignment {
    let all = [("n1", "10.78.0.1", 100), ("n2", "10.78.0.2", 80)];
    let own = all.iter().find(|(node, ..)| *node == this).unwrap();
    let mut assignment = assignment(own.2, addresses);
    let instance = &mut assignment.instances[0];
    instance.members = members(this, &all);
    instance.members_complete = true;
    let route = VirtualRoute::new("10.99.0.0/16".parse().unwrap());
    instance.virtual_routes =
        vec![VirtualRoute { via: Some([10, 78, 0, 9].into()), table: Some(99), ..route }];
    let from = Some("10.78.0.10/32".parse().unwrap());
    instance.virtual_rules = vec![VirtualRule { from, ..VirtualRule::new(99, 90) }];
    assignment
}

fn election(this: &str) -> Assignment {
    let mut assignment = member(this, &[]);
    assignment.instances[0].election_only = Some(Family::Ipv4);
    assignment
}

/// Whether the host has the route and the rule; never one alone for long.
pub(crate) fn follows(host: &Host) -> (bool, bool) {
    let routes = host.ip("route show table all proto 112");
    let rules = host.ip("rule show");
    (routes.contains("10.99.0.0/16 via 10.78.0.9"), rules.contains("lookup 99 proto 112"))
}

pub(crate) const HERE: (bool, bool) = (true, true);
pub(crate) const NOT_HERE: (bool, bool) = (false, false);

/// Two agents that run `assignment`, the first of them MASTER.
fn pair(lab: &Lab, homes: [&Home; 2], assignment: fn(&str) -> Assignment) -> (Agent, Agent) {
    let server = Server::start(&lab.one, "10.78.0.1:7700", FLEET);
    let first = Agent::connected(&lab.one, homes[0], "n1", &[&server.url]);
    let session = server.session();
    let second = Agent::connected(&lab.two, homes[1], "n2", &[&server.url]);
    session.push_accepted(1, &assignment("n1"));
    server.session().push_accepted(1, &assignment("n2"));
    local::instance(homes[0], "VI_1", |it| it.state == InstanceState::Master);
    local::instance(homes[1], "VI_1", |it| {
        it.state == InstanceState::Backup && it.master == Some([10, 78, 0, 1].into())
    });
    (first, second)
}

#[test]
fn routes_and_rules_are_where_the_master_is() {
    let (lab, one, two) = (Lab::new(), Home::new(), Home::new());
    let (mut first, _second) = pair(&lab, [&one, &two], |this| member(this, &["10.78.0.10"]));
    until("the route and the rule", || follows(&lab.one) == HERE);
    assert_eq!(follows(&lab.two), NOT_HERE);
    // Somebody's hand is put right and shown.
    lab.one.ip("route del 10.99.0.0/16 table 99");
    local::instance(&one, "VI_1", |it| {
        it.warnings.iter().any(|text| text.contains("was gone; put back"))
    });
    assert!(first.terminate().success());
    assert_eq!(follows(&lab.one), NOT_HERE);
    until("them to be on the other host", || follows(&lab.two) == HERE);
}

#[test]
fn a_killed_master_that_comes_back_as_backup_removes_what_it_left() {
    let (lab, one, two) = (Lab::new(), Home::new(), Home::new());
    let (mut first, _second) = pair(&lab, [&one, &two], |this| member(this, &["10.78.0.10"]));
    until("the route and the rule", || follows(&lab.one) == HERE);
    // Without its guard, which would have been first.
    let guard = guard::of(&first);
    first.crash();
    guard.kill();
    until("the other host to serve", || follows(&lab.two) == HERE);
    assert_eq!(follows(&lab.one), HERE);
    // From its cache: the server went with the test's first part.
    let _again = Agent::connected(&lab.one, &one, "n1", &["http://10.78.0.1:7700"]);
    until("it to let go", || follows(&lab.one) == NOT_HERE || is_master(&one));
    until("exactly one to serve", || {
        let both = [follows(&lab.one), follows(&lab.two)];
        both == [HERE, NOT_HERE] || both == [NOT_HERE, HERE]
    });
}

fn is_master(home: &Home) -> bool {
    let report = local::report(home);
    report.is_some_and(|it| it.instances.iter().any(|it| it.state == InstanceState::Master))
}

#[test]
fn a_missing_route_is_reported_and_the_address_served() {
    let (lab, one) = (Lab::new(), Home::new());
    let server = Server::start(&lab.one, "10.78.0.1:7700", FLEET);
    let _first = Agent::connected(&lab.one, &one, "n1", &[&server.url]);
    let mut assignment = member("n1", &["10.78.0.10"]);
    assignment.instances[0].virtual_routes[0].via = Some([172, 31, 0, 1].into());
    server.session().push_accepted(1, &assignment);
    let report = local::instance(&one, "VI_1", |it| {
        let there = it.addresses.iter().all(|address| address.in_kernel);
        it.state == InstanceState::Master && there && !it.warnings.is_empty()
    });
    let said = report.warnings.join("\n");
    assert!(said.contains("route 10.99.0.0/16 via 172.31.0.1 table 99 is missing"), "{said}");
    lab.one.ip("addr add 172.31.0.2/24 dev eth0");
    local::instance(&one, "VI_1", |it| it.warnings.is_empty());
}

#[test]
fn an_election_without_addresses_has_one_master_and_its_routes_follow() {
    let (lab, one, two) = (Lab::new(), Home::new(), Home::new());
    let (mut first, _second) = pair(&lab, [&one, &two], election);
    let backup = local::instance(&two, "VI_1", |it| it.adverts_received > 2);
    assert_eq!(backup.discards.get("no-addresses"), None, "{backup:?}");
    assert!(backup.addresses.is_empty() && backup.warnings.is_empty(), "{backup:?}");
    until("the route and the rule", || follows(&lab.one) == HERE);
    assert_eq!(follows(&lab.two), NOT_HERE);
    assert!(first.terminate().success());
    local::instance(&two, "VI_1", |it| it.state == InstanceState::Master);
    until("them to be on the other host", || follows(&lab.two) == HERE);
    assert_eq!(follows(&lab.one), NOT_HERE);
}
