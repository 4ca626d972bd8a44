//! Puts one replica together and serves it until it is told to stop.

use crate::api::{Api, MESSAGE_LIMIT};
use crate::fleet::{Fleet, LIVENESS};
use crate::listen::{self, Plaintext, Transport};
use crate::options::Options;
use crate::session::Sessions;
use crate::store::{self, Store};
use anyhow::{Context as _, bail};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tracing::info;
use vipfleet_proto::v1::control_server::ControlServer;
use vipfleet_proto::v1::session_server::SessionServer;

/// Between pings. A host that died without a word acknowledges none of them and is known to be
/// away within twice this ([`listen`]), about when its VIP has moved at 1 s adverts. Until then
/// its last report stands beside its successor's.
const KEEPALIVE: Duration = Duration::from_secs(2);

/// For the answer to a ping. Ten thousand agents that are sent away because this server, or their
/// host, was busy for a moment all come back at once.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How long open calls, and then the last writes, may take to end after `stop`.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// What makes one replica different from another.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub plaintext: Plaintext,
    /// Unique in the fleet and the same after a restart. `None`: the host's name and the port.
    pub name: Option<String>,
    /// How long a replica may be silent before its sessions count for nothing; the same on
    /// every replica.
    pub liveness: Duration,
}

impl Config {
    /// With every default.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, plaintext: Plaintext::LoopbackOnly, name: None, liveness: LIVENESS }
    }
}

/// A replica that serves.
#[derive(Debug)]
pub struct Replica {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

/// Runs a replica until SIGTERM or SIGINT.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let store = store::open(&options.store_spec(), &options.data_dir).await?;
    let plaintext = if options.insecure { Plaintext::Anywhere } else { Plaintext::LoopbackOnly };
    let config = Config { plaintext, name: options.replica, ..Config::new(options.listen) };
    let replica = Replica::start(store, config).await?;
    let signalled = signalled()?;
    println!("vipfleet-server listening on http://{}", replica.address());
    let stop = replica.stop.clone();
    tokio::spawn(async move {
        signalled.await;
        info!("stopping");
        stop.cancel();
    });
    replica.ended().await
}

impl Replica {
    /// Listens, loads the fleet and serves. Returns when it can be connected to.
    pub async fn start(store: Arc<dyn Store>, config: Config) -> anyhow::Result<Self> {
        let (transport, address) = listen::open(config.listen, config.plaintext).await?;
        let stop = CancellationToken::new();
        let name = config.name.unwrap_or_else(|| format!("{}:{}", host(), address.port()));
        let fleet = Fleet::start(store, name, config.liveness, stop.clone());
        let fleet = fleet.await.context("cannot load the fleet")?;
        info!(
            replica = %fleet.replica,
            fleet = %fleet.identity.id,
            epoch = fleet.identity.epoch,
            store = %fleet.store().describe(),
            "fleet loaded"
        );
        let serving = tokio::spawn(serve(fleet, transport, stop.clone()));
        Ok(Self { address, stop, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it to end: streams are told, and what lasts is cut after a few seconds.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Returns when it has ended, with why if nobody asked for it.
    pub async fn ended(self) -> anyhow::Result<()> {
        self.serving.await.context("the server failed")?
    }
}

async fn serve(fleet: Fleet, transport: Transport, stop: CancellationToken) -> anyhow::Result<()> {
    let sessions = Sessions::new(fleet.clone(), stop.clone());
    let router = services(&fleet, sessions.clone(), &stop).await?;
    let Transport::Plaintext(incoming) = transport;
    let served = router.serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    // Whoever does not take the end of its stream would hold a graceful shutdown for ever.
    let cut = async {
        stop.cancelled().await;
        tokio::time::sleep(SHUTDOWN_LIMIT).await;
    };
    tokio::select! {
        served = served => served.context("cannot serve")?,
        () = cut => info!("open calls were cut"),
        () = fleet.ended(), if !stop.is_cancelled() => {}
    }
    if !stop.is_cancelled() {
        stop.cancel();
        sessions.ended(SHUTDOWN_LIMIT).await;
        bail!(
            "{} is not the store any more that was loaded: it was restored or replaced; start \
             again to serve what it has now",
            fleet.store().describe()
        );
    }
    sessions.ended(SHUTDOWN_LIMIT).await;
    Ok(())
}

async fn services(
    fleet: &Fleet,
    sessions: Sessions,
    stop: &CancellationToken,
) -> anyhow::Result<Router> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<ControlServer<Api>>().await;
    health.set_serving::<SessionServer<Sessions>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(vipfleet_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let control = ControlServer::new(Api::new(fleet.clone(), stop.clone()))
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(MESSAGE_LIMIT);
    Ok(Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(ANSWER_LIMIT))
        .add_service(health_service)
        // Older tools know only the alpha of reflection.
        .add_service(reflection().build_v1().context("cannot build reflection")?)
        .add_service(reflection().build_v1alpha().context("cannot build reflection")?)
        .add_service(control)
        .add_service(SessionServer::new(sessions)))
}

/// Waits for SIGTERM or SIGINT, which from now on do not end the process by themselves.
fn signalled() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".into(), |name| name.trim().to_owned())
}
