//! What the rest of the agent says to the VRRP thread and hears from it.

use super::health::CheckState;
use super::prepare::Prepared;
use super::succession::{NotNow, Past};
use super::wake::Wake;
use serde::{Deserialize, Serialize};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use vipfleet_model::instance::Notify;
use vipfleet_model::report::{InstanceState, TransitionRecord};
use vipfleet_model::{Name, NodeFacts, NodeReport};

/// Commands that may wait for the loop, which takes them at every wake.
pub(super) const COMMANDS: usize = 1024;

/// Notices that may wait for the supervisor. A full queue loses them: the log says so, and the
/// next transition says how many were lost before it.
pub(super) const NOTICES: usize = 4096;

/// What the loop is told.
#[derive(Debug)]
pub enum Command {
    /// Run this, and nothing else. Checked before by [`super::prepare()`]; cannot fail.
    Apply(Box<Prepared>),
    /// What a check of the assignment says now.
    Check { name: Name, state: CheckState },
    /// Say what the next image of the program must know. Refused while something is under way.
    HandOver { ending: Ending, answer: oneshot::Sender<Result<Past, NotNow>> },
    /// The next image did not come: go on.
    GoOn,
    /// Resign everything, let go once the successors are heard, end. Said again: let go now.
    Stop,
}

/// Whether the loop goes on after it has said what it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It does, as if nobody had asked.
    No,
    /// It pauses, for a moment, until this image of the program is replaced.
    Pause,
}

/// What the loop says that must not be coalesced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Notice {
    Transition {
        /// Without a sequence: the outbox numbers it.
        record: TransitionRecord,
        /// Hooks of the instance as configured when it happened.
        notify: Vec<Notify>,
        /// The instance ends with it: hooks for `stop`.
        ends: bool,
    },
    /// All instances of a sync group are in one state, another than before.
    Group {
        group: Name,
        to: InstanceState,
        notify: Vec<Notify>,
        /// The group ends with it: hooks for `stop`.
        ends: bool,
    },
    /// Something an operator must know, already one line.
    Warning { instance: Option<Name>, text: String },
    /// The loop has resigned everything and ended. Nothing follows.
    Stopped,
}

/// The loop has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the VRRP thread has ended")]
pub struct NodeStopped;

/// Handle on the VRRP thread.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) commands: SyncSender<Command>,
    pub(super) wake: Wake,
    pub report: watch::Receiver<NodeReport>,
    pub facts: watch::Receiver<NodeFacts>,
}

/// The receiving end of [`Notice`]s.
pub type Notices = mpsc::Receiver<Notice>;

impl Node {
    /// Queues a command. Waits while the queue is full: the loop empties it at every wake.
    pub async fn send(&self, command: Command) -> Result<(), NodeStopped> {
        let mut command = command;
        loop {
            match self.commands.try_send(command) {
                Ok(()) => {
                    self.wake.ring();
                    return Ok(());
                }
                Err(TrySendError::Full(back)) => command = back,
                Err(TrySendError::Disconnected(_)) => return Err(NodeStopped),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
