//! Reading: shapes that scripts rely on.

use crate::fake::Fake;
use crate::terminal::{VI_1, run, vipctl};

const SECRET: &str = "\
kind: Instance
name: VI_1
spec:
  virtualRouterId: 51
  version: 2
  virtualAddresses: [192.0.2.10]
  authentication: {type: pass, password: geheim}
  members:
    - {node: lb1, interface: eth0, priority: 100}
    - {node: lb2, interface: eth0, priority: 80}
";

#[test]
fn lists_are_items_in_json_also_when_they_are_empty() {
    let fake = Fake::start();
    for kind in ["instances", "nodes", "vips", "checks", "syncgroups", "revisions", "definitions"] {
        let json = vipctl(&["--server", &fake.url(), "get", kind, "-o", "json"]).exits(0).json();
        assert_eq!(json, serde_json::json!({ "items": [] }), "{kind}");
        assert_ne!(vipctl(&["--server", &fake.url(), "get", kind]).exits(0).stdout, "", "{kind}");
    }
}

const GROUP: &str = "\
kind: Instance
name: V_4
spec:
  virtualRouterId: 51
  virtualAddresses: [192.0.2.10]
  members: [{node: lb1, interface: eth0, priority: 100}]
---
kind: Instance
name: V_6
spec:
  virtualRouterId: 51
  virtualAddresses: ['fe80::1', '2001:db8::10']
  members: [{node: lb1, interface: eth0, priority: 100}]
---
kind: SyncGroup
name: web
spec: {instances: [V_4, V_6]}
";

#[test]
fn a_sync_group_is_listed_and_described_with_its_instances() {
    let fake = Fake::with(GROUP);
    let url = fake.url();
    let json = vipctl(&["--server", &url, "get", "syncgroups", "-o", "json"]).exits(0).json();
    assert_eq!(json["items"][0]["name"], "web");
    assert_eq!(json["items"][0]["standing"], "nowhere");
    assert_eq!(json["items"][0]["instances"][1]["name"], "V_6");
    let named = vipctl(&["--server", &url, "get", "syncgroups", "-o", "name"]).exits(0);
    assert_eq!(named.stdout, "web\n");
    vipctl(&["--server", &url, "get", "syncgroup", "api"]).exits(1);
    let said = vipctl(&["--server", &url, "describe", "syncgroup", "web"]).exits(0).stdout;
    assert!(said.starts_with("SyncGroup web\n") && said.contains("V_4"), "{said}");
    vipctl(&["--server", &url, "describe", "syncgroup", "api"]).exits(1);
}

#[test]
fn status_is_the_default_and_one_json_document() {
    let fake = Fake::start();
    let json = vipctl(&["--server", &fake.url(), "-o", "json"]).exits(0).json();
    assert_eq!(json, serde_json::json!({ "revision": 0, "instances": [], "nodes": [] }));
}

#[test]
fn a_name_that_is_not_there_fails_and_says_what_is() {
    let fake = Fake::with(VI_1);
    let url = fake.url();
    let failed = vipctl(&["--server", &url, "get", "definitions", "VI_9"]).exits(1);
    assert!(failed.stderr.contains("instance/VI_1"), "{}", failed.stderr);
    vipctl(&["--server", &url, "get", "nodes", "lb9"]).exits(1);
    vipctl(&["--server", &url, "describe", "instance", "VI_9"]).exits(1);
    vipctl(&["--server", &url, "describe", "vip", "nonsense"]).exits(2);
    vipctl(&["--server", &url, "get", "revisions", "99"]).exits(1);
    vipctl(&["--server", &url, "get", "revisions", "last"]).exits(2);
}

#[test]
fn definitions_come_out_as_apply_reads_them_and_without_secrets() {
    let fake = Fake::with(SECRET);
    let url = fake.url();
    for format in ["yaml", "json"] {
        let printed = vipctl(&["--server", &url, "get", "definitions", "-o", format]).exits(0);
        assert!(!printed.stdout.contains("geheim"), "{}", printed.stdout);
        let back = ["--server", &url, "diff", "-f", "-"];
        assert_eq!(run(&back, &[], &printed.stdout).exits(0).stdout, "");
    }
    let described = vipctl(&["--server", &url, "describe", "instance", "VI_1"]).exits(0);
    assert!(!described.stdout.contains("geheim"), "{}", described.stdout);
}

#[test]
fn history_says_who_and_why_and_line_by_line_what() {
    let fake = Fake::with(SECRET);
    let url = fake.url();
    let set = ["--server", &url, "set", "instance", "VI_1", "--priority", "lb2=90"];
    vipctl(&[&set[..], &["-m", "closer"]].concat()).exits(0);
    let history = vipctl(&["--server", &url, "history", "instance", "VI_1", "--diff"]).exits(0);
    assert!(history.stdout.contains("alice@"), "{}", history.stdout);
    assert!(history.stdout.contains("-    priority: 80\n+    priority: 90\n"), "{history:#?}");
    let json = vipctl(&["--server", &url, "history", "-o", "json"]).exits(0).json();
    assert_eq!(json["items"][0]["message"], "closer");
    assert_eq!(json["items"][0]["changes"][0]["change"], "changed");
}

#[test]
fn version_names_both_ends() {
    let fake = Fake::start();
    let json = vipctl(&["--server", &fake.url(), "version", "-o", "json"]).exits(0).json();
    assert_eq!(json["server"]["version"], "9.8.7");
    assert_eq!(json["server"]["fleetId"], "a-fleet");
}

#[test]
fn colour_is_for_terminals() {
    let fake = Fake::with(VI_1);
    let printed = vipctl(&["--server", &fake.url(), "get", "definitions"]).exits(0);
    assert!(!printed.stdout.contains('\x1b'), "{:?}", printed.stdout);
    let forced = [("CLICOLOR_FORCE", "1")];
    let printed = run(&["--server", &fake.url(), "get", "definitions"], &forced, "").exits(0);
    assert!(printed.stdout.contains('\x1b'), "{:?}", printed.stdout);
}
