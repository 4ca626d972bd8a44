//! The one thread that writes. It takes what is queued, up to a bound, into one transaction:
//! a thousand agents that report at once cost a few fsyncs, not a thousand. A caller gets its
//! reply when its write is durable; events are published then too, never before.

use super::operation::{Operation, Outcome, Reply, Trouble};
use super::tables::{self, counter};
use super::{Shared, StoreError};
use crate::store::{Event, Revision};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot};

/// Writes that wait for the writer. More wait at the caller.
const QUEUE: usize = 1024;
/// Writes that share one fsync.
const GROUP: usize = 256;

type Answer = oneshot::Sender<Result<Reply, StoreError>>;

struct Queued {
    operation: Operation,
    answer: Answer,
}

/// Handle of the thread. Dropping it lets the thread finish what is queued and waits for it.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Queued>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let (queue, queued) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(&shared, queued))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) async fn write(&self, operation: Operation) -> Result<Reply, StoreError> {
        let gone = || StoreError::failed("write", "its writer has ended");
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Queued { operation, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

fn run(shared: &Shared, mut queued: mpsc::Receiver<Queued>) {
    let mut group = Vec::with_capacity(GROUP);
    while let Some(first) = queued.blocking_recv() {
        group.push(first);
        while group.len() < GROUP
            && let Ok(next) = queued.try_recv()
        {
            group.push(next);
        }
        write_group(shared, &mut group);
    }
}

/// Writes a group in one transaction. When that fails, each on its own, so that one that cannot
/// be written takes no other with it.
fn write_group(shared: &Shared, group: &mut Vec<Queued>) {
    let replies = match transact(shared, group) {
        Ok(replies) => replies,
        Err(trouble) if group.len() == 1 => {
            let error = StoreError::from(trouble);
            tracing::error!(error = &error as &dyn std::error::Error, "a write failed");
            vec![Err(error)]
        }
        Err(_) => {
            for queued in group.drain(..) {
                write_group(shared, &mut vec![queued]);
            }
            return;
        }
    };
    for (queued, reply) in group.drain(..).zip(replies) {
        // A caller that went away needs no answer.
        let _ = queued.answer.send(reply);
    }
}

fn transact(shared: &Shared, group: &[Queued]) -> Result<Vec<Result<Reply, StoreError>>, Trouble> {
    let transaction = shared.database.begin_write()?;
    let mut revision =
        tables::number(&transaction.open_table(tables::COUNTERS)?, counter::REVISION)?;
    let before = revision;
    let mut replies = Vec::with_capacity(group.len());
    let mut events: Vec<(Event, usize)> = Vec::new();
    for queued in group {
        let outcome =
            queued.operation.perform(&transaction, &mut revision, shared.history, &mut events)?;
        replies.push(match outcome {
            Outcome::Done(reply) => Ok(reply),
            Outcome::Refused(error) => Err(error),
        });
    }
    if revision == before {
        transaction.abort()?;
        return Ok(replies);
    }
    transaction.open_table(tables::COUNTERS)?.insert(counter::REVISION, revision)?;
    transaction.commit()?;
    shared.ring.publish(Revision(revision), events);
    Ok(replies)
}
