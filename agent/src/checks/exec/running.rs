//! One run of a program: from fork to the last process of its group.
//!
//! A process that leaves the group by a session of its own (a daemon) is out of reach. Under
//! systemd the service's cgroup still holds it.

use super::super::tail::Tail;
use super::credentials;
use super::group::Group;
use super::policy::{Program, Refused};
use rustix::process::Signal;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::net::unix::pipe;

/// Between asking to end and killing.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What becomes of the program's output, and of processes it leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The last line is kept; what a run leaves behind is killed, or it would pile up.
    Check,
    /// No output, as keepalived runs its scripts: a daemon that a hook starts must not lose its
    /// stderr under its feet. What a hook leaves behind stays.
    Hook,
}

#[derive(Debug)]
pub(crate) struct Running {
    group: Group,
    output: Option<pipe::Receiver>,
    tail: Tail,
    purpose: Purpose,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) last_line: Option<String>,
}

impl Running {
    /// Forks and waits for the exec, so it blocks on the disk. Needs a runtime's context.
    pub(crate) fn start(
        program: Program,
        args: &[String],
        environment: &[(&'static str, String)],
        purpose: Purpose,
    ) -> Result<Self, Refused> {
        let path = program.path.clone();
        let mut command = command(program, args, environment);
        let started = match purpose {
            Purpose::Check => captured(&mut command),
            Purpose::Hook => {
                command.stdout(Stdio::null()).stderr(Stdio::null());
                Ok(None)
            }
        };
        let started = started.and_then(|output| Ok((Group::start(command)?, output)));
        match started {
            Ok((group, output)) => Ok(Self { group, output, tail: Tail::default(), purpose }),
            Err(cause) => Err(Refused::Start(path, cause)),
        }
    }

    /// Waits for the program to end. Dropping the future loses nothing.
    pub(crate) async fn wait(&mut self) -> io::Result<Ended> {
        self.leader_ended().await;
        if let Some(output) = &self.output {
            self.tail.drain(output);
        }
        if self.purpose == Purpose::Check {
            self.group.signal(Signal::KILL);
        }
        let status = self.group.reap()?;
        Ok(Ended { status, last_line: self.tail.last_line() })
    }

    /// Ends the whole group: TERM, and KILL for what is left when the leader has ended, or after
    /// the grace.
    pub(crate) async fn end(&mut self) {
        self.group.signal(Signal::TERM);
        let in_time = tokio::time::timeout(GRACE, self.leader_ended()).await.is_ok();
        self.group.signal(Signal::KILL);
        if !in_time {
            self.leader_ended().await;
        }
        // How it ended was decided before.
        let _ = self.group.reap();
    }

    /// Reads the output meanwhile, so that the program never blocks on it.
    async fn leader_ended(&mut self) {
        loop {
            tokio::select! {
                () = self.group.leader_ended() => return,
                () = read(&mut self.output, &mut self.tail) => {}
            }
        }
    }
}

fn command(program: Program, args: &[String], environment: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(&program.path);
    command.arg0(&program.named).args(args).current_dir("/").stdin(Stdio::null());
    command.env_clear().env("LANG", "C.UTF-8").env("PATH", PATH);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let user = program.user;
    // SAFETY: confine makes system calls only, and `user` was allocated before the fork.
    unsafe { command.pre_exec(move || credentials::confine(user.as_ref())) };
    command
}

/// One pipe for both, so that lines keep their order.
fn captured(command: &mut Command) -> io::Result<Option<pipe::Receiver>> {
    let (sender, receiver) = pipe::pipe()?;
    let sender = sender.into_blocking_fd()?;
    command.stdout(sender.try_clone()?).stderr(sender);
    Ok(Some(receiver))
}

async fn read(output: &mut Option<pipe::Receiver>, tail: &mut Tail) {
    let more = match output {
        Some(pipe) => pipe.readable().await.is_ok() && tail.drain(pipe),
        None => std::future::pending().await,
    };
    if !more {
        *output = None;
    }
}
