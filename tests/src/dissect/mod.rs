//! Packets as tools of others read them: tshark and tcpdump, which know VRRP and share no line with
//! us. A mistake that an encoder and a parser of one hand have in common cannot hide from them.

mod recording;
mod tcpdump;
mod tshark;

use std::process::Output;

pub use self::recording::Recording;
pub use self::tcpdump::{Capture, printed};
pub use self::tshark::{Checksums, Frame, frames};

/// What a tool printed.
///
/// # Panics
/// When it failed.
#[track_caller]
fn text_of(tool: &str, output: std::io::Result<Output>) -> String {
    let output = output.unwrap_or_else(|error| panic!("{tool} (package {tool}): {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool}: {}\n{errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
