//! How the server takes connections: the one place that says what is plaintext and what is not.
//! TLS comes in here, as another [`Transport`].

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::StreamExt as _;
use tokio_stream::adapters::Map;
use tonic::transport::server::TcpIncoming;
use tracing::{debug, warn};

/// How long a peer's kernel may acknowledge nothing of what it was sent (tcp(7),
/// `TCP_USER_TIMEOUT`): a host that died is known to be away soon, one that is only busy has the
/// patience of the pings.
const UNACKNOWLEDGED: Duration = Duration::from_secs(2);

/// Whether plaintext may leave the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plaintext {
    LoopbackOnly,
    Anywhere,
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(
        "{0} is not loopback and plaintext is served on loopback only: listen on 127.0.0.1, or \
         pass --insecure on a network where everybody may change the fleet"
    )]
    PlaintextRefused(SocketAddr),
    #[error("cannot listen on {address}")]
    Bind { address: SocketAddr, source: io::Error },
}

/// Connections as they come.
pub type Incoming = Map<TcpIncoming, fn(io::Result<TcpStream>) -> io::Result<TcpStream>>;

/// An open listener.
#[derive(Debug)]
pub enum Transport {
    Plaintext(Incoming),
}

/// Opens the listener, and says where it is.
pub async fn open(
    address: SocketAddr,
    plaintext: Plaintext,
) -> Result<(Transport, SocketAddr), ListenError> {
    if !address.ip().is_loopback() {
        match plaintext {
            Plaintext::LoopbackOnly => return Err(ListenError::PlaintextRefused(address)),
            Plaintext::Anywhere => {
                warn!(%address, "plaintext: everybody who can connect can change the fleet");
            }
        }
    }
    let bind = |source| ListenError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let bound = listener.local_addr().map_err(bind)?;
    // Small messages that somebody waits for, in both directions.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Ok((Transport::Plaintext(incoming.map(impatient)), bound))
}

/// A connection that ends by itself when the peer's host is dead.
fn impatient(stream: io::Result<TcpStream>) -> io::Result<TcpStream> {
    let stream = stream?;
    let limit = u32::try_from(UNACKNOWLEDGED.as_millis()).unwrap_or(u32::MAX);
    // Without it the pings still find out, later.
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(&stream, limit) {
        debug!(%error, "TCP_USER_TIMEOUT stays as it is");
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn plaintext_beyond_loopback_is_refused_unless_it_is_said() {
        let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let refused = open(anywhere, Plaintext::LoopbackOnly).await.unwrap_err();
        assert!(refused.to_string().contains("--insecure"), "{refused}");
        assert!(open(anywhere, Plaintext::Anywhere).await.is_ok());
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let (_, bound) = open(loopback, Plaintext::LoopbackOnly).await.unwrap();
        assert_ne!(bound.port(), 0);
    }
}
