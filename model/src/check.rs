//! The Check definition: one probe and how its results are counted.

use crate::name::Name;
use crate::span::Span;
use serde::{Deserialize, Serialize};

/// `spec` of `kind: Check`: exactly one probe, named by its own field beside the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "wire::Written", into = "wire::Written")]
pub struct Check {
    pub probe: Probe,
    pub interval: Span,
    /// Default: the interval.
    pub timeout: Option<Span>,
    /// Results in a row that make it up.
    pub rise: u16,
    /// Results in a row that make it down.
    pub fall: u16,
    /// Down must last this long before it counts.
    pub down_delay: Span,
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A process exists; its death is seen at once through a pidfd.
    Process(ProcessProbe),
    /// A GET answers with the expected status.
    Http(HttpProbe),
    /// A TCP connection is accepted.
    Tcp(TcpProbe),
    /// A program exits 0.
    Exec(ExecProbe),
    /// A file exists.
    File(FileProbe),
    /// An interface is up with carrier.
    Interface(InterfaceProbe),
}

/// Up while at least `quorum` and at most `quorum_max` processes match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "wire::Process", into = "wire::Process")]
pub struct ProcessProbe {
    pub target: ProcessTarget,
    /// 1 by default.
    pub quorum: u16,
    /// No upper bound by default.
    pub quorum_max: Option<u16>,
}

