//! Many simulated agents, started together and followed together.

use crate::agent::{self, News, What};
use anyhow::{Context as _, bail};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vipfleet_agent::uplink;

/// News that wait; an agent that finds no room waits too.
const NEWS: usize = 65_536;
/// Agents that start together, and what lies between two such crowds: connecting is not what is
/// measured, and a listener's backlog is finite.
const CROWD: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);
/// No agent may need longer for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// Agents that are connected. Ends them when dropped.
#[derive(Debug)]
pub struct Swarm {
    agents: usize,
    news: mpsc::Receiver<News>,
    stop: CancellationToken,
    /// Sessions that were lost since the start.
    pub lost: usize,
}

impl Swarm {
    /// Connects agents 0 to `agents` to a server; returns when all have a session.
    pub async fn connect(server: &str, agents: usize) -> anyhow::Result<Self> {
        let endpoint = uplink::endpoint(server)?;
        let (sender, news) = mpsc::channel(NEWS);
        let stop = CancellationToken::new();
        let mut swarm = Self { agents, news, stop: stop.clone(), lost: 0 };
        tokio::spawn(async move {
            for number in 0..agents {
                tokio::spawn(agent::run(number, endpoint.clone(), sender.clone(), stop.clone()));
                if number % CROWD == CROWD - 1 {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
        swarm.all("a session", |what| what == What::Connected).await?;
        Ok(swarm)
    }

    /// Until every agent has seen what `is_it` accepts; the first such news of each.
    pub(crate) async fn all(
        &mut self,
        what: &str,
        is_it: impl Fn(What) -> bool,
    ) -> anyhow::Result<Vec<News>> {
        let mut first: Vec<Option<News>> = vec![None; self.agents];
        let mut missing = self.agents;
        while missing > 0 {
            let news = timeout(PATIENCE, self.news.recv()).await;
            let news = news.with_context(|| format!("{missing} agents still lack {what}"))?;
            let Some(news) = news else { bail!("the agents ended, {missing} without {what}") };
            self.lost += usize::from(news.what == What::Disconnected);
            if is_it(news.what) && first[news.agent].is_none() {
                first[news.agent] = Some(news);
                missing -= 1;
            }
        }
        Ok(first.into_iter().flatten().collect())
    }

    /// Counts the sessions that were lost up to now.
    pub(crate) fn notice_losses(&mut self) -> usize {
        while let Ok(news) = self.news.try_recv() {
            self.lost += usize::from(news.what == What::Disconnected);
        }
        self.lost
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
