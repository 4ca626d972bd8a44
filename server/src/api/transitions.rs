//! Transitions after a revision, then live, each once. The store's pages and the live feed are
//! joined by revision: what the page had is not said again.

use super::{Api, Fed, Streamed, refusal};
use crate::fleet::Fleet;
use crate::store::{Revision, StoredTransition};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use vipfleet_proto::v1;
use vipfleet_proto::v1::transition_event::Event;

/// Transitions read from the store at once.
const PAGE: usize = 512;

type Sender = mpsc::Sender<Result<v1::TransitionEvent, Status>>;

/// Why a stream ends: the client is gone, or it was told an error.
struct Ended;

impl Api {
    pub(super) async fn transitions_after(
        &self,
        after: Option<Revision>,
    ) -> Result<Streamed<v1::TransitionEvent>, Status> {
        if let Some(after) = after.filter(|after| *after > self.fleet.view().revision) {
            // Another replica may be ahead of this one, but nobody of the store.
            let newest = self.fleet.store().snapshot().await.map_err(refusal)?.revision;
            if after > newest {
                return Err(Status::out_of_range(format!(
                    "revision {after} has not been yet, the newest is {newest}: is it from \
                     another fleet?"
                )));
            }
        }
        let (send, receive) = mpsc::channel(64);
        let (fleet, to) = (self.fleet.clone(), send.clone());
        self.feed(send, async move {
            follow(&fleet, after, &to).await.ok();
            Fed::Done
        });
        Ok(Box::pin(ReceiverStream::new(receive)))
    }
}

async fn follow(fleet: &Fleet, after: Option<Revision>, send: &Sender) -> Result<(), Ended> {
    let mut live = fleet.transitions();
    let mut delivered = after.unwrap_or(fleet.view().revision);
    say(send, Event::Started(v1::WatchStarted { revision: delivered.0 })).await?;
    loop {
        delivered = page(fleet, delivered, send).await?;
        match drain(&mut live, &mut delivered, send).await {
            Ok(()) => return Ok(()),
            Err(Lagged::Behind) => {}
            Err(Lagged::Ended) => return Err(Ended),
        }
    }
}

/// Everything that the store has after `delivered`; returns where it ends.
async fn page(fleet: &Fleet, delivered: Revision, send: &Sender) -> Result<Revision, Ended> {
    let mut delivered = delivered;
    loop {
        let page = match fleet.store().transitions(delivered, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                send.send(Err(refusal(error))).await.ok();
                return Err(Ended);
            }
        };
        if let Some(kept) = page.gap_until {
            say(send, Event::Gap(v1::TransitionGap { first_kept_revision: kept.0 })).await?;
        }
        let Some(last) = page.transitions.last().map(|it| it.revision) else {
            return Ok(delivered);
        };
        for transition in page.transitions {
            say(send, event(transition)).await?;
        }
        delivered = last;
    }
}

enum Lagged {
    /// The live feed dropped some: page from the store again.
    Behind,
    Ended,
}

async fn drain(
    live: &mut broadcast::Receiver<StoredTransition>,
    delivered: &mut Revision,
    send: &Sender,
) -> Result<(), Lagged> {
    loop {
        let received = tokio::select! {
            received = live.recv() => received,
            () = send.closed() => return Ok(()),
        };
        match received {
            Ok(transition) if transition.revision > *delivered => {
                *delivered = transition.revision;
                say(send, event(transition)).await.map_err(|Ended| Lagged::Ended)?;
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return Err(Lagged::Behind),
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

fn event(transition: StoredTransition) -> Event {
    Event::Transition(v1::FleetTransition {
        revision: transition.revision.0,
        node: transition.node.to_string(),
        transition: Some(transition.record.into()),
    })
}

async fn say(send: &Sender, event: Event) -> Result<(), Ended> {
    let message = v1::TransitionEvent { event: Some(event) };
    send.send(Ok(message)).await.map_err(|_| Ended)
}
