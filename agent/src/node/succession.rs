//! Another image of the program takes this one's place (SIGUSR2): what the VRRP thread hands over,
//! and how the next one carries on so that no peer and no client notices.
//!
//! The sockets stay open on the way: adverts that come meanwhile wait in them, and the membership
//! of the group never ends. Who reads and writes the document is the supervisor's business.

use super::event_loop::EventLoop;
use super::handle::{Command, Ending};
use super::health::CheckState;
use super::instance::{Counters, Instance};
use super::lan::SocketKey;
use crate::net::{Heartbeat, Incoming, VrrpSocket, clock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tracing::{info, warn};
use vipfleet_model::Name;
use vipfleet_vrrp::{Custody, Family, StateName, Time, Unsettled, Vrid};

/// The loop goes on by itself if it was not replaced within this: below three adverts at 100 ms.
const PAUSE: Duration = Duration::from_millis(200);

/// Everything the VRRP thread knows that the next image must.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// CLOCK_MONOTONIC. Adverts that came later wait in the sockets.
    at: Time,
    instances: Vec<PastInstance>,
    checks: BTreeMap<Name, CheckState>,
    group_states: BTreeMap<Name, StateName>,
    transitions_lost: u64,
    sockets: Vec<PastSocket>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PastInstance {
    name: Name,
    interface: String,
    vrid: Vrid,
    family: Family,
    since: String,
    reason: String,
    counters: Counters,
    router: vipfleet_vrrp::Past,
}

/// An open socket by its number.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PastSocket {
    descriptor: RawFd,
    interface: String,
    index: u32,
    family: Family,
}

/// Why nothing can be handed over now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// Not now, and not later.
    #[error("the agent is stopping")]
    Stopping,
    #[error("the agent has only just started")]
    Starting,
    #[error("{0} is being removed")]
    Leaving(Name),
    #[error("{0} is not settled")]
    Unsettled(Name, #[source] Unsettled),
}

/// A [`Past`] as the next image takes it in: each socket an open one.
#[derive(Debug, Default)]
pub struct Inherited {
    pub(super) instances: BTreeMap<Name, PastInstance>,
    pub(super) checks: BTreeMap<Name, CheckState>,
    pub(super) group_states: BTreeMap<Name, StateName>,
    pub(super) transitions_lost: u64,
    pub(super) sockets: Vec<(SocketKey, VrrpSocket)>,
}

impl Past {
    /// The numbers of the open sockets.
    pub fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.sockets.iter().map(|socket| socket.descriptor)
    }

    /// Takes it in. `open` gives each socket by its number, once, if it is there.
    pub fn inherit(self, mut open: impl FnMut(RawFd) -> Option<OwnedFd>) -> Inherited {
        let at = self.at;
        let socket = |it: PastSocket| {
            let PastSocket { descriptor, interface, index, family } = it;
            let socket = VrrpSocket::adopt(open(descriptor)?, &interface, index, family, at);
            Some(((index, family), socket))
        };
        Inherited {
            sockets: self.sockets.into_iter().filter_map(socket).collect(),
            instances: self.instances.into_iter().map(|it| (it.name.clone(), it)).collect(),
            checks: self.checks,
            group_states: self.group_states,
            transitions_lost: self.transitions_lost,
        }
    }
}

impl PastInstance {
    fn of(instance: &Instance, router: vipfleet_vrrp::Past) -> Self {
        Self {
            name: instance.name().clone(),
            interface: instance.interface().to_owned(),
            vrid: instance.prepared.config.vrid,
            family: instance.family(),
            since: instance.since.clone(),
            reason: instance.reason.clone(),
            counters: instance.counters.clone(),
            router,
        }
    }

    fn is_of(&self, instance: &Instance) -> bool {
        self.interface == instance.interface()
            && self.vrid == instance.prepared.config.vrid
            && self.family == instance.family()
    }
}

