//! The newest events in memory, and the streams that read them. A stream pulls: one that is
//! slow, or starts at a revision older than the ring, reads the file until the ring has what it
//! needs next. So nothing is missed or repeated, and nobody waits for a slow watcher.

use super::Shared;
use super::catch_up;
use crate::store::{Event, Events, Revision};
use futures::stream::{self, StreamExt};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;

const EVENTS: usize = 4096;
const BYTES: usize = 32 << 20;
/// Events that a stream takes at a time.
const AT_A_TIME: usize = 256;
/// Pause after the file could not be read.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Ring {
    kept: Mutex<Kept>,
    /// The last revision that is published.
    published: watch::Sender<Revision>,
}

struct Kept {
    /// Everything after it is in `events`.
    floor: Revision,
    events: VecDeque<(Event, usize)>,
    bytes: usize,
}

impl Ring {
    pub(super) fn new(floor: Revision) -> Self {
        let kept = Kept { floor, events: VecDeque::new(), bytes: 0 };
        Self { kept: Mutex::new(kept), published: watch::Sender::new(floor) }
    }

    /// Takes events, in the order of their revisions, with the last revision written.
    pub(super) fn publish(&self, last: Revision, events: Vec<(Event, usize)>) {
        let mut kept = self.lock();
        for (event, weight) in events {
            kept.bytes += weight;
            kept.events.push_back((event, weight));
        }
        while kept.events.len() > EVENTS || kept.bytes > BYTES {
            let Some((event, weight)) = kept.events.pop_front() else {
                break;
            };
            kept.bytes -= weight;
            kept.floor = event.revision;
        }
        drop(kept);
        self.published.send_replace(last);
    }

    /// The next events after a revision; `None` when the ring does not go back that far.
    fn after(&self, after: Revision) -> Option<Vec<Event>> {
        let kept = self.lock();
        if after < kept.floor {
            return None;
        }
        let start = kept.events.partition_point(|(event, _)| event.revision <= after);
        let next = kept.events.range(start..).take(AT_A_TIME);
        Some(next.map(|(event, _)| event.clone()).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a stream stands. Holds the store weakly: the stream ends with it.
struct Position {
    shared: Weak<Shared>,
    published: watch::Receiver<Revision>,
    after: Revision,
}

/// Events after a revision.
pub(super) fn events(shared: &Arc<Shared>, after: Revision) -> Events {
    let published = shared.ring.published.subscribe();
    let position = Position { shared: Arc::downgrade(shared), published, after };
    stream::unfold(position, |mut position| async move {
        let events = position.next().await?;
        Some((stream::iter(events), position))
    })
    .flatten()
    .boxed()
}

impl Position {
    async fn next(&mut self) -> Option<Vec<Event>> {
        loop {
            self.published.borrow_and_update();
            let shared = self.shared.upgrade()?;
            match shared.ring.after(self.after) {
                Some(events) => {
                    if let Some(last) = events.last() {
                        self.after = last.revision;
                        return Some(events);
                    }
                    drop(shared);
                    self.published.changed().await.ok()?;
                }
                None => {
                    let events = self.read_file(shared).await;
                    if !events.is_empty() {
                        return Some(events);
                    }
                }
            }
        }
    }

    /// A page of events that the ring no longer has.
    async fn read_file(&mut self, shared: Arc<Shared>) -> Vec<Event> {
        let after = self.after;
        let read = tokio::task::spawn_blocking(move || catch_up::page(&shared.database, after));
        match read.await {
            Ok(Ok(page)) => {
                self.after = page.until;
                page.events
            }
            Ok(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "events unreadable");
                tokio::time::sleep(RETRY).await;
                Vec::new()
            }
            // The runtime shuts down.
            Err(_) => std::future::pending().await,
        }
    }
}
