//! What it costs a server to have agents that want nothing.

use crate::delay::milliseconds;
use crate::process::{self, Used};
use crate::swarm::Swarm;
use serde::Serialize;
use std::time::{Duration, Instant};

/// What a server used with `agents` connected and idle.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Idle {
    pub agents: usize,
    /// Until all had a session.
    pub connected_ms: f64,
    /// Resident memory of the server before the first came, and with all of them, in MiB.
    pub resident_before_mib: f64,
    pub resident_mib: f64,
    /// Processor time of the server, in percent of one.
    pub cpu_percent: f64,
    pub seconds: u64,
    pub sessions_lost: usize,
}

/// Connects `agents`, lets the server come to rest for `settle`, and watches the process `pid`
/// for `period`.
pub async fn measure(
    server: &str,
    pid: u32,
    agents: usize,
    settle: Duration,
    period: Duration,
) -> anyhow::Result<Idle> {
    let resident_before = process::resident(pid)?;
    let began = Instant::now();
    let mut swarm = Swarm::connect(server, agents).await?;
    let connected_ms = milliseconds(began.elapsed());
    tokio::time::sleep(settle).await;
    let before = Used::by(pid)?;
    tokio::time::sleep(period).await;
    let cpu_percent = Used::by(pid)?.percent_since(&before);
    let mib = |bytes: u64| (bytes as f64 / 1_048_576.0 * 10.0).round() / 10.0;
    Ok(Idle {
        agents,
        connected_ms,
        resident_before_mib: mib(resident_before),
        resident_mib: mib(process::resident(pid)?),
        cpu_percent: (cpu_percent * 10.0).round() / 10.0,
        seconds: period.as_secs(),
        sessions_lost: swarm.notice_losses(),
    })
}
