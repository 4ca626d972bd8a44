//! How fast a service's death moves its address, with `takeover: fast`.

use crate::assigned::{assignment, members};
use crate::lab::{GENEROUS, Host, Lab, until};
use crate::local;
use crate::process::{Agent, Home};
use crate::server::{FLEET, Server};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use vipfleet_model::Assignment;
use vipfleet_model::check::{Check, NamedCheck, Probe, ProcessProbe};
use vipfleet_model::instance::{Takeover, Track};
use vipfleet_model::report::InstanceState;
use vipfleet_model::span::Span;

const VIP: &str = "10.78.0.10";
const RUNS: usize = 10;

/// A process of a program that nobody else runs.
struct Service(Child);

impl Service {
    fn start(host: &Host, program: &Path) -> Self {
        Self(host.command(program.to_str().unwrap()).arg("1000").spawn().unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn fast(this: &str, priority: u8, service: &str) -> Assignment {
    let mut assignment = assignment(priority, &[VIP]);
    let instance = &mut assignment.instances[0];
    instance.takeover = Takeover::Fast;
    instance.members = members(this, &[("n1", "10.78.0.1", 100), ("n2", "10.78.0.2", 80)]);
    instance.members_complete = true;
    instance.recover_delay = Span::from_millis(200);
    if this == "n1" {
        let check: vipfleet_model::Name = "service".parse().unwrap();
        instance.track = vec![Track { check: check.clone(), weight: 0, reverse: false }];
        let spec = Check {
            probe: Probe::Process(ProcessProbe::named(service)),
            interval: Span::from_millis(100),
            timeout: None,
            rise: 1,
            fall: 1,
            down_delay: Span::from_millis(0),
        };
        assignment.checks = vec![NamedCheck { name: check, spec }];
    }
    assignment
}

/// Whether the address is one of this host's: in its kernel, or routed to it.
fn is_local() -> bool {
    std::net::UdpSocket::bind((VIP, 0)).is_ok()
}

/// When the address becomes local on a host where it is not; armed once `ready` is heard.
fn arrival(host: &Host, ready: Sender<()>) -> JoinHandle<Option<Instant>> {
    host.spawn(move || {
        // A silent grace may still be on.
        until("the address to be gone", || !is_local());
        ready.send(()).unwrap();
        let start = Instant::now();
        while start.elapsed() < GENEROUS {
            if is_local() {
                return Some(Instant::now());
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        None
    })
}

#[test]
fn the_peer_has_the_address_long_before_an_advert_would_be_missed() {
    let (lab, one, two) = (Lab::new(), Home::new(), Home::new());
    let name = format!("vfsvc-{}", std::process::id());
    let program = one.path(&name);
    std::fs::copy("/bin/sleep", &program).unwrap();
    let server = Server::start(&lab.one, "10.78.0.1:7700", FLEET);
    let _first = Agent::connected(&lab.one, &one, "n1", &[&server.url]);
    let session_one = server.session();
    let _second = Agent::connected(&lab.two, &two, "n2", &[&server.url]);
    let session_two = server.session();
    session_one.push_accepted(1, &fast("n1", 100, &name));
    session_two.push_accepted(1, &fast("n2", 80, &name));
    let mut took = Vec::new();
    for _ in 0..RUNS {
        let service = Service::start(&lab.one, &program);
        local::instance(&one, "VI_1", |it| it.state == InstanceState::Master);
        // Its master's advert must have been heard: without one the takeover is rfc.
        local::instance(&two, "VI_1", |it| {
            it.state == InstanceState::Backup
                && it.master == Some([10, 78, 0, 1].into())
                && it.addresses.iter().all(|at| !at.in_kernel)
        });
        let (ready, is_ready) = channel();
        let arrival = arrival(&lab.two, ready);
        is_ready.recv().unwrap();
        let died = Instant::now();
        drop(service);
        let arrived = arrival.join().unwrap().expect("the peer takes over");
        took.push(arrived.checked_duration_since(died).unwrap());
    }
    took.sort_unstable();
    println!("service death to address in the peer's kernel: median {:?}", took[RUNS / 2]);
    println!("all: {took:?}");
    // Three adverts take three seconds.
    assert!(took[RUNS / 2] < Duration::from_millis(500), "{took:?}");
}
