//! Check scripts and notify hooks of a file.

use crate::lab::{Lab, until};
use crate::local;
use crate::process::{Agent, Home, text_of};
use std::path::Path;
use vipfleet_model::report::{CheckStatus, InstanceState};

fn config(script: &str, extra: &str) -> String {
    format!(
        "vrrp_script check {{\n {script}\n interval 1\n timeout 1\n}}\n\
         vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n priority 255\n \
         advert_int 1\n virtual_ipaddress {{ 10.78.0.10 }}\n track_script {{ check }}\n{extra}}}\n"
    )
}

fn script(path: &Path) -> String {
    format!("script \"{}\"\n user root", path.display())
}

#[test]
fn a_script_that_hangs_is_a_fault_and_recovers() {
    let (lab, home) = (Lab::new(), Home::new());
    let ready = home.path("ready");
    let hanging = home.script("check", &format!("test -e {} || exec sleep 1000", ready.display()));
    let mut agent = Agent::on(&lab.one, &home, &config(&script(&hanging), ""));
    let down = local::instance(&home, "VI_1", |it| it.state == InstanceState::Fault);
    assert!(down.reason.starts_with("check check is down: "), "{}", down.reason);
    std::fs::write(&ready, "").unwrap();
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    std::fs::remove_file(&ready).unwrap();
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Fault);
    assert!(!lab.one.has("10.78.0.10"));
    assert!(agent.terminate().success());
}

#[test]
fn a_script_that_is_missing_is_a_fault_that_names_it() {
    let (lab, home) = (Lab::new(), Home::new());
    let missing = home.path("missing");
    let _agent = Agent::on(&lab.one, &home, &config(&script(&missing), ""));
    let down = local::instance(&home, "VI_1", |it| it.state == InstanceState::Fault);
    assert!(down.reason.contains("missing"), "{}", down.reason);
    let report = local::report(&home).unwrap();
    assert_eq!(report.checks[0].status, CheckStatus::Down);
}

#[test]
fn a_check_that_is_no_longer_tracked_is_forgotten() {
    let (lab, home) = (Lab::new(), Home::new());
    let failing = home.script("check", "exit 1");
    let with = config(&script(&failing), "");
    let agent = Agent::on(&lab.one, &home, &with);
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Fault);
    home.write("keepalived.conf", &with.replace(" track_script { check }\n", ""));
    agent.signal(nix::sys::signal::Signal::SIGHUP);
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    until("the check to leave the report", || {
        local::report(&home).is_some_and(|report| report.checks.is_empty())
    });
}

#[test]
fn hooks_run_in_the_order_of_the_changes() {
    let (lab, home) = (Lab::new(), Home::new());
    let told = home.path("told");
    // The first is the slowest: an order by luck would show.
    let body = format!("test $3 = MASTER && sleep 0.3; echo \"$1 $2 $3 $4\" >> {}", told.display());
    let hook = home.script("hook", &body);
    let ready = home.write("ready", "");
    let check = home.script("check", &format!("test -e {}", ready.display()));
    let notify = format!(" notify \"{}\"\n", hook.display());
    let mut agent = Agent::on(&lab.one, &home, &config(&script(&check), &notify));
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    std::fs::remove_file(&ready).unwrap();
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Fault);
    std::fs::write(&ready, "").unwrap();
    local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    assert!(agent.terminate().success());
    let text = text_of(&told, |text| text.contains("STOP"));
    let states: Vec<_> = text.lines().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(states, ["MASTER", "FAULT", "MASTER", "STOP"], "{text}");
    assert!(text.lines().all(|line| line.starts_with("INSTANCE VI_1 ")), "{text}");
}
