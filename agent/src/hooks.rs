//! Notify hooks: programs run when an instance changes state.
//!
//! The node loop says what changed and never waits. Each instance, and each sync group, has a
//! queue of its own: its hooks run one after the other, in the order of the changes and, within
//! one change, of the definition. Different queues run side by side, so many at a time.
//!
//! A hook is a program under the same rules as an exec check (`checks::exec`). As with
//! keepalived, `on: any` gets `INSTANCE NAME STATE PRIORITY` as its last arguments (`GROUP NAME
//! STATE 0` for a sync group) and the others run as written; every hook finds the same in
//! VIPFLEET_INSTANCE or VIPFLEET_GROUP, VIPFLEET_STATE and VIPFLEET_PRIORITY.

use crate::checks::ExecPolicy;
use crate::checks::exec::{GRACE, Launcher, Order, Purpose};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vipfleet_model::Name;
use vipfleet_model::instance::{Notify, NotifyOn};
use vipfleet_model::report::InstanceState;

/// A hook that takes longer is ended.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// State changes of one instance that may wait. Beyond, the oldest give way: the latest state is
/// the one that must be told.
const QUEUE: usize = 16;

/// Hooks running at once, over all instances.
const AT_ONCE: usize = 32;

/// What an instance changed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookState {
    Master,
    Backup,
    Fault,
    /// The agent stops, or no longer runs the instance.
    Stop,
}

impl HookState {
    /// What a state change means to hooks; `stopping` when the instance ends with it. Not every
    /// state concerns them: INIT does not.
    pub fn of(state: InstanceState, stopping: bool) -> Option<Self> {
        match state {
            _ if stopping => Some(Self::Stop),
            InstanceState::Master => Some(Self::Master),
            InstanceState::Backup => Some(Self::Backup),
            InstanceState::Fault => Some(Self::Fault),
            InstanceState::Init | InstanceState::Unknown => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault => "FAULT",
            Self::Stop => "STOP",
        }
    }

    fn concerns(self, on: NotifyOn) -> bool {
        match on {
            NotifyOn::Any => true,
            NotifyOn::Master => self == Self::Master,
            NotifyOn::Backup => self == Self::Backup,
            NotifyOn::Fault => self == Self::Fault,
            NotifyOn::Stop => self == Self::Stop,
        }
    }
}

/// What changed its state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Instance(Name),
    /// A whole sync group; it has no priority.
    Group(Name),
}

impl Subject {
    /// keepalived's word, the variable's name, and the name itself.
    fn words(&self) -> (&'static str, &'static str, &Name) {
        match self {
            Self::Instance(name) => ("INSTANCE", "VIPFLEET_INSTANCE", name),
            Self::Group(name) => ("GROUP", "VIPFLEET_GROUP", name),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, _, name) = self.words();
        write!(f, "{} {name}", kind.to_lowercase())
    }
}

/// The hooks of this node.
pub struct Hooks {
    runtime: Handle,
    shared: Arc<Shared>,
    tracker: TaskTracker,
}

struct Shared {
    policy: Arc<ExecPolicy>,
    limit: Duration,
    /// Present while a worker runs for the subject.
    queues: Mutex<BTreeMap<Subject, VecDeque<Event>>>,
    slots: Semaphore,
    /// No time is left: end what runs, start nothing.
    abort: CancellationToken,
}

/// One state change and what it calls for.
struct Event {
    state: HookState,
    orders: Vec<Order>,
}

impl Hooks {
    /// # Panics
    ///
    /// Outside a tokio runtime with IO and time.
    pub fn new(policy: ExecPolicy) -> Self {
        Self::with_timeout(policy, HOOK_TIMEOUT)
    }

    /// With another limit than [`HOOK_TIMEOUT`] for each hook.
    pub fn with_timeout(policy: ExecPolicy, limit: Duration) -> Self {
        let shared = Shared {
            policy: Arc::new(policy),
            limit,
            queues: Mutex::default(),
            slots: Semaphore::new(AT_ONCE),
            abort: CancellationToken::new(),
        };
        let tracker = TaskTracker::new();
        Self { runtime: Handle::current(), shared: Arc::new(shared), tracker }
    }

