//! Situations that surprise: what ours does in them, on a real kernel. `docs/traps.md` lists these
//! and those that other tests show.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vipfleet_tests::daemons::{Agent, Nginx, Program, Router, samples};
use vipfleet_tests::fleet::{Fleet, items};
use vipfleet_tests::kernel::{self, AddressWatch, Change};
use vipfleet_tests::lab::{Host, INTERFACE, Lab, Plan};
use vipfleet_tests::pair::{VIP_1, VIP_2, wait_for_owners};
use vipfleet_tests::probe::{EchoServer, Neighbour, Pinger};
use vipfleet_tests::process::Process;
use vipfleet_tests::wait;

const ECHO_PORT: u16 = 7;

/// A file with one instance of virtual router 51.
fn file(host: &Host, priority: u8, lines: &str, vips: &[Ipv4Addr]) -> PathBuf {
    let vips: Vec<_> = vips.iter().map(Ipv4Addr::to_string).collect();
    let text = format!(
        "vrrp_instance VI_1 {{\n interface {INTERFACE}\n virtual_router_id 51\n \
         priority {priority}\n {lines}\n virtual_ipaddress {{\n {}\n }}\n}}\n",
        vips.join("\n ")
    );
    let path = host.directory().join("trap.conf");
    std::fs::write(&path, text).expect("the host's directory is writable");
    path
}

const QUICK: &str = "version 3\n advert_int 0.1";

fn agent(lab: &Lab, host: &str, priority: u8, lines: &str, vips: &[Ipv4Addr]) -> Agent {
    let host = lab.host(host);
    Agent::standalone(host, &file(host, priority, lines, vips))
}

#[track_caller]
fn wait_for_owner(lab: &Lab, vip: Ipv4Addr, wanted: &str) {
    let what = format!("{wanted} alone to own {vip}");
    wait::until(&what, wait::GENEROUS, || kernel::owners(lab, vip), |seen| *seen == [wanted]);
}

/// Waits for a line of a log.
#[track_caller]
fn says(process: &Process, line: &str) {
    let what = format!("the log to say {line:?}");
    wait::until(&what, wait::GENEROUS, || process.log(), |log| log.contains(line));
}

fn start(program: Program, lab: &Lab, host: &str, priority: u8) -> Router {
    let host = lab.host(host);
    Router::start(program, host, &file(host, priority, QUICK, &[VIP_1]))
}

/// Opens a connection to the VIP and has it answered.
#[track_caller]
fn connect(lab: &Lab) -> TcpStream {
    let target = SocketAddr::from((VIP_1, ECHO_PORT));
    let mut stream = lab.host("client").within(move || {
        let mut last = None;
        let start = Instant::now();
        // The first SYN after a move may still go to the former owner, which refuses it.
        while start.elapsed() < wait::GENEROUS {
            match TcpStream::connect_timeout(&target, Duration::from_secs(5)) {
                Ok(stream) => return stream,
                Err(error) => last = Some(error),
            }
        }
        panic!("connect to {target}: {last:?}");
    });
    stream.set_read_timeout(Some(wait::GENEROUS)).expect("an open socket");
    let mut answer = [0];
    stream.write_all(b"?").and_then(|()| stream.read_exact(&mut answer)).expect("an answer");
    stream
}

/// Says something on a connection that its new owner never heard of.
#[track_caller]
fn insist_on_reset(mut stream: TcpStream, program: Program) {
    let spoken = stream.write_all(b"!").and_then(|()| stream.read(&mut [0]));
    let kind = spoken.expect_err("nobody else can answer").kind();
    assert_eq!(kind, ErrorKind::ConnectionReset, "{program:?}: the client is told at once");
}

