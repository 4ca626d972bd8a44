//! `vipctl import keepalived`: definitions on standard output, findings on standard error.

use super::Context;
use crate::args::{Format, ImportArgs, ImportKeepalivedArgs, ImportSource};
use crate::exit::{Exit, Failure};
use crate::input::unreadable;
use crate::output::{print, say};
use crate::render::definition::{Stored, StoredDefinition};
use crate::render::finding::{self, Texts};
use std::path::{Path, PathBuf};
use vipfleet_model::Findings;
use vipfleet_model::keepalived::{
    self, IncludeRequest, Included, Lvs, NamedText, Options, Sources,
};

pub(super) fn run(context: &Context, args: &ImportArgs) -> Result<Exit, Failure> {
    match &args.source {
        ImportSource::Keepalived(args) => keepalived(context, args),
    }
}

fn keepalived(context: &Context, args: &ImportKeepalivedArgs) -> Result<Exit, Failure> {
    let lvs = if args.ignore_lvs { Lvs::Ignore } else { Lvs::Refuse };
    let mut hosts = Vec::new();
    let mut findings = Findings::default();
    let mut texts = Texts::default();
    for (node, path) in &args.files {
        let text = std::fs::read(path).map_err(|cause| unreadable(path, &cause))?;
        let options = Options { config_id: Some(node.to_string()), lvs };
        let name = path.display().to_string();
        let (host, found) = keepalived::parse(&name, &text, &Files, &options);
        for NamedText { name, text } in &host.texts {
            texts.add(name.clone(), &String::from_utf8_lossy(text));
        }
        findings.append(found);
        hosts.push((node.clone(), host));
    }
    let (definitions, found) = keepalived::import(&hosts);
    findings.append(found);
    say(&finding::findings(&findings, &texts));
    if findings.has_errors() {
        let failure = Failure::refused("the files are not imported");
        return Err(failure.remedy("vipfleet refuses what it would not run as keepalived does"));
    }
    let items = definitions.into_iter();
    let stored = items.map(|definition| StoredDefinition { definition, revision: 0 });
    let stored = Stored { items: stored.collect() };
    match context.output.format {
        Format::Json => context.output.document(&stored)?,
        Format::Name => context.output.show(&stored)?,
        _ => print(&stored.yaml())?,
    }
    Ok(Exit::Done)
}

/// Included files as this machine has them.
struct Files;

impl Sources for Files {
    fn include(&self, request: &IncludeRequest<'_>) -> Included {
        let directory = Path::new(request.from).parent().unwrap_or(Path::new("."));
        let mut included = Included::default();
        for pattern in braces(request.pattern) {
            matching(&directory.join(pattern), &mut included);
        }
        included
    }
}

/// Adds the files of one glob(3) pattern, by name.
fn matching(pattern: &Path, included: &mut Included) {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let paths = match glob::glob_with(&pattern.to_string_lossy(), options) {
        Ok(paths) => paths,
        Err(cause) => {
            included.unreadable.push((pattern.display().to_string(), cause.to_string()));
            return;
        }
    };
    for path in paths {
        let read = path
            .map_err(|cause| (cause.path().to_owned(), cause.error().to_string()))
            .and_then(read);
        match read {
            Ok(text) => included.texts.push(text),
            Err((path, why)) => included.unreadable.push((path.display().to_string(), why)),
        }
    }
}

fn read(path: PathBuf) -> Result<NamedText, (PathBuf, String)> {
    match std::fs::read(&path) {
        Ok(text) => Ok(NamedText { name: path.display().to_string(), text }),
        Err(cause) => Err((path, cause.to_string())),
    }
}

/// Most patterns that one expression stands for.
const MOST_PATTERNS: usize = 1_000;

/// `a{b,c}d` as `abd` and `acd`; glob(7) leaves braces to the shell.
fn braces(pattern: &str) -> Vec<String> {
    let mut waiting = vec![pattern.to_owned()];
    let mut done = Vec::new();
    while let Some(pattern) = waiting.pop() {
        match first_brace(&pattern) {
            Some((before, options, after)) if done.len() + waiting.len() < MOST_PATTERNS => {
                let expanded = options.iter().rev().map(|it| format!("{before}{it}{after}"));
                waiting.extend(expanded);
            }
            _ => done.push(pattern),
        }
    }
    done
}

/// What is before the first brace expression, its options, and what is after it.
fn first_brace(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let open = pattern.find('{')?;
    let mut depth = 0;
    let mut options = Vec::new();
    let mut start = open + 1;
    for (at, c) in pattern.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '{' => depth += 1,
            ',' if depth == 1 => {
                options.push(&pattern[start..at]);
                start = at + 1;
            }
            '}' if depth == 1 => {
                options.push(&pattern[start..at]);
                return Some((&pattern[..open], options, &pattern[at + 1..]));
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::braces;

    #[test]
    fn brace_expressions_stand_for_several_patterns() {
        assert_eq!(braces("a{b,c}d"), ["abd", "acd"]);
        assert_eq!(braces("{a,b{1,2}}.conf"), ["a.conf", "b1.conf", "b2.conf"]);
        assert_eq!(braces("plain*.conf"), ["plain*.conf"]);
        assert_eq!(braces("open{a,b"), ["open{a,b"]);
    }

    #[test]
    fn braces_within_braces_do_not_explode() {
        let pattern = "{a,b}".repeat(40);
        assert!(braces(&pattern).len() <= 1_100);
    }
}
