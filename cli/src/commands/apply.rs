//! `vipctl apply`.

use super::Context;
use super::change::{conclude, request, submit};
use crate::args::ApplyArgs;
use crate::exit::{Exit, Failure};
use crate::input::Input;
use crate::output::say;
use crate::render::finding;
use vipfleet_model::{Definition, Kind, Name};

pub(super) async fn run(context: &Context, args: &ApplyArgs) -> Result<Exit, Failure> {
    let input = Input::read(&args.files.file)?;
    refuse_errors(context, &input)?;
    let server = context.connect().await?;
    let definitions = input.definitions();
    let asked = instances(&definitions);
    let mut request = request(&args.change);
    request.put = definitions.into_iter().map(Into::into).collect();
    let mut answer = submit(&server, request).await?;
    // What the parser noted the server cannot know.
    let mut findings = input.parsed.findings.clone();
    findings.append(answer.findings);
    answer.findings = findings;
    conclude(context, &server, &args.change, answer, asked, &input).await
}

pub(super) fn instances(definitions: &[Definition]) -> Vec<Name> {
    let instances = definitions.iter().filter(|it| it.kind() == Kind::Instance);
    instances.map(|it| it.name().clone()).collect()
}

/// What is wrong with the input alone ends it before the wire; warnings the server repeats.
pub(super) fn refuse_errors(context: &Context, input: &Input) -> Result<(), Failure> {
    let findings = input.judge();
    if !findings.has_errors() {
        return Ok(());
    }
    say(&finding::findings(&findings, &input.texts));
    if !context.output.is_for_people() {
        context.output.outcome(&serde_json::json!({ "findings": findings }), Vec::new)?;
    }
    Err(Failure::refused("the definitions are not valid: nothing was sent"))
}
