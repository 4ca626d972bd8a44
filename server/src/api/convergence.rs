//! Progress of a revision on its way into the kernels: what `--wait` waits for.

use super::{Api, Fed, Streamed};
use crate::fleet::{Fleet, NodeProgress, View};
use crate::store::Revision;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use vipfleet_model::Name;
use vipfleet_proto::v1;

/// Longest a client may wait on one call.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl Api {
    /// Says each new state of the progress; ends when it is done, or when the time is over.
    pub(super) fn convergence(
        &self,
        request: v1::WatchConvergenceRequest,
    ) -> Result<Streamed<v1::Convergence>, Status> {
        let name = |(index, name): (usize, String)| {
            let bad = |cause| format!("instances[{index}]: {cause}");
            Name::try_from(name).map_err(|cause| Status::invalid_argument(bad(cause)))
        };
        let names = request.instances.into_iter().enumerate().map(name);
        let names: Vec<Name> = names.collect::<Result<_, _>>()?;
        let timeout = request.timeout.map(Duration::try_from).transpose();
        let timeout = timeout.map_err(|_| Status::invalid_argument("timeout: is negative"))?;
        let timeout = timeout.unwrap_or(LONGEST).min(LONGEST);
        let revision = Revision(request.revision);
        let (send, receive) = mpsc::channel(8);
        let (fleet, to) = (self.fleet.clone(), send.clone());
        self.feed(send, async move {
            let follow = follow(&fleet, revision, &names, &to);
            tokio::time::timeout(timeout, follow).await.unwrap_or(Fed::Done)
        });
        Ok(Box::pin(ReceiverStream::new(receive)))
    }
}

async fn follow(
    fleet: &Fleet,
    revision: Revision,
    names: &[Name],
    send: &mpsc::Sender<Result<v1::Convergence, Status>>,
) -> Fed {
    let mut changes = fleet.watch();
    let mut said = None;
    loop {
        let view = changes.borrow_and_update().clone();
        let progress = progress(&view, revision, names);
        let done = progress.done;
        if said.as_ref() != Some(&progress) {
            said = Some(progress.clone());
            if send.send(Ok(progress)).await.is_err() {
                return Fed::Done;
            }
        }
        if done {
            return Fed::Done;
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return Fed::CutShort },
            () = send.closed() => return Fed::Done,
        }
    }
}

fn progress(view: &View, revision: Revision, names: &[Name]) -> v1::Convergence {
    let members = view.convergence(names);
    let seen = view.definitions_revision >= revision;
    let member = |it: &NodeProgress| v1::MemberConvergence {
        node: it.node.to_string(),
        connected: it.connected,
        accepted: seen && it.accepted,
        observed: seen && it.observed,
        rejected: it.rejected.clone().unwrap_or_default(),
    };
    let done = seen && members.iter().all(|it| it.accepted && it.observed);
    v1::Convergence { done, members: members.iter().map(member).collect() }
}
