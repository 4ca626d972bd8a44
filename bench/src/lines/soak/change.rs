//! Brings changes in, by files and SIGHUP or by a server, and sees that both hosts follow: the
//! programs by what they say, the kernel and the wire of the master by what they show.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vipfleet_tests::kernel;
use vipfleet_tests::lab::{Host, Lab};
use vipfleet_tests::probe::AdvertWatch;
use vipfleet_tests::process::Process;

use crate::churn::{Churn, What};
use crate::line::Subject;
use crate::scene::{Pair, Router, host, settling};
use crate::setup::Role;
use crate::wire::Tally;

/// How long a change may take until it counts as not followed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long all of it may take at the start, and when the master is gone.
const GREAT_PATIENCE: Duration = Duration::from_secs(90);
/// How often the kernel is asked.
const POLL: Duration = Duration::from_millis(20);
/// Past the second announcement of a new master, 5 s after the first.
const SETTLING: Duration = Duration::from_secs(7);
const ROLES: [Role; 2] = [Role::Higher, Role::Lower];

/// How changes reach both hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Changed files of keepalived's, and SIGHUP.
    Files,
    /// Definitions applied at a server.
    Server,
}

/// Both hosts, what they have to run, and what is heard of it.
#[derive(Debug)]
pub(super) struct Ground<'lab> {
    lab: &'lab Lab,
    pair: Pair<'lab>,
    churn: Churn,
    adverts: AdvertWatch,
    tally: Tally,
    /// What each host says when it has read its file again; nothing under a server.
    said: Vec<Said>,
}

impl<'lab> Ground<'lab> {
    /// Starts both hosts, and waits until they have settled.
    #[track_caller]
    pub(super) fn start(lab: &'lab Lab, way: Way, subject: Subject, churn: Churn) -> Self {
        let setup = *churn.setup();
        let mut pair = match way {
            Way::Files => start_files(lab, subject, &churn),
            Way::Server => Pair::start(lab, subject, &setup),
        };
        if let Pair::Fleet(fleet) = &pair {
            let outcome = fleet.vipctl.apply(&churn.definitions(), &["--wait"]);
            assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        }
        thread::sleep(SETTLING);
        let words =
            if subject == Subject::Ours { "configuration reloaded" } else { "Reload complete" };
        let said = match way {
            Way::Files => pair.processes().map(|it| Said::of(it, words)).into(),
            Way::Server => Vec::new(),
        };
        let [master, backup] = ROLES.map(|role| IpAddr::from(host(lab, role).address()));
        let tally = Tally::new(master, backup, setup.interval);
        let adverts = AdvertWatch::start(lab.host("client"), setup.vip());
        Self { lab, pair, churn, adverts, tally, said }
    }

    /// The programs, the master's first.
    pub(super) fn processes(&mut self) -> [&mut Process; 2] {
        self.pair.processes()
    }

    /// What was heard.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes in what was heard since.
    pub(super) fn listen(&mut self) {
        self.tally.hear(&self.adverts.take());
    }

