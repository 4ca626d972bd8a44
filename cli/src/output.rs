//! Where a command's answer goes: standard output, in the format asked for. Styles are written
//! always and taken away by the stream where they do not belong (no terminal, NO_COLOR).

use crate::args::Format;
use crate::exit::{Exit, Failure};
use jiff::Timestamp;
use serde::Serialize;
use std::io::{self, IsTerminal as _, Write as _};

/// Something that can be shown in every format.
pub(crate) trait View: Serialize {
    /// What a person wants to read; ends with a newline.
    fn table(&self, look: &Look) -> String;
    /// One name a line.
    fn names(&self) -> Vec<String>;
    /// What to add below the table of `before`, where it cannot be drawn anew.
    fn news(&self, before: &Self, look: &Look) -> String;
}

/// What a table depends on beside its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) wide: bool,
    /// Columns of the terminal; `None`: as wide as it gets.
    pub(crate) width: Option<u16>,
    /// Ages are counted from here.
    pub(crate) now: Timestamp,
}

/// Standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
}

impl Output {
    pub(crate) fn look(self) -> Look {
        let width = is_terminal().then(|| screen().0);
        Look { wide: self.format == Format::Wide, width, now: Timestamp::now() }
    }

    /// Whether people read it, and not programs.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self.format, Format::Table | Format::Wide)
    }

    pub(crate) fn show<V: View>(self, view: &V) -> Result<(), Failure> {
        match self.format {
            Format::Table | Format::Wide => print(&view.table(&self.look())),
            Format::Name => print(&lines(view.names())),
            Format::Json | Format::Yaml => self.document(view),
        }
    }

    /// One JSON or YAML document.
    pub(crate) fn document<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        print(&if self.format == Format::Yaml { yaml(value)? } else { json(value)? })
    }

    /// A document, or names when only they are wanted.
    pub(crate) fn outcome<T: Serialize>(
        self,
        value: &T,
        names: impl FnOnce() -> Vec<String>,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Name => print(&lines(names())),
            _ => self.document(value),
        }
    }

    /// One state of a view that is watched, for programs.
    pub(crate) fn changed<V: View>(self, view: &V) -> Result<(), Failure> {
        match self.format {
            Format::Name => print(&lines(view.names())),
            _ => self.state(view),
        }
    }

    /// One state of several, for programs: one JSON object a line, or one YAML document.
    pub(crate) fn state<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        match self.format {
            Format::Yaml => print(&format!("---\n{}", yaml(value)?)),
            _ => print(&json_line(value)?),
        }
    }
}

pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Columns and rows of the terminal.
pub(crate) fn screen() -> (u16, u16) {
    crossterm::terminal::size().unwrap_or((80, 24))
}

fn lines(names: Vec<String>) -> String {
    names.into_iter().map(|name| name + "\n").collect()
}

pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(unwritable)
}

pub(crate) fn json_line<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(unwritable)
}

pub(crate) fn yaml<T: Serialize>(value: &T) -> Result<String, Failure> {
    let text = serde_saphyr::to_string(value).map_err(unwritable)?;
    Ok(if text.ends_with('\n') { text } else { text + "\n" })
}

fn unwritable(cause: impl ToString) -> Failure {
    Failure::failed("cannot write the answer in this format").because(cause.to_string())
}

/// Prints now. A reader that has gone has what it wanted.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|cause| {
        match cause.kind() {
            io::ErrorKind::BrokenPipe => Failure::said(Exit::Done),
            _ => Failure::failed("cannot write to standard output").because(cause.to_string()),
        }
    })
}

/// Says something beside the answer.
pub(crate) fn say(text: &str) {
    let mut stderr = anstream::stderr().lock();
    // Nobody is left to be told when this fails.
    stderr.write_all(text.as_bytes()).ok();
}
