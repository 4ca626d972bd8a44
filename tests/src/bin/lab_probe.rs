//! The probers as a program, for scripts such as the demo: runs in the network namespace it is
//! started in until SIGTERM or SIGINT, then prints what was lost.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use vipfleet_tests::probe::{Losses, Neighbour, Pace, ping, request_until};

static STOP: AtomicBool = AtomicBool::new(false);

/// Counts what a client of one address loses until it is told to stop (SIGTERM or ^C).
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    probe: Probe,
    /// Exit with 1 when more probes than this were lost.
    #[arg(long, global = true)]
    max_lost: Option<usize>,
    /// Exit with 1 when a gap was longer than this many milliseconds.
    #[arg(long, global = true)]
    max_gap: Option<u64>,
}

#[derive(Debug, Subcommand)]
enum Probe {
    /// One ICMP or ICMPv6 echo every millisecond (needs CAP_NET_RAW).
    Icmp {
        /// The address to ask.
        target: IpAddr,
        /// Remove the neighbour entry every so many milliseconds (needs CAP_NET_ADMIN).
        #[arg(long)]
        flush: Option<u64>,
    },
    /// One HTTP request on a new connection every ten milliseconds.
    Http {
        /// The address to ask, on port 80.
        target: Ipv4Addr,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    stop_on_signals()?;
    let losses = match arguments.probe {
        Probe::Icmp { target, flush } => {
            let neighbour = flush.map_or(Neighbour::Warm, |every| {
                Neighbour::FlushedEvery(Duration::from_millis(every))
            });
            let losses = ping(target, neighbour, &STOP);
            println!("{losses}");
            losses
        }
        Probe::Http { target } => {
            let report = request_until(target, Pace::default(), &STOP);
            println!("{report}");
            report.losses
        }
    };
    Ok(verdict(&losses, arguments.max_lost, arguments.max_gap))
}

fn verdict(losses: &Losses, max_lost: Option<usize>, max_gap: Option<u64>) -> ExitCode {
    let gap = losses.longest_gap();
    let mut verdict = ExitCode::SUCCESS;
    if let Some(limit) = max_lost.filter(|limit| losses.lost > *limit) {
        eprintln!("{} lost, at most {limit} were allowed", losses.lost);
        verdict = ExitCode::FAILURE;
    }
    if let Some(limit) = max_gap.filter(|limit| gap > Duration::from_millis(*limit)) {
        eprintln!("a gap of {gap:.0?}, at most {limit} ms were allowed");
        verdict = ExitCode::FAILURE;
    }
    verdict
}

fn stop_on_signals() -> anyhow::Result<()> {
    extern "C" fn stop(_signal: libc::c_int) {
        STOP.store(true, Ordering::Relaxed);
    }
    let action = SigAction::new(SigHandler::Handler(stop), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // SAFETY: the handler only stores to an atomic.
        unsafe { sigaction(signal, &action) }.with_context(|| format!("handle {signal}"))?;
    }
    Ok(())
}
