//! Command lines of scripts. keepalived splits the line like a shell, takes the second word for
//! the command, and splits that once more into path and arguments; user and group may follow.

use super::cell::{Line, Pos};
use super::host::Located;
use super::lexeme::{Unsplit, Word, shell_words};
use super::report::Report;
use super::tree::Statement;

/// A program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// Path as written. keepalived looks a bare name up in PATH.
    pub file: Located<String>,
    pub args: Vec<String>,
    /// `None`: whoever the agent runs as.
    pub user: Option<String>,
}

/// Reads the command of a `script` or `notify…` line.
pub(super) fn read(
    statement: &Statement,
    default_user: Option<&str>,
    report: &mut Report,
) -> Option<Exec> {
    let keyword = statement.keyword();
    let line = complete(statement.shell_words(), report)?;
    let mut rest = line.iter().skip(1);
    let command = rest.next()?;
    let user = rest.next();
    if let Some(user) = user {
        let message =
            format!("{:?} after the command is taken for the user to run it as", user.text);
        let remedy = "put the whole command line in double quotes if it is an argument";
        if !plausible_user(&user.text) {
            report.error(user.pos, "bad-user", message, remedy);
        }
    }
    same_group(user, rest.next(), report);
    if let Some(extra) = rest.next() {
        let message =
            format!("{:?} after user and group is ignored, as keepalived does", extra.text);
        let remedy = "put the whole command line in double quotes";
        report.warning(extra.pos, "extra-word", message, remedy);
    }
    let inner = Line::generated(&command.text, command.pos);
    let inner = complete(shell_words(&inner), report)?;
    let Some((file, args)) = inner.split_first() else {
        let message = format!("{keyword} names no program");
        report.error(statement.pos(), "missing-value", message, "write the path of the program");
        return None;
    };
    Some(Exec {
        file: report.located(file.text.clone(), file.pos),
        args: args.iter().map(|arg| arg.text.clone()).collect(),
        user: user.map(|user| user.text.clone()).or_else(|| default_user.map(str::to_owned)),
    })
}

/// Only the user counts: the group is the user's own.
pub(super) fn same_group(user: Option<&Word>, group: Option<&Word>, report: &mut Report) {
    let (Some(user), Some(group)) = (user, group) else {
        return;
    };
    if user.text != group.text {
        report.warning(
            group.pos,
            "no-effect",
            format!(
                "the group {:?} has no effect here: a script runs in its user's group",
                group.text
            ),
            "give the user that group",
        );
    }
}

/// The words; a finding if there are none.
fn complete<T>(split: Result<T, Unsplit>, report: &mut Report) -> Option<T> {
    let (pos, message): (Pos, String) = match split {
        Ok(words) => return Some(words),
        Err(Unsplit::OpenQuote(quote, pos)) => (pos, format!("the {quote} is not closed")),
        Err(Unsplit::LoneEscape(pos)) => (pos, "nothing follows the '\\'".to_owned()),
    };
    let remedy = "close the quote, or write \\\\ for a backslash; braces need double quotes";
    report.error(pos, "open-quote", message, remedy);
    None
}

/// As useradd(8) would have it.
fn plausible_user(name: &str) -> bool {
    let inner = |ch: char| ch.is_ascii_alphanumeric() || matches!(ch, '_' | '-' | '.' | '$');
    !name.is_empty() && !name.starts_with('-') && name.chars().all(inner)
}
