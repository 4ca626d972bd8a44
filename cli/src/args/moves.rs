//! Commands that move who serves.

use clap::Args;
use std::time::Duration;
use vipfleet_model::Name;

/// What every planned move may say.
#[derive(Clone, Debug, Args)]
pub(crate) struct MoveArgs {
    /// Say what would be done and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Wait until it is done in every kernel, for 30 s by default.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
          default_missing_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) wait: Option<Duration>,
    /// Why, for the history and for everybody who sees the move in a status.
    #[arg(short, long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) message: String,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SwitchoverArgs {
    /// The instance that moves, with all of its sync group.
    pub(crate) instance: Name,
    /// The node that is to serve, before all others, as long as its checks are well.
    #[arg(long, value_name = "NODE", required_unless_present = "clear")]
    pub(crate) to: Option<Name>,
    /// End the switchover that is in force: priorities count again.
    #[arg(long, conflicts_with_all = ["to", "lasts", "force"])]
    pub(crate) clear: bool,
    /// How long it lasts, such as 30m; otherwise until it is cleared.
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) lasts: Option<Duration>,
    /// Even if the node is not fit to take over now: it will when it is.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) planned: MoveArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DrainArgs {
    /// The node that is to serve nothing, save where nobody else can.
    pub(crate) node: Name,
    /// How long it lasts, such as 30m; otherwise until `vipctl uncordon`.
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) lasts: Option<Duration>,
    /// Even if nobody healthy could take over.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) planned: MoveArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct UncordonArgs {
    /// The node that was drained.
    pub(crate) node: Name,
    #[command(flatten)]
    pub(crate) planned: MoveArgs,
}
