//! From lines and braces to statements and blocks. A block belongs to the line before it.

use super::cell::{Cell, Line, Pos};
use super::expand::Token;
use super::lexeme::{Unsplit, Word, shell_words, words};
use super::report::Report;
use std::borrow::Cow;

/// The grammar of keepalived.conf needs five.
const MAX_DEPTH: usize = 32;

/// A line, and the block that follows it if one does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// At least one; the first is the keyword.
    pub(super) words: Vec<Word>,
    /// The line itself, where a shell may split it otherwise.
    quoting: Option<Line>,
    pub(super) block: Option<Vec<Statement>>,
}

impl Statement {
    pub(super) fn keyword(&self) -> &str {
        &self.words[0].text
    }

    pub(super) fn pos(&self) -> Pos {
        self.words[0].pos
    }

    /// The words after the keyword.
    pub(super) fn parameters(&self) -> &[Word] {
        &self.words[1..]
    }

    /// All words, as a shell splits the line.
    pub(super) fn shell_words(&self) -> Result<Cow<'_, [Word]>, Unsplit> {
        match &self.quoting {
            Some(line) => shell_words(line).map(Cow::Owned),
            None => Ok(Cow::Borrowed(&self.words)),
        }
    }

    pub(super) fn statements(&self) -> &[Self] {
        self.block.as_deref().unwrap_or(&[])
    }
}

/// A tree while it grows. Braces that do not match are errors; what is inside an unclosed block
/// counts as if it had been closed at the end.
#[derive(Debug)]
pub(super) struct Tree {
    levels: Vec<Level>,
    too_deep: usize,
    may_open: bool,
}

#[derive(Debug, Default)]
struct Level {
    statements: Vec<Statement>,
    opened: Pos,
}

impl Default for Tree {
    fn default() -> Self {
        Self { levels: vec![Level::default()], too_deep: 0, may_open: false }
    }
}

impl Tree {
    pub(super) fn take(&mut self, token: Token, report: &mut Report) {
        match token {
            Token::Line(line) if self.too_deep == 0 => self.may_open = self.push(line),
            Token::Line(_) => {}
            Token::Open(pos) => self.open(pos, report),
            Token::Close(_) if self.too_deep > 0 => self.too_deep -= 1,
            Token::Close(pos) => {
                self.may_open = false;
                if !self.close() {
                    report.error(pos, "stray-brace", "the '}' closes no block", "remove it");
                }
            }
        }
    }

    pub(super) fn finish(mut self, report: &mut Report) -> Vec<Statement> {
        if let Some(outermost) = self.levels.get(1) {
            let owner = self.levels[0].statements.last().map_or("block", Statement::keyword);
            let message = format!("the block of {owner} is not closed");
            let pos = outermost.opened;
            report.error(pos, "unterminated-block", message, "add the missing '}'");
        }
        while self.close() {}
        self.levels.pop().map_or_else(Vec::new, |level| level.statements)
    }

    fn open(&mut self, pos: Pos, report: &mut Report) {
        if !self.may_open && self.too_deep == 0 {
            report.error(
                pos,
                "stray-brace",
                "the '{' belongs to no keyword",
                "remove it together with its '}', or put the keyword before it",
            );
        }
        if self.levels.len() > MAX_DEPTH {
            if self.too_deep == 0 {
                let message = format!("blocks nest deeper than {MAX_DEPTH}");
                report.error(pos, "too-deep", message, "close blocks that are done");
            }
            self.too_deep += 1;
            return;
        }
        // Without an owner somewhere to put what is inside: never read, since the error stands.
        let opened = if self.may_open { pos } else { Pos::default() };
        self.levels.push(Level { statements: Vec::new(), opened });
        self.may_open = false;
    }

    /// Whether a block may follow.
    fn push(&mut self, line: Line) -> bool {
        let words = words(&line);
        let (Some(level), false) = (self.levels.last_mut(), words.is_empty()) else {
            return false;
        };
        let is_quoting = |cell: &Cell| matches!(cell.ch, '"' | '\'' | '\\');
        let quoting = line.cells.iter().any(is_quoting).then_some(line);
        level.statements.push(Statement { words, quoting, block: None });
        true
    }

    /// Closes the innermost block; false when none is open.
    fn close(&mut self) -> bool {
        if self.levels.len() < 2 {
            return false;
        }
        let Some(mut done) = self.levels.pop() else {
            return false;
        };
        // A block without an owner has been complained about.
        let owned = done.opened != Pos::default();
        let owner = self.levels.last_mut().and_then(|level| level.statements.last_mut());
        if let (true, Some(owner)) = (owned, owner) {
            done.statements.shrink_to_fit();
            owner.block = Some(done.statements);
        }
        true
    }
}
