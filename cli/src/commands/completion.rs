//! `vipctl completion`.

use crate::args::{Arguments, CompletionArgs};
use crate::exit::{Exit, Failure};
use crate::output::print;
use clap::CommandFactory as _;

pub(super) fn run(args: &CompletionArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "vipctl", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
