//! The VRRP grammar: statements in, a [`HostConfig`] out. Findings name every statement that is
//! not taken.

mod addresses;
mod authentication;
mod check;
mod global;
mod hooks;
mod instance;
mod resolve;
mod routes;
mod rules;
mod sync_group;
mod track;

use super::Options;
use super::cell::Pos;
use super::host::HostConfig;
use super::keyword::{ROOT, admit};
use super::report::Report;
use super::tree::Statement;
use crate::name::Name;
use std::collections::BTreeMap;

/// A value and the place where it is written, while reading.
type Put<T> = Option<(T, Pos)>;

/// Reads the statements of a host's file.
pub(super) fn host(
    file_name: &str,
    statements: &[Statement],
    options: &Options,
    report: &mut Report,
) -> HostConfig {
    let admitted: Vec<&Statement> = statements
        .iter()
        .filter(|statement| admit(statement, ROOT, "", options.lvs, report))
        .collect();
    // Globals hold for what stands before them as well, as in keepalived.
    let mut globals = global::Globals::default();
    for statement in of(&admitted, "global_defs") {
        globals.read(statement, options.lvs, report);
    }
    let mut checks = check::Declared::default();
    let mut drafts: Vec<instance::Draft<'_>> = Vec::new();
    let mut named: BTreeMap<&str, Pos> = BTreeMap::new();
    let mut groups: Vec<sync_group::Draft<'_>> = Vec::new();
    let mut named_groups: BTreeMap<&str, Pos> = BTreeMap::new();
    for statement in admitted {
        match statement.keyword() {
            "vrrp_script" => checks.script(statement, &globals, report),
            "vrrp_track_process" => checks.process(statement, report),
            "vrrp_sync_group" if first_of_its_name(statement, &mut named_groups, report) => {
                groups.push(sync_group::read(
                    statement,
                    &globals,
                    &mut checks,
                    options.lvs,
                    report,
                ));
            }
            "vrrp_instance" if first_of_its_name(statement, &mut named, report) => {
                drafts.push(instance::read(statement, &globals, &mut checks, options.lvs, report));
            }
            _ => {}
        }
    }
    let (mut instances, written) = resolve::instances(drafts, &globals, report);
    let sync_groups = sync_group::resolve(groups, &written, &mut instances, &checks, report);
    HostConfig {
        file: file_name.into(),
        texts: Vec::new(),
        router_id: globals.router_id.map(|(id, pos)| report.located(id, pos)),
        startup_delay: resolve::startup_delay(globals.startup_delay, report),
        instances,
        checks: checks.finish(report),
        sync_groups,
    }
}

fn of<'a>(statements: &[&'a Statement], keyword: &str) -> Vec<&'a Statement> {
    statements.iter().copied().filter(|statement| statement.keyword() == keyword).collect()
}

/// keepalived skips a second block of one name.
fn first_of_its_name<'a>(
    statement: &'a Statement,
    named: &mut BTreeMap<&'a str, Pos>,
    report: &mut Report,
) -> bool {
    let name = &statement.parameters()[0];
    let first = named.get(name.text.as_str()).copied();
    match first {
        Some(first) => repeated(&name.text, name.pos, first, report),
        None => drop(named.insert(&name.text, name.pos)),
    }
    first.is_none()
}

fn repeated(name: &str, pos: Pos, first: Pos, report: &mut Report) {
    let related = vec![report.at(first).place()];
    let mut finding = super::report::finding(
        crate::finding::Severity::Error,
        "duplicate-name",
        report.at(pos),
        format!("{name:?} is declared twice; keepalived skips the second"),
        "rename or remove one of them",
    );
    finding.related = related;
    report.push(finding);
}

/// `written` as a [`Name`]: characters that names do not have become `_`, with a warning.
fn name(written: &str, pos: Pos, report: &mut Report) -> Name {
    if let Ok(name) = written.parse() {
        return name;
    }
    let kept = |ch: char| ch.is_ascii_alphanumeric() || matches!(ch, '_' | '-' | '.');
    let mut text: String =
        written.chars().map(|ch| if kept(ch) { ch } else { '_' }).take(62).collect();
    if !text.starts_with(|ch: char| ch.is_ascii_alphanumeric() || ch == '_') {
        text.insert(0, '_');
    }
    report.warning(
        pos,
        "name-changed",
        format!("{written:?} becomes {text:?}: names here are letters, digits, '_', '-' and '.'"),
        "rename it",
    );
    match text.parse() {
        Ok(name) => name,
        Err(cause) => unreachable!("a name made of the right characters: {cause}"),
    }
}

/// Puts a value into its slot; a second one replaces the first, as in keepalived, and is noted.
fn put<T>(slot: &mut Put<T>, keyword: &str, value: T, pos: Pos, report: &mut Report) {
    if slot.is_some() {
        report.warning(
            pos,
            "repeated-keyword",
            format!("{keyword} is given again; this one counts"),
            "remove the other one",
        );
    }
    *slot = Some((value, pos));
}
