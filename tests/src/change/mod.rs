//! Changes of what runs: both hosts of the pair get new files, one a moment after the other, while
//! a client asks every address and the wire is watched.
//!
//! Nothing here judges what a change may cost: that is the tests' to say, one row of the operator's
//! table at a time.

mod files;
mod seen;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

pub use self::files::{Files, Instance};
pub use self::seen::Seen;
use crate::daemons::Agent;
use crate::kernel::{self, AddressWatch};
use crate::lab::Lab;
use crate::probe::{AdvertWatch, Losses, Neighbour, Pinger};
use crate::upgrade::transitions;
use crate::wait;

/// The hosts, and so the agents.
pub const HOSTS: [&str; 2] = ["n1", "n2"];
/// Between the two files: longer than a master-down interval at adverts every 100 ms.
const APART: Duration = Duration::from_millis(400);
/// Everybody is asking by then.
const BEFORE: Duration = Duration::from_millis(300);
/// As many addresses are asked, the lowest ones: more would be a load of their own.
const CLIENTS: usize = 4;
/// How often a busy machine may stand in the way.
const TRIES: usize = 6;

/// Who learns of a change first. n1 is preferred for what n2 backs up, and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// n1, and n2 a moment later.
    N1First,
    /// n2, and n1 a moment later.
    N2First,
    /// n1 alone.
    OnlyN1,
}

/// Both.
pub const ORDERS: [Order; 2] = [Order::N1First, Order::N2First];

impl Order {
    fn hosts(self) -> &'static [usize] {
        match self {
            Self::N1First => &[0, 1],
            Self::N2First => &[1, 0],
            Self::OnlyN1 => &[0],
        }
    }
}

/// Two agents at work on files that change.
#[derive(Debug)]
pub struct Scene<'lab> {
    agents: [Agent; 2],
    files: [Files; 2],
    aftermath: Duration,
    lab: &'lab Lab,
}

impl<'lab> Scene<'lab> {
    /// Starts both and waits until each address is with the host preferred for it. After a change
    /// the scene is watched for `aftermath` more.
    #[track_caller]
    pub fn start(lab: &'lab Lab, files: Files, aftermath: Duration) -> Self {
        let files = [files.clone(), files];
        let agents = [0, 1].map(|host| {
            write(lab, host, &files[host]);
            Agent::standalone(lab.host(HOSTS[host]), &path(lab, host))
        });
        let scene = Self { agents, files, aftermath, lab };
        scene.settle();
        scene
    }

    /// Makes a change and has `judge` say what is wrong about it. What is found wrong while the
    /// machine stood still says nothing of the agents: the change is undone, and made again.
    ///
    /// # Panics
    /// When an address does not arrive where it should be, and with what the judge found.
    #[track_caller]
    pub fn change(
        &mut self,
        order: Order,
        edit: impl Fn(&mut Files),
        judge: impl Fn(&Seen) -> anyhow::Result<()>,
    ) {
        for again in (0..TRIES).rev() {
            let former = self.files.clone();
            let mut wanted = former.clone();
            order.hosts().iter().for_each(|host| edit(&mut wanted[*host]));
            let seen = self.play(order, wanted);
            let judgement = judge(&seen);
            println!("{order:?}: {seen}");
            let Err(wrong) = judgement else { return };
            assert!(seen.machine_stood_still() && again > 0, "{order:?}: {wrong}; {seen}");
            self.play(order, former);
        }
    }

    #[track_caller]
    fn play(&mut self, order: Order, wanted: [Files; 2]) -> Seen {
        let client = self.lab.host("client");
        let former = std::mem::replace(&mut self.files, wanted);
        let said = [0, 1].map(|host| transitions(&mut self.agents[host]).len());
        let adverts = AdvertWatch::start(client, client.address());
        let watches = HOSTS.map(|name| AddressWatch::start(self.lab.host(name)));
        let asked = former[0].owners().into_keys();
        let stays = self.files[0].owners();
        let asked = asked.filter(|address| stays.contains_key(address)).take(CLIENTS);
        let asks = |address| (address, Pinger::start(client, address, Neighbour::Warm));
        let pingers: Vec<(Ipv4Addr, Pinger)> = asked.map(asks).collect();
        std::thread::sleep(BEFORE);
        let began = Instant::now();
        for (nth, host) in order.hosts().iter().enumerate() {
            std::thread::sleep(if nth == 0 { Duration::ZERO } else { APART });
            self.reload(*host);
        }
        self.settle();
        std::thread::sleep(self.aftermath);
        let losses = finish(pingers);
        Seen {
            began,
            losses,
            addresses: watches.map(|watch| watch.changes()),
            adverts: adverts.heard(),
            transitions: [0, 1]
                .map(|host| transitions(&mut self.agents[host]).split_off(said[host])),
        }
    }

    #[track_caller]
    fn reload(&mut self, host: usize) {
        write(self.lab, host, &self.files[host]);
        let applied = |log: &String| log.matches(" apply generation=").count();
        let agent = self.agents[host].process();
        let before = applied(&agent.log());
        agent.signal(Signal::SIGHUP);
        let log = || agent.log();
        wait::until("the new file to run", wait::GENEROUS, log, |log| applied(log) > before);
    }

    /// Waits until every address is with the host preferred for it, and nowhere else.
    #[track_caller]
    fn settle(&self) {
        let wanted: BTreeMap<Ipv4Addr, Vec<String>> = self.files[0]
            .owners()
            .into_iter()
            .map(|(address, host)| (address, vec![HOSTS[host].to_owned()]))
            .collect();
        let owners = || {
            let mut owners: BTreeMap<Ipv4Addr, Vec<String>> = BTreeMap::new();
            for name in HOSTS {
                // A host's own addresses are for ever.
                let leased = kernel::addresses(self.lab.host(name)).into_iter();
                for held in leased.filter(|it| it.valid.is_some()) {
                    let IpAddr::V4(address) = held.address else { continue };
                    owners.entry(address).or_default().push(name.to_owned());
                }
            }
            owners
        };
        wait::until("every address to be in its place", wait::GENEROUS, owners, |seen| {
            *seen == wanted
        });
    }
}

/// All at once: each waits for late answers.
fn finish(pingers: Vec<(Ipv4Addr, Pinger)>) -> BTreeMap<Ipv4Addr, Losses> {
    std::thread::scope(|scope| {
        let finish =
            |(address, pinger): (Ipv4Addr, Pinger)| (address, scope.spawn(|| pinger.finish()));
        let finishing: Vec<_> = pingers.into_iter().map(finish).collect();
        let join = |(address, losses): (_, std::thread::ScopedJoinHandle<'_, Losses>)| {
            (address, losses.join().expect("a pinger that reports"))
        };
        finishing.into_iter().map(join).collect()
    })
}

fn path(lab: &Lab, host: usize) -> std::path::PathBuf {
    lab.host(HOSTS[host]).directory().join("change.conf")
}

fn write(lab: &Lab, host: usize, files: &Files) {
    std::fs::write(path(lab, host), files.text(host)).expect("the host's directory is writable");
}