/// Which processes are looked for: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessTarget {
    /// Name of the executable, as in /proc/PID/comm or the base name of its first argument.
    Name(String),
    /// File that holds the pid.
    PidFile(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpProbe {
    /// `http://HOST[:PORT]/PATH`.
    pub url: String,
    #[serde(default = "ok_status", skip_serializing_if = "is_ok_status")]
    pub expect_status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpProbe {
    /// `HOST:PORT`.
    pub address: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecProbe {
    /// Pushed by a server: a file name inside the agent's exec dir. Stand-alone: a path.
    pub file: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileProbe {
    pub path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceProbe {
    pub name: String,
}

/// A check with its name, as an assignment carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedCheck {
    pub name: Name,
    pub spec: Check,
}

impl Check {
    /// A probe with every default.
    pub fn new(probe: Probe) -> Self {
        Self {
            probe,
            interval: one_second(),
            timeout: None,
            rise: one(),
            fall: one(),
            down_delay: Span::default(),
        }
    }

    /// How long one probe may take.
    pub fn timeout(&self) -> Span {
        self.timeout.unwrap_or(self.interval)
    }
}

impl Probe {
    /// Fields of a Check that name a probe.
    pub const KINDS: [&str; 6] = ["process", "http", "tcp", "exec", "file", "interface"];

    /// As documents write it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Process(_) => "process",
            Self::Http(_) => "http",
            Self::Tcp(_) => "tcp",
            Self::Exec(_) => "exec",
            Self::File(_) => "file",
            Self::Interface(_) => "interface",
        }
    }
}

impl ProcessProbe {
    /// At least one process of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { target: ProcessTarget::Name(name.into()), quorum: one(), quorum_max: None }
    }

    /// The process that this file names.
    pub fn of_pid_file(path: impl Into<String>) -> Self {
        Self { target: ProcessTarget::PidFile(path.into()), quorum: one(), quorum_max: None }
    }
}

impl HttpProbe {
    /// A GET that expects 200.
    pub fn new(url: String) -> Self {
        Self { url, expect_status: ok_status() }
    }
}

/// The message for a check without its one probe.
pub(crate) fn wrong_probes(found: &[&str]) -> String {
    let has = if found.is_empty() { "none".to_owned() } else { found.join(" and ") };
    format!("a check has exactly one of {}; this one has {has}", Probe::KINDS.join(", "))
}

/// Exactly one of the two, or the message that says so.
pub(crate) fn process_target(
    name: Option<String>,
    pid_file: Option<String>,
) -> Result<ProcessTarget, String> {
    match (name, pid_file) {
        (Some(name), None) => Ok(ProcessTarget::Name(name)),
        (None, Some(path)) => Ok(ProcessTarget::PidFile(path)),
        (name, _) => {
            let has = if name.is_some() { "both" } else { "neither" };
            Err(format!("a process has either `name` or `pidFile`; this one has {has}"))
        }
    }
}

mod wire {
    use super::{
        Check, ExecProbe, FileProbe, HttpProbe, InterfaceProbe, Probe, ProcessProbe, ProcessTarget,
        TcpProbe,
    };
    use crate::span::Span;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Default, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct Written {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<ProcessProbe>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        http: Option<HttpProbe>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tcp: Option<TcpProbe>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exec: Option<ExecProbe>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<FileProbe>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<InterfaceProbe>,
        #[serde(default = "super::one_second")]
        interval: Span,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<Span>,
        #[serde(default = "super::one", skip_serializing_if = "is_one")]
        rise: u16,
        #[serde(default = "super::one", skip_serializing_if = "is_one")]
        fall: u16,
        #[serde(default, skip_serializing_if = "Span::is_zero")]
        down_delay: Span,
    }

    #[derive(Clone, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct Process {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid_file: Option<String>,
        #[serde(default = "super::one", skip_serializing_if = "is_one")]
        quorum: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quorum_max: Option<u16>,
    }

    impl TryFrom<Process> for ProcessProbe {
        type Error = String;

        fn try_from(
            Process { name, pid_file, quorum, quorum_max }: Process,
        ) -> Result<Self, String> {
            let target = super::process_target(name, pid_file)?;
            Ok(Self { target, quorum, quorum_max })
        }
    }

    impl From<ProcessProbe> for Process {
        fn from(ProcessProbe { target, quorum, quorum_max }: ProcessProbe) -> Self {
            let (name, pid_file) = match target {
                ProcessTarget::Name(name) => (Some(name), None),
                ProcessTarget::PidFile(path) => (None, Some(path)),
            };
            Self { name, pid_file, quorum, quorum_max }
        }
    }

    // serde hands the field by reference.
    fn is_one(count: &u16) -> bool {
        *count == super::one()
    }

    impl TryFrom<Written> for Check {
        type Error = String;

        fn try_from(it: Written) -> Result<Self, String> {
            let probes = [
                it.process.map(Probe::Process),
                it.http.map(Probe::Http),
                it.tcp.map(Probe::Tcp),
                it.exec.map(Probe::Exec),
                it.file.map(Probe::File),
                it.interface.map(Probe::Interface),
            ];
            let mut probes = probes.into_iter().flatten().collect::<Vec<_>>();
            let kinds = probes.iter().map(Probe::kind).collect::<Vec<_>>();
            let wrong = super::wrong_probes(&kinds);
            let probe = if probes.len() == 1 { probes.pop() } else { None };
            Ok(Self {
                probe: probe.ok_or(wrong)?,
                interval: it.interval,
                timeout: it.timeout,
                rise: it.rise,
                fall: it.fall,
                down_delay: it.down_delay,
            })
        }
    }

    impl From<Check> for Written {
        fn from(check: Check) -> Self {
            let mut written = Self {
                interval: check.interval,
                timeout: check.timeout,
                rise: check.rise,
                fall: check.fall,
                down_delay: check.down_delay,
                ..Self::default()
            };
            match check.probe {
                Probe::Process(probe) => written.process = Some(probe),
                Probe::Http(probe) => written.http = Some(probe),
                Probe::Tcp(probe) => written.tcp = Some(probe),
                Probe::Exec(probe) => written.exec = Some(probe),
                Probe::File(probe) => written.file = Some(probe),
                Probe::Interface(probe) => written.interface = Some(probe),
            }
            written
        }
    }
}

fn one() -> u16 {
    1
}

fn ok_status() -> u16 {
    200
}

// serde hands the field by reference.
fn is_ok_status(status: &u16) -> bool {
    *status == ok_status()
}

fn one_second() -> Span {
    Span::from_secs(1)
}
