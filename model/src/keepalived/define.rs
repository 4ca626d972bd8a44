//! `$NAME=value` definitions, of one line or several, and their use as `$NAME` and `${NAME}`.

use super::cell::{Cell, Line, Pos};
use std::collections::BTreeMap;

/// Replacements in one line before it is taken for a definition that refers to itself.
const MAX_REPLACEMENTS: usize = 256;

/// Longest line after replacement, in bytes: keepalived's buffer.
pub(super) const MAX_LINE_BYTES: usize = 1023;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Definition {
    /// Never empty; one line unless multi-line.
    lines: Vec<Line>,
    multiline: bool,
}

/// Everything defined so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Definitions {
    by_name: BTreeMap<String, Definition>,
}

/// A line with its definitions replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replaced {
    pub(super) line: Line,
    /// Lines that follow, from a multi-line definition.
    pub(super) following: Vec<Line>,
    pub(super) changed: bool,
}

/// Why a line cannot be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreplaced {
    /// It refers to itself, or nests beyond all bounds.
    Endless(Pos),
    TooLong(Pos),
    /// `${_RANDOM}` differs from one reading to the next.
    Random(Pos),
}

/// The name that `line` defines and where its value begins; `None` when it defines nothing.
pub(super) fn defined(line: &Line) -> Option<(String, usize)> {
    if line.first() != Some('$') || !line.at(1).is_some_and(starts_name) {
        return None;
    }
    let length = line.span(1, in_name);
    (line.at(1 + length) == Some('=')).then(|| (name(line, 1, length), length + 2))
}

impl Definitions {
    pub(super) fn set(&mut self, name: String, value: Line) {
        self.by_name.insert(name, Definition { lines: vec![value], multiline: false });
    }

    /// `lines` may be empty, which is an empty value.
    pub(super) fn set_lines(&mut self, name: String, start: Pos, mut lines: Vec<Line>) {
        lines.retain(|line| !line.is_empty());
        let multiline = !lines.is_empty();
        if lines.is_empty() {
            lines.push(Line::new(start, Vec::new()));
        }
        self.by_name.insert(name, Definition { lines, multiline });
    }

    /// Replaces every use in `line`, again in what was put in, until none is left.
    pub(super) fn replace(&self, line: &Line) -> Result<Replaced, Unreplaced> {
        let mut line = line.clone();
        let mut following: Vec<Line> = Vec::new();
        let mut replacements = 0;
        let mut index = 0;
        while index + 1 < line.cells.len() {
            let Some((definition, length)) = self.used(&line, index)? else {
                index += 1;
                continue;
            };
            let pos = line.cells[index].pos;
            replacements += 1;
            if replacements > MAX_REPLACEMENTS {
                return Err(Unreplaced::Endless(pos));
            }
            if definition.multiline {
                following.splice(0..0, definition.lines[1..].iter().cloned());
            }
            // One line of value is part of the line that uses it, and complained about there; the
            // lines of a longer one are found where they are written.
            let place = |cell: &Cell| match definition.multiline {
                true => *cell,
                false => Cell { pos, ..*cell },
            };
            let value: Vec<Cell> = definition.lines[0].cells.iter().map(place).collect();
            line.cells.splice(index..index + length, value);
            if line.bytes() > MAX_LINE_BYTES {
                return Err(Unreplaced::TooLong(pos));
            }
            // The value may itself begin a sequence, whose variable must stay as it is.
            if definition.lines[0].first() == Some('~') {
                break;
            }
        }
        Ok(Replaced { line: line.tail(0), following, changed: replacements > 0 })
    }

    /// The definition used at the `$` at `index`, and how long that use is.
    fn used(&self, line: &Line, index: usize) -> Result<Option<(&Definition, usize)>, Unreplaced> {
        if line.at(index) != Some('$') {
            return Ok(None);
        }
        let braced = line.at(index + 1) == Some('{');
        let begin = index + 1 + usize::from(braced);
        if !line.at(begin).is_some_and(starts_name) {
            return Ok(None);
        }
        let length = line.span(begin, in_name);
        let end = begin + length;
        let called = name(line, begin, length);
        if called == "_RANDOM" {
            return Err(Unreplaced::Random(line.cells[index].pos));
        }
        let closed = match line.at(end) {
            Some('}') => braced,
            None | Some(' ' | '\t' | ',' | ')') => !braced,
            Some(_) => false,
        };
        let end = end + usize::from(braced);
        let definition = self
            .by_name
            .get(&called)
            .filter(|definition| closed && (!definition.multiline || end == line.cells.len()));
        Ok(definition.map(|definition| (definition, end - index)))
    }

    /// Defines `name` unless the file did.
    pub(super) fn set_default(&mut self, name: &str, text: &str, pos: Pos) {
        let cells = text.chars().map(|ch| Cell { ch, pos }).collect();
        let definition = Definition { lines: vec![Line::new(pos, cells)], multiline: false };
        self.by_name.insert(name.to_owned(), definition);
    }
}

fn starts_name(ch: char) -> bool {
    ch.is_ascii_alphabetic() || ch == '_'
}

fn in_name(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || ch == '_'
}

fn name(line: &Line, begin: usize, length: usize) -> String {
    line.cells[begin..begin + length].iter().map(|cell| cell.ch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line::generated(text, Pos::default())
    }

    fn with(definitions: &[(&str, &str)]) -> Definitions {
        let mut all = Definitions::default();
        for (name, value) in definitions {
            all.set((*name).to_owned(), line(value));
        }
        all
    }

    #[test]
    fn a_plain_use_ends_at_a_blank_and_a_braced_one_anywhere() {
        let all = with(&[("A", "1"), ("B", "${A}2"), ("E", "")]);
        let table = [
            ("x $A", "x 1"),
            ("x $A y", "x 1 y"),
            ("x $A.y", "x $A.y"),
            ("x${A}y$B", "x1y12"),
            ("a${E}b $E", "ab"),
            ("$NOPE ${NOPE} $", "$NOPE ${NOPE} $"),
        ];
        for (text, expected) in table {
            assert_eq!(all.replace(&line(text)).unwrap().line.text(), expected, "{text}");
        }
    }

    #[test]
    fn definitions_that_refer_to_each_other_end_in_an_error() {
        let all = with(&[("A", "$B"), ("B", "$A")]);
        assert!(matches!(all.replace(&line("x $A")), Err(Unreplaced::Endless(_))));
        let all = with(&[("A", "x${A}x")]);
        assert!(all.replace(&line("${A}")).is_err());
    }
}
