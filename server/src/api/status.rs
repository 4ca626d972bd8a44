//! The fleet's state, whole: once, or again whenever it changed.

use super::{Api, Fed, Streamed};
use crate::fleet::{Fleet, View};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use vipfleet_proto::v1;

/// Least time between two states on one stream.
const PACE: Duration = Duration::from_millis(100);

pub(super) fn of(view: &View) -> v1::StatusResponse {
    v1::StatusResponse {
        revision: view.definitions_revision.0,
        instances: view.instances().into_iter().map(Into::into).collect(),
        nodes: view.nodes().into_iter().map(Into::into).collect(),
    }
}

impl Api {
    /// Coalesced to the latest: a slow reader skips states, it never lags.
    pub(super) fn status_changes(&self) -> Streamed<v1::StatusResponse> {
        let (send, receive) = mpsc::channel(1);
        let (fleet, to) = (self.fleet.clone(), send.clone());
        self.feed(send, async move { follow(&fleet, &to).await });
        Box::pin(ReceiverStream::new(receive))
    }
}

async fn follow(fleet: &Fleet, send: &mpsc::Sender<Result<v1::StatusResponse, Status>>) -> Fed {
    let mut changes = fleet.watch();
    let mut said = None;
    loop {
        // The state is worked out when there is room for it: the latest, then.
        let Ok(room) = send.reserve().await else {
            return Fed::Done;
        };
        let view = changes.borrow_and_update().clone();
        let state = of(&view);
        if said.as_ref() != Some(&state) {
            said = Some(state.clone());
            room.send(Ok(state));
        }
        tokio::time::sleep(PACE).await;
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return Fed::CutShort },
            () = send.closed() => return Fed::Done,
        }
    }
}