    /// Queues the hooks of `notify` that this change calls for. Never waits; callable from any
    /// thread.
    pub fn state_changed(&self, subject: &Subject, notify: &[Notify], to: HookState, priority: u8) {
        let concerned = notify.iter().filter(|hook| to.concerns(hook.on));
        let order = |hook| self.shared.order(subject, hook, to, priority);
        let orders: Vec<Order> = concerned.map(order).collect();
        if orders.is_empty() {
            return;
        }
        let mut queues = self.shared.queues();
        let idle = !queues.contains_key(subject);
        let queue = queues.entry(subject.clone()).or_default();
        queue.push_back(Event { state: to, orders });
        if queue.len() > QUEUE
            && let Some(dropped) = queue.pop_front()
        {
            let state = dropped.state.as_str();
            tracing::warn!(%subject, state, "hooks fall behind: an old change is dropped");
        }
        drop(queues);
        if idle {
            let worker = self.shared.clone().work(subject.clone());
            self.tracker.spawn_on(worker, &self.runtime);
        }
    }

    /// Waits until every queued hook has run. What still runs after `limit` is ended, what still
    /// waits is dropped, and both are said.
    pub async fn drain(self, limit: Duration) {
        self.tracker.close();
        if timeout(limit, self.tracker.wait()).await.is_ok() {
            return;
        }
        self.shared.abort.cancel();
        if timeout(GRACE * 2, self.tracker.wait()).await.is_err() {
            tracing::warn!("a hook cannot be ended; the agent does not wait for it");
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let busy = self.shared.queues().len();
        f.debug_struct("Hooks").field("policy", &self.shared.policy).field("busy", &busy).finish()
    }
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, BTreeMap<Subject, VecDeque<Event>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, subject: &Subject, hook: &Notify, to: HookState, priority: u8) -> Order {
        let (kind, variable, name) = subject.words();
        let (name, state, priority) =
            (name.to_string(), to.as_str().to_owned(), priority.to_string());
        let mut args = hook.args.clone();
        if hook.on == NotifyOn::Any {
            args.extend([kind.into(), name.clone(), state.clone(), priority.clone()]);
        }
        Order {
            policy: self.policy.clone(),
            file: hook.exec.clone(),
            args,
            user: hook.user.clone(),
            environment: vec![
                (variable, name),
                ("VIPFLEET_STATE", state),
                ("VIPFLEET_PRIORITY", priority),
            ],
            purpose: Purpose::Hook,
        }
    }

    /// Runs the subject's queue until it is empty.
    async fn work(self: Arc<Self>, subject: Subject) {
        while let Some(event) = self.next(&subject) {
            for order in &event.orders {
                self.run(&subject, event.state, order).await;
            }
        }
    }

    fn next(&self, subject: &Subject) -> Option<Event> {
        let mut queues = self.queues();
        let event = queues.get_mut(subject).and_then(VecDeque::pop_front);
        if event.is_none() {
            // Under the lock: the next change finds no queue and starts a worker.
            queues.remove(subject);
        }
        event
    }

    async fn run(&self, subject: &Subject, state: HookState, order: &Order) {
        let (state, file) = (state.as_str(), &order.file);
        let mut launcher = Launcher::default();
        let ended = tokio::select! {
            biased;
            () = self.abort.cancelled() => {
                tracing::warn!(%subject, state, file, "the agent stops: hook dropped or ended");
                None
            }
            ended = async {
                let _slot = self.slots.acquire().await;
                timeout(self.limit, launcher.run(order)).await
            } => Some(ended),
        };
        match ended {
            Some(Ok(Ok(ended))) if ended.status.success() => {
                tracing::debug!(%subject, state, file, "hook ran");
            }
            Some(Ok(Ok(ended))) => {
                tracing::warn!(%subject, state, file, status = %ended.status, "hook failed");
            }
            Some(Ok(Err(why))) => tracing::warn!(%subject, state, file, why, "hook not run"),
            Some(Err(_)) => {
                let limit = self.limit.as_secs_f32();
                tracing::warn!(%subject, state, file, limit, "hook hangs and is ended");
            }
            None => {}
        }
        launcher.end().await;
    }
}