impl EventLoop {
    /// Says what the next image must know and, if asked, waits for it to come.
    pub(super) fn hand_over(
        &mut self,
        ending: Ending,
        answer: oneshot::Sender<Result<Past, NotNow>>,
    ) {
        let past = self.sketch().and_then(|sketch| match ending {
            Ending::No => Ok(sketch),
            Ending::Pause => self.last_words(),
        });
        let pauses = ending == Ending::Pause && past.is_ok();
        if pauses {
            self.heartbeat.announce_silence(Heartbeat::LONGEST_SILENCE);
        }
        // Nobody may be left to hear it: then nobody comes, either.
        if answer.send(past).is_ok() && pauses {
            self.pause();
        }
        self.heartbeat.end_silence();
    }

    fn sketch(&self) -> Result<Past, NotNow> {
        if self.is_stopping() {
            return Err(NotNow::Stopping);
        }
        if !self.hash.is_empty() && !self.reconciled {
            return Err(NotNow::Starting);
        }
        let past = |instance: &Instance| {
            let name = instance.name();
            if instance.is_leaving() {
                return Err(NotNow::Leaving(name.clone()));
            }
            let unsettled = |why| NotNow::Unsettled(name.clone(), why);
            Ok(PastInstance::of(instance, instance.router.past().map_err(unsettled)?))
        };
        let socket = |(key, socket): (SocketKey, &VrrpSocket)| PastSocket {
            descriptor: socket.as_fd().as_raw_fd(),
            interface: socket.interface().to_owned(),
            index: key.0,
            family: key.1,
        };
        Ok(Past {
            at: clock::now(),
            instances: self.instances.values().map(past).collect::<Result<_, _>>()?,
            checks: self.checks.clone(),
            group_states: self.group_states.clone(),
            transitions_lost: self.transitions_lost,
            sockets: self.lan.sockets().map(socket).collect(),
        })
    }

    /// The same, after every MASTER has advertised once more.
    fn last_words(&mut self) -> Result<Past, NotNow> {
        for name in self.instances.keys().cloned().collect::<Vec<_>>() {
            if let Some(instance) = self.instances.get_mut(&name) {
                instance.clock = instance.clock.max(clock::now());
                let handed = instance.router.hand_over(instance.clock);
                handed.map_err(|why| NotNow::Unsettled(name.clone(), why))?;
            }
            if let Some(number) = self.instances.number(&name) {
                self.drain(number);
            }
        }
        self.speak();
        self.post_requests();
        self.sketch()
    }

    /// Commands wait meanwhile.
    fn pause(&mut self) {
        let until = Instant::now() + PAUSE;
        let mut later = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.commands.recv_timeout(left) {
                Ok(Command::GoOn) => break,
                Ok(command) => later.push(command),
                Err(_) => {
                    warn!("the next image of the agent does not come: going on");
                    break;
                }
            }
        }
        later.into_iter().for_each(|command| self.obey(command));
    }

    /// True when the instance goes on where the former image left it.
    pub(super) fn carry_on(&mut self, name: &Name) -> bool {
        let Some(past) = self.past.remove(name) else { return false };
        let Some(instance) = self.instances.get_mut(name).filter(|it| !it.running) else {
            return false;
        };
        if !past.is_of(instance) {
            return false;
        }
        let state = past.router.state();
        info!(instance = %name, %state, "carrying on after an upgrade in place");
        instance.running = true;
        (instance.since, instance.reason) = (past.since, past.reason);
        instance.counters = past.counters;
        if state != StateName::Master {
            self.take_custody(name, Custody::None);
        }
        let Some(number) = self.instances.number(name) else { return true };
        let Some(instance) = self.instances.at(number) else { return true };
        instance.clock = instance.clock.max(clock::now());
        instance.router.carry_on(instance.clock, past.router);
        self.drain(number);
        self.carried_on = true;
        true
    }

    /// Routers that carry on hear what came while they could not, before any of their deadlines
    /// fires: silence that was nobody's is no evidence.
    pub(super) fn hear_what_waited(&mut self, incoming: &mut Incoming) {
        if std::mem::take(&mut self.carried_on) {
            self.reroute();
            self.drain_sockets(incoming);
        }
    }
}
