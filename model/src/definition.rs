//! A definition of any kind, and a set of them.

use crate::check::Check;
use crate::instance::Instance;
use crate::moves::{Drain, Switchover};
use crate::name::Name;
use crate::sync_group::SyncGroup;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What kinds of definition there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    Check,
    Instance,
    SyncGroup,
    Switchover,
    Drain,
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::Check, Self::Instance, Self::SyncGroup, Self::Switchover, Self::Drain];

    /// What documents declare. The others are orders of an operator ([`crate::moves`]).
    pub const DECLARED: [Self; 3] = [Self::Check, Self::Instance, Self::SyncGroup];

    /// Whether it is a planned move, which no document declares and no rollback touches.
    pub const fn is_move(self) -> bool {
        matches!(self, Self::Switchover | Self::Drain)
    }

    /// As documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Check => "Check",
            Self::Instance => "Instance",
            Self::SyncGroup => "SyncGroup",
            Self::Switchover => "Switchover",
            Self::Drain => "Drain",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a definition is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    pub kind: Kind,
    pub name: Name,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// `kind` + `name` + `spec`. Serde reads and writes what the store and the wire keep; text from
/// people goes through [`crate::document::parse`], which says more when something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Definition {
    Instance { name: Name, spec: Box<Instance> },
    Check { name: Name, spec: Check },
    SyncGroup { name: Name, spec: SyncGroup },
    Switchover { name: Name, spec: Switchover },
    Drain { name: Name, spec: Drain },
}

impl Definition {
    pub fn key(&self) -> Key {
        Key { kind: self.kind(), name: self.name().clone() }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Instance { .. } => Kind::Instance,
            Self::Check { .. } => Kind::Check,
            Self::SyncGroup { .. } => Kind::SyncGroup,
            Self::Switchover { .. } => Kind::Switchover,
            Self::Drain { .. } => Kind::Drain,
        }
    }

    pub fn name(&self) -> &Name {
        match self {
            Self::Instance { name, .. }
            | Self::Check { name, .. }
            | Self::SyncGroup { name, .. }
            | Self::Switchover { name, .. }
            | Self::Drain { name, .. } => name,
        }
    }
}

/// The whole of a fleet's definitions, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definitions(pub BTreeMap<Key, Definition>);

impl Definitions {
    pub fn instances(&self) -> impl Iterator<Item = (&Name, &Instance)> {
        self.0.values().filter_map(|definition| match definition {
            Definition::Instance { name, spec } => Some((name, spec.as_ref())),
            _ => None,
        })
    }

    pub fn checks(&self) -> impl Iterator<Item = (&Name, &Check)> {
        self.0.values().filter_map(|definition| match definition {
            Definition::Check { name, spec } => Some((name, spec)),
            _ => None,
        })
    }

    pub fn sync_groups(&self) -> impl Iterator<Item = (&Name, &SyncGroup)> {
        self.0.values().filter_map(|definition| match definition {
            Definition::SyncGroup { name, spec } => Some((name, spec)),
            _ => None,
        })
    }

    pub fn switchovers(&self) -> impl Iterator<Item = (&Name, &Switchover)> {
        self.0.values().filter_map(|definition| match definition {
            Definition::Switchover { name, spec } => Some((name, spec)),
            _ => None,
        })
    }

    pub fn drains(&self) -> impl Iterator<Item = (&Name, &Drain)> {
        self.0.values().filter_map(|definition| match definition {
            Definition::Drain { name, spec } => Some((name, spec)),
            _ => None,
        })
    }

    pub fn instance(&self, name: &Name) -> Option<&Instance> {
        match self.0.get(&Key { kind: Kind::Instance, name: name.clone() })? {
            Definition::Instance { spec, .. } => Some(spec),
            _ => None,
        }
    }

    pub fn check(&self, name: &Name) -> Option<&Check> {
        match self.0.get(&Key { kind: Kind::Check, name: name.clone() })? {
            Definition::Check { spec, .. } => Some(spec),
            _ => None,
        }
    }
}

impl FromIterator<Definition> for Definitions {
    fn from_iter<I: IntoIterator<Item = Definition>>(definitions: I) -> Self {
        Self(definitions.into_iter().map(|definition| (definition.key(), definition)).collect())
    }
}
