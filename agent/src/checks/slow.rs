//! One blocking call at a time, which a timeout may leave behind but never doubles.
//!
//! A `stat` on a dead NFS mount or a name server that does not answer cannot be interrupted. The
//! probe gives up on it, and the next probe waits until it is over instead of stacking another.

use std::future::pending;
use tokio::task::{JoinHandle, spawn_blocking};

#[derive(Debug)]
pub(crate) struct Slow<T>(Option<JoinHandle<T>>);

impl<T> Default for Slow<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Send + 'static> Slow<T> {
    /// Runs `call` on a blocking thread. Dropping the future leaves the call to
    /// [`Slow::settle`]; a call left behind before is waited for first.
    pub(crate) async fn run(&mut self, call: impl FnOnce() -> T + Send + 'static) -> T {
        self.settle().await;
        let handle = self.0.insert(spawn_blocking(call));
        let value = join(handle).await;
        self.0 = None;
        value
    }

    /// Waits for the call that a dropped [`Slow::run`] left behind and returns its value.
    pub(crate) async fn settle(&mut self) -> Option<T> {
        let value = join(self.0.as_mut()?).await;
        self.0 = None;
        Some(value)
    }
}

async fn join<T>(handle: &mut JoinHandle<T>) -> T {
    match handle.await {
        Ok(value) => value,
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        // Cancelled: the runtime is going down and takes this task with it.
        Err(_) => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[tokio::test]
    async fn a_call_left_behind_by_a_timeout_is_waited_for() {
        let mut slow = Slow::default();
        let (go, wait) = mpsc::channel::<()>();
        let call = move || wait.recv().map_or(0, |()| 7);
        let given_up = tokio::time::timeout(Duration::from_millis(1), slow.run(call)).await;
        assert!(given_up.is_err());
        go.send(()).unwrap();
        assert_eq!(slow.settle().await, Some(7));
        assert_eq!(slow.settle().await, None);
        assert_eq!(slow.run(|| 8).await, 8);
    }
}