    /// The same again and again.
    pub(super) fn listen_until(&mut self, end: Instant) {
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            thread::sleep(left.min(POLL * 5));
            self.listen();
        }
    }

    /// Makes the next change and returns how long it took until both follow it, or what does not.
    #[track_caller]
    pub(super) fn change(&mut self) -> Result<Duration, String> {
        let change = self.churn.step();
        let began = Instant::now();
        let followed = match (self.said.is_empty(), change.what) {
            (true, _) => self.define(change.router_id),
            // Nobody is without a master: the first one to have it is the last one to lose it.
            (false, What::InstanceAdded) => {
                self.reload(Role::Higher).and_then(|()| self.reload(Role::Lower))
            }
            (false, What::InstanceRemoved) => {
                self.reload(Role::Lower).and_then(|()| self.reload(Role::Higher))
            }
            (false, _) => {
                ROLES.into_iter().for_each(|role| self.signal(role));
                ROLES.into_iter().try_for_each(|role| self.heard_of(role))
            }
        };
        let shown = followed.and_then(|()| self.follow());
        if let (What::InstanceRemoved, Some(id), Ok(())) = (change.what, change.router_id, &shown) {
            self.tally.forget(id);
        }
        shown.map(|()| began.elapsed()).map_err(|late| format!("{change:?}: {late}"))
    }

    fn define(&self, router_id: Option<u8>) -> Result<(), String> {
        let Pair::Fleet(fleet) = &self.pair else { panic!("a server is of a fleet") };
        let definition = match router_id {
            None => Some(self.churn.check()),
            Some(id) => self.churn.definition(id),
        };
        let outcome = match (definition, router_id) {
            (Some(text), _) => fleet.vipctl.apply(&text, &["--wait"]),
            (None, id) => {
                let name = format!("VI_{}", id.unwrap_or_default());
                fleet.vipctl.run(&["delete", "instance", &name, "--wait"])
            }
        };
        if outcome.code == Some(0) { Ok(()) } else { Err(format!("{outcome:?}")) }
    }

    /// One host alone, until it has read its file.
    fn reload(&mut self, role: Role) -> Result<(), String> {
        self.signal(role);
        self.heard_of(role)?;
        if role == Role::Higher { self.follow() } else { Ok(()) }
    }

    fn signal(&mut self, role: Role) {
        write_file(self.lab, &self.churn, role);
        let process = usize::from(role == Role::Lower);
        self.pair.processes()[process].signal(Signal::SIGHUP);
        self.said[process].asked += 1;
    }

    fn heard_of(&mut self, role: Role) -> Result<(), String> {
        let began = Instant::now();
        loop {
            self.listen();
            let said = &mut self.said[usize::from(role == Role::Lower)];
            said.read();
            if said.times >= said.asked {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                // What is said later is an answer to this, not to what is asked next.
                let late = format!("{role:?} host said {} times {:?}", said.times, said.words);
                return Err(late);
            }
            thread::sleep(POLL);
        }
    }

    /// Waits until the master's kernel has what is wanted, no less and no more, and its adverts
    /// are of the routers that are wanted, with their priorities.
    fn follow(&mut self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            self.listen();
            let wanted: BTreeMap<u8, u8> = self.churn.priorities(Role::Higher).collect();
            let advertised: BTreeMap<u8, u8> = self.tally.advertised(Instant::now()).collect();
            let wrong = wrong_addresses(self.lab.host("n1"), &self.churn);
            if wrong.is_empty() && wanted == advertised {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                let differing = wanted.iter().filter(|(id, it)| advertised.get(id) != Some(it));
                let differing: Vec<_> = differing.collect();
                return Err(format!("addresses {wrong:?}, adverts not heard {differing:?}"));
            }
            thread::sleep(POLL);
        }
    }

    /// Says where the false takeovers were, the first ones.
    pub(super) fn tell_takeovers(&self, began: Instant) {
        for claim in self.tally.takeovers().iter().take(20) {
            let after = claim.at.saturating_duration_since(began).as_secs_f64();
            let (id, silence) = (claim.router_id, claim.silence);
            eprintln!("  after {after:.1} s: VRID {id} taken over, the master unheard {silence:?}");
        }
    }

    /// The master is gone: what the backup takes is all that is wanted by now. A backup that did
    /// not follow would have kept still about it.
    #[track_caller]
    pub(super) fn must_move_whole(&mut self) {
        self.lab.detach("n1");
        wait_for_wanted(self.lab.host("n2"), &self.churn);
    }
}

/// As [`Pair::start_standalone`], on the files of the churn.
#[track_caller]
fn start_files<'lab>(lab: &'lab Lab, subject: Subject, churn: &Churn) -> Pair<'lab> {
    let start = |role| Router::start_on(host(lab, role), subject, &write_file(lab, churn, role));
    let first = start(Role::Higher);
    wait_for_wanted(lab.host("n1"), churn);
    let second = start(Role::Lower);
    thread::sleep(settling(churn.setup()));
    Pair::of(first, second)
}

#[track_caller]
fn write_file(lab: &Lab, churn: &Churn, role: Role) -> PathBuf {
    let path = host(lab, role).directory().join("soak.conf");
    fs::write(&path, churn.file(role))
        .unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
    path
}

#[track_caller]
fn wait_for_wanted(host: &Host, churn: &Churn) {
    let what = format!("{} to have the virtual addresses that are wanted", host.name());
    let wrong = || wrong_addresses(host, churn);
    vipfleet_tests::wait::until(&what, GREAT_PATIENCE, wrong, Vec::is_empty);
}

/// Addresses of 10.0.0.0/8 that a kernel lacks, has too many, or has otherwise than wanted.
#[track_caller]
fn wrong_addresses(host: &Host, churn: &Churn) -> Vec<IpAddr> {
    let mut wanted = churn.wanted();
    let mut wrong = Vec::new();
    for held in kernel::addresses(host) {
        let is_virtual = matches!(held.address, IpAddr::V4(it) if is_virtual(it));
        let is_right = wanted.remove(&held.address).is_some_and(|it| {
            it.prefix == held.prefix && it.label.is_none_or(|label| held.label == Some(label))
        });
        if is_virtual && !is_right {
            wrong.push(held.address);
        }
    }
    wrong.extend(wanted.into_keys());
    wrong
}

fn is_virtual(address: Ipv4Addr) -> bool {
    address.octets()[0] == 10
}

/// How often some words were printed, in a log that is read on and on.
#[derive(Debug)]
struct Said {
    log: PathBuf,
    words: &'static str,
    offset: u64,
    times: usize,
    asked: usize,
}

impl Said {
    fn of(process: &Process, words: &'static str) -> Self {
        let log = process.log_path().to_owned();
        let mut said = Self { log, words, offset: 0, times: 0, asked: 0 };
        said.read();
        said.asked = said.times;
        said
    }

    fn read(&mut self) {
        let mut text = Vec::new();
        let read = File::open(&self.log).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.offset))?;
            file.read_to_end(&mut text)
        });
        read.unwrap_or_else(|error| panic!("read {}: {error}", self.log.display()));
        // A line that is not whole is read again.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.offset += whole as u64;
        self.times += String::from_utf8_lossy(&text[..whole]).matches(self.words).count();
    }
}
