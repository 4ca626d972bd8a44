//! The way back to keepalived.

use crate::fake::Fake;
use crate::terminal::{file, vipctl};

const SAMPLE: &str = include_str!("../../../deploy/samples/dual-master/definitions.yaml");
const LB1: &str = include_str!("../../../deploy/samples/dual-master/lb1.keepalived.conf");
const LB2: &str = include_str!("../../../deploy/samples/dual-master/lb2.keepalived.conf");

const CHECKED: &str = "\
kind: Check
name: up
spec: {http: {url: 'http://127.0.0.1/up'}}
---
kind: Check
name: script
spec: {exec: {file: check.sh}}
---
kind: Instance
name: VI_1
spec:
  virtualRouterId: 51
  virtualAddresses: [192.0.2.10]
  members:
    - {node: lb1, interface: eth0, priority: 100}
    - {node: lb2, interface: eth0, priority: 80}
  track: [{check: up}, {check: script}]
";

#[test]
fn the_file_has_the_password_and_says_where_it_comes_from() {
    let fake = Fake::with(SAMPLE);
    let exported = vipctl(&["--server", &fake.url(), "export", "keepalived", "lb1"]).exits(0);
    insta::assert_snapshot!(exported.stdout);
    assert!(exported.stderr.contains("pgrep(1)"), "{}", exported.stderr);
    assert!(!exported.stderr.contains("1111"), "{}", exported.stderr);
    let json = vipctl(&["--server", &fake.url(), "export", "keepalived", "lb1", "-o", "json"]);
    let json = json.exits(0).json();
    assert_eq!(json["text"], exported.stdout);
    assert_eq!((&json["node"], &json["revision"]), (&"lb1".into(), &1.into()));
    assert_eq!(json["findings"][0]["rule"], "approximated");
}

#[test]
fn the_founding_pair_goes_there_and_back_through_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let import = |texts: [&str; 2]| {
        let [lb1, lb2] = ["lb1", "lb2"].map(|node| format!("{node}.conf"));
        let one = format!("lb1={}", file(directory.path(), &lb1, texts[0]).display());
        let two = format!("lb2={}", file(directory.path(), &lb2, texts[1]).display());
        vipctl(&["import", "keepalived", &one, &two]).exits(0).stdout
    };
    let imported = import([LB1, LB2]);
    let fake = Fake::with(&imported);
    let export =
        |node: &str| vipctl(&["--server", &fake.url(), "export", "keepalived", node]).exits(0);
    assert_eq!(export("lb1").stderr, "");
    assert_eq!(import([&export("lb1").stdout, &export("lb2").stdout]), imported);
}

#[test]
fn what_keepalived_cannot_do_is_refused_or_left_out_as_asked() {
    let fake = Fake::with(CHECKED);
    let url = fake.url();
    let export = |more: &[&str]| {
        vipctl(&[&["--server", &url, "export", "keepalived", "lb1"], more].concat())
    };
    let refused = export(&["--exec-dir", "/srv/exec"]).exits(3);
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("curl"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--leave-out"), "{}", refused.stderr);
    let refused = export(&["--leave-out"]).exits(3);
    assert!(refused.stderr.contains("exec dir"), "{}", refused.stderr);
    let options = ["--leave-out", "--exec-dir", "/srv/exec", "--script-user", "nobody"];
    let exported = export(&options).exits(0);
    assert!(exported.stdout.contains("script \"/srv/exec/check.sh\""), "{}", exported.stdout);
    assert!(exported.stdout.contains("script_user nobody"), "{}", exported.stdout);
    assert!(exported.stderr.contains("left out"), "{}", exported.stderr);
}

#[test]
fn a_node_that_is_no_member_fails_and_says_who_is() {
    let fake = Fake::with(SAMPLE);
    let failed = vipctl(&["--server", &fake.url(), "export", "keepalived", "lb9"]).exits(1);
    assert!(failed.stderr.contains("lb1, lb2"), "{}", failed.stderr);
    vipctl(&["--server", &fake.url(), "export", "keepalived", "-x"]).exits(2);
    vipctl(&["--server", &fake.url(), "export", "keepalived"]).exits(2);
}
