//! Runs seeds through the simulator: many at once, or one with its trace.

use std::process::ExitCode;

fn main() -> ExitCode {
    vipfleet_simulation::cli::main()
}
