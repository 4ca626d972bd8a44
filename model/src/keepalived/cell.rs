//! Characters that remember where they were written.

/// Where a character was written: file by number, line and column from 1, column in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pos {
    pub(super) file: u16,
    pub(super) line: u32,
    pub(super) column: u32,
}

/// One character and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) ch: char,
    pub(super) pos: Pos,
}

/// A line of text. `start` is its place even when it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) start: Pos,
    pub(super) cells: Vec<Cell>,
}

/// Blanks as keepalived counts them when it splits words.
pub(super) fn is_blank(ch: char) -> bool {
    matches!(ch, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

impl Line {
    pub(super) fn new(start: Pos, cells: Vec<Cell>) -> Self {
        let start = cells.first().map_or(start, |cell| cell.pos);
        Self { start, cells }
    }

    /// `text` as if written at `pos`.
    pub(super) fn generated(text: &str, pos: Pos) -> Self {
        Self::new(pos, text.chars().map(|ch| Cell { ch, pos }).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub(super) fn text(&self) -> String {
        self.cells.iter().map(|cell| cell.ch).collect()
    }

    pub(super) fn first(&self) -> Option<char> {
        self.cells.first().map(|cell| cell.ch)
    }

    pub(super) fn at(&self, index: usize) -> Option<char> {
        self.cells.get(index).map(|cell| cell.ch)
    }

    /// Length in bytes, which is what keepalived's line buffer counts.
    pub(super) fn bytes(&self) -> usize {
        self.cells.iter().map(|cell| cell.ch.len_utf8()).sum()
    }

    /// The part from `from` on, blanks at both ends removed.
    pub(super) fn tail(&self, from: usize) -> Self {
        self.part(from, self.cells.len())
    }

    /// `from..to`, blanks at both ends removed.
    pub(super) fn part(&self, from: usize, to: usize) -> Self {
        let cells = &self.cells[from.min(to)..to];
        let begin = cells.iter().position(|cell| !is_blank(cell.ch)).unwrap_or(cells.len());
        let end = cells.iter().rposition(|cell| !is_blank(cell.ch)).map_or(begin, |last| last + 1);
        let start = cells.first().map_or(self.start, |cell| cell.pos);
        Self::new(start, cells[begin..end].to_vec())
    }

    /// How many cells from `from` on satisfy `wanted`.
    pub(super) fn span(&self, from: usize, wanted: impl Fn(char) -> bool) -> usize {
        self.cells.iter().skip(from).take_while(|cell| wanted(cell.ch)).count()
    }
}
