//! A child process that leads a process group, from its start to its reaping.
//!
//! It is not reaped before the owner says so. Until then neither its pid nor the number of its
//! group can be reused: a signal to the group reaches this group or nobody.

use super::super::pidfd::Pidfd;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io;
use std::process::{Child, Command, ExitStatus};

#[derive(Debug)]
pub(crate) struct Group {
    /// Taken by reaping.
    leader: Option<Child>,
    pid: Pid,
    exit: Pidfd,
}

impl Group {
    /// Starts `command`, which must make itself the leader of a group.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let child = command.spawn()?;
        // A pid fits: the kernel's are positive and signed.
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the child has no pid"))?;
        match Pidfd::open(pid) {
            Ok(exit) => Ok(Self { leader: Some(child), pid, exit }),
            Err(cause) => {
                abandon(pid, child);
                Err(cause)
            }
        }
    }

    /// The leader has ended. It is still to be reaped.
    pub(crate) async fn leader_ended(&self) {
        self.exit.ended().await;
    }

    /// To every process of the group. Nobody left is no failure: that is what was wanted.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.leader.is_some() {
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// How the leader ended. Only after [`Group::leader_ended`]: it would block before.
    pub(crate) fn reap(&mut self) -> io::Result<ExitStatus> {
        let Some(mut leader) = self.leader.take() else {
            return Err(io::Error::other("reaped twice"));
        };
        leader.wait()
    }
}

impl Drop for Group {
    /// The last resort, when there is no time left to end it in order.
    fn drop(&mut self) {
        if let Some(leader) = self.leader.take() {
            abandon(self.pid, leader);
        }
    }
}

/// Kills the group and leaves the reaping to a thread: even a killed process can linger.
fn abandon(group: Pid, mut leader: Child) {
    let _ = kill_process_group(group, Signal::KILL);
    let reaper = std::thread::Builder::new().name("reaper".into());
    // Without a thread it stays a zombie until the agent ends.
    let _ = reaper.spawn(move || leader.wait());
}
