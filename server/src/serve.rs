//! Puts one replica together and serves it until it is told to stop.

use crate::api::{Api, MESSAGE_LIMIT};
use crate::fleet::Fleet;
use crate::listen::{self, Plaintext, Transport};
use crate::options::Options;
use crate::session::Sessions;
use crate::store;
use anyhow::Context as _;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tracing::info;
use vipfleet_proto::v1::control_server::ControlServer;
use vipfleet_proto::v1::session_server::SessionServer;

/// How long open calls may take to end after the streams were told to.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// Runs a replica until SIGTERM or SIGINT.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let store = store::open(&options.store_spec(), &options.data_dir).await?;
    let plaintext = if options.insecure { Plaintext::Anywhere } else { Plaintext::LoopbackOnly };
    let (transport, address) = listen::open(options.listen, plaintext).await?;
    let stop = CancellationToken::new();
    let replica =
        options.replica.clone().unwrap_or_else(|| format!("{}:{}", host(), address.port()));
    let fleet =
        Fleet::start(store, replica, stop.clone()).await.context("cannot load the fleet")?;
    info!(fleet = %fleet.identity.id, epoch = fleet.identity.epoch, store = %fleet.store().describe(), "fleet loaded");
    let router = services(&fleet, &stop).await?;
    println!("vipfleet-server listening on http://{address}");
    tokio::spawn(cancel_on_signal(stop.clone())?);
    let Transport::Plaintext(incoming) = transport;
    let served = router.serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    // Open streams would hold a graceful shutdown for ever: they end by the token, and what is
    // left is cut.
    let limit = async {
        stop.cancelled().await;
        tokio::time::sleep(SHUTDOWN_LIMIT).await;
    };
    tokio::select! {
        served = served => served.context("cannot serve")?,
        () = limit => info!("open calls were cut"),
    }
    Ok(())
}

async fn services(fleet: &Fleet, stop: &CancellationToken) -> anyhow::Result<Router> {
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
    let sessions = SessionServer::new(Sessions::new(fleet.clone(), stop.clone()));
    Ok(Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(Duration::from_secs(5)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .add_service(health_service)
        // Older tools know only the alpha of reflection.
        .add_service(reflection().build_v1().context("cannot build reflection")?)
        .add_service(reflection().build_v1alpha().context("cannot build reflection")?)
        .add_service(control)
        .add_service(sessions))
}

fn cancel_on_signal(
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("stopping");
        stop.cancel();
    })
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".into(), |name| name.trim().to_owned())
}
