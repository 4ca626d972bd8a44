//! The control service: parse → ask the store or the fleet → convert. Policy lives elsewhere.

mod apply;
mod base;
mod convergence;
mod moves;
mod read;
mod status;
mod transitions;

use crate::fleet::Fleet;
use crate::store::{Revision, StoreError};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use vipfleet_proto::v1::control_server::Control;
use vipfleet_proto::{Malformed, v1};

/// Largest request or answer: 10,000 definitions with room to spare.
pub const MESSAGE_LIMIT: usize = 64 << 20;

/// One replica's control service.
#[derive(Clone, Debug)]
pub struct Api {
    fleet: Fleet,
    /// Ends open streams, which would hold up a shutdown for ever.
    stop: CancellationToken,
}

type Answer<T> = Result<Response<T>, Status>;
type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send + 'static>>;

impl Api {
    pub fn new(fleet: Fleet, stop: CancellationToken) -> Self {
        Self { fleet, stop }
    }

    /// Runs what feeds a stream. A client that is cut short is told so: an end without a word
    /// would look like the end of the matter.
    fn feed<T: Send + 'static>(
        &self,
        send: mpsc::Sender<Result<T, Status>>,
        feed: impl Future<Output = Fed> + Send + 'static,
    ) {
        let stop = self.stop.clone();
        tokio::spawn(async move {
            let fed = tokio::select! {
                fed = feed => fed,
                () = stop.cancelled() => Fed::CutShort,
            };
            if let Fed::CutShort = fed {
                send.send_timeout(Err(stopping()), FAREWELL).await.ok();
            }
        });
    }
}

#[tonic::async_trait]
impl Control for Api {
    async fn apply(&self, request: Request<v1::ApplyRequest>) -> Answer<v1::ApplyResponse> {
        self.apply_change(request.into_inner()).await.map(Response::new)
    }

    async fn rollback(&self, request: Request<v1::RollbackRequest>) -> Answer<v1::ApplyResponse> {
        self.roll_back(request.into_inner()).await.map(Response::new)
    }

    async fn switchover(
        &self,
        request: Request<v1::SwitchoverRequest>,
    ) -> Answer<v1::ApplyResponse> {
        self.switch_over(request.into_inner()).await.map(Response::new)
    }

    async fn drain(&self, request: Request<v1::DrainRequest>) -> Answer<v1::ApplyResponse> {
        self.drain_node(request.into_inner()).await.map(Response::new)
    }

    async fn uncordon(&self, request: Request<v1::UncordonRequest>) -> Answer<v1::ApplyResponse> {
        self.uncordon_node(request.into_inner()).await.map(Response::new)
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Answer<v1::GetResponse> {
        self.definitions(request.into_inner()).await.map(Response::new)
    }

    async fn history(&self, request: Request<v1::HistoryRequest>) -> Answer<v1::HistoryResponse> {
        self.changes(request.into_inner()).await.map(Response::new)
    }

    async fn status(&self, _: Request<v1::StatusRequest>) -> Answer<v1::StatusResponse> {
        Ok(Response::new(status::of(&self.fleet.view())))
    }

    type WatchStatusStream = Streamed<v1::StatusResponse>;

    async fn watch_status(&self, _: Request<v1::StatusRequest>) -> Answer<Self::WatchStatusStream> {
        Ok(Response::new(self.status_changes()))
    }

    type WatchTransitionsStream = Streamed<v1::TransitionEvent>;

    async fn watch_transitions(
        &self,
        request: Request<v1::WatchTransitionsRequest>,
    ) -> Answer<Self::WatchTransitionsStream> {
        let after = request.into_inner().after_revision.map(Revision);
        self.transitions_after(after).await.map(Response::new)
    }

    type WatchConvergenceStream = Streamed<v1::Convergence>;

    async fn watch_convergence(
        &self,
        request: Request<v1::WatchConvergenceRequest>,
    ) -> Answer<Self::WatchConvergenceStream> {
        self.convergence(request.into_inner()).map(Response::new)
    }

    async fn version(&self, _: Request<v1::VersionRequest>) -> Answer<v1::VersionResponse> {
        Ok(Response::new(v1::VersionResponse {
            version: env!("CARGO_PKG_VERSION").into(),
            fleet_id: self.fleet.identity.id.clone(),
            epoch: self.fleet.identity.epoch,
            store: self.fleet.store().describe(),
        }))
    }
}

/// The gRPC status of a store's failure: what a client may do about it decides the code.
fn refusal(error: StoreError) -> Status {
    let text = chain(&error);
    match error {
        StoreError::Unavailable { .. } => Status::unavailable(text),
        StoreError::Conflict { .. } => Status::aborted(text),
        StoreError::UnknownRevision(_) => Status::not_found(text),
        StoreError::Corrupt { .. } => Status::data_loss(text),
        _ => Status::internal(text),
    }
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

/// How what feeds a stream ended.
enum Fed {
    /// The client has all it asked for, or is gone.
    Done,
    /// The replica ends.
    CutShort,
}

/// How long a client that is cut short may take to hear of it.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a stream says when it ends before its time. Resumed elsewhere, it misses nothing.
fn stopping() -> Status {
    Status::unavailable("the server is stopping: ask again, or another replica")
}

/// Converts each, and says which one is malformed and where.
fn each<W, T>(field: &str, wire: Vec<W>) -> Result<Vec<T>, Status>
where
    T: TryFrom<W, Error = Malformed>,
{
    let one = |(index, wire): (usize, W)| {
        T::try_from(wire).map_err(|cause| malformed(cause.under(&format!("{field}[{index}]"))))
    };
    wire.into_iter().enumerate().map(one).collect()
}

fn malformed(cause: Malformed) -> Status {
    Status::invalid_argument(cause.to_string())
}
