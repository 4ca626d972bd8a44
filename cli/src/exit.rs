//! How a command ends: the exit code, which is a contract of scripts, and what is said when it
//! did not work: what, why (one cause a line), what to do.

use anstyle::{AnsiColor, Style};
use std::fmt;
use std::process::ExitCode;

/// Exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    /// Failed; of `diff`: something would change.
    Failed = 1,
    Usage = 2,
    /// By validation, or because somebody else changed the fleet meanwhile.
    Refused = 3,
    TimedOut = 4,
    Unreachable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Empty: nothing to say that was not said.
    pub(crate) what: String,
    /// One line each.
    pub(crate) causes: Vec<String>,
    pub(crate) remedy: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), causes: Vec::new(), remedy: String::new() }
    }

    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self::new(Exit::Refused, what)
    }

    /// Ends with `exit`; what there was to say has been said.
    pub(crate) fn said(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    #[must_use]
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

impl fmt::Display for Failure {
    /// With ANSI styles, which the stream takes away where they do not belong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let red = AnsiColor::Red.on_default().bold();
        let cyan = AnsiColor::Cyan.on_default();
        let bold = Style::new().bold();
        writeln!(f, "{red}error:{red:#} {bold}{}{bold:#}", self.what)?;
        for cause in &self.causes {
            writeln!(f, "  {cause}")?;
        }
        if !self.remedy.is_empty() {
            writeln!(f, "{cyan}help:{cyan:#} {}", self.remedy)?;
        }
        Ok(())
    }
}
