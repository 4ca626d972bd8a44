//! A watch that supervises itself: one stream on everything below `live/`, resumed after the
//! last delivered revision whenever it ends, made up for by a list when etcd compacted that
//! away, and compared with a list now and then, since a watch can lose events silently.

use super::EtcdStore;
use super::client::{Etcd, Pause, Trouble};
use super::compare::Comparison;
use crate::store::{Event, Events, Revision, StoreError};
use etcd_client::{EventType, GetOptions, WatchOptions, WatchResponse, WatchStream};
use futures::StreamExt;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Events between the supervisor and its reader. Beyond, etcd keeps them.
const QUEUE: usize = 256;
/// For a stream to be made, and for its first message.
const CREATED: Duration = Duration::from_secs(4);

/// Why a stream, or the supervision, ended.
pub(super) enum End {
    /// The reader or the store is gone.
    Closed,
    /// To be resumed.
    Lost(StoreError),
    /// To be made up for by a list.
    Relist(&'static str),
    /// etcd is older than what was delivered, or another one.
    Rewound,
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Lost(trouble.into())
    }
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Lost(error)
    }
}

pub(super) struct Supervisor {
    pub(super) etcd: Etcd,
    pub(super) events: mpsc::Sender<Event>,
    start: i64,
    /// Of the last event that was delivered. Nothing else moves it but a list.
    pub(super) delivered: i64,
    /// Changes up to here were delivered: behind `delivered` only amid a list.
    pub(super) definitions: i64,
    /// Sequence of the last change that was delivered, once one was.
    pub(super) sequence: Option<u64>,
    /// Everything up to here was compared, or listed.
    pub(super) verified: i64,
    /// Newest revision seen of each key since.
    pub(super) seen: HashMap<Vec<u8>, i64>,
    cluster: Option<u64>,
    pub(super) compare_every: Duration,
}

impl EtcdStore {
    pub(super) fn supervise(&self, after: Revision) -> Events {
        let (events, receiver) = mpsc::channel(QUEUE);
        let after = i64::try_from(after.0).unwrap_or(i64::MAX - 1);
        let supervisor =
            Supervisor::new(self.etcd.clone(), events, after, self.options.compare_every);
        tokio::spawn(supervisor.run(self.closed.clone()));
        ReceiverStream::new(receiver).boxed()
    }
}

impl Supervisor {
    pub(super) fn new(
        etcd: Etcd,
        events: mpsc::Sender<Event>,
        after: i64,
        compare_every: Duration,
    ) -> Self {
        Self {
            etcd,
            events,
            start: after,
            delivered: after,
            definitions: after,
            sequence: None,
            verified: after,
            seen: HashMap::new(),
            cluster: None,
            compare_every,
        }
    }

