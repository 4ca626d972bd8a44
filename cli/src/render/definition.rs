//! `get definitions`: what apply reads, passwords redacted.

use super::check::probe;
use super::list::Listed;
use super::table::{Cell, Tone, cell, plain};
use crate::output::{Look, View};
use serde::Serialize;
use vipfleet_model::{Definition, document};

/// Definitions with the revision that last changed each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Stored {
    pub(crate) items: Vec<StoredDefinition>,
}

/// In JSON only the definition, so that apply reads it back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct StoredDefinition {
    pub(crate) definition: Definition,
    #[serde(skip)]
    pub(crate) revision: u64,
}

impl Stored {
    /// Documents, as people write them.
    pub(crate) fn yaml(&self) -> String {
        let definitions = self.items.iter().map(|it| it.definition.clone()).collect::<Vec<_>>();
        document::to_yaml(&definitions)
    }
}

impl View for Stored {
    fn table(&self, look: &Look) -> String {
        super::list::List { items: self.items.clone() }.table(look)
    }

    fn names(&self) -> Vec<String> {
        self.items.iter().map(Listed::name).collect()
    }

    fn news(&self, before: &Self, look: &Look) -> String {
        let before = super::list::List { items: before.items.clone() };
        super::list::List { items: self.items.clone() }.news(&before, look)
    }
}

impl Listed for StoredDefinition {
    const NONE: &'static str = "no definitions: write some and `vipctl apply -f` them";

    fn columns(_: &Look) -> Vec<&'static str> {
        vec!["KIND", "NAME", "REVISION", "WHAT"]
    }

    fn row(&self, _: &Look) -> Vec<Cell> {
        let what = match &self.definition {
            Definition::Check { spec, .. } => probe(&spec.probe),
            // Listed by no command that shows definitions; history tells of them.
            Definition::Switchover { spec, .. } => format!("to {}", spec.to),
            Definition::Drain { .. } => String::new(),
            Definition::SyncGroup { spec, .. } => {
                let names = spec.instances.iter().map(ToString::to_string);
                names.collect::<Vec<_>>().join(", ")
            }
            Definition::Instance { spec, .. } => {
                let join = |words: Vec<String>| words.join(", ");
                let vips = spec.virtual_addresses.iter().map(ToString::to_string).collect();
                let vips = if spec.election_only.is_some() { vec!["-".to_owned()] } else { vips };
                let nodes = spec.members.iter().map(|it| it.node.to_string()).collect();
                format!("{} on {}", join(vips), join(nodes))
            }
        };
        vec![
            plain(self.definition.kind()),
            cell(Tone::Strong, self.definition.name().as_str()),
            plain(self.revision),
            plain(what),
        ]
    }

    fn name(&self) -> String {
        let kind = self.definition.kind().as_str().to_lowercase();
        format!("{kind}/{}", self.definition.name())
    }
}
