//! The command line as typed. Absent: whether it makes sense together, which the commands check.

mod change;
mod moves;
mod name;

pub(crate) use change::{
    ApplyArgs, ChangeArgs, DeleteArgs, DiffArgs, EditArgs, RollbackArgs, SetArgs, SetInstanceArgs,
    SetTarget,
};
pub(crate) use moves::{DrainArgs, MoveArgs, SwitchoverArgs, UncordonArgs};
pub(crate) use name::{DefinitionKind, DescribedKind, Listing};

use crate::connect::DEFAULT_SERVER;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Shows and changes who holds which virtual IP in a vipfleet.
///
/// Without a command: who has each VIP, and is it healthy?
#[derive(Clone, Debug, Parser)]
#[command(
    name = "vipctl",
    version,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done · 1 failed, or (diff) different · 2 usage · 3 refused by \
                  validation or conflict · 4 timed out waiting · 5 cannot reach a server\n\n\
                  Examples:\n  vipctl\n  vipctl apply -f fleet.yaml --wait\n  \
                  vipctl get instances -o json\n  vipctl --server http://10.0.0.5:7700 watch"
)]
pub(crate) struct Arguments {
    /// Addresses of servers, http://HOST:PORT; the first that answers is asked.
    #[arg(
        long, global = true, value_name = "URL[,URL…]", env = "VIPFLEET_SERVER",
        default_value = DEFAULT_SERVER
    )]
    pub(crate) server: String,

    /// How to print: table, wide (more columns), json, yaml or name.
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "table",
        hide_possible_values = true
    )]
    pub(crate) output: Format,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// `-o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Wide,
    Json,
    Yaml,
    Name,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Who has each VIP, and is it healthy? The default.
    #[command(after_help = "Examples:\n  vipctl\n  vipctl status -w\n  vipctl status -o wide")]
    Status(StatusArgs),
    /// Make definitions what files say: create and change, never delete.
    #[command(after_help = "Examples:\n  vipctl apply -f fleet.yaml --dry-run\n  \
                      vipctl apply -f fleet.d/ --wait -m 'second VIP for the web pair'\n  \
                      vipctl import keepalived lb1=a.conf lb2=b.conf | vipctl apply -f - --wait")]
    Apply(ApplyArgs),
    /// Show what `apply` would change. Exits with 1 when there is a difference.
    #[command(after_help = "Examples:\n  vipctl diff -f fleet.yaml\n  \
                      vipctl diff -f fleet.d/ -o json")]
    Diff(DiffArgs),
    /// List things of one kind, or show one of them.
    #[command(after_help = "Examples:\n  vipctl get instances\n  vipctl get nodes -w\n  \
                      vipctl get instances VI_1 -o json\n  vipctl get syncgroups\n  \
                      vipctl get definitions -o yaml > fleet.yaml")]
    Get(GetArgs),
    /// Show everything about one thing.
    #[command(after_help = "Examples:\n  vipctl describe instance VI_1\n  \
                      vipctl describe node lb1\n  vipctl describe vip 192.0.2.10\n  \
                      vipctl describe syncgroup web")]
    Describe(DescribeArgs),
    /// Change a definition in your editor ($VISUAL, $EDITOR, vi).
    #[command(after_help = "Examples:\n  vipctl edit instance VI_1 --wait\n  \
                      EDITOR=nano vipctl edit check nginx -m 'probe twice a second'")]
    Edit(EditArgs),
    /// Change fields of a definition.
    #[command(after_help = "Examples:\n  \
                      vipctl set instance VI_1 --priority lb1=100 --priority lb2=90 --wait")]
    Set(SetArgs),
    /// Delete definitions.
    #[command(after_help = "Examples:\n  vipctl delete instance VI_1 --wait\n  \
                      vipctl delete -f old.yaml -m 'moved to the other pair'")]
    Delete(DeleteArgs),
    /// Who changed what, and when.
    #[command(
        after_help = "Examples:\n  vipctl history\n  vipctl history instance VI_1 --diff\n  \
                      vipctl history --limit 5 -o json"
    )]
    History(HistoryArgs),
    /// Make the definitions what they were at an earlier revision, as a new revision.
    #[command(after_help = "Examples:\n  vipctl rollback --to-revision 12 --dry-run\n  \
                      vipctl rollback --to-revision 12 --wait")]
    Rollback(RollbackArgs),
    /// Have a node serve an instance, at once and without a gap, until it is cleared or for a time.
    #[command(after_help = "The target takes over on command, whatever priorities, nopreempt and \
                      delays say; the former owner serves until it has. While the override lasts \
                      the target serves as long as its checks are well. Refused when it is not fit \
                      to take over.\n\nExamples:\n  \
                      vipctl switchover VI_1 --to lb2 --for 30m --wait -m 'kernel of lb1'\n  \
                      vipctl switchover VI_1 --clear --wait")]
    Switchover(SwitchoverArgs),
    /// Take everything off a node without a gap, before work on it.
    #[command(after_help = "The node stays a BACKUP of last resort: it serves only what nobody \
                      else can. Refused when nobody healthy could take over what it serves.\n\n\
                      Examples:\n  vipctl drain lb1 --wait -m 'new kernel'\n  \
                      vipctl drain lb1 --for 2h --wait=1m\n  vipctl uncordon lb1")]
    Drain(DrainArgs),
    /// End a drain: priorities count again.
    #[command(after_help = "Examples:\n  vipctl uncordon lb1\n  vipctl uncordon lb1 --wait")]
    Uncordon(UncordonArgs),
    /// Print each change of state in the fleet as it happens.
    #[command(after_help = "Examples:\n  vipctl watch\n  vipctl watch --from-revision 0\n  \
                      vipctl watch -o json | jq -c 'select(.to == \"FAULT\")'")]
    Watch(WatchArgs),
    /// Make definitions of the configuration of something else. Asks no server.
    #[command(after_help = "Examples:\n  \
                      vipctl import keepalived lb1=lb1.conf lb2=lb2.conf > fleet.yaml")]
    Import(ImportArgs),
    /// Write the configuration of something else out of the definitions.
    #[command(after_help = "Examples:\n  vipctl export keepalived lb1 > keepalived.conf")]
    Export(ExportArgs),
    /// Check definitions without a server.
    #[command(after_help = "Examples:\n  vipctl validate -f fleet.yaml\n  \
                      vipctl validate -f - -o json < fleet.yaml")]
    Validate(ValidateArgs),
    /// Print a completion script for a shell.
    #[command(after_help = "Examples:\n  source <(vipctl completion bash)\n  \
                      vipctl completion zsh > ~/.zfunc/_vipctl")]
    Completion(CompletionArgs),
    /// Print the versions of vipctl and of the server.
    #[command(after_help = "Examples:\n  vipctl version\n  vipctl version --client")]
    Version(VersionArgs),
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct StatusArgs {
    /// Show it again whenever it changes.
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct GetArgs {
    /// What to list.
    pub(crate) kind: Listing,
    /// Only this one.
    pub(crate) name: Option<String>,
    /// Show it again whenever it changes; -o json: one object a line.
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DescribeArgs {
    pub(crate) kind: DescribedKind,
    pub(crate) name: String,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Only changes of a definition of this kind …
    #[arg(requires = "name")]
    pub(crate) kind: Option<DefinitionKind>,
    /// … and this name.
    pub(crate) name: Option<String>,
    /// How many changes, the newest first.
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Show what changed, line by line.
    #[arg(long)]
    pub(crate) diff: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct WatchArgs {
    /// Begin with what came after this revision; 0: with all that is kept.
    #[arg(long, value_name = "N")]
    pub(crate) from_revision: Option<u64>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    pub(crate) source: ImportSource,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ImportSource {
    /// The keepalived.conf files of all hosts of a fleet, together.
    #[command(after_help = "Examples:\n  \
                      vipctl import keepalived lb1=lb1.conf lb2=lb2.conf > fleet.yaml\n  \
                      vipctl import keepalived lb1=lb1.conf lb2=lb2.conf | vipctl apply -f -")]
    Keepalived(ImportKeepalivedArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ImportKeepalivedArgs {
    /// A node and its file.
    #[arg(required = true, value_name = "NODE=FILE", value_parser = name::node_file)]
    pub(crate) files: Vec<(vipfleet_model::Name, PathBuf)>,
    /// Leave out virtual servers, which vipfleet does not reproduce.
    #[arg(long)]
    pub(crate) ignore_lvs: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(subcommand)]
    pub(crate) target: ExportTarget,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ExportTarget {
    /// The keepalived.conf of one node, with its passwords in clear.
    #[command(after_help = "Examples:\n  vipctl export keepalived lb1 > keepalived.conf\n  \
                      vipctl export keepalived lb1 --exec-dir /etc/vipfleet/exec \
                      --script-user nobody")]
    Keepalived(ExportKeepalivedArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExportKeepalivedArgs {
    /// A member of at least one instance, of ours or external.
    pub(crate) node: vipfleet_model::Name,
    /// Where the programs of exec checks and hooks are: the agent's --exec-dir.
    #[arg(long, value_name = "DIR")]
    pub(crate) exec_dir: Option<String>,
    /// Who runs programs that name no user; root unless it is said.
    #[arg(long, value_name = "USER")]
    pub(crate) script_user: Option<String>,
    /// Leave out checks and hooks that keepalived has no word for, instead of refusing.
    #[arg(long)]
    pub(crate) leave_out: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub(crate) files: change::FileArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CompletionArgs {
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct VersionArgs {
    /// Ask no server.
    #[arg(long)]
    pub(crate) client: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_in_its_help() {
        let mut commands = vec![Arguments::command()];
        while let Some(command) = commands.pop() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  "), "{} has none", command.get_name());
            commands.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn wait_takes_its_duration_after_an_equals_sign_only() {
        let wait = |arguments: &[&str]| {
            let all = [&["vipctl", "apply", "-f", "x"], arguments].concat();
            match Arguments::try_parse_from(all).unwrap().command {
                Some(Command::Apply(apply)) => apply.change.wait,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&["--wait"]), Some(std::time::Duration::from_secs(30)));
        assert_eq!(wait(&["--wait=2m"]), Some(std::time::Duration::from_secs(120)));
        assert!(Arguments::try_parse_from(["vipctl", "apply", "-f", "x", "--wait=soon"]).is_err());
    }
}