/// The VIP moves three times: its owner stops, comes back, and dies.
fn connections_across_moves(program: Program) {
    let lab = Lab::pair();
    let _echoes = ["n1", "n2"].map(|host| EchoServer::start(lab.host(host)));
    let mut first = start(program, &lab, "n1", 100);
    wait_for_owner(&lab, VIP_1, "n1");
    let _second = start(program, &lab, "n2", 80);
    let open = connect(&lab);

    first.terminate();
    wait_for_owner(&lab, VIP_1, "n2");
    insist_on_reset(open, program);
    let open = connect(&lab);

    let _again = start(program, &lab, "n1", 100);
    wait_for_owner(&lab, VIP_1, "n1");
    insist_on_reset(open, program);
    let open = connect(&lab);

    lab.detach("n1");
    let taken = || kernel::holds(lab.host("n2"), VIP_1);
    wait::until("the peer to take over", wait::GENEROUS, taken, |taken| *taken);
    insist_on_reset(open, program);
    drop(connect(&lab));
}

#[test]
fn open_connections_are_reset_by_the_new_owner_and_new_ones_work() {
    connections_across_moves(Program::Ours);
}

#[test]
fn with_keepalived_open_connections_are_reset_by_the_new_owner_likewise() {
    connections_across_moves(Program::Theirs);
}

#[test]
fn the_lower_priority_host_started_first_hands_over_without_loss() {
    let lab = Lab::pair();
    let _lower = agent(&lab, "n2", 80, QUICK, &[VIP_1]);
    wait_for_owner(&lab, VIP_1, "n2");
    let pinger = Pinger::start(lab.host("client"), VIP_1, Neighbour::Warm);
    std::thread::sleep(Duration::from_millis(500));
    let _higher = agent(&lab, "n1", 100, QUICK, &[VIP_1]);
    wait_for_owner(&lab, VIP_1, "n1");
    std::thread::sleep(Duration::from_secs(1));
    let losses = pinger.finish();
    assert_eq!(losses.lost, 0, "{losses}");
}

/// Two pairs that know nothing of each other.
fn four_hosts() -> Lab {
    Plan::default()
        .host("a1", [192, 168, 248, 11])
        .host("a2", [192, 168, 248, 12])
        .host("b1", [192, 168, 248, 21])
        .host("b2", [192, 168, 248, 22])
        .build()
}

#[test]
fn two_clusters_on_one_vrid_are_one_virtual_router_and_both_say_so() {
    let lab = four_hosts();
    let a1 = agent(&lab, "a1", 100, QUICK, &[VIP_1]);
    let _a2 = agent(&lab, "a2", 80, QUICK, &[VIP_1]);
    wait_for_owner(&lab, VIP_1, "a1");
    let mut b1 = agent(&lab, "b1", 90, QUICK, &[VIP_2]);
    let mut b2 = agent(&lab, "b2", 70, QUICK, &[VIP_2]);
    // The word of the one MASTER that an RFC allows a VRID, and why its VIPs are not theirs.
    for backup in [&mut b1, &mut b2] {
        says(backup.process(), "advertises other addresses than configured here");
    }
    let owners = || [kernel::owners(&lab, VIP_1), kernel::owners(&lab, VIP_2)];
    let first_only = [vec!["a1".to_owned()], Vec::new()];
    wait::until("one MASTER", wait::GENEROUS, owners, |seen| *seen == first_only);
    // Never two owners; the lower pair has none as long as the higher one is there.
    wait::throughout("one MASTER", Duration::from_secs(2), owners, |seen| *seen == first_only);
    drop(a1);
    // Its own peer has a lower priority than the other pair, which serves now, and it does not.
    let other = [Vec::new(), vec!["b1".to_owned()]];
    wait::until("the other pair to serve", wait::GENEROUS, owners, |seen| *seen == other);
}

#[test]
fn two_clusters_on_one_vrid_with_passwords_of_their_own_both_serve_and_say_what_they_hear() {
    let lab = four_hosts();
    let with = |password: &str| {
        format!(
            "version 2\n advert_int 1\n authentication {{\n auth_type PASS\n \
             auth_pass {password}\n }}"
        )
    };
    let (a, b) = (with("1111"), with("2222"));
    let mut a1 = agent(&lab, "a1", 100, &a, &[VIP_1]);
    let mut b1 = agent(&lab, "b1", 90, &b, &[VIP_2]);
    let _a2 = agent(&lab, "a2", 80, &a, &[VIP_1]);
    let _b2 = agent(&lab, "b2", 70, &b, &[VIP_2]);
    for (vip, owner) in [(VIP_1, "a1"), (VIP_2, "b1")] {
        wait_for_owner(&lab, vip, owner);
    }
    for master in [&mut a1, &mut b1] {
        says(master.process(), "both may be MASTER");
    }
    let owners = || [kernel::owners(&lab, VIP_1), kernel::owners(&lab, VIP_2)];
    let both = [vec!["a1".to_owned()], vec!["b1".to_owned()]];
    wait::throughout("an owner each", Duration::from_secs(3), owners, |seen| *seen == both);
}

