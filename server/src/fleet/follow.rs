//! The task that owns the view: takes what the store's watch and the sessions say, in batches,
//! and publishes the picture.

use super::heart::Heart;
use super::{Liveness, SessionEvent, View};
use crate::store::{Event, EventKind, Events, StoredTransition};
use futures::{FutureExt as _, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// Events taken in before the picture is published again.
const BATCH: usize = 1024;

/// How long news of sessions are gathered before they are taken in, for each node of the fleet:
/// some times what it takes to publish a picture of it. After a push every agent has a verdict and
/// two reports to say, and the next pushes must not wait for a picture of each.
const GATHERED: Duration = Duration::from_micros(5);

/// Where the follower says what it learned.
pub(super) struct Outlets {
    pub(super) views: watch::Sender<Arc<View>>,
    /// Only views that sessions have to act on: a thousand reports wake no session.
    pub(super) urgent: watch::Sender<Arc<View>>,
    pub(super) transitions: broadcast::Sender<StoredTransition>,
}

pub(super) struct Follower {
    outlets: Outlets,
    liveness: Liveness,
    heart: Arc<Heart>,
    view: View,
}

impl Follower {
    pub(super) fn new(outlets: Outlets, liveness: Liveness, heart: Arc<Heart>) -> Self {
        let view = outlets.views.borrow().as_ref().clone();
        Self { outlets, liveness, heart, view }
    }

    /// Until `stop`, or until the store is closed for good. Every branch is cancel safe.
    pub(super) async fn run(
        mut self,
        events: Events,
        mut sessions: mpsc::Receiver<SessionEvent>,
        stop: CancellationToken,
    ) {
        let mut events = events.fuse();
        loop {
            let verdict = self.liveness.next_verdict(Instant::now());
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.take(event),
                    None => return error!("the store is not the one that was loaded any more"),
                },
                Some(event) = sessions.recv() => {
                    self.view.hear(event);
                    tokio::time::sleep(GATHERED * self.view.size()).await;
                }
                () = tokio::time::sleep_until(verdict) => {}
                () = stop.cancelled() => return,
            }
            // What is there already goes into the same picture.
            for _ in 0..BATCH {
                match events.next().now_or_never() {
                    Some(Some(event)) => self.take(event),
                    _ => match sessions.try_recv() {
                        Ok(event) => self.view.hear(event),
                        Err(_) => break,
                    },
                }
            }
            self.view.settle();
            self.view.judge(&self.liveness, Instant::now());
            let urgent = self.view.take_urge();
            let view = Arc::new(self.view.clone());
            self.outlets.views.send_replace(Arc::clone(&view));
            if urgent {
                self.outlets.urgent.send_replace(view);
            }
        }
    }

    fn take(&mut self, event: Event) {
        self.view.absorb(&event);
        match event.what {
            EventKind::Replica(record) => {
                self.heart.heard(&record);
                self.liveness.heard(&record, Instant::now());
            }
            // Nobody listening is fine.
            EventKind::Transition(transition) => drop(self.outlets.transitions.send(transition)),
            _ => {}
        }
    }
}
