//! Either program as one router of a LAN: what both are asked for alike.

use std::path::Path;
use std::process::ExitStatus;

use super::{Agent, Keepalived};
use crate::lab::Host;
use crate::process::Process;

/// Which program a host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The agent, stand-alone on a keepalived file.
    Ours,
    /// keepalived.
    Theirs,
}

impl Program {
    /// What runs on the other end.
    pub fn other(self) -> Self {
        match self {
            Self::Ours => Self::Theirs,
            Self::Theirs => Self::Ours,
        }
    }
}

/// A router that runs.
#[derive(Debug)]
pub enum Router {
    /// The agent.
    Ours(Agent),
    /// keepalived.
    Theirs(Keepalived),
}

impl Router {
    /// Starts a program with a configuration file of keepalived's.
    #[track_caller]
    pub fn start(program: Program, host: &Host, file: &Path) -> Self {
        match program {
            Program::Ours => Self::Ours(Agent::standalone(host, file)),
            Program::Theirs => Self::Theirs(Keepalived::start(host, file)),
        }
    }

    /// The daemon's process.
    pub fn process(&mut self) -> &mut Process {
        match self {
            Self::Ours(agent) => agent.process(),
            Self::Theirs(keepalived) => keepalived.process(),
        }
    }

    /// Graceful stop.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.process().terminate()
    }
}
