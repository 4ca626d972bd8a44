//! The end of every change: what the server made of it, what is said of it, and `--wait`.

use super::{Context, malformed};
use crate::args::ChangeArgs;
use crate::connect::Server;
use crate::exit::{Exit, Failure};
use crate::input::Input;
use crate::output::{print, say};
use crate::render::change::{Change, ChangeLine};
use crate::render::finding;
use crate::render::table::Tone;
use crate::wait::{self, Goal, Member, Verdict};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;
use vipfleet_model::{Definition, Finding, Findings, Key, Kind, Name};
use vipfleet_proto::v1;

/// What the server answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) findings: Findings,
    pub(crate) changes: Vec<Change>,
    pub(crate) revision: u64,
}

/// A change for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome<'a, W> {
    /// Of the definitions after the call.
    pub(super) revision: u64,
    pub(super) dry_run: bool,
    pub(super) changes: Vec<ChangeLine>,
    pub(super) findings: &'a Findings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wait: Option<W>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Waited {
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed_ms: Option<u64>,
    members: Vec<Member>,
}

impl TryFrom<v1::ApplyResponse> for Answer {
    type Error = Failure;

    fn try_from(wire: v1::ApplyResponse) -> Result<Self, Failure> {
        let findings = wire.findings.into_iter().map(Finding::try_from);
        let changes = wire.changes.into_iter().map(Change::try_from);
        Ok(Self {
            findings: findings.collect::<Result<_, _>>().map_err(|it| malformed(&it))?,
            changes: changes.collect::<Result<_, _>>().map_err(|it| malformed(&it))?,
            revision: wire.revision,
        })
    }
}

/// The request that these arguments ask for, with nothing in it yet.
pub(crate) fn request(args: &ChangeArgs) -> v1::ApplyRequest {
    v1::ApplyRequest {
        put: Vec::new(),
        delete: Vec::new(),
        if_revision: args.if_revision,
        author: crate::author::author(),
        message: args.message.clone(),
        dry_run: args.dry_run,
    }
}

pub(crate) async fn submit(server: &Server, request: v1::ApplyRequest) -> Result<Answer, Failure> {
    let answered = server.client.clone().apply(request).await;
    answered.map_err(|status| server.failure(&status))?.into_inner().try_into()
}

/// Says what happened; waits when asked to. `asked` are the instances that the command named: they
/// are waited for when nothing changed. `input` is where the findings point.
pub(crate) async fn conclude(
    context: &Context,
    server: &Server,
    args: &ChangeArgs,
    answer: Answer,
    asked: Vec<Name>,
    input: &Input,
) -> Result<Exit, Failure> {
    let findings = input.locate(answer.findings.clone());
    say(&finding::findings(&findings, &input.texts));
    let refused = findings.has_errors();
    if context.output.is_for_people() && !refused {
        print(&summary(&answer, args.dry_run))?;
    }
    let verdict = match args.wait {
        Some(timeout) if !refused && !args.dry_run => {
            let instances = concerned(server, &answer.changes, asked).await?;
            match instances {
                Some(instances) => {
                    let goal = Goal { revision: answer.revision, instances, timeout };
                    Some(wait::until_converged(&context.endpoints()?, server, &goal).await?)
                }
                None => Some(Verdict::Done { members: Vec::new(), elapsed: Duration::ZERO }),
            }
        }
        _ => None,
    };
    if !context.output.is_for_people() {
        let outcome = Outcome {
            revision: answer.revision,
            dry_run: args.dry_run,
            changes: answer.changes.iter().map(Change::line).collect(),
            findings: &findings,
            wait: verdict.as_ref().map(waited),
        };
        context.output.outcome(&outcome, || names(&answer.changes))?;
    }
    if refused {
        return Err(refusal(&answer, args.dry_run));
    }
    verdict.map_or(Ok(Exit::Done), |verdict| end(context, &verdict, answer.revision))
}

pub(super) fn refusal(answer: &Answer, dry_run: bool) -> Failure {
    let what = if dry_run { "it would be refused" } else { "refused: nothing was changed" };
    Failure::refused(format!("{what}; the fleet is at revision {}", answer.revision))
}

pub(super) fn summary(answer: &Answer, dry_run: bool) -> String {
    let revision = answer.revision;
    let mut text = answer.changes.iter().map(Change::sentence).collect::<String>();
    text.push_str(&match (answer.changes.is_empty(), dry_run) {
        (true, _) => format!("no change: the fleet is at revision {revision}\n"),
        (false, true) => format!("dry run: nothing is stored; now at revision {revision}\n"),
        (false, false) => format!("stored as revision {revision}\n"),
    });
    text
}

