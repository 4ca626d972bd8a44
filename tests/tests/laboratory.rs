//! Proof that the laboratory sees what is there: without it, a test that counts no loss shows
//! nothing.

use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use vipfleet_tests::daemons::Nginx;
use vipfleet_tests::kernel::{self, AddressWatch, Change};
use vipfleet_tests::lab::{INTERFACE, Lab};
use vipfleet_tests::probe::{Neighbour, Pace, Pinger, Requester};
use vipfleet_tests::wait;

const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 120);

fn sleep_command() -> Command {
    let mut command = Command::new("sleep");
    command.arg("infinity");
    command
}

fn add_vip(lab: &Lab, host: &str, extra: &[&str]) {
    let vip = format!("{VIP}/32");
    lab.host(host).must_run("ip", &[&["address", "add", &vip, "dev", INTERFACE], extra].concat());
}

#[test]
fn an_address_that_answers_throughout_shows_no_loss() {
    let lab = Lab::pair();
    let pinger = Pinger::start(lab.host("client"), lab.host("n1").address(), Neighbour::Warm);
    std::thread::sleep(Duration::from_secs(1));
    let losses = pinger.finish();
    println!("{losses}");
    assert!(losses.sent > 300, "{losses}");
    assert_eq!(losses.lost, 0, "{losses}");
}

#[test]
fn an_address_that_nobody_has_loses_every_probe() {
    let lab = Lab::pair();
    let pinger = Pinger::start(lab.host("client"), VIP, Neighbour::Warm);
    std::thread::sleep(Duration::from_millis(300));
    let losses = pinger.finish();
    assert!(losses.sent > 50, "{losses}");
    assert_eq!(losses.lost, losses.sent, "{losses}");
    assert_eq!(losses.gaps.len(), 1, "{losses}");
}

#[test]
fn a_detached_port_is_a_gap_of_its_own_length() {
    let lab = Lab::pair();
    let pinger = Pinger::start(lab.host("client"), lab.host("n1").address(), Neighbour::Warm);
    std::thread::sleep(Duration::from_millis(300));
    let cut = Instant::now();
    lab.detach("n1");
    std::thread::sleep(Duration::from_millis(500));
    let cut_for = cut.elapsed();
    lab.attach("n1");
    std::thread::sleep(Duration::from_millis(300));
    let losses = pinger.finish();
    println!("cut for {cut_for:?}: {losses}");
    let gap = losses.longest_gap();
    assert!(losses.gaps.len() == 1 && gap > Duration::from_millis(300), "{losses}");
    assert!(gap < cut_for + Duration::from_secs(2), "{losses}");
}

#[test]
fn a_client_whose_neighbour_entry_is_flushed_asks_by_arp_again_and_again() {
    let lab = Lab::pair();
    let every = Duration::from_millis(20);
    let server = lab.host("n1");
    let pinger =
        Pinger::start(lab.host("client"), server.address(), Neighbour::FlushedEvery(every));
    std::thread::sleep(Duration::from_secs(1));
    let losses = pinger.finish();
    println!("{losses}");
    assert!(losses.neighbour_flushes > 20, "{losses}");
    assert!(losses.longest_gap() < Duration::from_millis(200), "{losses}");
}

#[test]
fn requests_fail_while_nginx_is_dead_and_say_who_answered_before() {
    let lab = Lab::pair();
    let mut nginx = Nginx::start(lab.host("n1"));
    let client = lab.host("client");
    let requester = Requester::start(client, lab.host("n1").address(), Pace::default());
    std::thread::sleep(Duration::from_millis(500));
    let healthy = requester.finish();
    assert_eq!(healthy.losses.lost, 0, "{healthy}");
    assert_eq!(healthy.bodies.keys().collect::<Vec<_>>(), ["n1\n"], "{healthy}");

    nginx.crash();
    let requester = Requester::start(client, lab.host("n1").address(), Pace::default());
    std::thread::sleep(Duration::from_millis(300));
    let dead = requester.finish();
    println!("{dead}");
    assert_eq!(dead.losses.lost, dead.losses.sent, "{dead}");
    assert!(dead.losses.sent > 0, "{dead}");
}

