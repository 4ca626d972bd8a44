//! Where it is measured: what a reader needs to compare figures with those of another machine.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};
use vipfleet_tests::daemons::our_program;

/// A machine and the versions on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor as /proc/cpuinfo names it, and how many there are.
    pub processor: String,
    /// Memory in GiB.
    pub memory: u64,
    /// Kernel release.
    pub kernel: String,
    /// keepalived, etcd and ours.
    pub versions: Vec<String>,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
        let memory = field("/proc/meminfo", "MemTotal");
        let kilobytes = memory.and_then(|it| it.split(' ').next()?.parse::<u64>().ok());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let agent = our_program("vipfleet-agent").to_string_lossy().into_owned();
        let programs = [("keepalived", "--version"), ("etcd", "--version"), (&agent, "--version")];
        Self {
            processor: format!("{count} × {processor}"),
            memory: kilobytes.unwrap_or(0).div_ceil(1 << 20),
            kernel: kernel.trim().to_owned(),
            versions: programs.into_iter().filter_map(|it| version(it.0, it.1)).collect(),
        }
    }
}

/// How many threads wanted a processor in the last minute.
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or_default()
}

/// The value of the first line `NAME : VALUE`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The first line that a program says of itself; keepalived says it on its error output.
fn version(program: &str, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&said).lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_what_follows_its_colon() {
        assert!(field("/proc/meminfo", "MemTotal").unwrap().ends_with("kB"));
        assert_eq!(field("/proc/meminfo", "NoSuchField"), None);
    }
}
