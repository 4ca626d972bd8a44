//! The `swarm` program: one measurement, one JSON object on stdout.

use crate::{fanout, idle, process, raw};
use clap::{Parser, Subcommand};
use serde::Serialize;
use std::process::ExitCode;
use std::time::Duration;

/// Loads a control server with simulated agents and prints what it cost as JSON.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Change what all agents share; how long until each has it.
    Fanout {
        /// Such as http://127.0.0.1:7700.
        #[arg(long)]
        server: String,
        #[arg(long, default_value_t = 1000)]
        agents: usize,
        #[arg(long, default_value_t = 10)]
        changes: u32,
    },
    /// The yardstick of `fanout`: put a key of etcd; how long until each watcher has it.
    Etcd {
        /// Such as http://127.0.0.1:2379.
        #[arg(long)]
        endpoint: String,
        #[arg(long, default_value_t = 1000)]
        watchers: usize,
        #[arg(long, default_value_t = 10)]
        puts: u32,
    },
    /// Connect agents that want nothing; what the server uses.
    Idle {
        #[arg(long)]
        server: String,
        /// The server's process.
        #[arg(long)]
        pid: u32,
        #[arg(long, default_value_t = 10_000)]
        agents: usize,
        /// Seconds before and while it is watched.
        #[arg(long, default_value_t = 15)]
        settle: u64,
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
}

/// The whole program.
pub fn main() -> ExitCode {
    let options = Options::parse();
    match measured(options.command) {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("swarm: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn measured(command: Command) -> anyhow::Result<String> {
    match command {
        Command::Fanout { server, agents, changes } => {
            allow(agents)?;
            json(&fanout::measure(&server, agents, changes).await?)
        }
        Command::Etcd { endpoint, watchers, puts } => {
            allow(watchers)?;
            json(&raw::measure(&endpoint, watchers, puts).await?)
        }
        Command::Idle { server, pid, agents, settle, seconds } => {
            allow(agents)?;
            let (settle, period) = (Duration::from_secs(settle), Duration::from_secs(seconds));
            json(&idle::measure(&server, pid, agents, settle, period).await?)
        }
    }
}

/// A connection each, and what the runtime needs.
fn allow(connections: usize) -> anyhow::Result<()> {
    process::allow_files(connections as u64 + 256)
}

fn json(result: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string(result)?)
}
