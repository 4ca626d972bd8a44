//! tcpdump: what it prints of a file, and a capture of what a host hears.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::{Host, INTERFACE};
use crate::process::Process;
use crate::wait;

/// What `tcpdump -vv` prints of a file, one packet to a line.
///
/// # Panics
/// When it is missing or cannot read the file.
#[track_caller]
pub fn printed(file: &Path) -> Vec<String> {
    let mut command = Command::new("tcpdump");
    command.args(["-n", "-t", "-vv", "-r"]).arg(file);
    let text = super::text_of("tcpdump", command.output());
    // A packet goes on in indented lines.
    text.replace("\n    ", " ").lines().map(str::to_owned).collect()
}

/// Everything that a host of the laboratory hears, until it is stopped.
#[derive(Debug)]
pub struct Capture {
    process: Process,
    file: PathBuf,
}

impl Capture {
    /// Starts; returns when it listens.
    ///
    /// # Panics
    /// When tcpdump is missing.
    #[track_caller]
    pub fn start(host: &Host) -> Self {
        let file = host.directory().join("heard.pcap");
        let mut command = Command::new("tcpdump");
        // Handed over and written at once, as root into the host's directory.
        let options = ["-n", "--immediate-mode", "-U", "-Z", "root", "-i", INTERFACE, "-w"];
        command.args(options).arg(&file);
        let process = host.start("tcpdump", command);
        let listens = |log: &String| log.contains("listening on");
        wait::until("tcpdump to listen", wait::GENEROUS, || process.log(), listens);
        Self { process, file }
    }

    /// The file as far as it was written: whole packets, each as soon as it was heard.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Stops. What a test waits for, it has read in the file by then.
    #[track_caller]
    pub fn finish(mut self) -> PathBuf {
        self.process.terminate();
        self.file
    }
}
