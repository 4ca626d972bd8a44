//! vipctl: raw arguments → checked configuration → run → typed exit.
//!
//! `args` is what was typed, `commands` has one file a command, `connect` the way to a
//! server, `render` what people see; every command hands back an `exit::Exit` or says why
//! not. Absent: judgement about definitions and ownership, which is the model's and the server's.

mod args;
mod author;
mod commands;
mod connect;
mod exit;
mod input;
mod output;
mod render;
mod wait;

use clap::Parser as _;
use std::process::ExitCode;

/// Runs what the command line says.
pub fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => {
            anstream::eprintln!("error: cannot start: {cause}");
            return exit::Exit::Failed.into();
        }
    };
    match runtime.block_on(commands::run(arguments)) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.what.is_empty() {
                anstream::eprint!("{failure}");
            }
            failure.exit.into()
        }
    }
}
