//! Lists of one kind: `{"items": [...]}` for programs, a table for people.

use super::table::{self, Cell, Tone};
use crate::output::{Look, View};
use serde::Serialize;

/// What can be listed.
pub(crate) trait Listed: Serialize + PartialEq {
    /// What an empty list says.
    const NONE: &'static str;
    fn columns(look: &Look) -> Vec<&'static str>;
    fn row(&self, look: &Look) -> Vec<Cell>;
    fn name(&self) -> String;
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
}

impl<T: Listed> View for List<T> {
    fn table(&self, look: &Look) -> String {
        if self.items.is_empty() {
            return Tone::Faint.paint(T::NONE) + "\n";
        }
        let rows = self.items.iter().map(|item| item.row(look));
        table::table(&T::columns(look), rows.collect(), look)
    }

    fn names(&self) -> Vec<String> {
        self.items.iter().map(Listed::name).collect()
    }

    fn news(&self, before: &Self, look: &Look) -> String {
        let changed = self.items.iter().filter(|item| !before.items.contains(item));
        let mut text = table::rows(changed.map(|item| item.row(look)).collect(), look);
        let names = self.names();
        for name in before.names().into_iter().filter(|name| !names.contains(name)) {
            text.push_str(&format!("{name}  gone\n"));
        }
        text
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::output::Look;

    /// A fixed moment and no terminal.
    pub(crate) fn look() -> Look {
        Look { wide: false, width: None, now: "2026-03-04T12:00:00Z".parse().unwrap() }
    }

    pub(crate) fn unstyled(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }
}
