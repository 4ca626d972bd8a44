//! `history` and `get revisions`: one row a change.

use super::age::age;
use super::change::{Change, ChangeLine};
use super::list::Listed;
use super::table::{Cell, Tone, cell, plain};
use crate::output::Look;
use jiff::Timestamp;
use serde::Serialize;
use vipfleet_proto::{Malformed, v1};

/// Who changed what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Revision {
    pub(crate) revision: u64,
    /// RFC 3339.
    pub(crate) at: Option<String>,
    pub(crate) author: String,
    pub(crate) message: String,
    pub(crate) changes: Vec<ChangeLine>,
    #[serde(skip)]
    pub(crate) details: Vec<Change>,
}

impl TryFrom<v1::Change> for Revision {
    type Error = Malformed;

    fn try_from(wire: v1::Change) -> Result<Self, Malformed> {
        let details = wire.changes.into_iter().map(Change::try_from);
        let details = details.collect::<Result<Vec<_>, _>>()?;
        let at = wire.at.and_then(|it| Timestamp::new(it.seconds, it.nanos).ok());
        Ok(Self {
            revision: wire.revision,
            at: at.map(|at| at.to_string()),
            author: wire.author,
            message: wire.message,
            changes: details.iter().map(Change::line).collect(),
            details,
        })
    }
}

impl Listed for Revision {
    const NONE: &'static str = "no changes yet";

    fn columns(_: &Look) -> Vec<&'static str> {
        vec!["REVISION", "AGE", "AUTHOR", "MESSAGE", "CHANGES"]
    }

    fn row(&self, look: &Look) -> Vec<Cell> {
        vec![
            cell(Tone::Strong, self.revision.to_string()),
            plain(age(self.at.as_deref(), look.now)),
            plain(&self.author),
            plain(&self.message),
            plain(changes(&self.changes, look)),
        ]
    }

    fn name(&self) -> String {
        self.revision.to_string()
    }
}

/// Most that one row of the narrow table names.
const NAMED: usize = 3;

fn changes(changes: &[ChangeLine], look: &Look) -> String {
    let named = if look.wide { changes.len() } else { NAMED };
    let word = |change: &ChangeLine| {
        let verb = format!("{:?}", change.change).to_lowercase();
        format!("{} {} {verb}", change.kind, change.name)
    };
    let mut lines = changes.iter().take(named).map(word).collect::<Vec<_>>();
    if changes.len() > named {
        lines.push(format!("and {} more", changes.len() - named));
    }
    lines.join("\n")
}
