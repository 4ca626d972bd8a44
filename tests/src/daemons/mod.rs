//! The daemons that run in the laboratory: Debian's keepalived, nginx and etcd, and our own three
//! programs as they were built. A program that is missing is an error with a remedy, never a
//! reason to skip.

mod etcd;
mod fleet;
mod keepalived;
mod nginx;
mod router;

use std::path::{Path, PathBuf};

pub use self::etcd::Etcd;
pub use self::fleet::{Agent, Outcome, PORT, Server, Vipctl, our_program, use_programs_in};
pub use self::keepalived::Keepalived;
pub use self::nginx::Nginx;
pub use self::router::{Program, Router};

/// The directory of samples that the project ships.
pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/samples/dual-master")
}

/// Finds a program of the machine.
///
/// # Panics
/// When it is not installed; the message names the package.
#[track_caller]
fn installed(program: &str, package: &str) -> PathBuf {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .map(|directory| Path::new(directory).join(program))
        .find(|path| path.exists())
        .unwrap_or_else(|| {
            panic!("{program} is not installed: run `make deps` (package {package})")
        })
}
