//! The agent's end: starts the guard that lies beside its own executable, notices when it ends,
//! and starts it again.

use super::{Order, PROGRAM};
use crate::log;
use crate::net::Heartbeat;
use rustix::process::{Pid, WaitOptions, waitpid};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{debug, error, info, warn};

/// Between two starts of a guard that keeps ending.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A guard that lived so long has the first pause again.
const STEADY: Duration = Duration::from_secs(60);

/// Starts the guard and a thread that keeps it. Nothing stops for want of a guard: the kernel's
/// leases stand behind it, and the log and every report say so.
pub fn keep(heartbeat: &Arc<Heartbeat>, format: log::Format) {
    if heartbeat.shared().is_none() {
        return heartbeat.set_guard(None);
    }
    let former = heartbeat.former().filter(|former| former.pid == std::process::id());
    let first = start(heartbeat, format);
    let heartbeat = Arc::clone(heartbeat);
    let keeper = std::thread::Builder::new().name("guard-keeper".into()).spawn(move || {
        // After a re-execution in place the former guard is still a child of this process.
        let orphan = former.and_then(|former| former.guard).and_then(|pid| {
            let pid = Pid::from_raw(pid.cast_signed())?;
            let reap = move || {
                // No child any more: reaped already.
                let _ = waitpid(Some(pid), WaitOptions::empty());
            };
            std::thread::Builder::new().name("guard-reaper".into()).spawn(reap).ok()
        });
        debug!(reaping = orphan.is_some(), "the guard is kept");
        stay(&heartbeat, first, format);
    });
    if let Err(error) = keeper {
        error!(%error, "a guard that ends will not be started again");
    }
}

fn stay(heartbeat: &Heartbeat, first: io::Result<Child>, format: log::Format) {
    let (mut guard, mut pause, mut told) = (first, FIRST_PAUSE, None);
    loop {
        match guard {
            Ok(mut child) => {
                let started = Instant::now();
                let status = child.wait();
                heartbeat.set_guard(None);
                if !heartbeat.is_current() {
                    return;
                }
                warn!(status = %ending(status), "the guard ended; starting another");
                told = None;
                if started.elapsed() >= STEADY {
                    pause = FIRST_PAUSE;
                }
            }
            Err(error) => {
                let text = error.to_string();
                if told.as_ref() != Some(&text) {
                    error!(
                        error = %text,
                        "no guard: a VIP of an agent that dies or freezes stays until its lease \
                         ends; install {PROGRAM} beside the agent"
                    );
                    told = Some(text);
                }
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
        if !heartbeat.is_current() {
            return;
        }
        guard = start(heartbeat, format);
    }
}

fn ending(status: io::Result<std::process::ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

fn start(heartbeat: &Heartbeat, format: log::Format) -> io::Result<Child> {
    let started = spawn(heartbeat, format);
    heartbeat.set_guard(started.as_ref().ok().map(Child::id));
    if let Ok(child) = &started {
        info!(pid = child.id(), "guarded");
    }
    started
}

fn spawn(heartbeat: &Heartbeat, format: log::Format) -> io::Result<Child> {
    let program = program()?;
    let (memory, bell) = heartbeat.shared().ok_or(io::ErrorKind::Unsupported)?;
    let (agent, incarnation) = (std::process::id(), heartbeat.incarnation());
    let order = Order { agent, incarnation, format };
    let started = Command::new(&program)
        .args(order.arguments())
        .env_clear()
        .current_dir("/")
        // A signal of the terminal is for the agent, which has its VIPs taken over first.
        .process_group(0)
        .stdin(Stdio::from(memory.try_clone_to_owned()?))
        .stdout(Stdio::from(bell.try_clone_to_owned()?))
        .stderr(Stdio::inherit())
        .spawn();
    started.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", program.display())))
}

fn program() -> io::Result<PathBuf> {
    // Of an executable that was replaced meanwhile only the last name is not true any more.
    let own = std::env::current_exe()?;
    let directory = own.parent().ok_or(io::ErrorKind::NotFound)?;
    Ok(directory.join(PROGRAM))
}
