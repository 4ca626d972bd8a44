//! What the outside tells the agent by signals.

use nix::sys::signal::{SigSet, Signal};
use std::io;
use tokio::signal::unix::{self, SignalKind, signal};

/// What the agent hears.
const HEARD: [Signal; 4] = [Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR2];

/// Keeps those signals waiting. Called before any thread is started, so that all inherit it and a
/// signal is delivered to the first thread or to nobody; and before exec, which keeps what waits.
pub fn hold() {
    // Fails for wrong arguments only.
    HEARD.into_iter().collect::<SigSet>().thread_block().ok();
}

/// What waits is delivered, to this thread, and whatever comes from now on.
fn release() {
    HEARD.into_iter().collect::<SigSet>().thread_unblock().ok();
}

/// Signals wait as long as this lives.
pub(super) struct Held;

impl Held {
    pub(super) fn begin() -> Self {
        hold();
        Self
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        release();
    }
}

/// SIGHUP, SIGTERM, SIGINT and SIGUSR2, caught from now on.
pub(super) struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
    second_user: unix::Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Reload,
    Upgrade,
    Stop,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        let caught = Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            second_user: signal(SignalKind::user_defined2())?,
        };
        release();
        Ok(caught)
    }

    /// The next signal. Cancel safe.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.second_user.recv() => Asked::Upgrade,
        }
    }

    /// One that came already.
    pub(super) async fn waiting(&mut self) -> Option<Asked> {
        tokio::select! {
            biased;
            asked = self.next() => Some(asked),
            () = std::future::ready(()) => None,
        }
    }
}
