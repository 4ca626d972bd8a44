//! `vrrp_script`, `vrrp_track_process` and tracked interfaces: what an instance may track.

use super::super::Lvs;
use super::super::cell::Pos;
use super::super::exec::{self, same_group};
use super::super::host::HostCheck;
use super::super::keyword::{PROCESS, SCRIPT, admit};
use super::super::lexeme::Word;
use super::super::report::Report;
use super::super::tree::Statement;
use super::super::unique;
use super::super::value::{integer, seconds};
use super::global::Globals;
use super::track::Weight;
use super::{name, repeated};
use crate::check::{Check, ExecProbe, InterfaceProbe, Probe, ProcessProbe};
use crate::name::Name;
use crate::span::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Longest interval or timeout of a script, as keepalived has it.
const MAX_SECONDS: i64 = 4294;

/// What kind of thing is tracked; scripts and processes have name spaces of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Script,
    Process,
    Interface,
}

/// A declared check. A broken one is kept, so that tracking it is no second complaint.
#[derive(Clone, Debug)]
struct Entry {
    pos: Pos,
    name: Name,
    weight: Weight,
    spec: Option<Check>,
}

/// Everything declared so far. keepalived knows only what stands above its use.
#[derive(Debug, Default)]
pub(super) struct Declared {
    entries: Vec<Entry>,
    /// Position in `entries`, by kind and name as written.
    index: BTreeMap<(Kind, String), usize>,
    names: BTreeSet<Name>,
}

/// What a track block finds under a name.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) name: Name,
    pub(super) weight: Weight,
    /// Whether its own declaration could be read.
    pub(super) sound: bool,
}

impl Declared {
    pub(super) fn find(&self, kind: Kind, written: &str) -> Option<Known> {
        let entry = &self.entries[*self.index.get(&(kind, written.to_owned()))?];
        let sound = entry.spec.is_some();
        Some(Known { name: entry.name.clone(), weight: entry.weight, sound })
    }

    /// A check of an interface that an instance tracks, declared on its first use.
    pub(super) fn interface(&mut self, written: &str, pos: Pos, report: &mut Report) -> Known {
        if let Some(known) = self.find(Kind::Interface, written) {
            return known;
        }
        let spec = Check::new(Probe::Interface(InterfaceProbe { name: written.to_owned() }));
        let called = format!("interface-{written}");
        let name = self.free_name(&called, pos, report);
        let known = Known { name: name.clone(), weight: Weight::default(), sound: true };
        self.push(
            Kind::Interface,
            written,
            Entry { pos, name, weight: Weight::default(), spec: Some(spec) },
        );
        known
    }

    pub(super) fn script(&mut self, block: &Statement, globals: &Globals, report: &mut Report) {
        let Some(title) = self.title(Kind::Script, block, report) else {
            return;
        };
        let mut exec = None;
        let mut check = Check::new(Probe::Exec(ExecProbe {
            file: String::new(),
            args: Vec::new(),
            user: None,
        }));
        let mut weight = Weight::default();
        let mut user: Option<String> = None;
        for statement in block.statements() {
            if !admit(statement, SCRIPT, "vrrp_script", Lvs::Refuse, report) {
                continue;
            }
            let keyword = statement.keyword();
            let word = &statement.parameters()[0];
            match keyword {
                "script" => {
                    let default = globals.script_user.as_ref().map(|(user, _)| user.as_str());
                    exec = exec::read(statement, default, report);
                }
                "interval" => {
                    if let Some(interval) = script_seconds(word, keyword, 1, report) {
                        check.interval = interval;
                    }
                }
                "timeout" => {
                    let timeout = script_seconds(word, keyword, 0, report);
                    check.timeout = timeout.filter(|timeout| !timeout.is_zero());
                }
                "weight" => weight = Weight::read(statement.parameters(), 253, report),
                "rise" => count(word, keyword, &mut check.rise, report),
                "fall" => count(word, keyword, &mut check.fall, report),
                "user" => {
                    same_group(Some(word), statement.parameters().get(1), report);
                    user = Some(word.text.clone());
                }
                _ => {}
            }
        }
        if exec.is_none() && !block.statements().iter().any(|inner| inner.keyword() == "script") {
            let message = format!("vrrp_script {} has no script", title.text);
            report.error(title.pos, "missing-keyword", message, "add: script \"/path arguments\"");
        }
        let spec = exec.map(|exec| {
            check.probe = Probe::Exec(ExecProbe {
                file: exec.file.value,
                args: exec.args,
                user: user.or(exec.user),
            });
            check
        });
        let name = self.free_name(&title.text, title.pos, report);
        self.push(Kind::Script, &title.text, Entry { pos: title.pos, name, weight, spec });
    }

