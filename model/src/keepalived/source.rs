//! Where the text comes from: the first file from the caller, included ones through [`Sources`].

use super::cell::{Cell, Line, Pos};
use super::report::Report;
use std::fmt;

/// Answers `include` lines. The agent and the command line read real files; tests a map.
pub trait Sources {
    /// The files that `request` names, in the order of glob(3), or why there is none.
    fn include(&self, request: &IncludeRequest<'_>) -> Included;
}

/// One `include` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncludeRequest<'a> {
    /// As written: a path or a glob(3) pattern, with brace expressions.
    pub pattern: &'a str,
    /// The including file's name, as its [`NamedText`] has it: a relative pattern is relative to
    /// that file's directory.
    pub from: &'a str,
}

/// The answer to an `include` line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Included {
    pub texts: Vec<NamedText>,
    /// Files that matched but could not be read, each with the reason.
    pub unreadable: Vec<(String, String)>,
}

/// A file's name, as findings show it and as it is handed back in [`IncludeRequest::from`], and
/// its content.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedText {
    pub name: String,
    pub text: Vec<u8>,
}

impl fmt::Debug for NamedText {
    /// Without the text, which has passwords in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.text.len();
        f.debug_struct("NamedText").field("name", &self.name).field("bytes", &bytes).finish()
    }
}

/// No file can be included.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSources;

impl Sources for NoSources {
    fn include(&self, _: &IncludeRequest<'_>) -> Included {
        Included::default()
    }
}

/// Longest text read from one file.
pub(super) const MAX_FILE_BYTES: usize = 4 << 20;

/// Physical lines of a file with places, each made when it is asked for: a character with its
/// place takes sixteen bytes.
#[derive(Debug)]
pub(super) struct Lines {
    file: u16,
    text: String,
    /// Where the next one begins, in bytes.
    at: usize,
    number: u32,
}

impl Lines {
    /// Complains once about bytes that are no UTF-8, NUL bytes and a byte order mark.
    pub(super) fn new(file: u16, text: &[u8], report: &mut Report) -> Self {
        let start = Pos { file, line: 1, column: 1 };
        if text.len() > MAX_FILE_BYTES {
            report.error(
                start,
                "file-too-large",
                format!("the file has more than {} MiB", MAX_FILE_BYTES >> 20),
                "split it, or check that it is the right file",
            );
            return Self::of(file, String::new());
        }
        let text = match text.strip_prefix(b"\xef\xbb\xbf") {
            None => text,
            Some(rest) => {
                report.error(
                    start,
                    "byte-order-mark",
                    "the file starts with a byte order mark, which keepalived takes for a part \
                     of the first keyword",
                    "save the file as UTF-8 without a byte order mark",
                );
                rest
            }
        };
        let lines = Self::of(file, String::from_utf8_lossy(text).into_owned());
        if std::str::from_utf8(text).is_err() {
            let pos = lines.find(char::REPLACEMENT_CHARACTER).unwrap_or(start);
            let remedy = "save the file as UTF-8";
            report.error(pos, "not-utf-8", "bytes that are no UTF-8 text", remedy);
        }
        if let Some(pos) = lines.find('\0') {
            report.error(
                pos,
                "nul-byte",
                "a NUL byte; keepalived drops the rest of such a line",
                "remove it, or check that this is a text file",
            );
        }
        lines
    }

    fn of(file: u16, text: String) -> Self {
        Self { file, text, at: 0, number: 0 }
    }

    fn find(&self, wanted: char) -> Option<Pos> {
        let (before, _) = self.text.split_once(wanted)?;
        let line = before.rsplit('\n').next().unwrap_or_default();
        let count = |from: usize| u32::try_from(from + 1).unwrap_or(u32::MAX);
        let (line, column) = (count(before.matches('\n').count()), count(line.chars().count()));
        Some(Pos { file: self.file, line, column })
    }
}

/// Line ends are LF or CR LF.
impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let rest = self.text.get(self.at..)?;
        let (text, ends) = rest.split_once('\n').map_or((rest, false), |(line, _)| (line, true));
        self.at += text.len() + 1;
        self.number += 1;
        let text = text.trim_end_matches('\r');
        if text.is_empty() && !ends {
            return None;
        }
        let pos = |column| Pos { file: self.file, line: self.number, column };
        let cells = text.chars().zip(1..).map(|(ch, column)| Cell { ch, pos: pos(column) });
        Some(Line::new(pos(1), cells.collect()))
    }
}
