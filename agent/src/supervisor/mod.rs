//! Joins the parts of the agent on the async runtime: assignments to checks and the VRRP thread,
//! transitions to hooks, log and outbox, signals to all. The data plane never waits for it, and
//! it never waits for a disk.
//!
//! This file puts the parts together; `serve` is the loop, `assignments` what runs and why,
//! `upgrade` how another image of the program takes over.

mod assignments;
mod image;
mod keeper;
mod relay;
mod self_check;
mod serve;
mod signals;
mod spare;
mod upgrade;

pub use self::self_check::self_check;
pub use self::signals::hold as hold_signals;

use self::keeper::Keeper;
use self::signals::Signals;
use self::spare::Spare;
use self::upgrade::Candidate;
use crate::cache::{CacheError, EncodedAssignment, StateDir};
use crate::checks::{Checks, ExecPolicy};
use crate::guard;
use crate::hooks::Hooks;
use crate::local_api::{self, LocalApi, Mode, SocketFile};
use crate::log;
use crate::net::{self, Heartbeat, Net};
use crate::node::{self, Former, Inherited, Node, Notices, PreparedInstances};
use crate::options::Options;
use crate::outbox::Outbox;
use crate::standalone::{self, ConfigFile};
use crate::succession::{self, Estate};
use crate::uplink::{self, FromServer, Running, Shared};
use anyhow::Context as _;
use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::net::UnixListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tracing::warn;
use vipfleet_model::keepalived::Lvs;
use vipfleet_model::{Assignment, Findings, Name};

/// Runs the agent until it is told to stop.
pub fn run(options: Options, log: log::Lines) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("agent")
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let outcome = runtime.block_on(async {
        // First of all: an early signal must not kill what has touched the kernel already.
        let signals = Signals::catch().context("cannot catch signals")?;
        Supervisor::start(options, log).await?.serve(signals).await
    });
    // A blocking task that hangs (a dead disk) must not keep a stopped agent alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

struct Supervisor {
    source: Source,
    node: Node,
    notices: Notices,
    checks: Checks,
    policy: ExecPolicy,
    hooks: Hooks,
    keeper: Keeper,
    outbox: Arc<Mutex<Outbox>>,
    outbox_grew: Arc<Notify>,
    running: watch::Sender<Running>,
    connected_to: watch::Sender<String>,
    from_server: mpsc::Receiver<FromServer>,
    boot_id: String,
    masters: BTreeSet<Name>,
    heartbeat: Arc<Heartbeat>,
    /// What runs, and where it comes from.
    assignment: Option<EncodedAssignment>,
    /// The same as the VRRP thread has it: what stays in the next assignment is not made again.
    instances: PreparedInstances,
    /// A program that is being checked whether it could take over.
    candidate: Option<Candidate>,
    spare: Spare,
    state: Arc<StateDir>,
    /// Of the local API, for the next image.
    listener: OwnedFd,
    log: log::Lines,
    stop: CancellationToken,
    /// Removed when the agent ends.
    _socket: SocketFile,
}

/// Where assignments come from.
enum Source {
    Server,
    Config(ConfigFile),
}

/// What comes from outside, read and checked before anything is touched.
struct Outside {
    source: Source,
    endpoints: Vec<Endpoint>,
    /// What the file says; `None` with a server.
    config: Option<(Assignment, Findings)>,
    state: Arc<StateDir>,
    listener: UnixListener,
    socket: SocketFile,
    boot_id: String,
    /// Of the former image of this process.
    estate: Option<Estate>,
}

impl Outside {
    async fn read(options: &Options) -> anyhow::Result<Self> {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .context("cannot read the boot id")?
            .trim()
            .to_owned();
        // Before anything else is opened.
        let mut estate = succession::take(&boot_id);
        let endpoints = options.server.iter().map(|url| uplink::endpoint(url));
        let endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
        let source = source(options);
        let config = match &source {
            Source::Config(file) if estate.is_none() => Some(standalone::read(file)?),
            Source::Server | Source::Config(_) => None,
        };
        let lock = estate.as_mut().and_then(|estate| estate.open(estate.document.lock));
        let state = match lock {
            Some(lock) => StateDir::adopt(&options.state_dir, lock)?,
            None => StateDir::open(&options.state_dir)?,
        };
        let listener = estate.as_mut().and_then(|estate| estate.open(estate.document.listener));
        let (listener, socket) = match listener {
            Some(listener) => local_api::adopt(listener, &options.socket),
            None => local_api::bind(&options.socket).await,
        }
        .with_context(|| format!("cannot open the local API at {}", options.socket.display()))?;
        let state = Arc::new(state);
        Ok(Self { source, endpoints, config, state, listener, socket, boot_id, estate })
    }
}