#[test]
fn kernel_truth_shows_lifetimes_and_routes() {
    let lab = Lab::pair();
    add_vip(&lab, "n1", &["valid_lft", "60", "preferred_lft", "60"]);
    let leased = kernel::address(lab.host("n1"), VIP).expect("just added");
    assert_eq!(leased.prefix, 32);
    let left = leased.valid.expect("a finite lifetime");
    assert!(left <= Duration::from_secs(60) && left > Duration::from_secs(30), "{leased:?}");
    let own = kernel::address(lab.host("n1"), lab.host("n1").address()).expect("its own");
    assert_eq!(own.valid, None);
    assert_eq!(kernel::owners(&lab, VIP), ["n1"]);

    let host = lab.host("n2");
    let vip = VIP.to_string();
    host.must_run("ip", &["route", "add", "local", &vip, "dev", INTERFACE, "table", "local"]);
    assert!(kernel::local_routes(host).iter().any(|route| route.dst == vip));
    assert!(!kernel::holds(host, VIP));
}

#[test]
fn an_address_watch_sees_the_kernel_add_and_remove() {
    let lab = Lab::pair();
    let host = lab.host("n2");
    let watch = AddressWatch::start(host);
    let start = Instant::now();
    add_vip(&lab, "n2", &[]);
    let added = watch.wait_for(Change::Added, VIP, start, wait::GENEROUS);
    host.must_run("ip", &["address", "del", &format!("{VIP}/32"), "dev", INTERFACE]);
    let removed = watch.wait_for(Change::Removed, VIP, start, wait::GENEROUS);
    assert!(removed > added);
    assert_eq!(watch.changes().len(), 2);
}

#[test]
fn each_host_sees_only_its_own_processes_and_run_directory() {
    let lab = Lab::pair();
    let _one = Nginx::start(lab.host("n1"));
    let find = ["-c", "grep -lx nginx /proc/[0-9]*/comm 2>/dev/null | wc -l"];
    assert_ne!(lab.host("n1").must_run("sh", &find).trim(), "0");
    assert_eq!(lab.host("n2").must_run("sh", &find).trim(), "0");
    assert!(lab.host("n1").run_path("nginx.pid").exists());
    assert!(!lab.host("n2").run_path("nginx.pid").exists());
}

#[test]
fn powering_a_host_off_ends_all_its_processes_at_once() {
    let lab = Lab::pair();
    let mut daemons = [(); 3].map(|()| lab.host("n1").start("sleep", sleep_command()));
    let mut other = lab.host("n2").start("sleep", sleep_command());
    lab.host("n1").power_off();
    for daemon in &mut daemons {
        daemon.wait(wait::GENEROUS);
    }
    assert!(other.is_running());
}

#[test]
fn a_panic_leaves_neither_namespace_nor_process_nor_file() {
    let mut left = None;
    let result = catch_unwind(AssertUnwindSafe(|| {
        let lab = Lab::pair();
        let host = lab.host("n1");
        let mut parent = Command::new("sh");
        parent.args(["-c", "sleep infinity & echo started; wait"]);
        let daemon = host.start("parent", parent);
        wait::until("its child", wait::GENEROUS, || daemon.log(), |log| log == "started\n");
        left = Some((host.namespace().to_owned(), host.keeper(), host.directory().to_owned()));
        panic!("as a failing test would");
    }));
    assert!(result.is_err());
    let (namespace, keeper, directory) = left.expect("it was set before the panic");
    assert!(!Path::new("/run/netns").join(namespace).exists());
    assert!(!Path::new("/proc").join(keeper.to_string()).exists());
    assert!(!directory.exists());
}

#[test]
fn what_a_killed_run_left_is_swept_by_the_next() {
    // A maker that cannot be: pids end at 4194304.
    let stale = "vflab-4194305-1-0-n1";
    let added = Command::new("ip").args(["netns", "add", stale]).status().expect("iproute2");
    assert!(added.success());
    let directory = std::env::temp_dir().join("vflab-4194305-1-0-Xy12");
    std::fs::create_dir_all(directory.join("n1")).unwrap();
    drop(Lab::pair());
    assert!(!Path::new("/run/netns").join(stale).exists());
    assert!(!directory.exists());
}

#[test]
fn bridge_ports_come_in_the_order_of_the_plan() {
    let order = |lab: &Lab| -> Vec<String> {
        lab.hosts().iter().take(2).map(|host| host.name().to_owned()).collect()
    };
    let lab = Lab::pair();
    assert_eq!(order(&lab), ["n1", "n2"]);
    drop(lab);
    assert_eq!(order(&Lab::pair_with_swapped_ports()), ["n2", "n1"]);
}
