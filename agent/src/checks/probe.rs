//! The probe of one check, whichever kind it is.

use super::exec::{ExecPolicy, ExecProber};
use super::http::HttpProber;
use super::interface;
use super::process::ProcessProber;
use super::slow::Slow;
use super::tally::Outcome;
use super::tcp::Target;
use std::fs;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use vipfleet_model::check::Probe;
use vipfleet_model::span::Span;

#[derive(Debug)]
pub(crate) enum Prober {
    Process(ProcessProber),
    Http(Box<HttpProber>),
    Tcp(Target),
    Exec(Box<ExecProber>),
    File {
        path: String,
        look: Slow<io::Result<()>>,
    },
    Interface {
        name: String,
    },
    /// What every probe of this definition will say.
    Impossible {
        why: String,
    },
}

impl Prober {
    pub(crate) fn new(probe: Probe, policy: Arc<ExecPolicy>) -> Self {
        match probe {
            Probe::Process(process) => Self::Process(ProcessProber::new(process)),
            Probe::Http(http) => match HttpProber::new(&http) {
                Ok(prober) => Self::Http(Box::new(prober)),
                Err(why) => Self::Impossible { why },
            },
            Probe::Tcp(tcp) => Self::Tcp(Target::new(tcp.address)),
            Probe::Exec(exec) => Self::Exec(Box::new(ExecProber::new(exec, policy))),
            Probe::File(file) => Self::File { path: file.path, look: Slow::default() },
            Probe::Interface(interface) => Self::Interface { name: interface.name },
        }
    }

    /// Looks once. The future may be dropped; [`Prober::settle`] then ends what it left behind.
    pub(crate) async fn probe(&mut self) -> Outcome {
        match self {
            Self::Process(process) => process.probe().await,
            Self::Http(http) => http.probe().await,
            Self::Tcp(tcp) => tcp.probe().await,
            Self::Exec(exec) => exec.probe().await,
            Self::File { path, look } => {
                let wanted = path.clone();
                // Follows links: a link to nothing is no file.
                match look.run(move || fs::metadata(wanted).map(drop)).await {
                    Ok(()) => Ok(format!("{path} exists")),
                    Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                        Err(format!("{path} does not exist"))
                    }
                    Err(cause) => Err(format!("cannot look at {path}: {cause}")),
                }
            }
            Self::Interface { name } => interface::probe(name),
            Self::Impossible { why } => Err(why.clone()),
        }
    }

    /// Returns when there is a reason to probe before the interval is over.
    pub(crate) async fn woken(&mut self) {
        match self {
            Self::Process(process) => process.woken().await,
            _ => pending().await,
        }
    }

    /// What to say of a probe that took longer than its timeout.
    pub(crate) fn overdue(&self, limit: Duration) -> String {
        match self {
            Self::Exec(exec) => exec.overdue(limit),
            _ => format!("no answer within {}", Span(limit)),
        }
    }

    /// Waits until nothing of a dropped probe is left: a child and its group are ended.
    pub(crate) async fn settle(&mut self) {
        match self {
            Self::Process(process) => process.settle().await,
            Self::Http(http) => http.settle().await,
            Self::Tcp(tcp) => tcp.settle().await,
            Self::Exec(exec) => exec.settle().await,
            Self::File { look, .. } => {
                look.settle().await;
            }
            Self::Interface { .. } | Self::Impossible { .. } => {}
        }
    }
}
