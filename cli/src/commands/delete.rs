//! `vipctl delete`.

use super::Context;
use super::apply::instances;
use super::change::{conclude, request, submit};
use crate::args::DeleteArgs;
use crate::exit::{Exit, Failure};
use crate::input::Input;
use crate::output::say;
use crate::render::finding;
use vipfleet_model::{Definition, Key};

pub(super) async fn run(context: &Context, args: &DeleteArgs) -> Result<Exit, Failure> {
    let (keys, input) = wanted(args)?;
    let server = context.connect().await?;
    let asked = instances(&input.definitions());
    let mut request = request(&args.change);
    request.delete = keys.into_iter().map(Into::into).collect();
    let answer = submit(&server, request).await?;
    conclude(context, &server, &args.change, answer, asked, &input).await
}

/// Keys, and the input that named them. What else is wrong with that is no matter here.
fn wanted(args: &DeleteArgs) -> Result<(Vec<Key>, Input), Failure> {
    if let (Some(kind), Some(name)) = (args.kind, &args.name) {
        return Ok((vec![Key { kind: kind.into(), name: name.clone() }], Input::default()));
    }
    let input = Input::read(&args.file)?;
    if input.parsed.findings.has_errors() {
        say(&finding::findings(&input.parsed.findings, &input.texts));
        let what = "the definitions cannot be read: nothing was deleted";
        return Err(Failure::refused(what));
    }
    Ok((input.definitions().iter().map(Definition::key).collect(), input))
}
