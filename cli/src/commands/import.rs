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
        let options = Options { config_id: Some(node.to_string()), lvs, ..Options::default() };
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
        for pattern in keepalived::alternatives(request.pattern) {
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
