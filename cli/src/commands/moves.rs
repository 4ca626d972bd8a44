//! `vipctl switchover`, `drain` and `uncordon`: an order, and with `--wait` its end in the kernels.

use super::Context;
use super::change::{Answer, Outcome, names, refusal, summary};
use crate::args::{DrainArgs, MoveArgs, SwitchoverArgs, UncordonArgs};
use crate::connect::Server;
use crate::exit::{Exit, Failure};
use crate::input::Input;
use crate::output::{print, say};
use crate::render::change::Change;
use crate::render::finding;
use crate::render::table::Tone;
use crate::wait::moves::{Aim, Arrival, until_moved};
use std::time::Duration;
use tonic::{Response, Status};
use vipfleet_proto::v1;

pub(super) async fn switchover(context: &Context, args: &SwitchoverArgs) -> Result<Exit, Failure> {
    let server = context.connect().await?;
    let request = v1::SwitchoverRequest {
        instance: args.instance.to_string(),
        to: args.to.as_ref().map(ToString::to_string),
        r#for: lasts(args.lasts)?,
        force: args.force,
        author: crate::author::author(),
        message: args.planned.message.clone(),
        dry_run: args.planned.dry_run,
    };
    let answered = server.client.clone().switchover(request).await;
    let aim = match args.to.clone() {
        Some(to) => Aim::Switchover { instance: args.instance.clone(), to },
        None => Aim::Settled,
    };
    conclude(context, &server, &args.planned, answered, aim).await
}

pub(super) async fn drain(context: &Context, args: &DrainArgs) -> Result<Exit, Failure> {
    let server = context.connect().await?;
    let request = v1::DrainRequest {
        node: args.node.to_string(),
        r#for: lasts(args.lasts)?,
        force: args.force,
        author: crate::author::author(),
        message: args.planned.message.clone(),
        dry_run: args.planned.dry_run,
    };
    let answered = server.client.clone().drain(request).await;
    let aim = Aim::Drained { node: args.node.clone() };
    conclude(context, &server, &args.planned, answered, aim).await
}

pub(super) async fn uncordon(context: &Context, args: &UncordonArgs) -> Result<Exit, Failure> {
    let server = context.connect().await?;
    let request = v1::UncordonRequest {
        node: args.node.to_string(),
        author: crate::author::author(),
        message: args.planned.message.clone(),
        dry_run: args.planned.dry_run,
    };
    let answered = server.client.clone().uncordon(request).await;
    conclude(context, &server, &args.planned, answered, Aim::Settled).await
}

fn lasts(lasts: Option<Duration>) -> Result<Option<prost_types::Duration>, Failure> {
    let wire = lasts.map(prost_types::Duration::try_from).transpose();
    wire.map_err(|cause| Failure::refused("--for is too long").because(cause.to_string()))
}

async fn conclude(
    context: &Context,
    server: &Server,
    args: &MoveArgs,
    answered: Result<Response<v1::ApplyResponse>, Status>,
    aim: Aim,
) -> Result<Exit, Failure> {
    let answered = answered.map_err(|status| server.failure(&status))?;
    let answer = Answer::try_from(answered.into_inner())?;
    say(&finding::findings(&answer.findings, &Input::default().texts));
    let refused = answer.findings.has_errors();
    if context.output.is_for_people() && !refused {
        print(&summary(&answer, args.dry_run))?;
    }
    let arrival = match args.wait {
        Some(timeout) if !refused && !args.dry_run => {
            Some(until_moved(&context.endpoints()?, server, &aim, answer.revision, timeout).await?)
        }
        _ => None,
    };
    if !context.output.is_for_people() {
        let outcome = Outcome {
            revision: answer.revision,
            dry_run: args.dry_run,
            changes: answer.changes.iter().map(Change::line).collect(),
            findings: &answer.findings,
            wait: arrival.as_ref(),
        };
        context.output.outcome(&outcome, || names(&answer.changes))?;
    }
    if refused {
        return Err(refusal(&answer, args.dry_run));
    }
    arrival.map_or(Ok(Exit::Done), |arrival| end(context, &arrival, answer.revision))
}

fn end(context: &Context, arrival: &Arrival, revision: u64) -> Result<Exit, Failure> {
    if !arrival.done {
        let what = format!("revision {revision} is stored, but timed out waiting for the move");
        let remedy = "it goes on by itself: see `vipctl status`, or take it back with \
                      `vipctl switchover INSTANCE --clear` or `vipctl uncordon NODE`";
        let failure = Failure::new(Exit::TimedOut, what).remedy(remedy);
        return Err(Failure { causes: arrival.missing.clone(), ..failure });
    }
    if context.output.is_for_people() {
        let mark = Tone::Good.paint("✔");
        let served = arrival.owners.iter().map(|it| match &it.owner {
            Some(owner) => format!("{} is served by {owner}", it.instance),
            None => format!("{} is served by nobody", it.instance),
        });
        let served = served.collect::<Vec<_>>().join(", ");
        let served = if served.is_empty() { "no instance is concerned".into() } else { served };
        print(&format!("{mark} {served} after {} ms\n", arrival.elapsed_ms))?;
    }
    Ok(Exit::Done)
}