impl Supervisor {
    async fn start(options: Options, log: log::Lines) -> anyhow::Result<Self> {
        let outside = Outside::read(&options).await?;
        let Outside { source, endpoints, config, state, listener, socket, boot_id, estate } =
            outside;
        let (handed_over, inherited) = estate.map(Estate::inherit).unzip();
        let name = options.node.clone().unwrap_or_else(host_name);
        let former = recover(state.read::<Former>(keeper::MASTERS)).unwrap_or_default();
        let mut outbox = recover(state.read::<Outbox>(keeper::OUTBOX)).unwrap_or_default();
        outbox.continue_above(SystemTime::now());
        let masters = match former.boot_id == boot_id {
            true => former.masters.iter().cloned().collect(),
            false => BTreeSet::new(),
        };
        // From here on no former guard takes anything away; the new one is there before the first
        // address is.
        let heartbeat = Arc::new(heartbeat(&options.socket));
        guard::keep(&heartbeat, options.log_format());
        let (node, notices) = start_node(&options, &name, &boot_id, former, inherited, &heartbeat)?;
        let policy = match source {
            Source::Server => ExecPolicy::ServerPushed { exec_dir: options.exec_dir.clone() },
            Source::Config(_) => ExecPolicy::StandAlone,
        };
        let outbox = Arc::new(Mutex::new(outbox));
        let (heard, from_server) = mpsc::channel(16);
        let cached = match source {
            Source::Server if handed_over.is_none() => recover(state.read(keeper::ASSIGNMENT)),
            Source::Server | Source::Config(_) => None,
        };
        let mut supervisor = Self {
            source,
            checks: Checks::new(policy.clone(), relay::to_node(node.clone())),
            node,
            notices,
            hooks: Hooks::new(policy.clone()),
            policy,
            keeper: Keeper::start(Arc::clone(&state), Arc::clone(&outbox)),
            outbox,
            outbox_grew: Arc::default(),
            running: watch::Sender::new(Running::default()),
            connected_to: watch::Sender::new(String::new()),
            from_server,
            boot_id,
            masters,
            heartbeat,
            assignment: None,
            instances: PreparedInstances::default(),
            candidate: None,
            spare: Spare::start(),
            state,
            listener: listener.as_fd().try_clone_to_owned().context("too many open files")?,
            log,
            stop: CancellationToken::new(),
            _socket: socket,
        };
        match (handed_over, config) {
            (Some(document), _) => supervisor.carry_on(document).await,
            (None, Some((assignment, findings))) => supervisor.begin(assignment, &findings).await?,
            (None, None) => supervisor.resume_cached(cached).await,
        }
        supervisor.open(name, listener, endpoints, heard);
        Ok(supervisor)
    }

    /// Starts what others can see: the local API and, with servers, the uplink.
    fn open(
        &self,
        name: Name,
        listener: UnixListener,
        endpoints: Vec<Endpoint>,
        heard: mpsc::Sender<FromServer>,
    ) {
        let api = LocalApi {
            node: name.clone(),
            mode: if endpoints.is_empty() { Mode::Config } else { Mode::Server },
            connected_to: self.connected_to.subscribe(),
            report: self.node.report.clone(),
            facts: self.node.facts.clone(),
            outbox: Arc::clone(&self.outbox),
        };
        tokio::spawn(local_api::serve(api, listener, self.stop.clone()));
        if endpoints.is_empty() {
            return;
        }
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

fn source(options: &Options) -> Source {
    match options.config.clone() {
        None => Source::Server,
        Some(path) => Source::Config(ConfigFile {
            path,
            config_id: options.config_id.clone(),
            lvs: if options.ignore_lvs { Lvs::Ignore } else { Lvs::Refuse },
        }),
    }
}

/// The two threads of the data plane.
fn start_node(
    options: &Options,
    name: &Name,
    boot_id: &str,
    former: Former,
    inherited: Option<Inherited>,
    heartbeat: &Arc<Heartbeat>,
) -> anyhow::Result<(Node, Notices)> {
    let net_options =
        net::Options { state_dir: options.state_dir.clone(), heartbeat: Arc::clone(heartbeat) };
    let (net, net_events) = Net::spawn(net_options)
        .context("cannot start the kernel side: the agent needs CAP_NET_ADMIN")?;
    let (node, notices, _thread) = node::spawn(node::Options {
        node: name.clone(),
        boot_id: boot_id.to_owned(),
        former,
        net,
        net_events,
        heartbeat: Arc::clone(heartbeat),
        inherited,
        realtime: options.realtime,
    })
    .context("cannot start the VRRP thread: the agent needs CAP_NET_RAW")?;
    Ok((node, notices))
}

/// The heartbeat lies beside the socket, in the runtime directory: a store to a page of a disk
/// would wait for the disk.
fn heartbeat(socket: &Path) -> Heartbeat {
    let path = socket.with_extension("heartbeat");
    Heartbeat::open(&path).unwrap_or_else(|error| {
        let path = path.display();
        warn!(%path, %error, "no heartbeat that others can see: only the kernel's leases guard");
        Heartbeat::new()
    })
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
