//! One change that concerns every agent: how long until each has it.

use crate::agent::What;
use crate::delay::Delays;
use crate::fleet;
use crate::swarm::Swarm;
use anyhow::{Context as _, bail};
use serde::Serialize;
use std::time::{Duration, Instant};
use tonic::transport::Channel;
use vipfleet_model::{Definition, Finding};
use vipfleet_proto::v1;
use vipfleet_proto::v1::control_client::ControlClient;

/// Of what the client sends: all definitions of a large fleet in one change.
const MESSAGE_LIMIT: usize = 64 << 20;
/// Between two changes, so that what one brings about is over before the next.
const CALM: Duration = Duration::from_secs(2);

/// What the changes took, counted from before the call that makes one.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fanout {
    pub agents: usize,
    pub changes: u32,
    /// Until an agent has the assignment.
    pub received: Delays,
    /// Until the server says that the change is stored.
    pub stored: Delays,
    pub sessions_lost: usize,
}

/// Connects `agents`, gives each something to run, and changes the check that all share
/// `changes` times.
pub async fn measure(server: &str, agents: usize, changes: u32) -> anyhow::Result<Fanout> {
    let mut swarm = Swarm::connect(server, agents).await?;
    let channel = Channel::from_shared(server.to_owned())?.connect().await?;
    let mut client = ControlClient::new(channel)
        .max_encoding_message_size(MESSAGE_LIMIT)
        .max_decoding_message_size(MESSAGE_LIMIT);
    let first = apply(&mut client, fleet::definitions(agents, 0)).await?;
    // A server that had these definitions pushed them when the agents came.
    if first.committed {
        swarm.all("the first assignment", is_since(first.revision)).await?;
    }
    let (mut received, mut stored) = (Vec::new(), Vec::new());
    for change in 1..=changes {
        tokio::time::sleep(CALM).await;
        let began = Instant::now();
        let answer = apply(&mut client, vec![fleet::check(change)]).await?;
        stored.push(began.elapsed());
        if !answer.committed {
            bail!("change {change} of the check is none: the store has it already");
        }
        let news = swarm.all("the change", is_since(answer.revision)).await?;
        received.extend(news.iter().map(|news| news.at.duration_since(began)));
    }
    Ok(Fanout {
        agents,
        changes,
        received: Delays::of(received).context("no agent received anything")?,
        stored: Delays::of(stored).context("no change was made")?,
        sessions_lost: swarm.notice_losses(),
    })
}

fn is_since(revision: u64) -> impl Fn(What) -> bool {
    move |what| matches!(what, What::Assigned(generation) if generation >= revision)
}

async fn apply(
    client: &mut ControlClient<Channel>,
    put: Vec<Definition>,
) -> anyhow::Result<v1::ApplyResponse> {
    let put = put.into_iter().map(Into::into).collect();
    let request = v1::ApplyRequest { put, author: "swarm".into(), ..Default::default() };
    let answer = client.apply(request).await?.into_inner();
    for finding in &answer.findings {
        let finding = Finding::try_from(finding.clone())?;
        if finding.severity == vipfleet_model::Severity::Error {
            let path = finding.place.path.unwrap_or_default();
            bail!("the server refuses the fleet: {path}: {}", finding.message);
        }
    }
    Ok(answer)
}
