//! The fleet's state, whole: once, or again whenever it changed.

use super::{Api, Streamed};
use crate::fleet::View;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
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
        let mut changes = self.fleet.watch();
        let stop = self.stop.clone();
        tokio::spawn(async move {
            let mut sent = None;
            loop {
                let state = of(&changes.borrow_and_update().clone());
                if sent.as_ref() != Some(&state) {
                    sent = Some(state.clone());
                    if send.send(Ok(state)).await.is_err() {
                        return;
                    }
                }
                tokio::time::sleep(PACE).await;
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    () = send.closed() => return,
                    () = stop.cancelled() => return,
                }
            }
        });
        Box::pin(ReceiverStream::new(receive))
    }
}
