//! `vipctl watch`: every transition once, in the fleet's order, whichever replica says it.

use super::{Context, malformed};
use crate::args::WatchArgs;
use crate::connect::{Endpoints, Server, is_connection};
use crate::exit::{Exit, Failure};
use crate::output::{Output, print, say};
use crate::render::transition::{Gap, GapLine, Transition};
use std::time::Duration;
use tonic::{Code, Streaming};
use vipfleet_model::report::TransitionRecord;
use vipfleet_proto::v1;
use vipfleet_proto::v1::transition_event::Event;

/// Longest pause between two tries to find a replica; each is up to twice the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run(context: &Context, args: &WatchArgs) -> Result<Exit, Failure> {
    let endpoints = context.endpoints()?;
    let mut position = Position { last: args.from_revision, output: context.output };
    let mut server = endpoints.connect().await?;
    loop {
        let mut stream = match open(&server, position.last).await {
            Ok(stream) => stream,
            Err(status) if is_passing(&status) => {
                server = reconnect(&endpoints).await;
                continue;
            }
            Err(status) => return Err(server.failure(&status)),
        };
        let ended = position.follow(&mut stream).await?;
        if let Some(status) = ended.filter(|status| !is_passing(status)) {
            return Err(server.failure(&status));
        }
        server = reconnect(&endpoints).await;
    }
}

/// Whether another try, perhaps at another replica, may do better.
fn is_passing(status: &tonic::Status) -> bool {
    is_connection(status) || matches!(status.code(), Code::Unavailable | Code::Unknown)
}

async fn open(
    server: &Server,
    after_revision: Option<u64>,
) -> Result<Streaming<v1::TransitionEvent>, tonic::Status> {
    let request = v1::WatchTransitionsRequest { after_revision };
    Ok(server.client.clone().watch_transitions(request).await?.into_inner())
}

/// Tries with growing, jittered pauses until a replica answers; says so once.
async fn reconnect(endpoints: &Endpoints) -> Server {
    let mut pause = FIRST_PAUSE;
    let mut silent = true;
    loop {
        tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
        match endpoints.connect().await {
            Ok(server) => return server,
            Err(failure) => {
                if std::mem::take(&mut silent) {
                    say(&failure.remedy("trying on; nothing is missed").to_string());
                }
            }
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// How far the fleet's transitions were printed.
struct Position {
    last: Option<u64>,
    output: Output,
}

impl Position {
    /// Prints until the stream ends; hands back why, when it says.
    async fn follow(
        &mut self,
        stream: &mut Streaming<v1::TransitionEvent>,
    ) -> Result<Option<tonic::Status>, Failure> {
        loop {
            match stream.message().await {
                Ok(Some(message)) => self.take(message)?,
                Ok(None) => return Ok(None),
                Err(status) => return Ok(Some(status)),
            }
        }
    }

    fn take(&mut self, message: v1::TransitionEvent) -> Result<(), Failure> {
        match message.event {
            Some(Event::Started(started)) => {
                self.last.get_or_insert(started.revision);
                Ok(())
            }
            Some(Event::Gap(gap)) => self.gap(gap.first_kept_revision),
            Some(Event::Transition(transition)) => self.transition(transition),
            None => Ok(()),
        }
    }

    fn gap(&mut self, first_kept_revision: u64) -> Result<(), Failure> {
        let after_revision = self.last.unwrap_or_default();
        // Said already, before the connection was lost.
        if first_kept_revision <= after_revision {
            return Ok(());
        }
        let gap = Gap { after_revision, first_kept_revision };
        self.last = Some(first_kept_revision.saturating_sub(1));
        if self.output.is_for_people() {
            print(&gap.line())
        } else {
            self.output.state(&GapLine { gap })
        }
    }

    fn transition(&mut self, wire: v1::FleetTransition) -> Result<(), Failure> {
        if self.last.is_some_and(|last| wire.revision <= last) {
            return Ok(());
        }
        self.last = Some(wire.revision);
        let Some(record) = wire.transition else { return Ok(()) };
        let record = TransitionRecord::try_from(record).map_err(|it| malformed(&it))?;
        let transition = Transition::new(wire.revision, wire.node, record);
        if self.output.is_for_people() {
            print(&transition.line())
        } else {
            self.output.state(&transition)
        }
    }
}
