//! When memory that an assignment left free goes back to the kernel ([`memory`]): once after each
//! change. Nothing wakes while nothing changes.

use crate::memory;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// By then the VRRP thread has let go of what it had, and does not wait for the allocator's locks.
const CALM: Duration = Duration::from_millis(250);

/// Asks for it; dropped, nobody is asked any more.
#[derive(Debug)]
pub(super) struct Spare {
    changed: Arc<Notify>,
    task: AbortHandle,
}

impl Spare {
    /// On the runtime that is entered.
    pub(super) fn start() -> Self {
        let changed = Arc::new(Notify::new());
        let asked = Arc::clone(&changed);
        let task = tokio::spawn(async move {
            loop {
                asked.notified().await;
                tokio::time::sleep(CALM).await;
                tokio::task::spawn_blocking(memory::give_back).await.ok();
            }
        });
        Self { changed, task: task.abort_handle() }
    }

    /// An assignment was taken, or refused. Several at once are seen to together.
    pub(super) fn soon(&self) {
        self.changed.notify_one();
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const BLOCKS: usize = 64 * 1024;
    const BLOCK: usize = 1000;
    const MOST: u64 = (BLOCKS * BLOCK) as u64 / 4 * 3;

    fn resident() -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }

    #[cfg(target_env = "gnu")]
    #[tokio::test]
    async fn what_another_thread_freed_goes_back_once_it_is_calm() {
        let spare = Spare::start();
        // The last block stays, above everything that is freed.
        let thread = std::thread::spawn(|| {
            let mut blocks: Vec<Vec<u8>> = (0..BLOCKS).map(|_| vec![1; BLOCK]).collect();
            let last = blocks.pop();
            drop(blocks);
            (last, resident())
        });
        let (last, kept) = thread.join().unwrap();
        spare.soon();
        let start = Instant::now();
        while resident() + MOST > kept {
            let now = resident();
            assert!(start.elapsed() < Duration::from_secs(30), "{kept} bytes, now {now}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(last);
    }
}
