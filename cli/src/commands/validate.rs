//! `vipctl validate`: no server.

use super::Context;
use crate::args::ValidateArgs;
use crate::exit::{Exit, Failure};
use crate::input::Input;
use crate::output::{print, say};
use crate::render::finding;
use serde::Serialize;
use vipfleet_model::Findings;

#[derive(Debug, Serialize)]
struct Verdict {
    valid: bool,
    definitions: usize,
    findings: Findings,
}

pub(super) fn run(context: &Context, args: &ValidateArgs) -> Result<Exit, Failure> {
    let input = Input::read(&args.files.file)?;
    let findings = input.judge();
    say(&finding::findings(&findings, &input.texts));
    let valid = !findings.has_errors();
    let definitions = input.parsed.definitions.len();
    if !context.output.is_for_people() {
        let name = |it: &vipfleet_model::Definition| it.key().to_string();
        let names = || input.definitions().iter().map(name).collect();
        context.output.outcome(&Verdict { valid, definitions, findings }, names)?;
    } else if valid {
        let count = if definitions == 1 { "1 definition is" } else { "definitions are" };
        let count =
            if definitions == 1 { count.to_owned() } else { format!("{definitions} {count}") };
        print(&format!("{count} valid; nodes and stored definitions were not looked at\n"))?;
    }
    if valid { Ok(Exit::Done) } else { Err(Failure::refused("the definitions are not valid")) }
}
