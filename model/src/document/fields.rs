//! Reading a tree of nodes into values, noting every finding on the way instead of stopping at
//! the first. Used by the decoders beside it; knows no kind of definition.

use super::tree::{At, Node, Value};
use crate::finding::{Finding, Findings, Place};

/// Where findings of one document go.
pub(super) struct Context<'a> {
    pub(super) file: Option<&'a str>,
    pub(super) document: String,
    pub(super) findings: &'a mut Findings,
}

/// A node and the way to it.
#[derive(Clone)]
pub(super) struct Spot<'n> {
    pub(super) node: &'n Node,
    pub(super) path: String,
}

impl Context<'_> {
    pub(super) fn place(&self, at: At, path: &str) -> Place {
        Place {
            file: self.file.map(str::to_owned),
            line: Some(at.line),
            column: Some(at.column),
            document: Some(self.document.clone()),
            path: (!path.is_empty()).then(|| path.to_owned()),
        }
    }

    pub(super) fn error(
        &mut self,
        rule: &str,
        place: Place,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.findings.push(Finding::error(rule, place, message, remedy));
    }

    /// The finding for a value that is not what the field takes.
    pub(super) fn wrong(&mut self, spot: &Spot<'_>, wanted: &str, remedy: impl Into<String>) {
        let place = self.place(spot.node.at, &spot.path);
        let message = match &spot.node.value {
            Value::Scalar { text, .. } if !spot.node.is_null() => {
                format!("{:?} is not {wanted}", shorten(text))
            }
            _ => format!("{} stands where {wanted} should", spot.node.what()),
        };
        self.error("wrong-type", place, message, remedy);
    }
}

fn shorten(text: &str) -> String {
    let mut start = text.chars().take(60).collect::<String>();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

/// The fields of a mapping, taken one by one; [`Fields::finish`] reports what nobody took.
pub(super) struct Fields<'n> {
    at: At,
    path: String,
    entries: Vec<(&'n str, At, &'n Node)>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// `None`, with a finding, when the node is no mapping.
    pub(super) fn of(context: &mut Context<'_>, spot: &Spot<'n>) -> Option<Self> {
        let Value::Mapping(all) = &spot.node.value else {
            context.wrong(spot, "a mapping", "write fields as `name: value`");
            return None;
        };
        let mut fields =
            Self { at: spot.node.at, path: spot.path.clone(), entries: Vec::new(), known: vec![] };
        for (key, node) in all {
            let path = fields.path_of(&key.text);
            match fields.entries.iter().find(|(name, ..)| *name == key.text) {
                Some((_, first, _)) => {
                    let (place, first) = (context.place(key.at, &path), first.line);
                    let message = format!("field `{}` is written twice", key.text);
                    let remedy = format!("keep this one or the one on line {first}");
                    context.error("duplicate-field", place, message, remedy);
                }
                None => fields.entries.push((&key.text, key.at, node)),
            }
        }
        Some(fields)
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The field's node, if it is written and not null.
    pub(super) fn spot(&mut self, name: &'static str) -> Option<Spot<'n>> {
        self.known.push(name);
        let (_, _, node) = self.entries.iter().find(|(key, ..)| *key == name)?;
        (!node.is_null()).then(|| Spot { node, path: self.path_of(name) })
    }

    /// The outer `None`: absent. The inner: there, but wrong, and the finding is noted.
    pub(super) fn optional<T>(
        &mut self,
        context: &mut Context<'_>,
        name: &'static str,
        read: impl FnOnce(&mut Context<'_>, &Spot<'n>) -> Option<T>,
    ) -> Option<Option<T>> {
        let spot = self.spot(name)?;
        Some(read(context, &spot))
    }

    /// `None` when absent or wrong; either way the finding is noted.
    pub(super) fn required<T>(
        &mut self,
        context: &mut Context<'_>,
        name: &'static str,
        read: impl FnOnce(&mut Context<'_>, &Spot<'n>) -> Option<T>,
    ) -> Option<T> {
        match self.spot(name) {
            Some(spot) => read(context, &spot),
            None => {
                let place = context.place(self.at, &self.path_of(name));
                let message = format!("field `{name}` is missing");
                context.error("missing-field", place, message, format!("add `{name}:`"));
                None
            }
        }
    }

    /// Reports the fields that nobody asked for.
    pub(super) fn finish(self, context: &mut Context<'_>) {
        for (name, at, _) in &self.entries {
            if self.known.contains(name) {
                continue;
            }
            let place = context.place(*at, &self.path_of(name));
            let remedy = match closest(name, &self.known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("fields here are {}", self.known.join(", ")),
            };
            let message = format!("unknown field `{}`", shorten(name));
            context.error("unknown-field", place, message, remedy);
        }
    }
}

/// The items of a list; wrong items leave a finding and are left out. `None` when no list.
pub(super) fn list<'n, T>(
    context: &mut Context<'_>,
    spot: &Spot<'n>,
    mut read: impl FnMut(&mut Context<'_>, &Spot<'n>) -> Option<T>,
) -> Option<Vec<T>> {
    let Value::Sequence(items) = &spot.node.value else {
        context.wrong(spot, "a list", "write it as [a, b] or as lines that start with `- `");
        return None;
    };
    let mut values = Vec::with_capacity(items.len());
    let mut whole = true;
    for (index, node) in items.iter().enumerate() {
        let item = Spot { node, path: format!("{}[{index}]", spot.path) };
        match read(context, &item) {
            Some(value) => values.push(value),
            None => whole = false,
        }
    }
    whole.then_some(values)
}

/// The known word that is one or two slips away.
pub(super) fn closest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "");
    let word = plain(word).chars().take(64).collect::<String>();
    let nearest = known.iter().map(|it| (distance(&word, &plain(it)), *it)).min()?;
    let allowed = if nearest.1.len() <= 4 { 1 } else { 2 };
    (nearest.0 <= allowed).then_some(nearest.1)
}

/// Levenshtein's distance, in bytes.
fn distance(left: &str, right: &str) -> usize {
    let mut row = (0..=right.len()).collect::<Vec<_>>();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let cost = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}
