//! Entry of the node agent.

use clap::Parser as _;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use vipfleet_agent::{Options, log, memory, realtime, supervisor, vital};

fn main() -> ExitCode {
    vital::abort_on_panic();
    // Before any thread is started.
    memory::keep_little();
    supervisor::hold_signals();
    let options = Options::parse();
    if options.self_check {
        return supervisor::self_check(&options);
    }
    if let Err(error) = realtime::claim(&options) {
        eprintln!("vipfleet-agent: {:#}", anyhow::Error::from(error));
        // As of a wrong command line: another start does not mend it.
        return ExitCode::from(2);
    }
    let (lines, flush) = match log_to_stderr(&options) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("vipfleet-agent: cannot start the log: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = supervisor::run(options, lines);
    drop(flush);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vipfleet-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn log_to_stderr(options: &Options) -> std::io::Result<(log::Lines, log::Flush)> {
    let (lines, flush) = log::start(std::io::stderr(), options.log_format())?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines.clone())
        .with_ansi(std::io::stderr().is_terminal());
    if options.log_json {
        subscriber.json().init();
    } else {
        subscriber.with_target(false).init();
    }
    Ok((lines, flush))
}
