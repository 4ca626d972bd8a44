//! `vipctl diff`: what apply would change, by the server's own dry run.

use super::Context;
use super::apply::refuse_errors;
use super::change::submit;
use crate::args::DiffArgs;
use crate::exit::{Exit, Failure};
use crate::input::Input;
use crate::output::{print, say};
use crate::render::change::{Change, Verb};
use crate::render::finding;
use serde::Serialize;
use vipfleet_model::{Definition, Findings, Kind, Name};
use vipfleet_proto::v1;

/// A difference for programs.
#[derive(Debug, Serialize)]
struct Difference {
    /// Of the definitions compared with.
    revision: u64,
    changes: Vec<Changed>,
    findings: Findings,
}

#[derive(Debug, Serialize)]
struct Changed {
    kind: Kind,
    name: Name,
    change: Verb,
    before: Option<Definition>,
    after: Option<Definition>,
}

pub(super) async fn run(context: &Context, args: &DiffArgs) -> Result<Exit, Failure> {
    // 1 says that there is a difference, and nothing else.
    compare(context, args).await.map_err(|failure| match failure.exit {
        Exit::Failed => Failure { exit: Exit::Usage, ..failure },
        _ => failure,
    })
}

async fn compare(context: &Context, args: &DiffArgs) -> Result<Exit, Failure> {
    let input = Input::read(&args.files.file)?;
    refuse_errors(context, &input)?;
    let server = context.connect().await?;
    let put = input.definitions().into_iter().map(Into::into).collect();
    let request = v1::ApplyRequest { put, dry_run: true, ..v1::ApplyRequest::default() };
    let answer = submit(&server, request).await?;
    let mut findings = input.parsed.findings.clone();
    findings.append(input.locate(answer.findings));
    say(&finding::findings(&findings, &input.texts));
    if context.output.is_for_people() {
        print(&answer.changes.iter().map(Change::diff).collect::<String>())?;
    }
    let refused = findings.has_errors();
    let exit = if answer.changes.is_empty() { Exit::Done } else { Exit::Failed };
    if !context.output.is_for_people() {
        let names = answer.changes.iter().map(|it| it.key.to_string()).collect();
        let changed = |change: Change| Changed {
            change: change.verb(),
            kind: change.key.kind,
            name: change.key.name,
            before: change.before,
            after: change.after,
        };
        let changes = answer.changes.into_iter().map(changed).collect();
        let difference = Difference { revision: answer.revision, changes, findings };
        context.output.outcome(&difference, || names)?;
    }
    if refused {
        return Err(Failure::refused("apply would refuse it"));
    }
    Ok(exit)
}
