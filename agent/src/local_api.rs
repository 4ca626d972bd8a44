//! What this host runs and sees, on a Unix socket, with or without a server. Reads the latest
//! values that others publish; asks nobody.

use crate::outbox::Outbox;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use vipfleet_model::{Name, NodeFacts, NodeReport};
use vipfleet_proto::v1;
use vipfleet_proto::v1::local_server::{Local, LocalServer};

/// Where the answers come from.
#[derive(Clone, Debug)]
pub struct LocalApi {
    pub node: Name,
    pub mode: Mode,
    /// Server that holds the session; empty when none does.
    pub connected_to: watch::Receiver<String>,
    pub report: watch::Receiver<NodeReport>,
    pub facts: watch::Receiver<NodeFacts>,
    pub outbox: Arc<Mutex<Outbox>>,
}

/// Where the agent's instances come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Server,
    Config,
}

impl Mode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Config => "config",
        }
    }
}

/// The file of a socket. Removed on drop if it is still the one that was bound.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: Self::identity_of(path) }
    }

    fn identity_of(path: &Path) -> Option<(u64, u64)> {
        std::fs::symlink_metadata(path).ok().map(|it| (it.dev(), it.ino()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && Self::identity_of(&self.path) == self.identity {
            std::fs::remove_file(&self.path).ok();
        }
    }
}

/// Binds the socket (mode 0660, its directory 0755) in place of one that nobody listens on.
pub async fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            let occupied = "there is a file that is no socket: give the agent another --socket";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, occupied));
        }
        if UnixStream::connect(path).await.is_ok() {
            let in_use = "another agent listens there: give each agent a --socket of its own";
            return Err(io::Error::new(io::ErrorKind::AddrInUse, in_use));
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let file = SocketFile::at(path);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok((listener, file))
}

/// Goes on with the socket that the former image of the agent listened on: who connects meanwhile
/// waits, and is served.
pub fn adopt(listener: OwnedFd, path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = std::os::unix::net::UnixListener::from(listener);
    listener.set_nonblocking(true)?;
    Ok((UnixListener::from_std(listener)?, SocketFile::at(path)))
}

/// Serves until `stop`.
pub async fn serve(api: LocalApi, listener: UnixListener, stop: CancellationToken) {
    let served = tonic::transport::Server::builder()
        .add_service(LocalServer::new(api))
        .serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the local API ended");
    }
}

#[tonic::async_trait]
impl Local for LocalApi {
    async fn state(
        &self,
        _: Request<v1::LocalStateRequest>,
    ) -> Result<Response<v1::LocalStateResponse>, Status> {
        let recent = {
            let outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
            outbox.recent().cloned().map(Into::into).collect()
        };
        Ok(Response::new(v1::LocalStateResponse {
            node: self.node.to_string(),
            agent_version: env!("CARGO_PKG_VERSION").into(),
            mode: self.mode.as_str().into(),
            connected_to: self.connected_to.borrow().clone(),
            report: Some(self.report.borrow().clone().into()),
            recent,
            facts: Some(self.facts.borrow().clone().into()),
        }))
    }
}
