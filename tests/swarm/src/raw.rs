//! The yardstick: one put of bare etcd, seen by many watchers on a connection each.

use crate::delay::Delays;
use anyhow::{Context as _, bail};
use etcd_client::Client;
use serde::Serialize;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::timeout;

const KEY: &str = "vipfleet-yardstick";
const CALM: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(60);

/// What the puts took, counted from before each.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Raw {
    pub watchers: usize,
    pub puts: u32,
    /// Until a watcher has the event.
    pub received: Delays,
    /// Until etcd says that it is stored.
    pub stored: Delays,
}

/// Watches one key from `watchers` connections and puts it `puts` times.
pub async fn measure(endpoint: &str, watchers: usize, puts: u32) -> anyhow::Result<Raw> {
    let (seen, mut events) = mpsc::channel::<Instant>(65_536);
    for _ in 0..watchers {
        let mut client = Client::connect([endpoint], None).await.context("cannot reach etcd")?;
        let mut stream = client.watch(KEY, None).await.context("cannot watch")?;
        let seen = seen.clone();
        tokio::spawn(async move {
            let _client = client;
            while let Ok(Some(answer)) = stream.message().await {
                let at = Instant::now();
                if !answer.events().is_empty() && seen.send(at).await.is_err() {
                    return;
                }
            }
        });
    }
    let mut client = Client::connect([endpoint], None).await?;
    let (mut received, mut stored) = (Vec::new(), Vec::new());
    for put in 0..puts {
        tokio::time::sleep(CALM).await;
        let began = Instant::now();
        client.put(KEY, put.to_string(), None).await.context("cannot put")?;
        stored.push(began.elapsed());
        for missing in (1..=watchers).rev() {
            let at = timeout(PATIENCE, events.recv()).await;
            let at = at.with_context(|| format!("{missing} watchers saw nothing"))?;
            let Some(at) = at else { bail!("the watchers ended") };
            received.push(at.saturating_duration_since(began));
        }
    }
    Ok(Raw {
        watchers,
        puts,
        received: Delays::of(received).context("no watcher saw anything")?,
        stored: Delays::of(stored).context("nothing was put")?,
    })
}
