//! `--self-check`: whether this program could take over from a running agent of the same options.
//! Run by that agent in a child, before it becomes this program; touches nothing.

use super::{chain, keeper, source};
use crate::cache::{self, CacheError, CachedAssignment};
use crate::node::{self, Former, PreparedInstances};
use crate::options::Options;
use crate::outbox::Outbox;
use crate::succession::{Document, FORMAT};
use crate::{net, realtime, standalone, uplink};
use anyhow::Context as _;
use rustix::thread::{CapabilitySet, capabilities};
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::process::ExitCode;
use vipfleet_model::Assignment;

/// Says the verdict, and each reason against on a line of its own.
pub fn self_check(options: &Options) -> ExitCode {
    let findings = [
        handed_over(),
        state(&options.state_dir),
        configuration(options),
        may_use_the_kernel(),
        realtime::claim(options).map_err(Into::into),
    ];
    let reasons: Vec<_> = findings.into_iter().filter_map(Result::err).collect();
    if reasons.is_empty() {
        println!("vipfleet-agent {}, handover format {FORMAT}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    reasons.iter().for_each(|reason| eprintln!("{reason:#}"));
    ExitCode::FAILURE
}

/// The sketch of what the running agent would hand over, on standard input.
fn handed_over() -> anyhow::Result<()> {
    let mut stdin = std::io::stdin();
    let mut text = Vec::new();
    if !stdin.is_terminal() {
        stdin.read_to_end(&mut text).context("cannot read the handed-over state")?;
    }
    if text.is_empty() {
        return Ok(());
    }
    let document = Document::parse(&text).map_err(|error| anyhow::anyhow!(chain(&error)))?;
    match document.assignment {
        Some(cached) => runs(cached.assignment).context("what runs would not run any more"),
        None => Ok(()),
    }
}

/// What a start after a crash would read.
fn state(state_dir: &Path) -> anyhow::Result<()> {
    let readable = |error: CacheError| anyhow::anyhow!(chain(&error));
    cache::read::<Former>(state_dir, keeper::MASTERS).map_err(readable)?;
    cache::read::<Outbox>(state_dir, keeper::OUTBOX).map_err(readable)?;
    cache::read::<CachedAssignment>(state_dir, keeper::ASSIGNMENT).map_err(readable)?;
    net::check_ledger(state_dir).context("the ledger of what is in the kernel cannot be read")
}

fn configuration(options: &Options) -> anyhow::Result<()> {
    match source(options) {
        super::Source::Server => {
            for url in &options.server {
                uplink::endpoint(url)?;
            }
            Ok(())
        }
        super::Source::Config(file) => {
            let (assignment, _) = standalone::read(&file)?;
            runs(assignment)
        }
    }
}

fn runs(assignment: Assignment) -> anyhow::Result<()> {
    let prepared = node::prepare(0, String::new(), &assignment, &PreparedInstances::default());
    prepared.map(drop).map_err(|unfit| anyhow::anyhow!("{}: {}", unfit.field_path, unfit.reason))
}

/// A file that was replaced has lost the capabilities that setcap gave the one before.
fn may_use_the_kernel() -> anyhow::Result<()> {
    let held = capabilities(None).context("cannot read the capabilities")?.effective;
    let needed = CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW;
    anyhow::ensure!(
        held.contains(needed),
        "the program has no CAP_NET_ADMIN and CAP_NET_RAW, which the running agent has"
    );
    Ok(())
}
