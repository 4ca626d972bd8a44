//! From lines and braces to statements and blocks. A block belongs to the line before it.

use super::cell::{Line, Pos};
use super::expand::Token;
use super::lexeme::{Word, words};
use super::report::Report;

/// The grammar of keepalived.conf needs five.
const MAX_DEPTH: usize = 32;

/// A line, and the block that follows it if one does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// At least one; the first is the keyword.
    pub(super) words: Vec<Word>,
    pub(super) line: Line,
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

    pub(super) fn statements(&self) -> &[Self] {
        self.block.as_deref().unwrap_or(&[])
    }
}

struct Level {
    statements: Vec<Statement>,
    opened: Pos,
}

/// Builds the tree. Braces that do not match are errors; what is inside an unclosed block counts
/// as if it had been closed at the end.
pub(super) fn build(tokens: Vec<Token>, report: &mut Report) -> Vec<Statement> {
    let mut levels = vec![Level { statements: Vec::new(), opened: Pos::default() }];
    let mut too_deep = 0usize;
    let mut may_open = false;
    for token in tokens {
        match token {
            Token::Line(line) if too_deep == 0 => may_open = push(&mut levels, line),
            Token::Line(_) => {}
            Token::Open(pos) => {
                if !may_open && too_deep == 0 {
                    report.error(
                        pos,
                        "stray-brace",
                        "the '{' belongs to no keyword",
                        "remove it together with its '}', or put the keyword before it",
                    );
                }
                if levels.len() > MAX_DEPTH {
                    if too_deep == 0 {
                        let message = format!("blocks nest deeper than {MAX_DEPTH}");
                        report.error(pos, "too-deep", message, "close blocks that are done");
                    }
                    too_deep += 1;
                    continue;
                }
                if !may_open {
                    // Somewhere to put what is inside: never read, since the error stands.
                    levels.push(Level { statements: Vec::new(), opened: Pos::default() });
                } else {
                    levels.push(Level { statements: Vec::new(), opened: pos });
                }
                may_open = false;
            }
            Token::Close(_) if too_deep > 0 => too_deep -= 1,
            Token::Close(pos) => {
                may_open = false;
                if !close(&mut levels) {
                    report.error(pos, "stray-brace", "the '}' closes no block", "remove it");
                }
            }
        }
    }
    if let Some(outermost) = levels.get(1) {
        let owner = levels[0].statements.last().map_or("block", Statement::keyword);
        let message = format!("the block of {owner} is not closed");
        let pos = outermost.opened;
        report.error(pos, "unterminated-block", message, "add the missing '}'");
    }
    while close(&mut levels) {}
    levels.pop().map_or_else(Vec::new, |level| level.statements)
}

/// Whether a block may follow.
fn push(levels: &mut [Level], line: Line) -> bool {
    let words = words(&line);
    let (Some(level), false) = (levels.last_mut(), words.is_empty()) else {
        return false;
    };
    level.statements.push(Statement { words, line, block: None });
    true
}

/// Closes the innermost block; false when none is open.
fn close(levels: &mut Vec<Level>) -> bool {
    if levels.len() < 2 {
        return false;
    }
    let Some(done) = levels.pop() else {
        return false;
    };
    // A block without an owner has been complained about.
    let owned = done.opened != Pos::default();
    let owner = levels.last_mut().and_then(|level| level.statements.last_mut());
    if let (true, Some(owner)) = (owned, owner) {
        owner.block = Some(done.statements);
    }
    true
}
