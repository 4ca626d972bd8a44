//! The VRRP grammar: statements in, a [`HostConfig`] out. Findings name every statement that is
//! not taken.

mod addresses;
mod authentication;
mod check;
mod global;
mod instance;
mod resolve;
mod track;

use super::cell::Pos;
use super::host::{HostConfig, Located, SyncGroup};
use super::keyword::{ROOT, SYNC_GROUP, admit};
use super::report::Report;
use super::tree::Statement;
use super::{Lvs, Options};
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
    let mut sync_groups = Vec::new();
    for statement in admitted {
        match statement.keyword() {
            "vrrp_script" => checks.script(statement, &globals, report),
            "vrrp_track_process" => checks.process(statement, report),
            "vrrp_sync_group" => sync_groups.push(sync_group(statement, options.lvs, report)),
            "vrrp_instance" => {
                let name = &statement.parameters()[0];
                if let Some(first) = named.get(name.text.as_str()) {
                    repeated(&name.text, name.pos, *first, report);
                    continue;
                }
                named.insert(&name.text, name.pos);
                drafts.push(instance::read(statement, &globals, &mut checks, options.lvs, report));
            }
            _ => {}
        }
    }
    let instances = resolve::instances(drafts, &globals, report);
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

fn sync_group(statement: &Statement, lvs: Lvs, report: &mut Report) -> SyncGroup {
    let name = &statement.parameters()[0];
    report.error(
        statement.pos(),
        "not-supported",
        format!("vrrp_sync_group {} is not supported yet", name.text),
        "put the addresses of its instances into one instance, or keep keepalived for them",
    );
    let mut members: Vec<Located<String>> = Vec::new();
    for inner in statement.statements() {
        // What else a refused group says is of no interest, unless it is no keyword at all.
        let known = SYNC_GROUP.iter().any(|keyword| keyword.name == inner.keyword());
        if known && inner.keyword() != "group"
            || !admit(inner, SYNC_GROUP, "vrrp_sync_group", lvs, report)
        {
            continue;
        }
        let names = inner.statements().iter().flat_map(|line| &line.words);
        members.extend(names.map(|word| report.located(word.text.clone(), word.pos)));
    }
    SyncGroup { name: report.located(name.text.clone(), name.pos), members }
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
