//! `--wait` of a planned move: until the kernels show it, on both sides. What is missing is
//! [`Aim::missing`], pure; [`until_moved`] asks it of every state of the fleet.

use crate::commands::read;
use crate::connect::{Endpoints, Server};
use crate::exit::{Exit, Failure};
use crate::render::status::FleetStatus;
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tonic::Streaming;
use vipfleet_model::Name;
use vipfleet_model::ownership::{InstanceStatus, Link, MemberStatus};
use vipfleet_proto::v1;

/// Between two tries to find a replica.
const RETRY: Duration = Duration::from_millis(500);

/// What a move is to come to.
#[derive(Clone, Debug)]
pub(crate) enum Aim {
    Switchover {
        instance: Name,
        to: Name,
    },
    Drained {
        node: Name,
    },
    /// Everybody knows that it is over; who serves then is a matter of priorities.
    Settled,
}

/// How it ended, for programs.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Arrival {
    pub(crate) done: bool,
    pub(crate) elapsed_ms: u64,
    pub(crate) owners: Vec<Owner>,
    /// One line each; empty when it is done.
    pub(crate) missing: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Owner {
    pub(crate) instance: Name,
    pub(crate) owner: Option<Name>,
}

impl Aim {
    fn concerns(&self, status: &InstanceStatus) -> bool {
        match self {
            Self::Switchover { instance, .. } => {
                let goes_along =
                    status.switchover.as_ref().is_some_and(|it| it.instance == *instance);
                status.name == *instance || goes_along
            }
            Self::Drained { node } => {
                status.members.iter().any(|it| it.node == *node && !it.external)
            }
            Self::Settled => false,
        }
    }

    /// What the kernels of connected members do not show yet.
    fn missing(&self, fleet: &FleetStatus, revision: u64) -> Vec<String> {
        if fleet.revision < revision {
            return vec![format!("the server is at revision {}", fleet.revision)];
        }
        let members = fleet.instances.iter().flat_map(|it| &it.members);
        let behind = members.filter(|it| it.link == Link::Connected && !it.generation.converged());
        let mut missing = behind
            .map(|it| format!("{} has yet to take it into its kernel", it.node))
            .collect::<Vec<_>>();
        missing.sort();
        missing.dedup();
        for status in fleet.instances.iter().filter(|it| self.concerns(it)) {
            missing.extend(self.missing_of(status));
        }
        missing
    }

    fn missing_of(&self, status: &InstanceStatus) -> Vec<String> {
        let name = &status.name;
        let mut missing = Vec::new();
        match (self, &status.owner) {
            (Self::Switchover { to, .. }, Some(owner)) if owner == to => {}
            (Self::Switchover { to, .. }, owner) => {
                missing.push(format!("{name} is served by {}, not by {to}", who(owner.as_ref())));
            }
            (Self::Drained { node }, Some(owner)) if owner != node => {}
            (Self::Drained { .. }, owner) => {
                missing.push(format!("{name} is served by {}", who(owner.as_ref())));
            }
            (Self::Settled, _) => {}
        }
        let lingers = |it: &&MemberStatus| {
            let serves = status.owner.as_ref() == Some(&it.node);
            it.holding || (!serves && it.addresses.iter().any(|it| it.in_kernel && !it.foreign))
        };
        let lingering = status.members.iter().filter(lingers);
        missing.extend(lingering.map(|it| format!("{} has yet to let go of {name}", it.node)));
        missing
    }
}

fn who(owner: Option<&Name>) -> String {
    owner.map_or_else(|| "nobody, or by several".to_owned(), ToString::to_string)
}

/// Waits; an error is a server that cannot be reached any more.
pub(crate) async fn until_moved(
    endpoints: &Endpoints,
    server: &Server,
    aim: &Aim,
    revision: u64,
    timeout: Duration,
) -> Result<Arrival, Failure> {
    let began = Instant::now();
    let deadline = began + timeout;
    let mut stream = open(server).await;
    let mut arrival = Arrival {
        missing: vec!["the server has said nothing of it".to_owned()],
        ..Arrival::default()
    };
    let mut unreachable = None;
    while !arrival.done {
        match timeout_at(deadline, next(&mut stream)).await {
            Ok(Some(state)) => {
                let fleet = read(state)?;
                unreachable = None;
                arrival.missing = aim.missing(&fleet, revision);
                arrival.done = arrival.missing.is_empty();
                let concerned = fleet.instances.into_iter().filter(|it| aim.concerns(it));
                let owner = |it: InstanceStatus| Owner { instance: it.name, owner: it.owner };
                arrival.owners = concerned.map(owner).collect();
            }
            Ok(None) => {
                tokio::time::sleep(RETRY.min(deadline - Instant::now())).await;
                match endpoints.connect().await {
                    Ok(server) => stream = open(&server).await,
                    Err(failure) => unreachable = Some(failure),
                }
            }
            Err(_) => break,
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    arrival.elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match unreachable {
        Some(failure) if !arrival.done => {
            let what = format!(
                "revision {revision} is stored, but the servers cannot be reached any more to see \
                 it done"
            );
            Err(Failure { what, exit: Exit::Unreachable, ..failure })
        }
        _ => Ok(arrival),
    }
}

type Stream = Option<Streaming<v1::StatusResponse>>;

async fn open(server: &Server) -> Stream {
    let opened = server.client.clone().watch_status(v1::StatusRequest {}).await;
    opened.ok().map(tonic::Response::into_inner)
}

/// The next state; `None` when the stream is over. Cancel safe.
async fn next(stream: &mut Stream) -> Option<v1::StatusResponse> {
    let heard = match stream {
        Some(open) => open.message().await.ok().flatten(),
        None => None,
    };
    if heard.is_none() {
        *stream = None;
    }
    heard
}
