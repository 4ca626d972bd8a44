//! A plan is everything that will befall a fleet, drawn from one seed before anything runs. It is
//! plain data: a plan that fails can be shrunk by leaving steps out, and run again.

mod draw;
mod steps;

pub use steps::{Action, Change, Step};

use crate::definition::Definition;
use std::time::Duration;

/// What a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The real engine, driven as the agent drives it.
    Vipfleet,
    /// A model of keepalived: an rfc router that lets go before anybody else has taken over.
    Keepalived,
}

/// Which misfortunes a plan may hold. What is *checked* follows from the steps, not from this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Drains, restarts, weights, changes of the definition. Nothing is lost, nobody dies.
    Planned,
    /// Checks and links fail and come back.
    Services,
    /// Agents are killed, frozen; machines lose power, pause, sleep.
    Hosts,
    /// Loss, delay, duplication, reordering, partitions, deaf ears.
    Network,
    /// All of it.
    Everything,
}

/// The least and the most that the LAN does to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// In percent of the packets.
    pub loss: u8,
    pub duplicates: u8,
    /// In percent; such a packet is late by up to ten times the delay, and overtaken.
    pub stragglers: u8,
    pub delay: Duration,
}

impl Weather {
    /// A healthy LAN.
    pub const CALM: Self =
        Self { loss: 0, duplicates: 0, stragglers: 0, delay: Duration::from_micros(800) };
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPlan {
    pub program: Program,
    /// When it is switched on.
    pub starts: Duration,
    /// From then to the first results of its checks; zero if they are there at once.
    pub pending: Duration,
    /// How late the scheduler wakes the VRRP loop at most.
    pub lateness: Duration,
    /// How long netlink takes at most.
    pub netlink: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub seed: u64,
    pub kind: Kind,
    pub hosts: Vec<HostPlan>,
    pub instances: Vec<Definition>,
    /// Which LAN each instance runs on.
    pub lans: Vec<usize>,
    /// Sync groups: instances that are MASTER together or not at all.
    pub groups: Vec<Vec<usize>>,
    pub weather: Weather,
    /// In order of time.
    pub steps: Vec<Step>,
    /// When every step is over, save those that last for ever.
    pub active: Duration,
    /// How long nothing happens before the last judgement.
    pub quiet: Duration,
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Self {
        draw::plan(seed)
    }

    /// The instances that move with this one, itself among them.
    pub fn fellows(&self, instance: usize) -> Vec<usize> {
        let group = self.groups.iter().find(|group| group.contains(&instance));
        group.cloned().unwrap_or_else(|| vec![instance])
    }

    /// How many LANs there are.
    pub fn lan_count(&self) -> usize {
        self.lans.iter().max().map_or(1, |last| last + 1)
    }

    pub fn programs(&self) -> Vec<Program> {
        self.hosts.iter().map(|host| host.program).collect()
    }

    /// Whether every packet between connected hosts arrives, soon and in order of sending.
    pub fn is_lossless(&self) -> bool {
        let bad = |weather: &Weather| weather.loss > 0 || weather.stragglers > 0;
        !bad(&self.weather)
            && self.steps.iter().all(
                |step| !matches!(&step.action, Action::Weather { weather, .. } if bad(weather)),
            )
    }

    /// Whether nothing happens but what an operator intends, on a healthy LAN.
    pub fn is_planned(&self) -> bool {
        self.is_lossless() && self.steps.iter().all(|step| step.action.is_planned())
    }

    /// The latest that a packet arrives after it was sent, if it does.
    pub fn longest_delay(&self) -> Duration {
        let weathers = self.steps.iter().filter_map(|step| match &step.action {
            Action::Weather { weather, .. } => Some(weather),
            _ => None,
        });
        let delay = |weather: &Weather| match weather.stragglers {
            0 => weather.delay,
            _ => weather.delay * 10,
        };
        weathers.chain([&self.weather]).map(delay).max().unwrap_or_default()
    }

    /// The latest that any host's loop wakes.
    pub fn longest_lateness(&self) -> Duration {
        self.hosts.iter().map(|host| host.lateness).max().unwrap_or_default()
    }

    /// The latest that any host's netlink answers.
    pub fn longest_netlink(&self) -> Duration {
        self.hosts.iter().map(|host| host.netlink).max().unwrap_or_default()
    }
}
