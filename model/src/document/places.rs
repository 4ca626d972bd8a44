//! Where the parts of a parsed definition stand in the input. Holds positions and field names,
//! never values: a password does not live on in here.

use super::tree::{At, Node, Value};
use crate::finding::Place;

/// A value and where it was read.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    pub value: T,
    /// The document as a whole.
    pub place: Place,
    root: Part,
}

#[derive(Clone, Debug, Default)]
struct Part {
    at: At,
    below: Below,
}

#[derive(Clone, Debug, Default)]
enum Below {
    #[default]
    Nothing,
    Fields(Vec<(String, Part)>),
    Items(Vec<Part>),
}

impl<T> Placed<T> {
    /// A value whose parts stand nowhere in particular.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place, root: Part::default() }
    }

    pub(super) fn at(value: T, place: Place, root: &Node) -> Self {
        Self { value, place, root: Part::of(root) }
    }

    /// The place of a path such as `spec.members[0].priority`; of the nearest part above it that
    /// was written, when it was not itself.
    pub fn place_of(&self, path: &str) -> Place {
        let mut part = &self.root;
        for step in steps(path) {
            let next = match (&part.below, step) {
                (Below::Fields(fields), Step::Field(name)) => {
                    fields.iter().find(|(field, _)| field == name).map(|(_, part)| part)
                }
                (Below::Items(items), Step::Item(index)) => items.get(index),
                _ => None,
            };
            let Some(next) = next else { break };
            part = next;
        }
        let At { line, column } = part.at;
        Place {
            line: if line == 0 { self.place.line } else { Some(line) },
            column: if line == 0 { self.place.column } else { Some(column) },
            path: (!path.is_empty()).then(|| path.to_owned()),
            ..self.place.clone()
        }
    }
}

impl Part {
    fn of(node: &Node) -> Self {
        let below = match &node.value {
            Value::Scalar { .. } => Below::Nothing,
            Value::Sequence(items) => Below::Items(items.iter().map(Self::of).collect()),
            Value::Mapping(entries) => {
                let field =
                    |(key, node): &(super::tree::Key, Node)| (key.text.clone(), Self::of(node));
                Below::Fields(entries.iter().map(field).collect())
            }
        };
        Self { at: node.at, below }
    }
}

enum Step<'p> {
    Field(&'p str),
    Item(usize),
}

/// `a.b[2]` as a, b, 2.
fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split(['.', '[']).filter(|part| !part.is_empty()).map(|part| {
        match part.strip_suffix(']').and_then(|index| index.parse().ok()) {
            Some(index) => Step::Item(index),
            None => Step::Field(part),
        }
    })
}
