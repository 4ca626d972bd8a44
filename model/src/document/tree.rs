//! YAML (and so JSON) text as a tree of nodes that know where they stand. Called by
//! [`super::parse`] only; the one place that knows which YAML library there is.
//!
//! A line that starts with `---` is a document marker wherever it stands (YAML 1.2.2 §9.1.2),
//! so the text is cut there first: one broken document does not hide the others. Scalars keep
//! their spelling, because a password `0011` is no number. Absent: any idea of definitions.

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span, Tag};
use std::borrow::Cow;
use std::collections::HashMap;

/// Nesting beyond this is refused; definitions need five levels.
const MAX_DEPTH: usize = 32;
/// Nodes in one document, aliases expanded: what stops an alias bomb.
const MAX_NODES: usize = 2_000_000;

/// 1-based line and column, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    pub(super) line: u32,
    pub(super) column: u32,
}

#[derive(Clone)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) value: Value,
    /// This node and all below it.
    size: usize,
}

#[derive(Clone)]
pub(super) enum Value {
    /// `plain`: written without quotes, so that it may be a number, a truth value or null.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

#[derive(Clone)]
pub(super) struct Key {
    pub(super) at: At,
    pub(super) text: String,
}

/// Why a piece of text is no document.
pub(super) struct Trouble {
    pub(super) at: At,
    pub(super) rule: &'static str,
    pub(super) message: String,
    pub(super) remedy: &'static str,
}

impl Node {
    pub(super) fn is_null(&self) -> bool {
        let Value::Scalar { text, plain: true } = &self.value else {
            return false;
        };
        matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// As a message names it.
    pub(super) fn what(&self) -> &'static str {
        match &self.value {
            _ if self.is_null() => "nothing",
            Value::Scalar { plain: true, text } if text.parse::<f64>().is_ok() => "a number",
            Value::Scalar { plain: true, text } if text == "true" || text == "false" => {
                "a truth value"
            }
            Value::Scalar { .. } => "text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

/// Every document of the text, in order; empty ones are left out.
pub(super) fn documents(text: &str) -> Vec<Result<Node, Trouble>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    for (lines_before, piece) in pieces(text) {
        let mut builder = Builder::new(lines_before);
        if let Err(trouble) = builder.read(piece) {
            builder.found.push(Err(trouble));
        }
        let documents = builder.found.into_iter();
        found.extend(documents.filter(|it| !it.as_ref().is_ok_and(Node::is_null)));
    }
    found
}

/// The text cut before each `---` line, each with the number of lines before it. Pieces of
/// comments and directives alone are left out.
fn pieces(text: &str) -> Vec<(usize, &str)> {
    let mut pieces = Vec::new();
    let (mut start, mut lines_before, mut offset) = (0, 0, 0);
    for (line, content) in text.split_inclusive('\n').enumerate() {
        if offset > start && is_marker(content) {
            pieces.push((lines_before, &text[start..offset]));
            (start, lines_before) = (offset, line);
        }
        offset += content.len();
    }
    pieces.push((lines_before, &text[start..]));
    pieces.retain(|(_, piece)| {
        let empty = |line: &str| line.trim().is_empty() || line.starts_with(['#', '%']);
        !piece.lines().all(empty)
    });
    pieces
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

enum Frame {
    Sequence { at: At, anchor: usize, items: Vec<Node> },
    Mapping { at: At, anchor: usize, entries: Vec<(Key, Node)>, key: Option<Key> },
}

struct Builder {
    lines_before: usize,
    open: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    found: Vec<Result<Node, Trouble>>,
}

impl Builder {
    fn new(lines_before: usize) -> Self {
        Self {
            lines_before,
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            found: Vec::new(),
        }
    }

    fn at(&self, line: usize, column: usize) -> At {
        let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        At { line: number(line + self.lines_before), column: number(column + 1) }
    }

    fn read(&mut self, piece: &str) -> Result<(), Trouble> {
        let mut options = Options::default();
        options.set_emit_comments(false);
        options.block_nesting_limit = MAX_DEPTH;
        options.flow_nesting_limit = MAX_DEPTH;
        for event in Parser::new_from_str_with_options(piece, options) {
            let (event, span) = event.map_err(|error| {
                let marker = error.marker();
                Trouble {
                    at: self.at(marker.line(), marker.col()),
                    rule: "syntax",
                    message: format!("this is no YAML: {}", error.info()),
                    remedy: match error.info().contains("<document start>") {
                        true => "put a line with --- between documents, or commas and [ ] around",
                        false => "correct the document from here on",
                    },
                }
            })?;
            self.take(event, &span)?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Trouble> {
        let at = self.at(span.start.line(), span.start.col());
        match event {
            Event::DocumentStart(..) => {
                self.nodes = 0;
                self.anchors.clear();
            }
            Event::Scalar(text, style, anchor, tag) => {
                let text_wanted = refuse_foreign_tag(at, tag)?;
                let plain = style == ScalarStyle::Plain && !text_wanted;
                let value = Value::Scalar { text: text.into_owned(), plain };
                self.place(Node { at, value, size: 1 }, anchor, 1)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_foreign_tag(at, tag)?;
                self.open.push(Frame::Sequence { at, anchor, items: Vec::new() });
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_foreign_tag(at, tag)?;
                let entries = Vec::new();
                self.open.push(Frame::Mapping { at, anchor, entries, key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Trouble {
                        at,
                        rule: "syntax",
                        message: "this alias refers to what it is part of".into(),
                        remedy: "write the value out",
                    });
                };
                let new = node.size;
                self.place(Node { at, ..node }, 0, new)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Trouble> {
        let Some(frame) = self.open.pop() else {
            return Ok(());
        };
        let (at, anchor, value, size) = match frame {
            Frame::Sequence { at, anchor, items } => {
                let size = items.iter().map(|item| item.size).sum::<usize>();
                (at, anchor, Value::Sequence(items), size)
            }
            Frame::Mapping { at, anchor, entries, .. } => {
                let size = entries.iter().map(|(_, node)| node.size).sum::<usize>();
                (at, anchor, Value::Mapping(entries), size)
            }
        };
        self.place(Node { at, value, size: size + 1 }, anchor, 1)
    }

    /// Puts a finished node where it belongs; `new` of the nodes in it are not counted yet.
    fn place(&mut self, node: Node, anchor: usize, new: usize) -> Result<(), Trouble> {
        self.nodes = self.nodes.saturating_add(new);
        if self.nodes > MAX_NODES {
            return Err(Trouble {
                at: node.at,
                rule: "document-too-large",
                message: format!("this document has more than {MAX_NODES} nodes, aliases expanded"),
                remedy: "split it, or write less through aliases",
            });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.found.push(Ok(node)),
            Some(Frame::Sequence { items, .. }) => items.push(node),
            Some(Frame::Mapping { entries, key, .. }) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(name_of(node)?),
            },
        }
        Ok(())
    }
}

fn name_of(node: Node) -> Result<Key, Trouble> {
    match node.value {
        Value::Scalar { text, .. } => Ok(Key { at: node.at, text }),
        Value::Sequence(_) | Value::Mapping(_) => Err(Trouble {
            at: node.at,
            rule: "syntax",
            message: "a list or mapping stands where a field name should".into(),
            remedy: "name the field with a plain word",
        }),
    }
}

/// Whether the tag asks for text (`!!str`); an error for tags that YAML itself does not define.
fn refuse_foreign_tag(at: At, tag: Option<Cow<'_, Tag>>) -> Result<bool, Trouble> {
    let Some(tag) = tag else { return Ok(false) };
    if !tag.is_yaml_core_schema() {
        return Err(Trouble {
            at,
            rule: "unknown-tag",
            message: format!("the tag {} means nothing here", tag.original()),
            remedy: "take the tag away",
        });
    }
    Ok(tag.is_yaml_core_schema_tag("str"))
}
