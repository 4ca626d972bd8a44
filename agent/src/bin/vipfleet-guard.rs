//! Entry of the guard.

use std::process::ExitCode;

fn main() -> ExitCode {
    vipfleet_agent::guard::run(std::env::args().skip(1))
}