    pub(super) fn process(&mut self, block: &Statement, report: &mut Report) {
        let Some(title) = self.title(Kind::Process, block, report) else {
            return;
        };
        let mut probe = None;
        let mut quorum = 1;
        let mut quorum_max = None;
        let mut weight = Weight::default();
        let mut delay = Span::default();
        for statement in block.statements() {
            if !admit(statement, PROCESS, "vrrp_track_process", Lvs::Refuse, report) {
                continue;
            }
            let keyword = statement.keyword();
            let word = &statement.parameters()[0];
            match keyword {
                "process" => probe = process_probe(statement, report),
                "weight" => weight = Weight::read(statement.parameters(), 254, report),
                "quorum" => count(word, keyword, &mut quorum, report),
                "quorum_max" => {
                    let mut most = 0;
                    count(word, keyword, &mut most, report);
                    quorum_max = (most > 0).then_some((most, word.pos));
                }
                "delay" | "terminate_delay" => {
                    let range = Duration::ZERO..=Duration::from_secs(3_600);
                    delay = seconds(word, keyword, range, report).unwrap_or_default();
                }
                _ => {}
            }
        }
        if probe.is_none() && !block.statements().iter().any(|inner| inner.keyword() == "process") {
            let message = format!("vrrp_track_process {} names no process", title.text);
            report.error(title.pos, "missing-keyword", message, "add: process nginx");
        }
        if let Some((most, pos)) = quorum_max.filter(|(most, _)| *most < quorum) {
            let message = format!("quorum {quorum} and quorum_max {most} are never both met");
            report.error(pos, "bad-value", message, format!("write {quorum} or more"));
        }
        let quorum_max = quorum_max.map(|(most, _)| most);
        let counted = |probe| Probe::Process(ProcessProbe { quorum, quorum_max, ..probe });
        let checked = |probe| Check { down_delay: delay, ..Check::new(counted(probe)) };
        let spec = probe.map(checked);
        let name = self.free_name(&title.text, title.pos, report);
        self.push(Kind::Process, &title.text, Entry { pos: title.pos, name, weight, spec });
    }

    /// The name of a block, unless it is taken.
    fn title<'a>(&self, kind: Kind, block: &'a Statement, report: &mut Report) -> Option<&'a Word> {
        let title = &block.parameters()[0];
        if let Some(first) = self.index.get(&(kind, title.text.clone())) {
            repeated(&title.text, title.pos, self.entries[*first].pos, report);
            return None;
        }
        Some(title)
    }

    /// A name that no other check of this host has.
    fn free_name(&self, called: &str, pos: Pos, report: &mut Report) -> Name {
        let wanted = name(called, pos, report);
        unique(&wanted, |name| self.names.contains(name))
    }

    fn push(&mut self, kind: Kind, written: &str, entry: Entry) {
        self.names.insert(entry.name.clone());
        self.index.insert((kind, written.to_owned()), self.entries.len());
        self.entries.push(entry);
    }

    pub(super) fn finish(self, report: &Report) -> Vec<HostCheck> {
        let check = |entry: Entry| {
            let name = report.located(entry.name, entry.pos);
            Some(HostCheck { name, spec: entry.spec? })
        };
        self.entries.into_iter().filter_map(check).collect()
    }
}

fn script_seconds(word: &Word, keyword: &str, least: i64, report: &mut Report) -> Option<Span> {
    let value = integer(word, keyword, least..=MAX_SECONDS, report)?;
    u64::try_from(value).ok().map(Span::from_secs)
}

fn count(word: &Word, keyword: &str, slot: &mut u16, report: &mut Report) {
    let value = integer(word, keyword, 1..=65_535, report);
    if let Some(value) = value.and_then(|value| u16::try_from(value).ok()) {
        *slot = value;
    }
}

/// The first word is the process; keepalived matches it against `/proc/PID/comm`, or the whole
/// command line when it has arguments.
fn process_probe(statement: &Statement, report: &mut Report) -> Option<ProcessProbe> {
    let word = &statement.parameters()[0];
    if word.text.contains(char::is_whitespace) || statement.parameters().len() > 1 {
        let message = "matching a process by its arguments is not supported";
        let remedy = "name the executable only, or write a vrrp_script";
        report.error(word.pos, "not-supported", message, remedy);
        return None;
    }
    let base = word.text.rsplit('/').next().unwrap_or_default();
    if base.is_empty() {
        report.error(word.pos, "bad-value", "the process has no name", "write: process nginx");
        return None;
    }
    Some(ProcessProbe::named(base))
}
