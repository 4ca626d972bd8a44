//! `vipctl edit`: the definition in an editor until it is accepted, given up, or left as it was.
//! Nothing typed is lost: a text that was not taken stays in a file whose path is printed.

mod draft;
mod editor;

use super::Context;
use super::change::{conclude, request, submit};
use super::set::{Current, current};
use crate::args::EditArgs;
use crate::connect::Server;
use crate::exit::{Exit, Failure};
use crate::input::Input;
use crate::output::{print, say};
use crate::render::finding;
use draft::Draft;
use vipfleet_model::{Definition, Finding, Findings, Key, Place, document};

/// What a save led to.
enum Saved {
    /// Reopened with these on top.
    Refused(Findings),
    Taken(Box<Definition>),
}

pub(super) async fn run(context: &Context, args: &EditArgs) -> Result<Exit, Failure> {
    let key = Key { kind: args.kind.into(), name: args.name.clone() };
    let server = context.connect().await?;
    let before = current(&server, &key).await?;
    let original = document::to_yaml(std::slice::from_ref(&before.definition));
    let mut draft = Draft::create(&key, &original)?;
    let mut refused: Option<(Input, Findings)> = None;
    loop {
        let opened = draft.text.clone();
        if let Err(failure) = draft.edit().await {
            return Err(if draft.is_refused() { draft.keep(failure) } else { failure });
        }
        if draft.text == original {
            return print("nothing changed\n").map(|()| Exit::Done);
        }
        if let Some((input, findings)) = refused.take().filter(|_| draft.text == opened) {
            say(&finding::findings(&findings, &input.texts));
            return Err(draft.keep(Failure::refused("given up: nothing was changed")));
        }
        let input = Input::of(vec![(draft.name(), draft.text.clone())]);
        let definition = match judge(&input, &key) {
            Saved::Refused(findings) => {
                draft.refuse(&findings)?;
                refused = Some((input, findings));
                continue;
            }
            Saved::Taken(definition) => *definition,
        };
        let answer = match send(&server, args, &before, &definition).await {
            Ok(answer) => answer,
            Err(failure) => return Err(draft.keep(failure)),
        };
        if answer.findings.has_errors() {
            let findings = input.locate(answer.findings);
            draft.refuse(&findings)?;
            refused = Some((input, findings));
            continue;
        }
        let asked = vec![args.name.clone()];
        return conclude(context, &server, &args.change, answer, asked, &input).await;
    }
}

/// One definition, of this key, valid as far as it can be told here.
fn judge(input: &Input, key: &Key) -> Saved {
    let mut findings = input.judge();
    let mut definitions = input.definitions();
    let place = || Place { document: Some(key.to_string()), ..Place::default() };
    match definitions.as_slice() {
        [one] if one.key() == *key => {}
        [other] => {
            let message = format!("this is {} now, and {key} is edited", other.key());
            let remedy = "keep kind and name; `vipctl apply` creates and `vipctl delete` deletes";
            findings.push(Finding::error("other-definition", place(), message, remedy));
        }
        [] if findings.is_empty() => {
            let remedy = "write it again, or delete it with `vipctl delete`";
            findings.push(Finding::error("no-definition", place(), "there is none", remedy));
        }
        [] => {}
        _ => {
            let message = format!("there are {}, and {key} alone is edited", definitions.len());
            let remedy = "apply the others with `vipctl apply`";
            findings.push(Finding::error("other-definition", place(), message, remedy));
        }
    }
    match definitions.pop() {
        Some(definition) if !findings.has_errors() => Saved::Taken(Box::new(definition)),
        _ => Saved::Refused(findings),
    }
}

/// Against what was edited: changes of other definitions meanwhile are no conflict.
async fn send(
    server: &Server,
    args: &EditArgs,
    before: &Current,
    definition: &Definition,
) -> Result<super::change::Answer, Failure> {
    let mut revision = args.change.if_revision.unwrap_or(before.revision);
    loop {
        let mut request = request(&args.change);
        request.if_revision = Some(revision);
        request.put = vec![definition.clone().into()];
        match submit(server, request).await {
            Err(failure) if failure.exit == Exit::Refused && args.change.if_revision.is_none() => {
                let now = current(server, &definition.key()).await?;
                if now.changed_at != before.changed_at || now.revision == revision {
                    return Err(failure);
                }
                revision = now.revision;
            }
            answered => return answered,
        }
    }
}

impl Draft {
    /// The failure, after saying where the text is kept.
    fn keep(self, failure: Failure) -> Failure {
        match self.persist() {
            Ok(path) => {
                let path = path.display();
                let remedy = format!(
                    "your text is kept in {path}: see `vipctl diff -f {path}`, then apply it"
                );
                Failure { remedy, ..failure }
            }
            Err((text, cause)) => {
                say(&text);
                failure.because(format!("the text above could not be kept in a file: {cause}"))
            }
        }
    }
}
