//! A laboratory with the two routers of one run in it: keepalived on both hosts, our agents under
//! a server, or our agents stand-alone on keepalived's files.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use vipfleet_tests::daemons::{Agent, Keepalived};
use vipfleet_tests::fleet::Fleet;
use vipfleet_tests::kernel;
use vipfleet_tests::lab::{Host, Lab};
use vipfleet_tests::process::Process;
use vipfleet_tests::wait;

use crate::line::Subject;
use crate::setup::{Family, Role, Setup};

/// The higher priority first.
const HOSTS: [(&str, Role); 2] = [("n1", Role::Higher), ("n2", Role::Lower)];

/// The segment, with IPv6 on it when the setup is of IPv6.
#[track_caller]
pub fn laboratory(setup: &Setup) -> Lab {
    let lab = Lab::pair();
    if setup.family == Family::Six {
        lab.add_ipv6();
    }
    lab
}

/// The routers of both hosts.
#[derive(Debug)]
pub enum Pair<'lab> {
    /// keepalived.
    Keepalived([Keepalived; 2]),
    /// Agents under a server.
    Fleet(Box<Fleet<'lab>>),
    /// Agents on the files of keepalived.
    Standalone([Agent; 2]),
}

impl<'lab> Pair<'lab> {
    /// Starts both, as a fleet when it is ours, and waits until n1 has every address.
    #[track_caller]
    pub fn start(lab: &'lab Lab, subject: Subject, setup: &Setup) -> Self {
        if subject == Subject::Keepalived {
            return Self::start_standalone(lab, subject, setup);
        }
        let fleet = Fleet::start_empty(lab);
        let outcome = fleet.vipctl.apply(&setup.definitions(), &["--wait"]);
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        wait_for_all(lab.host("n1"), setup);
        Self::Fleet(Box::new(fleet))
    }

    /// Starts both on keepalived's files, the first one first, and waits until n1 has every
    /// address.
    #[track_caller]
    pub fn start_standalone(lab: &Lab, subject: Subject, setup: &Setup) -> Self {
        let first = Router::start(lab, subject, setup, Role::Higher);
        wait_for_all(lab.host("n1"), setup);
        let second = Router::start(lab, subject, setup, Role::Lower);
        // What takes long at the start of the second one is no part of any measurement.
        thread::sleep(settling(setup));
        Self::of(first, second)
    }

    /// Both at once, waiting for nothing.
    #[track_caller]
    pub fn start_cold(lab: &Lab, subject: Subject, setup: &Setup) -> Self {
        let [first, second] = HOSTS.map(|(_, role)| Router::start(lab, subject, setup, role));
        Self::of(first, second)
    }

    /// Two routers that run.
    ///
    /// # Panics
    /// When they are of different kinds.
    #[track_caller]
    pub fn of(first: Router, second: Router) -> Self {
        match (first, second) {
            (Router::Keepalived(first), Router::Keepalived(second)) => {
                Self::Keepalived([first, second])
            }
            (Router::Agent(first), Router::Agent(second)) => Self::Standalone([first, second]),
            mixed => panic!("both are of one kind: {mixed:?}"),
        }
    }

    /// The routers' processes, n1 first.
    pub fn processes(&mut self) -> [&mut Process; 2] {
        match self {
            Self::Keepalived(both) => both.each_mut().map(Keepalived::process),
            Self::Standalone(both) => both.each_mut().map(Agent::process),
            Self::Fleet(fleet) => [fleet.first.process(), fleet.second.process()],
        }
    }

    /// Has both read their files again, one right after the other.
    #[track_caller]
    pub fn reload(&mut self) {
        for process in self.processes() {
            process.signal(Signal::SIGHUP);
        }
    }
}

/// One router on keepalived's file.
#[derive(Debug)]
pub enum Router {
    /// keepalived.
    Keepalived(Keepalived),
    /// A stand-alone agent.
    Agent(Agent),
}

impl Router {
    /// Starts it on the host of its role.
    #[track_caller]
    pub fn start(lab: &Lab, subject: Subject, setup: &Setup, role: Role) -> Self {
        Self::start_on(host(lab, role), subject, &write_file(lab, setup, role, None))
    }

    /// Starts it on a file.
    #[track_caller]
    pub fn start_on(host: &Host, subject: Subject, file: &Path) -> Self {
        match subject {
            Subject::Keepalived => Self::Keepalived(Keepalived::start(host, file)),
            Subject::Ours => Self::Agent(Agent::standalone(host, file)),
            Subject::Yardstick => panic!("a yardstick is no router"),
        }
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        match self {
            Self::Keepalived(keepalived) => keepalived.process(),
            Self::Agent(agent) => agent.process(),
        }
    }
}

/// The host of a role.
pub fn host(lab: &Lab, role: Role) -> &Host {
    let (name, _) = HOSTS[usize::from(role == Role::Lower)];
    lab.host(name)
}

/// Writes the file of one host, in place of an earlier one.
#[track_caller]
pub fn write_file(lab: &Lab, setup: &Setup, role: Role, more: Option<Ipv4Addr>) -> PathBuf {
    let path = host(lab, role).directory().join("bench.conf");
    fs::write(&path, setup.file(role, more))
        .unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
    path
}

/// Waits until a host has every virtual address.
#[track_caller]
pub fn wait_for_all(host: &Host, setup: &Setup) {
    let wanted = setup.vips().count();
    let held = || {
        let held = kernel::addresses(host);
        setup.vips().filter(|vip| held.iter().any(|it| it.address == *vip)).count()
    };
    let what = format!("{} to have {wanted} virtual addresses", host.name());
    wait::until(&what, Duration::from_secs(90), held, |held| *held == wanted);
}

/// How long a backup takes to have heard every master a few times.
pub fn settling(setup: &Setup) -> Duration {
    (setup.interval * 4).max(Duration::from_secs(1))
}
