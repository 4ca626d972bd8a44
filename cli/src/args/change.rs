//! Commands that change definitions.

use super::name::{DefinitionKind, node_offset, node_priority};
use clap::{ArgAction, Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use vipfleet_model::instance::Takeover;
use vipfleet_model::span::Span;
use vipfleet_model::{Name, VirtualAddress};

/// What every change may say.
#[derive(Clone, Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Say what would change and store nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Wait until every member has the change in its kernel, for 30 s by default.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
          default_missing_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) wait: Option<Duration>,
    /// Refuse unless the definitions are still at this revision.
    #[arg(long, value_name = "N")]
    pub(crate) if_revision: Option<u64>,
    /// Why, for the history.
    #[arg(short, long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) message: String,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct FileArgs {
    /// YAML or JSON file, directory of such files, or - for standard input. Several are one input.
    #[arg(short = 'f', long = "file", value_name = "FILE|DIR|-", required = true)]
    pub(crate) file: Vec<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) files: FileArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) files: FileArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct EditArgs {
    pub(crate) kind: DefinitionKind,
    pub(crate) name: Name,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DeleteArgs {
    #[arg(requires = "name", required_unless_present = "file")]
    pub(crate) kind: Option<DefinitionKind>,
    pub(crate) name: Option<Name>,
    /// Delete what these files define instead.
    #[arg(short, long, value_name = "FILE|DIR|-", conflicts_with = "kind")]
    pub(crate) file: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RollbackArgs {
    /// Revision whose definitions are wanted back; see `vipctl history`.
    #[arg(long, value_name = "N")]
    pub(crate) to_revision: u64,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SetArgs {
    #[command(subcommand)]
    pub(crate) target: SetTarget,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SetTarget {
    /// Change fields of an instance; what is not named stays.
    #[command(after_help = "Examples:\n  vipctl set instance VI_1 --add-vip 192.0.2.12 --wait\n  \
                      vipctl set instance VI_1 --priority lb1=100 --priority lb2=90\n  \
                      vipctl set instance VI_1 --priority-offset lb1=-30\n  \
                      vipctl set instance VI_1 --takeover fast --if-revision 12")]
    Instance(SetInstanceArgs),
}

#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("field").required(true).multiple(true))]
pub(crate) struct SetInstanceArgs {
    pub(crate) name: Name,
    /// Base priority of a member.
    #[arg(long, value_name = "NODE=N", group = "field", value_parser = node_priority)]
    pub(crate) priority: Vec<(Name, u8)>,
    /// Added to the priority of a member until it is set to 0 again: moves the addresses by hand.
    #[arg(long, value_name = "NODE=N", group = "field", value_parser = node_offset)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) priority_offset: Vec<(Name, i16)>,
    /// Another virtual address; no change when it is there.
    #[arg(long, value_name = "ADDRESS", group = "field")]
    pub(crate) add_vip: Vec<VirtualAddress>,
    /// A virtual address to give up.
    #[arg(long, value_name = "ADDRESS", group = "field")]
    pub(crate) remove_vip: Vec<VirtualAddress>,
    /// Time between two adverts, such as 1s or 100ms.
    #[arg(long, value_name = "DURATION", group = "field", value_parser = span)]
    pub(crate) advert_interval: Option<Span>,
    /// Whether a better member takes its addresses back.
    #[arg(long, value_name = "true|false", group = "field", action = ArgAction::Set)]
    pub(crate) preempt: Option<bool>,
    /// How soon a backup takes over: by its rank among the members (fast, the default), or by the
    /// skew of the RFC, as keepalived does.
    #[arg(long, group = "field")]
    pub(crate) takeover: Option<TakeoverArg>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TakeoverArg {
    Rfc,
    Fast,
}

impl From<TakeoverArg> for Takeover {
    fn from(it: TakeoverArg) -> Self {
        match it {
            TakeoverArg::Rfc => Self::Rfc,
            TakeoverArg::Fast => Self::Fast,
        }
    }
}

fn span(text: &str) -> Result<Span, humantime::DurationError> {
    humantime::parse_duration(text).map(Span)
}
