//! Health checks: each probes something of this host and publishes when its status changes.
//!
//! The node loop hands in the checks of its assignment and gets results back through a function;
//! this module knows nothing of instances, priorities or servers. It lives on the agent's tokio
//! runtime, never on the VRRP thread.
//!
//! `task` is the life of one check, `tally` the counting, `probe` the kinds.

pub(crate) mod exec;
mod http;
mod interface;
mod pidfd;
mod probe;
mod process;
pub(crate) mod slow;
mod tail;
mod tally;
mod task;
mod tcp;

pub use exec::ExecPolicy;
pub use tally::Counted;

use probe::Prober;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tally::Change;
use task::Task;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use vipfleet_model::Name;
use vipfleet_model::check::{Check, NamedCheck};
use vipfleet_model::report::CheckStatus;

/// A check's new status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    pub name: Name,
    /// `Pending` when the check starts, and again when what it probes has changed; the first
    /// outcome follows. Then only changes.
    pub status: CheckStatus,
    /// One line for the operator: `process nginx not running`. Empty while pending.
    pub detail: String,
}

/// Children are asked to end, and killed after the grace; then it is the kernel's turn.
const STOP_LIMIT: Duration = exec::GRACE.saturating_mul(3);

type Results = dyn Fn(CheckResult) + Send + Sync;

/// The checks of this node.
pub struct Checks {
    runtime: Handle,
    policy: Arc<ExecPolicy>,
    results: Arc<Results>,
    active: BTreeMap<Name, Active>,
    /// Removed or replaced, their children perhaps still ending.
    ending: BTreeMap<Name, JoinHandle<Counted>>,
    /// Of the former image of the agent, until the first configuration.
    past: BTreeMap<Name, Counted>,
}

struct Active {
    spec: watch::Sender<Check>,
    outlet: Arc<Outlet>,
    cancel: CancellationToken,
    task: JoinHandle<Counted>,
}

impl Checks {
    /// `results` is called from the checks' tasks, and by [`Checks::configure`] for what becomes
    /// pending. It must not block, and must not call back into this value.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with IO and time.
    pub fn new(policy: ExecPolicy, results: impl Fn(CheckResult) + Send + Sync + 'static) -> Self {
        Self {
            runtime: Handle::current(),
            policy: Arc::new(policy),
            results: Arc::new(results),
            active: BTreeMap::new(),
            ending: BTreeMap::new(),
            past: BTreeMap::new(),
        }
    }

    /// The checks of the first configuration go on counting where these stood.
    pub fn carry_on(&mut self, past: BTreeMap<Name, Counted>) {
        self.past = past;
    }

    /// Runs exactly these checks from now on. Of two with one name the last counts.
    ///
    /// A check that did not change goes on undisturbed. One that only probes at another rhythm or
    /// counts differently keeps its status. One that probes something else starts anew. Once this
    /// returns, no result of a removed check follows, nor an old one of a check started anew.
    pub fn configure(&mut self, checks: Vec<NamedCheck>) {
        let wanted: BTreeMap<Name, Check> =
            checks.into_iter().map(|check| (check.name, check.spec)).collect();
        self.ending.retain(|_, task| !task.is_finished());
        let gone = self.active.extract_if(.., |name, active| {
            wanted.get(name).is_none_or(|spec| spec.probe != active.spec.borrow().probe)
        });
        for (name, active) in gone.collect::<Vec<_>>() {
            active.retire();
            self.ending.insert(name, active.task);
        }
        for (name, spec) in wanted {
            match self.active.get(&name) {
                Some(active) => {
                    active.spec.send_if_modified(|current| {
                        let differs = *current != spec;
                        *current = spec;
                        differs
                    });
                }
                None => self.start(name, spec),
            }
        }
        self.past.clear();
    }

    fn start(&mut self, name: Name, check: Check) {
        let results = self.results.clone();
        let outlet = Arc::new(Outlet { name: name.clone(), open: Mutex::new(true), results });
        let pending = Change { status: CheckStatus::Pending, detail: String::new() };
        let past = self.past.remove(&name);
        // Said again: the last word may have been lost on the way.
        outlet.publish(past.as_ref().map_or(pending, Counted::published));
        let prober = Prober::new(check.probe.clone(), self.policy.clone());
        let (spec, receiver) = watch::channel(check);
        let cancel = CancellationToken::new();
        let task = Task {
            prober,
            spec: receiver,
            publish: {
                let outlet = outlet.clone();
                move |change| outlet.publish(change)
            },
            cancel: cancel.clone(),
            predecessor: self.ending.remove(&name),
            past,
        };
        let task = self.runtime.spawn(task.run());
        self.active.insert(name, Active { spec, outlet, cancel, task });
    }

    /// Ends every check and waits until their children are gone, though not for one that cannot
    /// be killed. Returns where each stood that has ended.
    pub async fn stop(&mut self) -> BTreeMap<Name, Counted> {
        let deadline = Instant::now() + STOP_LIMIT;
        for active in self.active.values() {
            active.retire();
        }
        let mut stood = BTreeMap::new();
        for (name, active) in std::mem::take(&mut self.active) {
            match timeout_at(deadline, active.task).await {
                Ok(Ok(counted)) => drop(stood.insert(name, counted)),
                Ok(Err(_)) => {}
                Err(_) => not_waited_for(&name),
            }
        }
        for (name, task) in std::mem::take(&mut self.ending) {
            if timeout_at(deadline, task).await.is_err() {
                not_waited_for(&name);
            }
        }
        stood
    }
}

fn not_waited_for(check: &Name) {
    tracing::warn!(%check, "a check is still ending its program; the agent does not wait");
}

impl Drop for Checks {
    fn drop(&mut self) {
        for active in self.active.values() {
            active.retire();
        }
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&Name> = self.active.keys().collect();
        f.debug_struct("Checks").field("policy", &self.policy).field("active", &names).finish()
    }
}

impl Active {
    fn retire(&self) {
        self.outlet.close();
        self.cancel.cancel();
    }
}

/// Where one check's changes leave, until it is retired.
struct Outlet {
    name: Name,
    open: Mutex<bool>,
    results: Arc<Results>,
}

impl Outlet {
    fn publish(&self, change: Change) {
        // Held during the call: after close() returns, none is under way.
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if *open {
            let Change { status, detail } = change;
            (self.results)(CheckResult { name: self.name.clone(), status, detail });
        }
    }

    fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}
