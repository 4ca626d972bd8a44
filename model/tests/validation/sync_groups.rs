//! Sync groups: what makes them unsound, and what each node of a sound one runs.

use crate::fleet::{both, fleet, input, lines, read};
use vipfleet_model::placement::{place, place_node};

const PAIR: &str = "
kind: Instance
name: VI_4
spec:
  virtualRouterId: 51
  virtualAddresses: [192.168.248.120]
  track: [{check: nginx, weight: -30}]
  members:
    - {node: lb1, interface: ens33, priority: 100}
    - {node: lb2, interface: ens33, priority: 80}
---
kind: Instance
name: VI_5
spec:
  virtualRouterId: 52
  virtualAddresses: [192.168.248.121]
  members:
    - {node: lb1, interface: ens33, priority: 200, track: [{check: disk}]}
    - {node: lb2, interface: ens33, priority: 10}
---
kind: Check
name: nginx
spec: {process: {name: nginx}}
---
kind: Check
name: disk
spec: {file: {path: /srv/ready}}
";

fn with_group(spec: &str) -> String {
    format!("{PAIR}---\nkind: SyncGroup\nname: web\nspec: {spec}\n")
}

fn with_pair(old: &str, new: &str) -> String {
    assert!(PAIR.contains(old), "{old}");
    with_group("{instances: [VI_5, VI_4]}").replace(old, new)
}

#[test]
fn a_group_on_the_same_nodes_in_the_same_order_is_sound() {
    assert_eq!(lines(&fleet(&with_group("{instances: [VI_5, VI_4]}"), &both())), "");
}

#[test]
fn what_cannot_go_together_is_said_with_its_place() {
    let second_group = "{instances: [VI_4, VI_5]}\n---\nkind: SyncGroup\nname: other\nspec: \
                        {instances: [VI_4, VI_5]}";
    let broken = [
        ("sync-group-size", with_group("{instances: [VI_4]}")),
        ("duplicate-group-instance", with_group("{instances: [VI_4, VI_5, VI_4]}")),
        ("unknown-instance", with_group("{instances: [VI_4, VI_5, VI_6]}")),
        ("two-sync-groups", with_group(second_group)),
        ("exec-path", with_group("{instances: [VI_4, VI_5], notify: [{on: any, exec: /a/b}]}")),
        ("sync-group-nodes", with_pair("    - {node: lb2, interface: ens33, priority: 10}\n", "")),
        ("sync-group-order", with_pair("priority: 10}", "priority: 210}")),
        ("sync-group-order", with_pair("priority: 80}", "priority: 100}")),
        ("sync-group-order", with_pair("priority: 80}", "priority: 80, priorityOffset: 40}")),
        (
            "sync-group-preempt",
            with_pair("virtualRouterId: 52", "virtualRouterId: 52\n  preempt: false"),
        ),
    ];
    for (rule, text) in broken {
        let findings = fleet(&text, &both());
        let said = findings.iter().find(|finding| finding.rule == rule);
        let said = said.unwrap_or_else(|| panic!("{rule} is not said:\n{}", lines(&findings)));
        assert!(said.place.line.is_some_and(|line| line > 25), "{said}");
    }
}

#[test]
fn offline_an_instance_that_the_input_lacks_may_be_in_the_store() {
    let findings = input(&with_group("{instances: [VI_4, VI_9]}"));
    assert!(!findings.has_errors(), "{}", lines(&findings));
    assert!(findings.iter().any(|finding| finding.rule == "unknown-instance"));
}

#[test]
fn each_node_runs_the_group_in_its_order_and_tracks_the_same_with_all_of_it() {
    let (definitions, _) = read(&with_group("{instances: [VI_5, VI_4]}"));
    let placed = place(&definitions, &both());
    let lb1 = &placed["lb1"];
    let [group] = lb1.sync_groups.as_slice() else { panic!("one group") };
    assert_eq!(
        group.instances.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["VI_5", "VI_4"]
    );
    for instance in &lb1.instances {
        let tracked = instance.track.iter().map(|track| (track.check.as_str(), track.weight));
        assert_eq!(tracked.collect::<Vec<_>>(), [("disk", 0), ("nginx", -30)], "{}", instance.name);
    }
    let lb2 = "lb2".parse::<vipfleet_model::Name>().unwrap();
    assert_eq!(place_node(&definitions, &both(), &lb2), placed[&lb2]);
    let tracked = &placed[&lb2].instances[1].track;
    assert_eq!(tracked.len(), 1, "the disk is lb1's alone: {tracked:?}");
}

#[test]
fn a_priority_offset_reaches_the_node_beside_the_priority() {
    let (definitions, _) =
        read(&PAIR.replace("priority: 100}", "priority: 100, priorityOffset: -40}"));
    let placed = place(&definitions, &both());
    let instance = &placed["lb1"].instances[0];
    assert_eq!((instance.priority, instance.priority_offset), (100, -40));
}
