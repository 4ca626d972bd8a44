//! What the server is told on its command line.

use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Keeps the definitions of a fleet of virtual IPs, tells each agent what to run, and knows who
/// has each VIP. Losing it changes nothing on the data plane.
///
/// Prints one line with its address when it is ready.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "vipfleet-server",
    version,
    after_help = "Examples:
  vipfleet-server
  vipfleet-server --listen 10.0.0.5:7700 --insecure \\
      --store etcd:http://10.0.0.5:2379,http://10.0.0.6:2379
  vipfleet-server raise-epoch --store etcd:http://10.0.0.5:2379"
)]
pub struct Options {
    /// Address to serve on. Port 0 takes a free one, which the ready line names.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:7700")]
    pub listen: SocketAddr,

    /// embedded:PATH or etcd:http://HOST:PORT,… [default: embedded, in the data dir]
    #[arg(long, value_name = "STORE", global = true)]
    pub store: Option<String>,

    /// Where the embedded store is kept.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/vipfleet-server", global = true)]
    pub data_dir: PathBuf,

    /// Serve plaintext beyond loopback: everybody who can reach the address can change the fleet.
    #[arg(long)]
    pub insecure: bool,

    /// Name of this replica, unique in the fleet and the same after a restart.
    /// [default: HOST:PORT]
    #[arg(long, value_name = "NAME", value_parser = replica_name)]
    pub replica: Option<String>,

    /// Log lines as JSON.
    #[arg(long, global = true)]
    pub log_json: bool,

    /// Without one it serves.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What is done to a store that no server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Make a restored store count, whatever agents ran before.
    ///
    /// An agent never goes back to an older generation of its definitions, so that a stale server
    /// cannot win. A store that was restored from a backup looks stale; in a new epoch it is
    /// taken at its word. Restore it, stop every vipfleet-server of the fleet, run this once, start
    /// the servers: each agent then takes what the store has, and lets go of what it does not have.
    RaiseEpoch,
}

impl Options {
    /// The store's specification.
    pub fn store_spec(&self) -> String {
        let default = || format!("embedded:{}", self.data_dir.join("store.redb").display());
        self.store.clone().unwrap_or_else(default)
    }
}

/// A name that fits in a line and in a key of the store.
fn replica_name(text: &str) -> Result<String, String> {
    let fits = |it: char| it.is_ascii_alphanumeric() || "._-:[]".contains(it);
    if text.is_empty() || text.len() > 255 || !text.chars().all(fits) {
        return Err("a name has 1 to 255 of A-Z a-z 0-9 . _ - : [ ]".into());
    }
    Ok(text.to_owned())
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
    fn no_flags_mean_loopback_and_an_embedded_store_in_the_data_dir() {
        let options = Options::parse_from(["vipfleet-server"]);
        assert!(options.listen.ip().is_loopback());
        assert_eq!(options.store_spec(), "embedded:/var/lib/vipfleet-server/store.redb");
    }

    #[test]
    fn a_store_is_named_before_a_command_or_after_it() {
        for line in [
            ["vipfleet-server", "--store", "embedded:/a", "raise-epoch"],
            ["vipfleet-server", "raise-epoch", "--store", "embedded:/a"],
        ] {
            let options = Options::parse_from(line);
            assert_eq!(options.command, Some(Command::RaiseEpoch));
            assert_eq!(options.store_spec(), "embedded:/a");
        }
        assert_eq!(Options::parse_from(["vipfleet-server"]).command, None);
    }

    #[test]
    fn the_name_of_a_replica_fits_in_a_key_of_the_store() {
        let parse = |name| Options::try_parse_from(["vipfleet-server", "--replica", name]);
        assert_eq!(parse("lb1.example:7700").unwrap().replica.as_deref(), Some("lb1.example:7700"));
        for name in ["", "a/b", "a b", "a\n"] {
            assert!(parse(name).is_err(), "{name:?}");
        }
    }
}