#[test]
fn a_vip_added_on_one_side_only_never_makes_two_owners() {
    let lab = Lab::pair();
    let added = Ipv4Addr::new(192, 168, 248, 122);
    let mut first = agent(&lab, "n1", 100, QUICK, &[VIP_1]);
    wait_for_owner(&lab, VIP_1, "n1");
    let mut second = agent(&lab, "n2", 80, QUICK, &[VIP_1]);
    let owners = || [kernel::owners(&lab, VIP_1), kernel::owners(&lab, added)];
    let on_first = || vec!["n1".to_owned()];

    file(lab.host("n1"), 100, QUICK, &[VIP_1, added]);
    first.process().signal(Signal::SIGHUP);
    wait_for_owner(&lab, added, "n1");
    says(second.process(), "advertises other addresses than configured here");
    // keepalived's peer discards the longer list, and takes the old VIP too 3.7 s later.
    let both = [on_first(), on_first()];
    wait::throughout("one owner", Duration::from_secs(3), owners, |seen| *seen == both);

    // The other way round: only the backup knows of it, and it is nowhere.
    file(lab.host("n1"), 100, QUICK, &[VIP_1]);
    first.process().signal(Signal::SIGHUP);
    let gone = [on_first(), Vec::new()];
    wait::until("the VIP to go", wait::GENEROUS, owners, |seen| *seen == gone);
    file(lab.host("n2"), 80, QUICK, &[VIP_1, added]);
    second.process().signal(Signal::SIGHUP);
    wait::throughout("one owner", Duration::from_secs(3), owners, |seen| *seen == gone);
}

/// What the fleet says of the one check of a node.
fn check(fleet: &Fleet<'_>, node: &str) -> String {
    let nodes = fleet.vipctl.json(&["get", "nodes"]);
    let of = items(&nodes).iter().find(|it| it["name"] == node).cloned().unwrap_or_default();
    of["checks"][0]["status"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_crash_looping_nginx_moves_its_vip_once_and_not_at_every_crash() {
    let lab = Lab::pair();
    let mut first = Nginx::start(lab.host("n1"));
    let _second = Nginx::start(lab.host("n2"));
    let fleet = Fleet::start(&lab);
    let sample = samples().join("definitions.yaml");
    let definitions = std::fs::read_to_string(sample).expect("a sample of the project");
    let outcome = fleet.vipctl.apply(&definitions, &["--wait"]);
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    wait_for_owners(&lab, "each host to own its VIP", ["n1", "n2"]);
    let watches = ["n1", "n2"].map(|host| AddressWatch::start(lab.host(host)));
    let left = || {
        watches.each_ref().map(|watch| {
            let gone = |it: &kernel::Changed| (it.address, it.change) == (VIP_1, Change::Removed);
            watch.changes().into_iter().filter(gone).count()
        })
    };
    first.crash();
    wait_for_owners(&lab, "the peer to own both VIPs", ["n2", "n2"]);
    for _ in 0..3 {
        first = Nginx::start(lab.host("n1"));
        let status = || check(&fleet, "lb1");
        wait::until("the check to recover", wait::GENEROUS, status, |seen| seen == "up");
        // Recovered, and gone before it was trusted (recoverDelay, 3 s).
        first.crash();
        wait::until("the check to fail", wait::GENEROUS, status, |seen| seen == "down");
    }
    assert_eq!(left(), [1, 0], "moved by the first of four crashes, and by no other");
    let _stays = Nginx::start(lab.host("n1"));
    wait_for_owners(&lab, "the VIP to follow the nginx that stays", ["n1", "n2"]);
    assert_eq!(left(), [1, 1]);
}
