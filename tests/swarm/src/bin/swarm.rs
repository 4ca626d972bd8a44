//! Loads a control server with simulated agents and says what it cost.

use std::process::ExitCode;

fn main() -> ExitCode {
    vipfleet_swarm::cli::main()
}
