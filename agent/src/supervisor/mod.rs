//! Joins the parts of the agent on the async runtime: assignments to checks and the VRRP thread,
//! transitions to hooks, log and outbox, signals to all. The data plane never waits for it.

mod keeper;
mod relay;

use self::keeper::Keeper;
use crate::cache::{CacheError, CachedAssignment, StateDir};
use crate::checks::{Checks, ExecPolicy};
use crate::hooks::{HookState, Hooks};
use crate::local_api::{self, LocalApi, Mode};
use crate::net::{self, Heartbeat, Net};
use crate::node::{self, Command, Former, Node, Notice, Notices};
use crate::options::Options;
use crate::outbox::Outbox;
use crate::standalone::{self, ConfigFile};
use crate::uplink::fence::Origin;
use crate::uplink::{self, FromServer, Offer, Rejected, Running, Shared};
use anyhow::Context as _;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use vipfleet_model::keepalived::Lvs;
use vipfleet_model::report::InstanceState;
use vipfleet_model::{Assignment, Name};

/// File of the last good assignment in the state dir.
const ASSIGNMENT: &str = "assignment.json";

/// Above the engine's own limit for a handover (30 s), below systemd's TimeoutStopSec.
const STOP_LIMIT: Duration = Duration::from_secs(35);

/// How long hooks of a stopping agent may take.
const HOOKS_LIMIT: Duration = Duration::from_secs(5);

