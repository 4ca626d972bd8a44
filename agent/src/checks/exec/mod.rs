//! Programs that the agent runs: exec checks and notify hooks.
//!
//! `policy` says which files, `credentials` as whom and with what rights, `running` carries one
//! run to its end, `group` holds its processes. No shell anywhere: a program and its arguments.

mod credentials;
mod group;
mod policy;
mod running;

pub use policy::ExecPolicy;
pub(crate) use running::{GRACE, Purpose};

use super::slow::Slow;
use super::tally::Outcome;
use policy::Refused;
use running::{Ended, Running};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use vipfleet_model::check::ExecProbe;
use vipfleet_model::span::Span;

/// What to run, before it has been looked at.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) policy: Arc<ExecPolicy>,
    pub(crate) file: String,
    pub(crate) args: Vec<String>,
    pub(crate) user: Option<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) purpose: Purpose,
}

impl Order {
    fn start(&self) -> Result<Running, Refused> {
        let program = self.policy.resolve(&self.file, self.user.as_deref())?;
        Running::start(program, &self.args, &self.environment, self.purpose)
    }
}

/// One run at a time.
#[derive(Debug, Default)]
pub(crate) struct Launcher {
    starting: Slow<Result<Running, Refused>>,
    running: Option<Running>,
}

impl Launcher {
    /// Runs a program to its end; an error says why it could not. A dropped future leaves the
    /// run to [`Launcher::end`].
    pub(crate) async fn run(&mut self, order: &Order) -> Result<Ended, String> {
        self.end().await;
        let order = order.clone();
        let started = self.starting.run(move || order.start()).await;
        let running = self.running.insert(started.map_err(|refused| explain(&refused))?);
        let ended = running.wait().await;
        self.running = None;
        ended.map_err(|cause| format!("cannot learn how it ended: {cause}"))
    }

    /// Ends the run that a dropped [`Launcher::run`] left behind, if any.
    pub(crate) async fn end(&mut self) {
        if let Some(Ok(running)) = self.starting.settle().await {
            self.running = Some(running);
        }
        // Kept until it is over: this future may be dropped, too.
        if let Some(running) = &mut self.running {
            running.end().await;
            self.running = None;
        }
    }
}

/// One exec check.
#[derive(Debug)]
pub(crate) struct ExecProber {
    order: Order,
    launcher: Launcher,
}

impl ExecProber {
    pub(crate) fn new(probe: ExecProbe, policy: Arc<ExecPolicy>) -> Self {
        let ExecProbe { file, args, user, .. } = probe;
        let environment = Vec::new();
        let order = Order { policy, file, args, user, environment, purpose: Purpose::Check };
        Self { order, launcher: Launcher::default() }
    }

    pub(crate) async fn probe(&mut self) -> Outcome {
        let ended = self.launcher.run(&self.order).await?;
        let mut said = format!("{}: {}", self.order.file, ended.status);
        if let Some(line) = ended.last_line {
            said += &format!(": {line}");
        }
        if ended.status.success() { Ok(said) } else { Err(said) }
    }

    pub(crate) fn overdue(&self, limit: Duration) -> String {
        let limit = Span(limit);
        format!("{} did not end within {limit} and was ended", self.order.file)
    }

    pub(crate) async fn settle(&mut self) {
        self.launcher.end().await;
    }
}

/// An error and its causes on one line.
fn explain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        said += &format!(": {inner}");
        cause = inner.source();
    }
    said
}
