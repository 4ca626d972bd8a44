//! The scene of an agent that is replaced under load: the founding pair, a client that asks for a
//! VIP every millisecond, and the agent of n1, MASTER of one VIP and BACKUP of the other, upgraded
//! in place or killed and started again. Used by the tests and by the bench.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::daemons::{Agent, our_program};
use crate::kernel::{AddressWatch, Change};
use crate::lab::{Host, Lab};
use crate::pair::{VIP_1, VIP_2, first_file, second_file, wait_for_owners};
use crate::probe::{Losses, Neighbour, Pinger};
use crate::wait;

/// Longer than the guard, the lease and the second announcement after 5 s.
const AFTERMATH: Duration = Duration::from_secs(7);
/// The client is asking by then.
const BEFORE: Duration = Duration::from_millis(500);

/// How often adverts come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Every second, VRRP version 2: the project's founding files.
    Second,
    /// Every 100 ms, VRRP version 3.
    TenthOfASecond,
}

impl Pace {
    /// The longest that an agent may be away and still find its peer waiting: three adverts, the
    /// last of which may have been due when it died.
    pub fn patience(self) -> Duration {
        match self {
            Self::Second => Duration::from_secs(2),
            Self::TenthOfASecond => Duration::from_millis(200),
        }
    }

    /// The founding pair's file `original` at this pace, in the host's directory.
    #[track_caller]
    pub fn file(self, host: &Host, original: &Path) -> PathBuf {
        let text = fs::read_to_string(original).expect("a sample of the project");
        let text = match self {
            Self::Second => text,
            Self::TenthOfASecond => at_100_ms(&text),
        };
        let file = host.directory().join("agent.conf");
        fs::write(&file, text).expect("the host's directory is writable");
        file
    }
}

/// Passwords are of version 2, fractions of a second of version 3.
fn at_100_ms(text: &str) -> String {
    let mut lines = vec!["global_defs {\n    vrrp_version 3\n}"];
    let mut in_authentication = false;
    for line in text.lines() {
        let word = line.split_whitespace().next().unwrap_or_default();
        in_authentication |= word == "authentication";
        match word {
            "advert_int" => lines.push("    advert_int 0.1"),
            _ if !in_authentication => lines.push(line),
            _ => {}
        }
        in_authentication &= word != "}";
    }
    lines.push("");
    lines.join("\n")
}

/// What happens to the agent of n1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// SIGUSR2, with a new file at the program's path.
    Upgrade,
    /// SIGKILL, and started again at once.
    Crash,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Of the client that asks for the VIP that n1 is MASTER of.
    pub losses: Losses,
    /// Changes of state that the agent of n1 logged since.
    pub transitions: Vec<String>,
    /// The same of its peer.
    pub peer_transitions: Vec<String>,
    /// From its end to the next one's being ready; nothing after an upgrade in place.
    pub away: Duration,
    /// How often the kernel of n1 lost that VIP, and that of n2 gained it or the other again.
    pub moves: usize,
}

