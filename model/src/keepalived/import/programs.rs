//! Programs become files of the agents' exec dir: a server never hands a host a path.

use super::super::exec::Exec;
use super::super::host::At;
use super::super::report::finding;
use super::pair;
use crate::check::Probe;
use crate::definition::Definition;
use crate::finding::{Findings, Place, Severity};
use crate::name::Name;
use std::collections::BTreeMap;

/// A program that must be put into exec dirs.
#[derive(Debug)]
struct Program {
    path: String,
    at: At,
    nodes: Vec<Name>,
    related: Vec<Place>,
}

/// Every program met so far, by base name.
#[derive(Debug, Default)]
pub(super) struct Programs(BTreeMap<String, Program>);

impl Programs {
    /// The file name under which `path` is called from now on.
    fn file(&mut self, path: &str, at: &At, node: &Name, findings: &mut Findings) -> String {
        let base = path.rsplit('/').next().unwrap_or(path).to_owned();
        if base.is_empty() || base == "." || base == ".." {
            findings.push(finding(
                Severity::Error,
                "bad-value",
                at.clone(),
                format!("{path:?} is no program"),
                "name a file",
            ));
            return base;
        }
        match self.0.get_mut(&base) {
            None => {
                let related = Vec::new();
                let nodes = vec![node.clone()];
                let program = Program { path: path.to_owned(), at: at.clone(), nodes, related };
                self.0.insert(base.clone(), program);
            }
            Some(known) if known.path != path => {
                let message = format!(
                    "{path} and {} would be the same file {base} of the exec dir",
                    known.path
                );
                let remedy = "rename one of them";
                findings.push(pair("programs-collide", at, &known.at, message, remedy));
            }
            Some(known) => {
                if !known.nodes.contains(node) {
                    known.nodes.push(node.clone());
                }
                if known.at != *at && !known.related.contains(&at.place()) {
                    known.related.push(at.place());
                }
            }
        }
        base
    }

    /// `definition`, declared at `origins`, with its program as a file of the exec dir.
    pub(super) fn check(
        &mut self,
        definition: Definition,
        origins: &[(At, Name)],
        findings: &mut Findings,
    ) -> Definition {
        let Definition::Check { name, mut spec } = definition else { return definition };
        if let Probe::Exec(exec) = &mut spec.probe {
            let path = std::mem::take(&mut exec.file);
            for (at, node) in origins {
                exec.file = self.file(&path, at, node, findings);
            }
        }
        Definition::Check { name, spec }
    }

    pub(super) fn hook(&mut self, exec: &Exec, node: &Name, findings: &mut Findings) -> String {
        self.file(&exec.file.value, &exec.file.at, node, findings)
    }

    /// One warning a program, saying where to put it.
    pub(super) fn finish(self, findings: &mut Findings) {
        for (base, program) in self.0 {
            let nodes: Vec<&str> = program.nodes.iter().map(Name::as_str).collect();
            let mut put = finding(
                Severity::Warning,
                "exec-dir",
                program.at,
                format!("{} is imported as the file {base} of the agents' exec dir", program.path),
                format!("put it there on every member ({})", nodes.join(", ")),
            );
            put.related = program.related;
            findings.push(put);
        }
    }
}
