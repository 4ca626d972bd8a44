//! Words that name things: kinds, and pairs such as NODE=FILE.

use clap::ValueEnum;
use std::path::PathBuf;
use vipfleet_model::{Kind, Name};

/// What `get` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listing {
    #[value(aliases = ["instance", "Instance"])]
    Instances,
    #[value(aliases = ["check", "Check"])]
    Checks,
    /// Instances that are MASTER together, and where.
    #[value(aliases = ["syncgroup", "SyncGroup"])]
    Syncgroups,
    #[value(aliases = ["node", "Node"])]
    Nodes,
    #[value(aliases = ["vip"])]
    Vips,
    #[value(aliases = ["revision"])]
    Revisions,
    /// Definitions as apply reads them, passwords redacted.
    #[value(aliases = ["definition"])]
    Definitions,
}

/// What `describe` describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DescribedKind {
    #[value(aliases = ["instances", "Instance"])]
    Instance,
    #[value(aliases = ["checks", "Check"])]
    Check,
    #[value(aliases = ["syncgroups", "SyncGroup"])]
    Syncgroup,
    #[value(aliases = ["nodes", "Node"])]
    Node,
    #[value(aliases = ["vips"])]
    Vip,
}

/// What has a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DefinitionKind {
    #[value(aliases = ["instances", "Instance"])]
    Instance,
    #[value(aliases = ["checks", "Check"])]
    Check,
    #[value(aliases = ["syncgroups", "SyncGroup"])]
    Syncgroup,
}

impl From<DefinitionKind> for Kind {
    fn from(it: DefinitionKind) -> Self {
        match it {
            DefinitionKind::Instance => Self::Instance,
            DefinitionKind::Check => Self::Check,
            DefinitionKind::Syncgroup => Self::SyncGroup,
        }
    }
}

pub(super) fn node_file(text: &str) -> Result<(Name, PathBuf), String> {
    match text.split_once('=') {
        Some((node, file)) if !file.is_empty() => {
            Ok((node.parse().map_err(|cause| format!("{cause}"))?, file.into()))
        }
        _ => Err("say whose file it is, as in lb1=/etc/keepalived/keepalived.conf".into()),
    }
}

pub(super) fn node_priority(text: &str) -> Result<(Name, u8), String> {
    let wrong = || "write NODE=N with N from 1 to 255, as in lb1=100".to_owned();
    let (node, priority) = text.split_once('=').ok_or_else(wrong)?;
    let priority = priority.parse().ok().filter(|it| *it > 0).ok_or_else(wrong)?;
    Ok((node.parse().map_err(|cause| format!("{cause}"))?, priority))
}

pub(super) fn node_offset(text: &str) -> Result<(Name, i16), String> {
    let wrong = || "write NODE=N with N from -253 to 253, as in lb1=-30".to_owned();
    let (node, offset) = text.split_once('=').ok_or_else(wrong)?;
    let offset = offset.parse().ok().filter(|it| (-253..=253).contains(it)).ok_or_else(wrong)?;
    Ok((node.parse().map_err(|cause| format!("{cause}"))?, offset))
}
