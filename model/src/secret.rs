//! A string that Debug, logs and `get` never show.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What is shown in place of a secret; taken by apply to mean "unchanged".
pub const REDACTED: &str = "<redacted>";

/// Serialises in clear, since the store, the assignment and `export` need it; whoever shows
/// definitions to people calls [`crate::definition::Definition::redacted`] first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(clear: impl Into<String>) -> Self {
        Self(clear.into())
    }

    /// The secret itself. Name the reason where you call it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_redacted(&self) -> bool {
        self.0 == REDACTED
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}
