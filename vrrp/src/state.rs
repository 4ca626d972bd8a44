//! The states of a virtual router. Each owns its deadlines, so that leaving a state forgets them.

use crate::announcer::Announcer;
use crate::config::Priority;
use crate::time::Time;
use crate::timers::{FAREWELL_SPACING, FAREWELLS};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// The name of a state, as every screen and log says it.
///
/// RFC 9568 §6.4, with keepalived's words: Active is MASTER, Initialize is INIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum StateName {
    Init,
    Fault,
    Backup,
    Master,
}

impl StateName {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Fault => "FAULT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
        }
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the router is.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum State {
    Init(Init),
    Fault(Fault),
    Backup(Backup),
    Master(Master),
}

/// RFC 9568 §6.4.1.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Init {
    /// Started, and the startup delay runs until then.
    pub(crate) starts: Option<Time>,
    pub(crate) farewell: Option<Farewell>,
}

/// Unfit to serve.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Fault {
    pub(crate) farewell: Option<Farewell>,
}

/// RFC 9568 §6.4.2.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Backup {
    /// Active_Down_Timer.
    pub(crate) down: Time,
    /// What the timer running out will mean.
    pub(crate) expected: Expected,
    /// Active_Adver_Interval: the master's in v3, once heard.
    pub(crate) interval: Duration,
    /// The router believed to be master.
    pub(crate) master: Option<Heard>,
    /// Since when a lower-priority master has been heard; the preempt delay runs from then.
    pub(crate) lower: Option<Time>,
    /// This router has given way, and says so once.
    pub(crate) parting: Option<Time>,
    pub(crate) since: Time,
}

/// RFC 9568 §6.4.3.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Master {
    /// Adver_Timer.
    pub(crate) advert: Time,
    /// When the last advert was sent.
    pub(crate) sent: Time,
    pub(crate) since: Time,
    pub(crate) announcer: Announcer,
    pub(crate) rival: Option<Rival>,
}

/// Why a backup's down timer runs as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Expected {
    Silence,
    Resignation { master: IpAddr },
    Preemption { master: IpAddr, theirs: Priority },
}

/// What was last heard of the current master.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Heard {
    pub(crate) address: IpAddr,
    pub(crate) priority: Priority,
    pub(crate) interval: Duration,
    pub(crate) at: Time,
    /// It has sent priority 0 since.
    pub(crate) resigned: bool,
}

impl Heard {
    /// RFC 9568 §6.4.3: the higher priority, and among equals the higher primary address.
    pub(crate) fn outranks(&self, ours: (Priority, Option<IpAddr>)) -> bool {
        (self.priority, Some(self.address)) > ours
    }
}

/// Another router that advertises while we are master, and gives way to us by the rules.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Rival {
    pub(crate) address: IpAddr,
    /// When it counts as gone if it is not heard again.
    pub(crate) gone: Time,
}

/// The rest of a resignation: priority 0 again, in case a frame was lost.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Farewell {
    pub(crate) next: Time,
    pub(crate) left: u8,
}

impl Farewell {
    /// The first was sent now.
    pub(crate) fn after_first(now: Time) -> Self {
        Self { next: now + FAREWELL_SPACING, left: FAREWELLS - 1 }
    }

    /// Another was sent now.
    pub(crate) fn sent(self, now: Time) -> Option<Self> {
        (self.left > 1).then(|| Self { next: now + FAREWELL_SPACING, left: self.left - 1 })
    }
}

impl State {
    pub(crate) fn name(&self) -> StateName {
        match self {
            Self::Init(_) => StateName::Init,
            Self::Fault(_) => StateName::Fault,
            Self::Backup(_) => StateName::Backup,
            Self::Master(_) => StateName::Master,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        let farewell = |farewell: Option<Farewell>| farewell.map(|farewell| farewell.next);
        match self {
            Self::Init(init) => earlier(init.starts, farewell(init.farewell)),
            Self::Fault(fault) => farewell(fault.farewell),
            Self::Backup(backup) => earlier(Some(backup.down), backup.parting),
            Self::Master(master) => {
                let gone = master.rival.map(|rival| rival.gone);
                earlier(Some(master.advert), earlier(master.announcer.deadline(), gone))
            }
        }
    }

    /// The rest of a resignation, where one can be under way.
    pub(crate) fn farewell(&mut self) -> Option<&mut Option<Farewell>> {
        match self {
            Self::Init(init) => Some(&mut init.farewell),
            Self::Fault(fault) => Some(&mut fault.farewell),
            Self::Backup(_) | Self::Master(_) => None,
        }
    }
}

fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    [one, other].into_iter().flatten().min()
}
