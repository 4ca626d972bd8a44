//! What tables look like.

use super::check::checks;
use super::describe::{InstanceStory, NodeStory};
use super::list::List;
use super::list::testing::{look, unstyled};
use super::sample::fleet;
use super::status::FleetStatus;
use super::sync_group::{SyncGroupStory, sync_groups};
use super::vip::vips;
use crate::output::{Look, View};
use insta::assert_snapshot;
use serde_json::json;
use vipfleet_model::document;

fn shown(view: &impl View) -> String {
    unstyled(&view.table(&look()))
}

fn wide(view: &impl View) -> String {
    unstyled(&view.table(&Look { wide: true, ..look() }))
}

#[test]
fn status_shows_the_worst_first_and_says_who_is_missing() {
    assert_snapshot!(shown(&fleet()));
}

#[test]
fn status_on_a_terminal_keeps_within_its_width_and_has_colours() {
    let text = fleet().table(&Look { width: Some(80), ..look() });
    assert!(text.contains("\x1b["));
    for line in unstyled(&text).lines().filter(|line| !line.contains('·')) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_healthy_fleet_is_said_to_be_healthy_in_one_glance() {
    let mut fleet = fleet();
    fleet.instances.truncate(1);
    fleet.nodes.truncate(1);
    fleet.nodes.push(super::sample::node(
        "lb2",
        "192.0.2.3/24",
        vipfleet_model::report::CheckStatus::Up,
    ));
    assert_snapshot!(shown(&fleet), @r"
    VIP         INSTANCE  OWNER  HEALTH  SINCE  WHY
    192.0.2.10  web       lb1    ✔ ok    5m     no master heard

    1 VIP: 1 ok · 2 of 2 nodes connected · revision 12
    ");
}

#[test]
fn after_a_server_start_a_node_is_awaited_and_not_missing() {
    let mut fleet = fleet();
    for member in fleet.instances.iter_mut().flat_map(|it| &mut it.members) {
        if member.node.as_str() == "lb3" {
            member.link = vipfleet_model::ownership::Link::Awaited;
        }
    }
    let text = shown(&fleet);
    assert!(text.contains("? lb3 is not connected yet: the server has just started"), "{text}");
    assert!(text.contains("✖ lb4 is not connected: never heard of"), "{text}");
}

#[test]
fn an_empty_fleet_says_what_to_do() {
    let empty = FleetStatus { revision: 0, instances: Vec::new(), nodes: Vec::new() };
    assert_snapshot!(shown(&empty), @r"
    no virtual addresses: define an instance and `vipctl apply -f` it

    0 VIPs · 0 of 0 nodes connected · revision 0
    ");
}

#[test]
fn instances_have_their_members_and_wide_ones_their_generations() {
    let list = List { items: fleet().instances };
    assert_snapshot!(shown(&list));
    assert_snapshot!(wide(&list));
}

#[test]
fn nodes_say_why_they_are_not_as_they_should_be() {
    let list = List { items: fleet().nodes };
    assert_snapshot!(shown(&list));
    assert_snapshot!(wide(&list));
}

#[test]
fn checks_say_what_each_node_says() {
    let text = "kind: Check\nname: nginx\nspec: {process: {name: nginx}}";
    let definition = document::parse(text, None).definitions.remove(0).value;
    let list = List { items: checks(&[(definition, 3)], &fleet().nodes) };
    assert_snapshot!(shown(&list), @r"
    CHECK  STATUS  PROBE          EVERY  ON NODES
    nginx  ✖ down  process nginx  1s     lb1 up
                                         lb2 down: process nginx not running
    ");
}

fn groups(instances: &str) -> Vec<super::sync_group::SyncGroupStatus> {
    let text = format!("kind: SyncGroup\nname: g\nspec: {{instances: [{instances}]}}");
    let definition = document::parse(&text, None).definitions.remove(0).value;
    sync_groups(&[(definition, 3)], &fleet().instances)
}

#[test]
fn sync_groups_say_whether_all_of_them_are_in_one_place() {
    let all = ["web, api", "web, mail", "web, dns", "dns, vpn", "web, new"].map(groups);
    let list = List { items: all.into_iter().flatten().collect() };
    assert_snapshot!(shown(&list), @r"
    GROUP  MASTER       INSTANCES
    g      ✔ lb1        web lb1
                        api lb1
    g      ✖ apart      web lb1
                        mail lb1 + lb2
    g      ✖ apart      web lb1
                        dns none
    g      ✖ no MASTER  dns none
                        vpn none
    g      ✖ apart      web lb1
                        new none
    ");
}

#[test]
fn json_of_a_sync_group_has_the_fields_that_scripts_rely_on() {
    let instance = |name: &str, masters: &[&str], health: &str| json!({ "name": name, "masters": masters, "health": health });
    let said = serde_json::to_value(&groups("web, api")[0]).unwrap();
    let instances = [instance("web", &["lb1"], "ok"), instance("api", &["lb1"], "degraded")];
    let expected = json!({
        "name": "g", "revision": 3, "standing": "together", "node": "lb1", "instances": instances,
    });
    assert_eq!(said, expected);
    let said = serde_json::to_value(&groups("web, dns")[0]).unwrap();
    assert_eq!((&said["standing"], &said["node"]), (&json!("apart"), &json!(null)));
}

#[test]
fn a_sync_group_is_described_with_each_of_its_instances() {
    let text = "kind: SyncGroup\nname: g\nspec: {instances: [web, mail]}";
    let story = SyncGroupStory {
        definition: document::parse(text, None).definitions.remove(0).value,
        status: groups("web, mail").remove(0),
        instances: fleet().instances,
        history: Vec::new(),
    };
    assert_snapshot!(shown(&story));
}

#[test]
fn only_what_changed_is_added_where_nothing_can_be_drawn_over() {
    let before = List { items: vips(&fleet().instances) };
    let mut instances = fleet().instances;
    instances.remove(0);
    instances[0].owners.clear();
    instances[0].addresses[1].owner = None;
    let after = List { items: vips(&instances) };
    assert_snapshot!(unstyled(&after.news(&before, &look())));
    assert_eq!(after.news(&after, &look()), "");
}

#[test]
fn an_election_without_addresses_has_a_row_with_a_dash() {
    let mut status = fleet().instances.remove(0);
    status.virtual_addresses.clear();
    status.addresses.clear();
    let text = shown(&List { items: vips(&[status.clone()]) });
    assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("-  ")), "{text}");
    let text = shown(&List { items: vec![status] });
    assert!(text.lines().nth(1).is_some_and(|line| line.contains(" -  ")), "{text}");
}

#[test]
fn an_election_is_counted_beside_the_addresses() {
    let mut status = fleet();
    let addresses = vips(&status.instances).len();
    let mut election = status.instances[0].clone();
    election.virtual_addresses.clear();
    election.addresses.clear();
    status.instances.push(election);
    let expected = format!("{addresses} VIPs, 1 election: ");
    assert!(shown(&status).contains(&expected), "{}", shown(&status));
}

#[test]
fn json_of_a_vip_has_the_fields_that_scripts_rely_on() {
    let vip = vips(&fleet().instances).remove(0);
    assert_snapshot!(serde_json::to_string_pretty(&vip).unwrap());
}

#[test]
fn a_node_is_described_with_its_instances_and_checks() {
    let FleetStatus { instances, mut nodes, .. } = fleet();
    let node = nodes.remove(1);
    let is_member = |it: &vipfleet_model::ownership::InstanceStatus| {
        it.members.iter().any(|member| member.node == node.name)
    };
    let instances = instances.into_iter().filter(is_member).collect();
    assert_snapshot!(shown(&NodeStory { node, instances }));
}

#[test]
fn an_instance_is_described_with_what_is_wrong_first() {
    let text = "kind: Instance\nname: api\nspec:\n  virtualRouterId: 52\n  virtualAddresses: \
                [192.0.2.20/24]\n  track: [{check: nginx}]\n  members: [{node: lb2, interface: \
                eth0, priority: 100}, {node: lb1, interface: eth0, priority: 80}]";
    let definition = document::parse(text, None).definitions.remove(0).value;
    let FleetStatus { mut instances, nodes, .. } = fleet();
    let story = InstanceStory {
        definition,
        revision: 7,
        status: Some(instances.remove(1)),
        nodes,
        history: Vec::new(),
    };
    assert_snapshot!(shown(&story));
}

/// The fleet, with a switchover for nine minutes and a node drained for good.
fn moved() -> FleetStatus {
    use vipfleet_model::moves::{Order, SwitchoverStatus};
    let order = |until: Option<&str>| Order {
        by: "ana".into(),
        message: "new kernel".into(),
        since: "2026-03-04T11:58:00Z".into(),
        until: until.map(str::to_owned),
    };
    let mut fleet = fleet();
    fleet.instances.truncate(2);
    fleet.instances[0].switchover = Some(SwitchoverStatus {
        instance: super::sample::name("web"),
        to: super::sample::name("lb2"),
        order: order(Some("2026-03-04T12:09:30Z")),
    });
    for member in fleet.instances.iter_mut().flat_map(|it| &mut it.members) {
        member.drained = member.node.as_str() == "lb1";
    }
    fleet.nodes.truncate(2);
    fleet.nodes[0].drain = Some(order(None));
    fleet
}

#[test]
fn planned_moves_are_seen_in_every_view() {
    let fleet = moved();
    let instances = shown(&List { items: fleet.instances.clone() });
    let nodes = shown(&List { items: fleet.nodes.clone() });
    assert_snapshot!(format!("{}\n{instances}\n{nodes}", shown(&fleet)));
}
