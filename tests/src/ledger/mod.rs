//! The requirement ledger, `docs/rfc9568.md`, held against the tree: every file, function, test and
//! departure that it cites must exist, and no requirement may go without a test or a reason. Run by
//! `tests/ledger.rs`.
//!
//! Sources are read as tokens, never compiled. What is deliberately not checked: whether a test
//! shows what its row says. Only a reader can tell.

mod check;
pub mod document;
pub mod items;
pub mod sources;

use std::fmt;

pub use self::check::check;

/// Where the ledger is, relative to the root of the checkout.
pub const PATH: &str = "docs/rfc9568.md";

/// One thing that is not as the ledger says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Line of the ledger, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PATH}:{}: {}", self.line, self.what)
    }
}