    async fn run(mut self, closed: CancellationToken) {
        let mut pause = first_pause();
        loop {
            let before = self.delivered;
            let gone = self.events.clone();
            let end = tokio::select! {
                () = closed.cancelled() => return,
                () = gone.closed() => return,
                end = self.session() => end,
            };
            drop(gone);
            if self.delivered != before {
                pause = first_pause();
            }
            match end {
                End::Closed => return,
                End::Rewound => {
                    tracing::error!(
                        delivered = self.delivered,
                        "etcd went back in time or was replaced: take a new snapshot"
                    );
                    return;
                }
                End::Relist(reason) => tracing::info!(reason, "watch made up for by a list"),
                End::Lost(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, delivered = self.delivered, "watch lost");
                }
            }
            sleep(pause.next()).await;
        }
    }

    /// One stream from its making to its end; a list first or instead where one is due.
    async fn session(&mut self) -> End {
        match self.follow().await {
            Err(End::Relist(reason)) => match self.relist(reason).await {
                Ok(()) => End::Relist(reason),
                Err(end) => end,
            },
            Err(end) => end,
            Ok(never) => match never {},
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, End> {
        self.check_not_rewound().await?;
        let mut stream = self.open_stream().await?;
        let mut newest_header = 0;
        let mut comparison: Option<Comparison> = None;
        let mut next_look = self.next_look();
        loop {
            tokio::select! {
                message = stream.message() => {
                    let message = message.map_err(|error| self.etcd.unavailable(error))?;
                    let Some(message) = message else {
                        return Err(self.etcd.unavailable("the watch ended").into());
                    };
                    self.take(&message, &mut newest_header).await?;
                    if comparison.as_ref().is_some_and(|it| self.agrees(it)) {
                        self.verify(comparison.take());
                    }
                }
                () = sleep_until(next_look) => {
                    if let Some(unmet) = comparison.take() {
                        if !self.agrees(&unmet) {
                            return Err(End::Relist("the watch lost events"));
                        }
                        self.verify(Some(unmet));
                        next_look = self.next_look();
                    } else {
                        let list = self.compare_with().await?;
                        if self.agrees(&list) {
                            self.verify(Some(list));
                            next_look = self.next_look();
                        } else {
                            next_look = list.deadline;
                            comparison = Some(list);
                        }
                    }
                }
            }
        }
    }

    /// By a linearizable read, since a member may just be behind.
    async fn check_not_rewound(&mut self) -> Result<(), End> {
        let count = GetOptions::new().with_count_only();
        let answer = self.etcd.get(self.etcd.layout.key("head"), Some(count)).await?;
        let Some(header) = answer.header() else {
            return Ok(());
        };
        let other = self
            .cluster
            .replace(header.cluster_id())
            .is_some_and(|known| known != header.cluster_id());
        if other || header.revision() < self.delivered && self.delivered > self.start {
            return Err(End::Rewound);
        }
        Ok(())
    }

    async fn open_stream(&mut self) -> Result<WatchStream, End> {
        let floor = self.etcd.history_floor().await?;
        if floor.revision.0 as i64 > self.delivered {
            return Err(End::Relist("changes after the last delivered are no longer kept"));
        }
        let options = WatchOptions::new()
            .with_prefix()
            .with_start_revision(self.delivered + 1)
            .with_fragment();
        let key = self.etcd.layout.key("live/");
        let mut client = self.etcd.watch.clone();
        let made = timeout(CREATED, async {
            let mut stream = client.watch(key, Some(options)).await?;
            // The call returns before etcd has confirmed.
            let first = stream.message().await?;
            Ok::<_, etcd_client::Error>((stream, first))
        });
        let made = made.await.map_err(|_| self.etcd.unavailable("the watch was not confirmed"))?;
        let (stream, first) = made.map_err(|error| self.etcd.unavailable(error))?;
        match first {
            Some(first) if first.created() && !first.canceled() => Ok(stream),
            Some(first) => Err(canceled(&self.etcd, &first)),
            None => Err(self.etcd.unavailable("the watch ended before it began").into()),
        }
    }

    async fn take(&mut self, message: &WatchResponse, newest_header: &mut i64) -> Result<(), End> {
        if message.canceled() {
            return Err(canceled(&self.etcd, message));
        }
        let header = message.header().map_or(0, |header| header.revision());
        if header < *newest_header {
            return Err(End::Relist("etcd's revision went back"));
        }
        *newest_header = header;
        for event in message.events() {
            if event.event_type() != EventType::Put {
                continue;
            }
            let Some(kv) = event.kv() else { continue };
            if kv.mod_revision() > self.delivered {
                self.deliver(kv).await?;
            }
        }
        Ok(())
    }
}

fn first_pause() -> Pause {
    Pause::new(Duration::from_millis(100), Duration::from_secs(5))
}

fn canceled(etcd: &Etcd, message: &WatchResponse) -> End {
    if message.compact_revision() > 0 {
        return End::Relist("etcd compacted what came after the last delivered");
    }
    etcd.unavailable(format!("the watch was canceled: {}", message.cancel_reason())).into()
}
