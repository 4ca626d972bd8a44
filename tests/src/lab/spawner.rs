//! Starting programs inside a host: one thread a host, whose children are born in its namespaces.
//!
//! The thread joins the network namespace and makes the PID namespace that its children live in;
//! the first child, the *keeper*, is that namespace's init. Killing the keeper ends every process
//! of the host at once, as a power cut would. The keeper dies with the thread, so a crashed test
//! run leaves no process behind.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigHandler, Signal, signal};

/// A daemon that the test still holds keeps its host's init from being reaped; so not for ever.
const REAP_PATIENCE: Duration = Duration::from_secs(5);

type Reply = Sender<io::Result<Child>>;

/// The way into a host's namespaces.
#[derive(Debug)]
pub(super) struct Spawner {
    requests: Sender<(Command, Reply)>,
    keeper: Child,
}

impl Spawner {
    /// Boots a host in the network namespace that `netns` is open on.
    pub(super) fn boot(netns: File) -> io::Result<Self> {
        let (requests, inbox) = channel();
        let (reply, first) = channel();
        thread::Builder::new().name("host".into()).spawn(move || match boot_keeper(&netns) {
            Ok((keeper, mounts)) => {
                let _ = reply.send(Ok(keeper));
                serve(&inbox, &mounts);
            }
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        })?;
        let keeper = first.recv().map_err(io::Error::other)??;
        Ok(Self { requests, keeper })
    }

    /// Starts a program in the host.
    pub(super) fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, answer) = channel();
        self.requests.send((command, reply)).map_err(|_| io::Error::other("the host is gone"))?;
        answer.recv().map_err(io::Error::other)?
    }

    /// The pid of the host's init, through which `nsenter` and `/proc` reach the host.
    pub(super) fn keeper(&self) -> u32 {
        self.keeper.id()
    }

    /// Ends every process of the host at once. It cannot be booted again.
    ///
    /// Does not wait: an init can be reaped only after all its namespace's processes were, and
    /// those belong to whoever started them.
    pub(super) fn power_off(&mut self) {
        let _ = self.keeper.kill();
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.power_off();
        let start = Instant::now();
        while matches!(self.keeper.try_wait(), Ok(None)) && start.elapsed() < REAP_PATIENCE {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn boot_keeper(netns: &File) -> io::Result<(Child, File)> {
    setns(netns.as_fd(), CloneFlags::CLONE_NEWNET)?;
    unshare(CloneFlags::CLONE_NEWPID)?;
    let mut command = Command::new("sleep");
    command.arg("infinity").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: only system calls between fork and exec.
    unsafe { command.pre_exec(become_init) };
    let keeper = command.spawn()?;
    let mounts = File::open(format!("/proc/{}/ns/mnt", keeper.id()))?;
    Ok((keeper, mounts))
}

/// Runs in the keeper before its exec.
fn become_init() -> io::Result<()> {
    const NONE: Option<&str> = None;
    die_with_the_spawner()?;
    // An init that ignores SIGCHLD lets the kernel reap the orphans it inherits.
    // SAFETY: no handler is installed.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE)?;
    // Its own /proc, so that "is a process called nginx running?" asks this host alone; its own
    // /sys, which shows this host's interfaces; its own /run, so that pid files do not collide.
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), NONE)?;
    umount2("/sys", MntFlags::MNT_DETACH)?;
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), NONE)?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=0755"))?;
    Ok(())
}

fn serve(inbox: &Receiver<(Command, Reply)>, mounts: &File) {
    for (mut command, reply) in inbox {
        let child = mounts.try_clone().and_then(|mounts| {
            // SAFETY: only system calls between fork and exec.
            unsafe {
                command.pre_exec(move || {
                    die_with_the_spawner()?;
                    setns(mounts.as_fd(), CloneFlags::CLONE_NEWNS)?;
                    Ok(())
                })
            };
            command.spawn()
        });
        let _ = reply.send(child);
    }
}

/// Asks the kernel for SIGKILL when the thread that started us ends, however it ends.
fn die_with_the_spawner() -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and touches no memory.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
