//! The net thread's life: its handle, its start and its end.

use super::actor;
use super::error::NetError;
use super::event::{self, Event, EventSender, Events};
use super::heartbeat::Heartbeat;
use super::inbox::Inbox;
use super::request::{Request, RequestError};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

/// How to run the net thread.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the ledger of what this agent owns in the kernel is kept; made if it is missing.
    pub state_dir: PathBuf,
    /// The VRRP loop's sign of life: leases are renewed only while it is fresh.
    pub heartbeat: Arc<Heartbeat>,
}

/// The handle to the net thread. Posting never waits.
///
/// When the last clone is dropped without [`Request::Shutdown`] the thread ends and leaves the
/// kernel as it is, as a crash would: leases run out, unless another incarnation takes over.
#[derive(Clone, Debug)]
pub struct Net(Arc<Poster>);

#[derive(Debug)]
struct Poster(Arc<Inbox>);

impl Drop for Poster {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Net {
    /// Starts the thread in the caller's network namespace and reads what the kernel holds.
    /// [`Event::Owned`] is the first event, even when it is empty.
    pub fn spawn(options: Options) -> Result<(Self, Events), NetError> {
        let (sender, events) = event::queue().map_err(|source| NetError::Thread { source })?;
        let inbox = Arc::new(Inbox::default());
        let (report, ready) = mpsc::sync_channel(1);
        let theirs = Arc::clone(&inbox);
        std::thread::Builder::new()
            .name("net".into())
            .spawn(move || run(options, &theirs, &sender, &report))
            .map_err(|source| NetError::Thread { source })?;
        ready.recv().map_err(|_| NetError::Died)??;
        Ok((Self(Arc::new(Poster(inbox))), events))
    }

    /// Posts a request; never waits. An instance's unread desire is replaced.
    pub fn request(&self, request: Request) -> Result<(), RequestError> {
        self.0.0.post([request])
    }

    /// Posts several requests that the net thread takes in together. One that is refused does not
    /// keep the others back.
    pub fn request_all(
        &self,
        requests: impl IntoIterator<Item = Request>,
    ) -> Result<(), RequestError> {
        self.0.0.post(requests)
    }
}

/// Ends the inbox and tells the reader however the thread ends, a panic included.
struct Farewell<'a> {
    inbox: &'a Inbox,
    events: &'a EventSender,
}

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        self.inbox.stop();
        self.events.send(Event::Stopped);
    }
}

fn run(
    options: Options,
    inbox: &Arc<Inbox>,
    events: &EventSender,
    report: &mpsc::SyncSender<Result<(), NetError>>,
) {
    let _farewell = Farewell { inbox, events };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => {
            let _ = report.send(Err(NetError::Thread { source }));
            return;
        }
    };
    runtime.block_on(async {
        match actor::Actor::start(options, Arc::clone(inbox), events.clone()).await {
            Ok(actor) => {
                let _ = report.send(Ok(()));
                actor.run().await;
            }
            Err(error) => {
                let _ = report.send(Err(error));
            }
        }
    });
}
