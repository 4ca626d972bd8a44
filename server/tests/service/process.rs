//! A server in this process, with clients of it.

use crate::samples::{MESSAGE_LIMIT, SOON};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic::transport::Channel;
use vipfleet_proto::v1;
use vipfleet_proto::v1::control_client::ControlClient;
use vipfleet_server::serve::{Config, Replica};
use vipfleet_server::store::{self, OpenError, Snapshot, Store};

pub(crate) type Client = ControlClient<Channel>;

/// On loopback, any port.
pub(crate) fn config() -> Config {
    Config::new(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// A replica on a runtime of its own.
pub(crate) struct Process {
    runtime: Option<Runtime>,
    replica: Option<Replica>,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// On what `open` opens.
    pub(crate) async fn start(
        open: impl Future<Output = Arc<dyn Store>> + Send + 'static,
        config: Config,
    ) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let start = async move { Replica::start(open.await, config).await.unwrap() };
        let replica = runtime.spawn(start).await.unwrap();
        let address = replica.address();
        Self { runtime: Some(runtime), replica: Some(replica), address }
    }

    /// Ends it at once: nothing is said and nothing written any more.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Ends it as SIGTERM does. How long that took.
    pub(crate) async fn stop(&mut self) -> Duration {
        let replica = self.replica.take().expect("it runs");
        let began = Instant::now();
        replica.stop();
        replica.ended().await.unwrap();
        let took = began.elapsed();
        self.kill();
        took
    }

    /// Ends when it does by itself. Why it did.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        let replica = self.replica.take().expect("it runs");
        tokio::time::timeout(SOON, replica.ended()).await.expect("the replica does not end")
    }

    pub(crate) async fn client(&self) -> Client {
        let channel = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        let client = ControlClient::new(channel.connect().await.unwrap());
        client.max_decoding_message_size(MESSAGE_LIMIT).max_encoding_message_size(MESSAGE_LIMIT)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A replica on an embedded store of its own.
pub(crate) struct Server {
    directory: TempDir,
    pub(crate) process: Process,
    config: Config,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(config()).await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        let directory = TempDir::with_prefix("vipfleet-server-").unwrap();
        let open = open_when_free(directory.path());
        let process = Process::start(open, config.clone()).await;
        // The same name and port after a restart.
        let config = Config { listen: process.address, ..config };
        Self { directory, process, config }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address
    }

    pub(crate) async fn client(&self) -> Client {
        self.process.client().await
    }

    /// SIGKILL, and started again.
    pub(crate) async fn crash_and_restart(&mut self) {
        self.process.kill();
        self.restart().await;
    }

    /// SIGTERM, and started again.
    pub(crate) async fn stop_and_restart(&mut self) {
        self.process.stop().await;
        self.restart().await;
    }

    /// What a replica would find that started after a crash of this one; restarts it.
    pub(crate) async fn stored_after_a_crash(&mut self) -> Snapshot {
        self.process.kill();
        let store = open_when_free(self.directory.path()).await;
        let snapshot = store.snapshot().await.unwrap();
        drop(store);
        self.restart().await;
        snapshot
    }

    async fn restart(&mut self) {
        let open = open_when_free(self.directory.path());
        self.process = Process::start(open, self.config.clone()).await;
    }
}

/// The file is free when the tasks of a former replica have gone.
fn open_when_free(directory: &Path) -> impl Future<Output = Arc<dyn Store>> + Send + 'static {
    let directory = directory.to_owned();
    async move {
        let deadline = Instant::now() + SOON;
        loop {
            match store::open("embedded", &directory).await {
                Ok(store) => return store,
                Err(OpenError::InUse { .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Waits until the whole status is as wanted, and returns it.
pub(crate) async fn status_when(
    client: &mut Client,
    mut wanted: impl FnMut(&v1::StatusResponse) -> bool,
) -> v1::StatusResponse {
    let mut states = client.watch_status(v1::StatusRequest {}).await.unwrap().into_inner();
    let mut last = None;
    let found = tokio::time::timeout(SOON, async {
        while let Some(state) = states.message().await.unwrap() {
            if wanted(&state) {
                return Some(state);
            }
            last = Some(state);
        }
        None
    });
    match found.await {
        Ok(Some(state)) => state,
        _ => panic!("the status never was as wanted, but {last:#?}"),
    }
}

/// One node of a status.
pub(crate) fn node<'a>(status: &'a v1::StatusResponse, name: &str) -> Option<&'a v1::NodeStatus> {
    status.nodes.iter().find(|node| node.name == name)
}

/// Waits until a node is connected, or is not.
pub(crate) async fn connected(client: &mut Client, name: &str, wanted: bool) {
    status_when(client, |it| node(it, name).is_some_and(|it| it.connected == wanted)).await;
}
