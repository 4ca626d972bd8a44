//! Commands that ask no server, and what happens when none can be reached.

use crate::terminal::{VI_1, file, run, vipctl};
use std::net::{Ipv4Addr, TcpListener};
use tokio::net::TcpSocket;

const LB1: &str = include_str!("../../../deploy/samples/dual-master/lb1.keepalived.conf");
const LB2: &str = include_str!("../../../deploy/samples/dual-master/lb2.keepalived.conf");

/// A loopback port that is taken and on which nobody listens.
struct Closed(TcpSocket);

impl Closed {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self(socket)
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }
}

#[test]
fn the_founding_pair_imports_as_definitions_that_validate() {
    let directory = tempfile::tempdir().unwrap();
    let lb1 = format!("lb1={}", file(directory.path(), "lb1.conf", LB1).display());
    let lb2 = format!("lb2={}", file(directory.path(), "lb2.conf", LB2).display());
    let imported = vipctl(&["import", "keepalived", &lb1, &lb2]).exits(0);
    assert!(imported.stderr.contains("lb1.conf:20:9"), "{}", imported.stderr);
    assert!(imported.stderr.contains("check_nginx_alive"), "{}", imported.stderr);
    insta::assert_snapshot!(imported.stdout);
    let valid = run(&["validate", "-f", "-"], &[], &imported.stdout).exits(0);
    assert!(valid.stdout.starts_with("2 definitions are valid"), "{valid:?}");
}

#[test]
fn what_keepalived_would_do_and_vipfleet_not_is_refused_with_nothing_on_standard_output() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{LB1}\nvirtual_server 192.0.2.1 80 {{\n  protocol TCP\n}}\n");
    let file = format!("lb1={}", file(directory.path(), "lb1.conf", &text).display());
    let refused = vipctl(&["import", "keepalived", &file]).exits(3);
    assert_eq!(refused.stdout, "");
    let line = LB1.lines().count() + 2;
    let place = format!("lb1.conf:{line}:1");
    assert!(refused.stderr.contains(&place), "{}", refused.stderr);
    let taken = vipctl(&["import", "keepalived", &file, "--ignore-lvs"]).exits(0);
    assert!(taken.stdout.contains("name: VI_2"), "{}", taken.stdout);
}

#[test]
fn included_files_are_read_relative_to_the_file_that_names_them() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("conf.d")).unwrap();
    file(&directory.path().join("conf.d"), "b.conf", LB1);
    file(&directory.path().join("conf.d"), ".hidden.conf", "nonsense");
    let main = file(directory.path(), "keepalived.conf", "include conf.d/{a,*}.conf\n");
    let imported = vipctl(&["import", "keepalived", &format!("lb1={}", main.display())]).exits(0);
    assert!(imported.stdout.contains("name: VI_1"), "{imported:#?}");
    assert!(imported.stderr.contains("conf.d/b.conf:20:9"), "{}", imported.stderr);
}

#[test]
fn every_finding_is_shown_with_its_line_and_the_exit_code_is_3() {
    let text = VI_1.replace("51", "510").replace("eth0, priority: 80", "eth0, prio: 80");
    let refused = run(&["validate", "-f", "-"], &[], &text).exits(3);
    insta::assert_snapshot!(refused.stderr);
    let json = run(&["validate", "-f", "-", "-o", "json"], &[], &text).exits(3).json();
    assert_eq!(json["valid"], false);
    assert_eq!(json["findings"][0]["place"]["line"], 4);
}

#[test]
fn a_directory_is_one_input_and_a_definition_in_two_files_is_a_finding() {
    let directory = tempfile::tempdir().unwrap();
    file(directory.path(), "a.yaml", VI_1);
    file(directory.path(), "b.yml", VI_1);
    file(directory.path(), "notes.txt", "not a definition");
    let path = directory.path().to_str().unwrap();
    let refused = vipctl(&["validate", "-f", path]).exits(3);
    assert!(refused.stderr.contains("b.yml:1:1"), "{}", refused.stderr);
    assert!(refused.stderr.contains("a.yaml:1:1"), "{}", refused.stderr);
}

#[test]
fn nothing_to_apply_is_refused_since_something_must_have_failed_before() {
    let refused = run(&["apply", "-f", "-"], &[], "").exits(3);
    assert!(refused.stderr.contains("standard input"), "{}", refused.stderr);
}

#[test]
fn a_file_that_is_not_there_is_a_usage_error_that_names_it() {
    for command in ["apply", "diff", "validate"] {
        let failed = vipctl(&[command, "-f", "nowhere.yaml"]).exits(2);
        assert!(failed.stderr.contains("nowhere.yaml"), "{}", failed.stderr);
    }
}

#[test]
fn without_a_server_the_exit_code_is_5_and_every_address_is_named() {
    let closed = [Closed::new(), Closed::new()];
    let [one, two] = closed.each_ref().map(Closed::url);
    let both = format!("{one},{two}");
    for command in [&["status"][..], &["get", "nodes"], &["watch"], &["version"], &["history"]] {
        let failed = vipctl(&[&["--server", &both], command].concat()).exits(5);
        assert!(failed.stderr.contains(&one) && failed.stderr.contains(&two), "{failed:#?}");
        assert!(failed.stderr.contains("connection refused"), "{failed:#?}");
    }
    let from_environment = run(&[], &[("VIPFLEET_SERVER", &one)], "").exits(5);
    assert!(from_environment.stderr.contains(&one));
}

#[test]
fn a_server_that_is_none_is_said_to_be_none() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Accepts and says nothing, as a hung server does.
    let failed = vipctl(&["--server", &url]).exits(5);
    assert!(failed.stderr.contains("no answer within 3 s"), "{failed:#?}");
}

#[test]
fn tls_and_unknown_words_are_usage_errors() {
    let failed = vipctl(&["--server", "https://127.0.0.1:7700"]).exits(2);
    assert!(failed.stderr.contains("TLS is not spoken yet"), "{}", failed.stderr);
    vipctl(&["frobnicate"]).exits(2);
    vipctl(&["get", "unicorns"]).exits(2);
    vipctl(&["set", "instance", "VI_1"]).exits(2);
    vipctl(&["delete"]).exits(2);
    vipctl(&["apply", "-f", "x", "--wait=soon"]).exits(2);
    vipctl(&["import", "keepalived", "lb1.conf"]).exits(2);
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = vipctl(&["completion", shell]).exits(0).stdout;
        assert!(script.contains("rollback"), "{shell}");
    }
}

#[test]
fn help_and_the_own_version_need_no_server() {
    assert!(vipctl(&["--help"]).exits(0).stdout.contains("Exit codes"));
    let version = vipctl(&["version", "--client", "-o", "json"]).exits(0).json();
    assert_eq!(version["client"]["version"], env!("CARGO_PKG_VERSION"));
}
