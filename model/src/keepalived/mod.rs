//! Reads keepalived.conf as keepalived 2.2.7 reads it and says what vipfleet makes of it.
//!
//! The path is one straight walk: `expand` (comments, conditions, definitions, sequences,
//! includes) → `tree` (statements and blocks) → `read` (the VRRP grammar) → [`HostConfig`] →
//! [`assignment`] for a stand-alone agent, or [`import()`] for the files of several hosts.
//! [`export()`] goes the other way, from the definitions of a fleet to the file of one host.
//! Every character keeps its file, line and column all the way.
//!
//! Pure: `include` is answered by the caller's [`Sources`]. A keyword is read, or accepted with
//! a warning that it has no effect, or refused with the reason; none is lost in silence.

mod cell;
mod condition;
mod define;
mod exec;
mod expand;
mod export;
mod host;
mod import;
mod include;
mod keyword;
mod lexeme;
mod pattern;
mod read;
mod render;
mod report;
mod sequence;
mod source;
mod standalone;
mod tree;
mod value;

pub use exec::Exec;
pub use export::{ExportOptions, Inexpressible, Origin, export};
pub use host::{At, Hook, HostCheck, HostConfig, Located, SyncGroup, VrrpInstance};
pub use import::import;
pub use pattern::alternatives;
pub use render::render;
pub use source::{IncludeRequest, Included, NamedText, NoSources, Sources};
pub use standalone::assignment;

use crate::finding::Findings;
use crate::name::Name;

/// What the caller knows and the file does not say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What `@id` lines and `${_INSTANCE}` are compared with; keepalived takes the host name.
    pub config_id: Option<String>,
    /// Whether the LVS part of the file may be left out.
    pub lvs: Lvs,
    /// How much one file may become.
    pub limits: Limits,
}

/// How much a file may become by its sequences, definitions and includes; more is an error.
/// keepalived has no such bounds, but a file must not exhaust the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lines that come out, after sequences and multi-line definitions.
    pub lines: u32,
    /// Files read in all.
    pub files: u32,
}

impl Default for Limits {
    /// Far more than any host has.
    fn default() -> Self {
        Self { lines: 200_000, files: 1_000 }
    }
}

/// What to do with `virtual_server` and what belongs to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lvs {
    /// An error: vipfleet does not reproduce it.
    #[default]
    Refuse,
    /// A warning, and the rest of the file is taken.
    Ignore,
}

/// Reads `text`, called `file_name` in findings. With errors among the findings the
/// configuration is what could be understood, fit for further checks but not for use.
pub fn parse(
    file_name: &str,
    text: impl AsRef<[u8]>,
    sources: &dyn Sources,
    options: &Options,
) -> (HostConfig, Findings) {
    let mut report = report::Report::default();
    let mut tree = tree::Tree::default();
    expand::expand(file_name, text.as_ref(), sources, options, &mut report, &mut tree);
    let statements = tree.finish(&mut report);
    let host = read::host(file_name, &statements, options, &mut report);
    report.finish(host)
}

/// `wanted`, with a number after it when it is taken.
fn unique(wanted: &Name, taken: impl Fn(&Name) -> bool) -> Name {
    if !taken(wanted) {
        return wanted.clone();
    }
    let stem: String = wanted.as_str().chars().take(52).collect();
    (2u32..)
        .filter_map(|number| format!("{stem}-{number}").parse().ok())
        .find(|name| !taken(name))
        .unwrap_or_else(|| wanted.clone())
}
