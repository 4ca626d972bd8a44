//! The things that can befall a fleet. Each brings its own end, so that it can be left out whole.

use super::Weather;
use crate::definition::Definition;
use std::fmt;
use std::time::Duration;
use vipfleet_vrrp::{Preemption, Standing, Takeover};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub at: Duration,
    pub action: Action,
}

/// `lasts` and `away` are from the step to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Hosts hear only those of their own group, for ever if `lasts` is `None`.
    Partition {
        lan: usize,
        groups: Vec<u8>,
        lasts: Option<Duration>,
    },
    /// `host` hears nothing that `from` sends.
    Deaf {
        lan: usize,
        host: usize,
        from: usize,
        lasts: Duration,
    },
    Weather {
        weather: Weather,
        lasts: Duration,
    },
    /// The agent is killed; the kernel and its leases live on.
    Kill {
        host: usize,
        away: Duration,
    },
    /// The machine loses everything at once.
    PowerOff {
        host: usize,
        away: Duration,
    },
    /// The whole agent is stopped, net thread too; packets wait in the socket.
    Freeze {
        host: usize,
        lasts: Duration,
    },
    /// The VRRP loop hangs while the net thread runs on.
    Stall {
        host: usize,
        lasts: Duration,
    },
    /// The virtual machine is paused: its clock stands still and it does not know.
    Pause {
        host: usize,
        lasts: Duration,
    },
    /// The machine sleeps, and knows it when it wakes.
    Suspend {
        host: usize,
        lasts: Duration,
    },
    LinkDown {
        lan: usize,
        host: usize,
        lasts: Duration,
    },
    /// A check without a weight fails.
    Fault {
        host: usize,
        instance: usize,
        lasts: Duration,
    },
    /// A check with a weight fails.
    Weaken {
        host: usize,
        instance: usize,
        by: i32,
        lasts: Duration,
    },
    /// A check loses its results and finds them again.
    Unsure {
        host: usize,
        instance: usize,
        lasts: Duration,
    },
    /// The service is stopped as systemd does it, and started again.
    Restart {
        host: usize,
        away: Duration,
    },
    /// The instance is taken off the host for a while, and given back.
    Drain {
        host: usize,
        instance: usize,
        lasts: Duration,
    },
    /// A new definition, which reaches each host after its own delay.
    Redefine {
        instance: usize,
        change: Change,
        delays: Vec<Duration>,
    },
    /// The instance is deleted, and defined again when it is over; each host is told of either
    /// after its own delay.
    Recreate {
        instance: usize,
        deleted: Vec<Duration>,
        created: Vec<Duration>,
        lasts: Duration,
    },
}

/// What is new about a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Priority {
        host: usize,
        to: u8,
    },
    Interval(Duration),
    Addresses(u8),
    Preemption(Preemption),
    PreemptDelay(Duration),
    Takeover(Takeover),
    Password(u8),
    Joins {
        host: usize,
        priority: u8,
    },
    Leaves {
        host: usize,
    },
    /// A planned move: this host serves.
    Leads {
        host: usize,
    },
    /// A planned move: this host serves only what nobody else does.
    Yields {
        host: usize,
    },
    /// Planned moves are over.
    Ordinary,
}

impl Action {
    /// Whether an operator means it, and may expect that no client notices.
    pub fn is_planned(&self) -> bool {
        matches!(
            self,
            Self::Weaken { .. }
                | Self::Unsure { .. }
                | Self::Restart { .. }
                | Self::Drain { .. }
                | Self::Redefine { .. }
                | Self::Recreate { .. }
        )
    }

    /// When it is over, counted from its beginning.
    pub fn lasts(&self) -> Option<Duration> {
        match self {
            Self::Partition { lasts, .. } => *lasts,
            Self::Deaf { lasts, .. }
            | Self::Weather { lasts, .. }
            | Self::Freeze { lasts, .. }
            | Self::Stall { lasts, .. }
            | Self::Pause { lasts, .. }
            | Self::Suspend { lasts, .. }
            | Self::LinkDown { lasts, .. }
            | Self::Fault { lasts, .. }
            | Self::Weaken { lasts, .. }
            | Self::Unsure { lasts, .. }
            | Self::Drain { lasts, .. }
            | Self::Recreate { lasts, .. }
            | Self::Kill { away: lasts, .. }
            | Self::PowerOff { away: lasts, .. }
            | Self::Restart { away: lasts, .. } => Some(*lasts),
            Self::Redefine { .. } => None,
        }
    }
}

impl Change {
    /// Whether all instances of a sync group must have the same, or an operator means them all.
    pub(crate) fn is_of_group(self) -> bool {
        !matches!(self, Self::Interval(_) | Self::Addresses(_) | Self::Password(_))
    }

    pub(crate) fn apply(self, definition: &mut Definition) {
        match self {
            Self::Priority { host, to } => {
                if definition.is_member(host) {
                    definition.priorities[host] = Some(to);
                }
            }
            Self::Interval(interval) => definition.interval = interval,
            Self::Addresses(count) => definition.addresses = count,
            Self::Preemption(preemption) => definition.preemption = preemption,
            Self::PreemptDelay(delay) => definition.preempt_delay = delay,
            Self::Takeover(takeover) => definition.takeover = takeover,
            Self::Password(password) => definition.password = password,
            Self::Joins { host, priority } => definition.priorities[host] = Some(priority),
            Self::Leaves { host } => definition.priorities[host] = None,
            Self::Leads { host } => {
                definition.standings = vec![Standing::Follows; definition.priorities.len()];
                definition.standings[host] = Standing::Leads;
            }
            Self::Yields { host } => {
                definition.standings = vec![Standing::Ordinary; definition.priorities.len()];
                definition.standings[host] = Standing::Yields;
            }
            Self::Ordinary => definition.standings.clear(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.at, self.action)
    }
}
