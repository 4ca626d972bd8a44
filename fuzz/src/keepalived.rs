//! The reader of keepalived.conf: no text stops it, what it imports is exported to a text that
//! it takes, and that means the same.
//!
//! An input is a fleet of files in one text. A line `=== NAME` begins the next file; what comes
//! before is `lb1.conf`. Every file that ends in `.conf` is the file of a host, the others are
//! there to be included.

use std::collections::{BTreeMap, BTreeSet};
use vipfleet_model::keepalived::{
    self, ExportOptions, HostConfig, IncludeRequest, Included, Limits, NamedText, Options, Sources,
    export,
};
use vipfleet_model::{Definition, Definitions, Findings, Name};

/// More hosts than that show nothing new.
const MOST_HOSTS: usize = 3;
/// A few bytes of sequences and includes become as much as is allowed: tightly, so that a run gets
/// on, and so that the bounds themselves are met often.
const LIMITS: Limits = Limits { lines: 1_000, files: 20 };

struct Files(Vec<NamedText>);

impl Files {
    fn of(data: &[u8]) -> Self {
        let mut files = vec![NamedText { name: "lb1.conf".to_owned(), text: Vec::new() }];
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            if let Some(name) = line.strip_prefix(b"=== ") {
                let name = String::from_utf8_lossy(name).trim_end().to_owned();
                files.push(NamedText { name, text: Vec::new() });
            } else if let Some(file) = files.last_mut() {
                file.text.extend_from_slice(line);
            }
        }
        Self(files)
    }

    fn hosts(&self) -> impl Iterator<Item = (Name, &NamedText)> {
        let hosts = self.0.iter().filter_map(|file| {
            let node = file.name.strip_suffix(".conf")?.parse().ok()?;
            Some((node, file))
        });
        hosts.take(MOST_HOSTS)
    }
}

impl Sources for Files {
    /// By the last part of the pattern, which may have one `*`.
    fn include(&self, request: &IncludeRequest<'_>) -> Included {
        let wanted = request.pattern.rsplit('/').next().unwrap_or_default();
        let matches = |name: &str| match wanted.split_once('*') {
            Some((head, tail)) => name.starts_with(head) && name.ends_with(tail),
            None => name == wanted,
        };
        let texts = self.0.iter().filter(|file| matches(&file.name)).cloned().collect();
        let unreadable = match wanted {
            "unreadable" => vec![(wanted.to_owned(), "permission denied".to_owned())],
            _ => Vec::new(),
        };
        Included { texts, unreadable }
    }
}

/// How far an input came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Something in it is refused, by the reader or by the import.
    Refused,
    /// The export refuses to write it.
    Imported,
    /// Written, with a warning that something changes.
    Exported,
    /// Written, and imported as what it was.
    CameBack,
}

/// Reads one input.
pub fn run(data: &[u8]) {
    reached(data);
}

/// Reads one input and says how far it came.
pub fn reached(data: &[u8]) -> Reached {
    let files = Files::of(data);
    let mut hosts = Vec::new();
    let mut sound = true;
    for (node, file) in files.hosts() {
        let config_id = Some(node.to_string());
        let options = Options { config_id, limits: LIMITS, ..Options::default() };
        let (host, findings) = keepalived::parse(&file.name, &file.text, &files, &options);
        sound &= !findings.has_errors();
        shown(&findings, &host);
        stand_alone(&host);
        hosts.push((node, host));
    }
    let (definitions, findings) = keepalived::import(&hosts);
    if sound && !findings.has_errors() { comes_back(&definitions) } else { Reached::Refused }
}

/// Findings can be shown; drawing many takes longer than all the rest.
fn shown(findings: &Findings, host: &HostConfig) {
    for finding in findings.iter().take(3) {
        assert!(!finding.rule.is_empty() && !finding.message.is_empty(), "{finding:?}");
        assert!(!keepalived::render(finding, &host.texts).is_empty(), "{finding:?}");
    }
}

/// What an agent without a server would do.
fn stand_alone(host: &HostConfig) {
    let (assignment, _) = keepalived::assignment(host);
    for instance in &assignment.instances {
        if let Ok(config) = instance.engine_config() {
            let _ = vipfleet_vrrp::Router::new(config);
        }
    }
}

/// Exports the definitions for every member and imports the files. Errors are refusals and end
/// it; a warning says that something gets lost or changed.
fn comes_back(imported: &[Definition]) -> Reached {
    let definitions: Definitions = imported.iter().cloned().collect();
    let facts = BTreeMap::new();
    let options = ExportOptions {
        exec_dir: Some("/etc/vipfleet/exec".to_owned()),
        ..ExportOptions::default()
    };
    let members: BTreeSet<Name> = definitions
        .instances()
        .flat_map(|(_, instance)| instance.members.iter().map(|member| member.node.clone()))
        .collect();
    let mut hosts = Vec::new();
    let mut written = Vec::new();
    let mut exact = true;
    for node in members {
        let Ok((text, said)) = export(&definitions, &facts, &node, &options) else {
            return Reached::Imported;
        };
        exact &= said.iter().all(|finding| finding.rule == "script-user");
        let file = format!("{node}.conf");
        let none = &keepalived::NoSources;
        let (host, findings) = keepalived::parse(&file, &text, none, &Options::default());
        assert!(!findings.has_errors(), "{findings:?} in what was exported:\n{text}");
        hosts.push((node, host));
        written.push(text);
    }
    let (back, findings) = keepalived::import(&hosts);
    if !exact {
        return Reached::Exported;
    }
    let back: Definitions = back.into_iter().collect();
    assert!(!findings.has_errors(), "{findings:?} in what was exported:\n{written:#?}");
    assert_eq!(back, definitions, "{written:#?}");
    Reached::CameBack
}
