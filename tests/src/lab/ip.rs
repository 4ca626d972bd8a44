//! Running iproute2.

use std::process::Command;

/// Runs `ip` and returns what it printed.
pub(crate) fn try_run(args: &[&str]) -> Result<String, String> {
    let output = Command::new("ip")
        .args(args)
        .output()
        .map_err(|error| format!("cannot run ip (package iproute2): {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`ip {}`: {}", args.join(" "), said.trim()))
}

/// Runs `ip` and insists that it works.
#[track_caller]
pub(crate) fn run(args: &[&str]) -> String {
    try_run(args).unwrap_or_else(|error| panic!("{error}; the laboratory needs root"))
}
