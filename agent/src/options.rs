//! What the agent is told on its command line.

use crate::log;
use crate::realtime::RealtimePriority;
use clap::{ArgGroup, Parser};
use std::path::PathBuf;
use vipfleet_model::Name;

/// Runs VRRP on this host: fast failover of virtual IPs with no dependency on anything remote.
///
/// SIGTERM resigns (the successor takes over before this host lets go) and stops. SIGHUP reads
/// the file of --config again and changes what differs, in place. SIGUSR2 replaces the running
/// agent by the program that is at its path now, after that has checked itself: same process, same
/// MASTERs, and no packet lost.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "vipfleet-agent",
    version,
    group = ArgGroup::new("mode").required(true).args(["server", "config"]),
    after_help = "Examples:\n  vipfleet-agent --server http://10.0.0.5:7700 --node lb1\n  \
                  vipfleet-agent --config /etc/keepalived/keepalived.conf"
)]
pub struct Options {
    /// Control servers, separated by commas; the agent holds a session with one of them.
    #[arg(long, value_name = "URL", value_delimiter = ',', requires = "node")]
    pub server: Vec<String>,

    /// Name of this node, as definitions name it.
    #[arg(long, value_name = "NAME")]
    pub node: Option<Name>,

    /// Stand-alone: run this keepalived.conf with no server at all.
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    pub config: Option<PathBuf>,

    /// keepalived's config-id, for @id conditions in the file.
    #[arg(long, value_name = "ID", requires = "config")]
    pub config_id: Option<String>,

    /// Skip virtual_server blocks of the file with a warning instead of refusing it.
    #[arg(long, requires = "config")]
    pub ignore_lvs: bool,

    /// What must survive a restart; locked by one agent.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/vipfleet-agent")]
    pub state_dir: PathBuf,

    /// Unix socket of the local API.
    #[arg(long, value_name = "PATH", default_value = "/run/vipfleet/agent.sock")]
    pub socket: PathBuf,

    /// Programs that definitions of a server may name in exec checks and notify hooks. Without
    /// it none are run.
    #[arg(long, value_name = "DIR")]
    pub exec_dir: Option<PathBuf>,

    /// Run the VRRP thread under SCHED_RR at this priority (1 to 50), so that adverts leave in time
    /// on a host that is short of processors. All else stays ordinary, children included. A thread
    /// that runs for 200 ms without a pause is taken back to the ordinary policy. Refused at start
    /// without the right: LimitRTPRIO= of the unit, or CAP_SYS_NICE.
    #[arg(long, value_name = "PRIORITY")]
    pub realtime: Option<RealtimePriority>,

    /// Keep the agent in memory (mlockall), so that it never waits for a page on a host that is
    /// short of memory. Refused at start without the right: LimitMEMLOCK=infinity in the unit, or
    /// CAP_IPC_LOCK.
    #[arg(long)]
    pub lock_memory: bool,

    /// Log lines as JSON.
    #[arg(long)]
    pub log_json: bool,

    /// Say whether this program could take over from a running agent of the same options, and end.
    /// What that agent would hand over is read from standard input, unless it is empty.
    #[arg(long, hide = true)]
    pub self_check: bool,
}

impl Options {
    pub fn log_format(&self) -> log::Format {
        if self.log_json { log::Format::Json } else { log::Format::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_server_needs_a_node_name_and_excludes_a_file() {
        assert!(Options::try_parse_from(["a", "--server", "http://x:1"]).is_err());
        assert!(Options::try_parse_from(["a"]).is_err());
        let both = ["a", "--server", "http://x:1", "--node", "n", "--config", "f"];
        assert!(Options::try_parse_from(both).is_err());
        let two = ["a", "--server", "http://x:1,http://y:2", "--node", "n"];
        assert_eq!(Options::try_parse_from(two).unwrap().server.len(), 2);
    }
}