pub(super) fn names(changes: &[Change]) -> Vec<String> {
    let name = |key: &Key| format!("{}/{}", key.kind.as_str().to_lowercase(), key.name);
    changes.iter().map(|change| name(&change.key)).collect()
}

/// Instances to wait for: those that changed, and those that track a check or follow a group that
/// did. `None`: no
/// kernel is concerned. An empty list would mean every instance of the fleet.
async fn concerned(
    server: &Server,
    changes: &[Change],
    asked: Vec<Name>,
) -> Result<Option<Vec<Name>>, Failure> {
    let of = |kind: Kind| {
        let keys = changes.iter().map(|change| &change.key);
        keys.filter(move |key| key.kind == kind).map(|key| key.name.clone())
    };
    let mut names = of(Kind::Instance).collect::<BTreeSet<_>>();
    let checks = of(Kind::Check).collect::<BTreeSet<_>>();
    let groups = changes.iter().flat_map(|change| [&change.before, &change.after]);
    for definition in groups.flatten() {
        if let Definition::SyncGroup { spec, .. } = definition {
            names.extend(spec.instances.iter().cloned());
        }
    }
    if !checks.is_empty() {
        names.extend(trackers(server, &checks).await?);
    }
    if changes.is_empty() {
        names.extend(asked);
    }
    Ok((!names.is_empty()).then(|| names.into_iter().collect()))
}

async fn trackers(server: &Server, checks: &BTreeSet<Name>) -> Result<Vec<Name>, Failure> {
    let request = v1::GetRequest { keys: Vec::new(), reveal_secrets: false };
    let stored = server.client.clone().get(request).await;
    let stored = stored.map_err(|status| server.failure(&status))?.into_inner();
    let mut names = Vec::new();
    for definition in stored.definitions.into_iter().filter_map(|it| it.definition) {
        let definition = Definition::try_from(definition).map_err(|it| malformed(&it))?;
        if let Definition::Instance { name, spec } = definition {
            let of_members = spec.members.iter().flat_map(|member| &member.track);
            if spec.track.iter().chain(of_members).any(|it| checks.contains(&it.check)) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

fn waited(verdict: &Verdict) -> Waited {
    let elapsed = match verdict {
        Verdict::Done { elapsed, .. } => Some(*elapsed),
        _ => None,
    };
    Waited {
        done: elapsed.is_some(),
        elapsed_ms: elapsed.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
        members: verdict.members().to_vec(),
    }
}

fn end(context: &Context, verdict: &Verdict, revision: u64) -> Result<Exit, Failure> {
    let troubles = verdict.members().iter().filter_map(Member::trouble).collect::<Vec<_>>();
    let (exit, what, remedy) = match verdict {
        Verdict::Done { members, elapsed } => {
            if context.output.is_for_people() {
                print(&arrived(members, *elapsed))?;
            }
            return Ok(Exit::Done);
        }
        Verdict::Refused { .. } => (
            Exit::Failed,
            "a node refuses to run it; what it ran before goes on",
            "correct the definition and apply it again, or `vipctl rollback`",
        ),
        Verdict::Absent { .. } => (
            Exit::TimedOut,
            "not every member can be reached",
            "it takes the change when its agent connects: see `vipctl get nodes`",
        ),
        Verdict::Behind { .. } => (
            Exit::TimedOut,
            "timed out waiting for every member's kernel",
            "it goes on by itself: see `vipctl get instances`, or wait longer with --wait=2m",
        ),
    };
    let what = format!("revision {revision} is stored, but {what}");
    Err(Failure { causes: troubles, ..Failure::new(exit, what).remedy(remedy) })
}

fn arrived(members: &[Member], elapsed: Duration) -> String {
    if members.is_empty() {
        return "no node is concerned\n".to_owned();
    }
    let nodes = members.iter().map(|it| it.node.as_str()).collect::<Vec<_>>().join(", ");
    let mark = Tone::Good.paint("✔");
    let elapsed = match elapsed.as_secs() {
        0 => format!("{} ms", elapsed.as_millis()),
        _ => format!("{:.1} s", elapsed.as_secs_f64()),
    };
    format!("{mark} in the kernel of {nodes} after {elapsed}\n")
}