impl Outcome {
    /// Whether nobody noticed. A crashed agent says itself that it starts, and as what.
    pub fn is_hitless(&self) -> bool {
        let starts = |line: &String| line.contains("from=INIT");
        self.losses.lost == 0
            && self.losses.sent > 0
            && self.moves == 0
            && self.peer_transitions.is_empty()
            && self.transitions.iter().all(starts)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {} moves, away for {:?}", self.losses, self.moves, self.away)?;
        write!(f, ", {} transitions of the peer", self.peer_transitions.len())?;
        for line in self.transitions.iter().chain(&self.peer_transitions) {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

/// A program of the host's own, which can be replaced as a package does: by another file of the
/// same name.
#[derive(Debug)]
pub struct Installed {
    path: PathBuf,
}

impl Installed {
    /// Our agent.
    #[track_caller]
    pub fn agent(host: &Host) -> Self {
        let directory = host.directory().join("bin");
        fs::create_dir_all(&directory).expect("the host's directory is writable");
        let installed = Self { path: directory.join("vipfleet-agent") };
        installed.replace_by_itself();
        // It is looked for beside the agent.
        fs::copy(our_program("vipfleet-guard"), directory.join("vipfleet-guard"))
            .expect("room for a copy of the guard");
        installed
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the agent as it was built there, in a new file.
    #[track_caller]
    pub fn replace_by_itself(&self) {
        let new = self.path.with_extension("new");
        fs::copy(our_program("vipfleet-agent"), &new).expect("room for a copy of the agent");
        fs::rename(&new, &self.path).expect("a rename within one directory");
    }

    /// Puts a script there.
    #[track_caller]
    pub fn replace_by(&self, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let new = self.path.with_extension("new");
        fs::write(&new, script).expect("the host's directory is writable");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("a file of our own");
        fs::rename(&new, &self.path).expect("a rename within one directory");
    }
}

/// The pair at work, the agent of n1 from a program of its own.
#[derive(Debug)]
pub struct Scene<'lab> {
    lab: &'lab Lab,
    /// What n1 runs.
    pub installed: Installed,
    /// The agent of n1.
    pub first: Agent,
    /// The agent of n2.
    pub second: Agent,
    file: PathBuf,
}

impl<'lab> Scene<'lab> {
    /// Starts both and waits until each owns its VIP.
    #[track_caller]
    pub fn start(lab: &'lab Lab, pace: Pace) -> Self {
        let (one, two) = (lab.host("n1"), lab.host("n2"));
        let installed = Installed::agent(one);
        let file = pace.file(one, &first_file());
        let second = Agent::standalone(two, &pace.file(two, &second_file()));
        let first = Agent::standalone_from(installed.path(), one, &file);
        wait_for_owners(lab, "each host to own its VIP", ["n1", "n2"]);
        Self { lab, installed, first, second, file }
    }

    /// Disturbs the agent of n1 once, while a client asks.
    #[track_caller]
    pub fn play(&mut self, disturbance: Disturbance) -> Outcome {
        if disturbance == Disturbance::Upgrade {
            self.installed.replace_by_itself();
        }
        let before = [&mut self.first, &mut self.second].map(|it| transitions(it).len());
        let watches = ["n1", "n2"].map(|name| AddressWatch::start(self.lab.host(name)));
        let pinger = Pinger::start(self.lab.host("client"), VIP_1, Neighbour::Warm);
        std::thread::sleep(BEFORE);
        let mut away = Duration::ZERO;
        match disturbance {
            Disturbance::Upgrade => self.upgrade(),
            Disturbance::Crash => away = self.crash(),
        }
        std::thread::sleep(AFTERMATH);
        let losses = pinger.finish();
        let [seen_by_first, seen_by_second] = watches.map(|watch| watch.changes());
        let lost = |change: &&crate::kernel::Changed| {
            change.change == Change::Removed && change.address == VIP_1
        };
        let gained = |change: &&crate::kernel::Changed| {
            change.change == Change::Removed && change.address == VIP_2 || change.address == VIP_1
        };
        let moves = seen_by_first.iter().filter(lost).count()
            + seen_by_second.iter().filter(gained).count();
        Outcome {
            losses,
            transitions: transitions(&mut self.first).split_off(before[0]),
            peer_transitions: transitions(&mut self.second).split_off(before[1]),
            away,
            moves,
        }
    }

    /// SIGKILL, and started again at once; returns how long nobody was there.
    #[track_caller]
    fn crash(&mut self) -> Duration {
        let ready = |log: &String| log.matches(" ready").count();
        let before = ready(&self.first.process().log());
        let killed = Instant::now();
        self.first.process().kill();
        self.restart();
        let log = || self.first.process().log();
        wait::until("the agent to be ready again", wait::GENEROUS, log, |log| ready(log) > before);
        killed.elapsed()
    }

    /// Waits until each host owns its VIP again.
    #[track_caller]
    pub fn settle(&self) {
        wait_for_owners(self.lab, "each host to own its VIP again", ["n1", "n2"]);
    }

    /// Starts the agent of n1 again, which has ended.
    #[track_caller]
    pub fn restart(&mut self) {
        let host = self.lab.host("n1");
        self.first = Agent::standalone_from(self.installed.path(), host, &self.file);
    }

    /// SIGUSR2, and until the new image says that it has taken over.
    #[track_caller]
    pub fn upgrade(&mut self) {
        upgrade(&mut self.first);
    }
}

/// SIGUSR2 to an agent, and until the new image says that it has taken over.
#[track_caller]
pub fn upgrade(agent: &mut Agent) {
    let done = |log: &String| log.matches("upgraded in place").count();
    let before = done(&agent.process().log());
    agent.process().signal(Signal::SIGUSR2);
    let log = || agent.process().log();
    wait::until("the agent to be upgraded", wait::GENEROUS, log, |log| done(log) > before);
}

/// What an agent has logged of changes of state so far.
#[track_caller]
pub fn transitions(agent: &mut Agent) -> Vec<String> {
    let log = agent.process().log();
    log.lines().filter(|line| line.contains("state changed")).map(str::to_owned).collect()
}
