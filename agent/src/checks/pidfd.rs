//! A process to wait for, child or not. Its death is an event, not something to poll for.

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

#[derive(Debug)]
pub(crate) struct Pidfd(AsyncFd<OwnedFd>);

impl Pidfd {
    /// Refers to whichever process has `pid` now. The descriptor is close-on-exec.
    pub(crate) fn open(pid: Pid) -> io::Result<Self> {
        let fd = pidfd_open(pid, PidfdFlags::empty())?;
        // SAFETY: an OwnedFd is open, keeps its number, and is closed only when the AsyncFd that
        // owns it from here on is dropped.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?;
        Ok(Self(fd))
    }

    /// Returns once the whole thread group has ended, reaped or not.
    pub(crate) async fn ended(&self) {
        if self.0.readable().await.is_err() {
            // The runtime is going down and takes this task with it.
            pending::<()>().await;
        }
    }
}
