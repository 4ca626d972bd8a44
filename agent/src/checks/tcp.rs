//! A TCP connection is accepted. Also the connecting half of the HTTP probe.

use super::slow::Slow;
use super::tally::Outcome;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use tokio::net::TcpStream;

/// `HOST:PORT`, HOST an address or a name.
#[derive(Debug)]
pub(crate) struct Target {
    address: String,
    resolving: Slow<io::Result<Vec<SocketAddr>>>,
}

impl Target {
    pub(crate) fn new(address: String) -> Self {
        Self { address, resolving: Slow::default() }
    }

    /// Tries every address of a name in turn.
    pub(crate) async fn connect(&mut self) -> Result<TcpStream, String> {
        let addresses = match self.address.parse::<SocketAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.resolve().await?,
        };
        TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|cause| format!("cannot connect to {}: {}", self.address, reason(&cause)))
    }

    async fn resolve(&mut self) -> Result<Vec<SocketAddr>, String> {
        let address = self.address.clone();
        let found = self.resolving.run(move || Ok(address.to_socket_addrs()?.collect())).await;
        match found {
            Ok(addresses) if Vec::is_empty(&addresses) => {
                Err(format!("{} has no address", self.address))
            }
            Ok(addresses) => Ok(addresses),
            Err(cause) => Err(format!("cannot resolve {}: {cause}", self.address)),
        }
    }

    /// Accepted is all that is asked.
    pub(crate) async fn probe(&mut self) -> Outcome {
        self.connect().await.map(|_| format!("{} accepts connections", self.address))
    }

    pub(crate) async fn settle(&mut self) {
        self.resolving.settle().await;
    }
}

/// The kernel's reason in an operator's words, without `(os error N)`.
fn reason(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::HostUnreachable => "no route to host".into(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".into(),
        io::ErrorKind::TimedOut => "timed out".into(),
        _ => cause.to_string(),
    }
}
