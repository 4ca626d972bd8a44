//! `--wait`: until every member has a revision in its kernel, or it is clear that it will not.
//! The verdict is [`Progress::verdict`], pure; [`until_converged`] feeds it and follows the fleet
//! over to another replica when one goes away.

pub(crate) mod moves;
mod progress;

pub(crate) use progress::{Member, Verdict};

use crate::connect::{Endpoints, Server};
use crate::exit::{Exit, Failure};
use indicatif::{ProgressBar, ProgressStyle};
use progress::Progress;
use std::time::Duration;
use tokio::time::Instant;
use tonic::Streaming;
use vipfleet_model::Name;
use vipfleet_proto::v1;

/// Between two tries to find a replica.
const RETRY: Duration = Duration::from_millis(500);
/// How often the verdict is taken when nothing is heard.
const TICK: Duration = Duration::from_millis(200);
/// The server gives up later than we do, so that the verdict is ours.
const MARGIN: Duration = Duration::from_secs(5);

/// What is waited for.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    pub(crate) revision: u64,
    /// Empty: every instance.
    pub(crate) instances: Vec<Name>,
    pub(crate) timeout: Duration,
}

/// Waits; an error is a server that cannot be reached any more.
pub(crate) async fn until_converged(
    endpoints: &Endpoints,
    server: &Server,
    goal: &Goal,
) -> Result<Verdict, Failure> {
    let spinner = spinner(goal);
    let mut progress = Progress::new(Instant::now(), goal.timeout);
    let mut stream = open(server, goal).await;
    let mut unreachable: Option<Failure> = None;
    let mut tick = tokio::time::interval(TICK);
    loop {
        let heard = tokio::select! {
            heard = next(&mut stream) => Some(heard),
            _ = tick.tick() => None,
        };
        match heard {
            Some(Some(convergence)) => {
                unreachable = None;
                progress.hear(convergence, Instant::now());
            }
            Some(None) => {
                tokio::time::sleep(RETRY).await;
                match endpoints.connect().await {
                    Ok(server) => stream = open(&server, goal).await,
                    Err(failure) => unreachable = Some(failure),
                }
            }
            None => {}
        }
        spinner.set_message(progress.line());
        if let Some(verdict) = progress.verdict(Instant::now()) {
            spinner.finish_and_clear();
            return match (verdict, unreachable) {
                (Verdict::Behind { .. }, Some(failure)) => Err(lost(failure, goal)),
                (verdict, _) => Ok(verdict),
            };
        }
    }
}

type Stream = Option<Streaming<v1::Convergence>>;

/// `None` when the server would not, or could not.
async fn open(server: &Server, goal: &Goal) -> Stream {
    let request = v1::WatchConvergenceRequest {
        revision: goal.revision,
        instances: goal.instances.iter().map(ToString::to_string).collect(),
        timeout: prost_types::Duration::try_from(goal.timeout.saturating_add(MARGIN)).ok(),
    };
    let opened = server.client.clone().watch_convergence(request).await;
    opened.ok().map(tonic::Response::into_inner)
}

/// The next word; `None` when the stream is over. Cancel safe.
async fn next(stream: &mut Stream) -> Option<v1::Convergence> {
    let heard = match stream {
        Some(open) => open.message().await.ok().flatten(),
        None => None,
    };
    if heard.is_none() {
        *stream = None;
    }
    heard
}

fn lost(failure: Failure, goal: &Goal) -> Failure {
    let what = format!(
        "revision {} is stored, but the servers cannot be reached any more to see it arrive",
        goal.revision
    );
    Failure { what, exit: Exit::Unreachable, ..failure }
}

/// A line on standard error, on a terminal only.
fn spinner(goal: &Goal) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {prefix} {wide_msg} {elapsed}")
    {
        bar.set_style(style);
    }
    bar.set_prefix(format!("revision {}:", goal.revision));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
