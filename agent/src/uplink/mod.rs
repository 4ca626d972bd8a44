//! The session with a control server: says what this node is and observes, takes assignments,
//! comes back for ever. Started by the supervisor; knows nothing of the engine, the kernel or
//! the checks. Losing it changes nothing on the data plane.

mod backoff;
pub mod fence;
mod session;

use self::backoff::Backoff;
use self::fence::Origin;
use crate::arrival::Arrival;
use crate::outbox::Outbox;
use crate::received::Received;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Endpoint, Uri};
use tracing::{info, warn};
use vipfleet_model::{Assignment, Name, NodeFacts, NodeReport};

/// A session that lasted this long resets the backoff.
const LASTING: Duration = Duration::from_secs(10);

/// Why an endpoint cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("{0:?} is no server URL: write it as http://HOST:PORT")]
    Malformed(String),
    #[error("{0:?} asks for TLS, which this version does not speak: write http://HOST:PORT")]
    Tls(String),
}

/// Checks and completes a `--server` URL.
pub fn endpoint(text: &str) -> Result<Endpoint, EndpointError> {
    let malformed = || EndpointError::Malformed(text.to_owned());
    let uri: Uri = text.parse().map_err(|_| malformed())?;
    match uri.scheme_str() {
        Some("http") if uri.host().is_some() => {}
        Some("https") => return Err(EndpointError::Tls(text.to_owned())),
        _ => return Err(malformed()),
    }
    Ok(Endpoint::from(uri)
        .connect_timeout(Duration::from_secs(3))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(5))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true))
}

/// What the uplink shares with the supervisor. Everything is the latest value, except the
/// outbox, which is a log.
#[derive(Clone, Debug)]
pub struct Shared {
    pub node: Name,
    pub boot_id: String,
    pub report: watch::Receiver<NodeReport>,
    pub facts: watch::Receiver<NodeFacts>,
    pub running: watch::Receiver<Running>,
    pub outbox: Arc<Mutex<Outbox>>,
    /// Rung when the outbox grew.
    pub outbox_grew: Arc<Notify>,
}

/// What this node runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    pub origin: Origin,
    pub hash: String,
}

/// An assignment offered by a server, with where the verdict goes.
#[derive(Debug)]
pub struct Offer {
    pub origin: Origin,
    pub hash: String,
    pub assignment: Assignment,
    pub received: Received,
    pub arrival: Arrival,
    pub verdict: oneshot::Sender<Result<(), Rejected>>,
}

/// An assignment that cannot run here, as the operator will read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// `instances[VI_1].advertInterval`; empty when it is about the whole.
    pub field_path: String,
    pub reason: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field_path.as_str() {
            "" => f.write_str(&self.reason),
            path => write!(f, "{path}: {}", self.reason),
        }
    }
}

/// What the supervisor hears from the uplink.
#[derive(Debug)]
pub enum FromServer {
    Connected {
        endpoint: String,
        fleet_id: String,
        epoch: u64,
    },
    Offer(Box<Offer>),
    /// Transitions up to this sequence are stored.
    Acknowledged(u64),
    Disconnected,
}

/// The first facts come within a moment of the start; a kernel side that says none is no reason
/// to stay away from the server.
const FACTS_LIMIT: Duration = Duration::from_secs(5);

/// Runs until cancelled: connects to the endpoints in turn, from a random one on.
pub async fn run(
    endpoints: Vec<Endpoint>,
    mut shared: Shared,
    heard: mpsc::Sender<FromServer>,
    stop: CancellationToken,
) {
    // A Hello without interfaces would have the server place nothing here.
    tokio::time::timeout(FACTS_LIMIT, shared.facts.changed()).await.ok();
    let mut backoff = Backoff::new(endpoints.len());
    let mut turn = fastrand::usize(..endpoints.len().max(1));
    while !stop.is_cancelled() {
        let Some(endpoint) = endpoints.get(turn % endpoints.len().max(1)) else { return };
        turn = turn.wrapping_add(1);
        let uri = endpoint.uri().to_string();
        let began = Instant::now();
        let ended = tokio::select! {
            ended = session::hold(endpoint, &shared, &heard) => ended,
            () = stop.cancelled() => return,
        };
        if ended.was_established {
            // A server that welcomes and drops at once is no better than one that is away.
            if began.elapsed() >= LASTING {
                backoff.reset();
            }
            info!(server = %uri, why = %ended.why, "session ended");
            if heard.send(FromServer::Disconnected).await.is_err() {
                return;
            }
        } else {
            warn!(server = %uri, why = %ended.why, "no session");
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next()) => {}
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_url_is_plain_http_with_a_host() {
        assert!(endpoint("http://127.0.0.1:7700").is_ok());
        assert!(matches!(endpoint("https://x:7700"), Err(EndpointError::Tls(_))));
        for text in ["127.0.0.1:7700", "http://", "ftp://x", "", "http://a b"] {
            assert!(matches!(endpoint(text), Err(EndpointError::Malformed(_))), "{text}");
        }
    }
}