/// Runs the agent until it is told to stop.
pub fn run(options: Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("agent")
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let outcome = runtime.block_on(async { Supervisor::start(options).await?.serve().await });
    // A blocking task that hangs (a dead disk) must not keep a stopped agent alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

struct Supervisor {
    source: Source,
    node: Node,
    notices: Notices,
    checks: Checks,
    hooks: Hooks,
    keeper: Keeper,
    state: Arc<StateDir>,
    outbox: Arc<Mutex<Outbox>>,
    outbox_grew: Arc<Notify>,
    running: watch::Sender<Running>,
    connected_to: watch::Sender<String>,
    from_server: mpsc::Receiver<FromServer>,
    boot_id: String,
    masters: BTreeSet<Name>,
    stop: CancellationToken,
}

/// Where assignments come from.
enum Source {
    Server,
    Config(ConfigFile),
}

impl Supervisor {
    async fn start(options: Options) -> anyhow::Result<Self> {
        let state = Arc::new(StateDir::open(&options.state_dir)?);
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .context("cannot read the boot id")?
            .trim()
            .to_owned();
        let name = options.node.clone().unwrap_or_else(host_name);
        let former = recover(state.read::<Former>(keeper::MASTERS)).unwrap_or_default();
        let outbox = recover(state.read::<Outbox>(keeper::OUTBOX)).unwrap_or_default();
        let heartbeat = Arc::new(Heartbeat::new());
        let net_options = net::Options {
            state_dir: options.state_dir.clone(),
            heartbeat: Arc::clone(&heartbeat),
        };
        let (net, net_events) = Net::spawn(net_options)
            .context("cannot start the kernel side: the agent needs CAP_NET_ADMIN")?;
        let (node, notices, _thread) = node::spawn(node::Options {
            node: name.clone(),
            boot_id: boot_id.clone(),
            former,
            net,
            net_events,
            heartbeat,
        })
        .context("cannot start the VRRP thread: the agent needs CAP_NET_RAW")?;
        let source = match options.config.clone() {
            None => Source::Server,
            Some(path) => Source::Config(ConfigFile {
                path,
                config_id: options.config_id.clone(),
                lvs: if options.ignore_lvs { Lvs::Ignore } else { Lvs::Refuse },
            }),
        };
        let policy = match source {
            Source::Server => ExecPolicy::ServerPushed { exec_dir: options.exec_dir.clone() },
            Source::Config(_) => ExecPolicy::StandAlone,
        };
        let checks = Checks::new(policy.clone(), relay::to_node(node.clone()));
        let outbox = Arc::new(Mutex::new(outbox));
        let keeper = Keeper::start(Arc::clone(&state), Arc::clone(&outbox));
        let (heard, from_server) = mpsc::channel(16);
        let supervisor = Self {
            source,
            node,
            notices,
            checks,
            hooks: Hooks::new(policy),
            keeper,
            state,
            outbox,
            outbox_grew: Arc::default(),
            running: watch::Sender::new(Running::default()),
            connected_to: watch::Sender::new(String::new()),
            from_server,
            boot_id,
            masters: BTreeSet::new(),
            stop: CancellationToken::new(),
        };
        supervisor.open(options, name, heard).await
    }

    /// Starts what others can see: the local API, the first assignment, the uplink.
    async fn open(
        mut self,
        options: Options,
        name: Name,
        heard: mpsc::Sender<FromServer>,
    ) -> anyhow::Result<Self> {
        let endpoints = options.server.iter().map(|url| uplink::endpoint(url));
        let endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
        let listener = local_api::bind(&options.socket).await.with_context(|| {
            format!("cannot open the local API at {}", options.socket.display())
        })?;
        let api = LocalApi {
            node: name.clone(),
            mode: if endpoints.is_empty() { Mode::Config } else { Mode::Server },
            connected_to: self.connected_to.subscribe(),
            report: self.node.report.clone(),
            facts: self.node.facts.clone(),
            outbox: Arc::clone(&self.outbox),
        };
        tokio::spawn(local_api::serve(api, listener, self.stop.clone()));
        match &self.source {
            Source::Config(file) => {
                let (assignment, findings) = standalone::read(file)?;
                findings.iter().for_each(|finding| warn!("{finding}"));
                let whole = |it: Rejected| anyhow::anyhow!("{}: {}", it.field_path, it.reason);
                self.take_config(assignment).await.map_err(whole)?;
            }
            Source::Server => {
                self.resume_cached().await;
                let shared = Shared {
                    node: name,
                    boot_id: self.boot_id.clone(),
                    report: self.node.report.clone(),
                    facts: self.node.facts.clone(),
                    running: self.running.subscribe(),
                    outbox: Arc::clone(&self.outbox),
                    outbox_grew: Arc::clone(&self.outbox_grew),
                };
                tokio::spawn(uplink::run(endpoints, shared, heard, self.stop.clone()));
            }
        }
        Ok(self)
    }

    async fn serve(mut self) -> anyhow::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
            warn!(%error, "cannot tell systemd that the agent is ready");
        }
        info!("ready");
        loop {
            tokio::select! {
                notice = self.notices.recv() => match notice {
                    Some(Notice::Stopped) | None => anyhow::bail!("the VRRP thread ended"),
                    Some(notice) => self.heed(notice),
                },
                Some(message) = self.from_server.recv() => self.take(message).await,
                Some(()) = hangup.recv() => self.reload().await,
                () = either(&mut terminate, &mut interrupt) => return self.finish().await,
            }
        }
    }

    /// Make before break: the VRRP thread ends when every successor was heard, or its limit came.
    async fn finish(mut self) -> anyhow::Result<()> {
        info!("stopping");
        sd_notify::notify(&[sd_notify::NotifyState::Stopping]).ok();
        self.node.send(Command::Stop).await?;
        let ended = tokio::time::timeout(STOP_LIMIT, async {
            while let Some(notice) = self.notices.recv().await {
                match notice {
                    Notice::Stopped => break,
                    notice => self.heed(notice),
                }
            }
        });
        let in_time = ended.await.is_ok();
        self.stop.cancel();
        self.hooks.drain(HOOKS_LIMIT).await;
        self.checks.stop().await;
        self.keeper.flush().await;
        if in_time { Ok(()) } else { anyhow::bail!("not every VIP was let go within 35 s") }
    }

    /// Something the VRRP thread says once.
    fn heed(&mut self, notice: Notice) {
        match notice {
            Notice::Transition { record, notify, stopping } => {
                let instance = record.instance.clone();
                let is_master = record.to == InstanceState::Master;
                let changed = match is_master {
                    true => self.masters.insert(instance.clone()),
                    false => self.masters.remove(&instance),
                };
                if changed {
                    let masters = self.masters.iter().cloned().collect();
                    self.keeper.masters(Former { boot_id: self.boot_id.clone(), masters });
                }
                if let Some(state) = HookState::of(record.to, stopping) {
                    self.hooks.state_changed(&instance, &notify, state, record.effective_priority);
                }
                lock(&self.outbox).push(record);
                self.keeper.outbox_changed();
                self.outbox_grew.notify_one();
            }
            Notice::Warning { instance: Some(instance), text } => warn!(%instance, "{text}"),
            Notice::Warning { instance: None, text } => warn!("{text}"),
            Notice::Stopped => {}
        }
    }

    async fn take(&mut self, message: FromServer) {
        match message {
            FromServer::Connected { endpoint, fleet_id, epoch } => {
                info!(server = %endpoint, fleet = %fleet_id, epoch, "connected");
                self.connected_to.send_replace(endpoint);
            }
            FromServer::Disconnected => {
                self.connected_to.send_replace(String::new());
            }
            FromServer::Acknowledged(sequence) => {
                lock(&self.outbox).acknowledge(sequence);
                self.keeper.outbox_changed();
            }
            FromServer::Offer(Offer { origin, hash, assignment, verdict }) => {
                let judged = self.run_assignment(origin, hash, assignment).await;
                self.answer(verdict, judged);
            }
        }
    }

    /// A session that ended meanwhile does not need the verdict.
    fn answer(&self, verdict: oneshot::Sender<Result<(), Rejected>>, judged: Result<(), Rejected>) {
        verdict.send(judged).ok();
    }

    /// Runs what a server assigned and remembers it.
    async fn run_assignment(
        &mut self,
        origin: Origin,
        hash: String,
        assignment: Assignment,
    ) -> Result<(), Rejected> {
        self.apply(&origin, &hash, assignment.clone()).await?;
        let cached = CachedAssignment {
            fleet_id: origin.fleet_id,
            epoch: origin.epoch,
            generation: origin.generation,
            hash,
            assignment,
        };
        let state = Arc::clone(&self.state);
        let written = tokio::task::spawn_blocking(move || state.write(ASSIGNMENT, &cached)).await;
        if let Ok(Err(error)) = written {
            // It runs all the same; a restart without a server would run the one before.
            error!(error = %chain(&error), "the assignment runs but is not cached");
        }
        Ok(())
    }

    /// All or nothing: what cannot run whole leaves everything as it was.
    async fn apply(
        &mut self,
        origin: &Origin,
        hash: &str,
        assignment: Assignment,
    ) -> Result<(), Rejected> {
        let checks = assignment.checks.clone();
        let prepared = node::prepare(origin.generation, hash.to_owned(), assignment)
            .map_err(|unfit| Rejected { field_path: unfit.field_path, reason: unfit.reason })?;
        let ended = |_| Rejected {
            field_path: String::new(),
            reason: "the VRRP thread has ended".to_owned(),
        };
        let kept: BTreeSet<_> = checks.iter().map(|check| check.name.clone()).collect();
        let known = self.node.report.borrow().checks.clone();
        self.checks.configure(checks);
        self.node.send(Command::Apply(Box::new(prepared))).await.map_err(ended)?;
        for name in known.into_iter().map(|check| check.name).filter(|name| !kept.contains(name)) {
            self.node.send(Command::ForgetCheck { name }).await.map_err(ended)?;
        }
        self.running.send_replace(Running { origin: origin.clone(), hash: hash.to_owned() });
        Ok(())
    }

    async fn take_config(&mut self, assignment: Assignment) -> Result<(), Rejected> {
        let generation = self.running.borrow().origin.generation + 1;
        let hash = assignment.hash();
        let origin = Origin { fleet_id: String::new(), epoch: 0, generation };
        self.apply(&origin, &hash, assignment).await
    }

    /// What ran last goes on, whether a server is there or not.
    async fn resume_cached(&mut self) {
        let Some(cached) = recover(self.state.read::<CachedAssignment>(ASSIGNMENT)) else {
            return info!("no assignment yet: waiting for a server");
        };
        let CachedAssignment { fleet_id, epoch, generation, hash, assignment } = cached;
        info!(generation, "running the last assignment");
        let origin = Origin { fleet_id, epoch, generation };
        if let Err(rejected) = self.apply(&origin, &hash, assignment).await {
            error!(reason = %rejected.reason, "the cached assignment does not run any more");
        }
    }

    /// SIGHUP: a file that is refused leaves everything as it was.
    async fn reload(&mut self) {
        let Source::Config(file) = &self.source else {
            return info!("nothing to reload: the server pushes changes by itself");
        };
        match standalone::read(file) {
            Ok((assignment, findings)) => {
                findings.iter().for_each(|finding| warn!("{finding}"));
                match self.take_config(assignment).await {
                    Ok(()) => info!("configuration reloaded"),
                    Err(it) => error!("not reloaded: {}: {}", it.field_path, it.reason),
                }
            }
            Err(error) => {
                error.to_string().lines().for_each(|line| error!("not reloaded: {line}"));
            }
        }
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

fn lock(outbox: &Mutex<Outbox>) -> MutexGuard<'_, Outbox> {
    outbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A state file that cannot be used is a warning, never an end.
fn recover<T>(read: Result<Option<T>, CacheError>) -> Option<T> {
    read.unwrap_or_else(|error| {
        warn!(error = %chain(&error), "a state file is not used");
        None
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

/// A stand-alone agent without `--node` is called as its host.
fn host_name() -> Name {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    host.trim().parse().unwrap_or_else(|_| {
        "localhost".parse().unwrap_or_else(|_| unreachable!("localhost is a valid name"))
    })
}
