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

/// Physical lines of a file with places. Complains once about bytes that are no UTF-8, NUL bytes
/// and a byte order mark.
pub(super) fn lines(file: u16, text: &[u8], report: &mut Report) -> Vec<Line> {
    let start = Pos { file, line: 1, column: 1 };
    if text.len() > MAX_FILE_BYTES {
        report.error(
            start,
            "file-too-large",
            format!("the file has more than {} MiB", MAX_FILE_BYTES >> 20),
            "split it, or check that it is the right file",
        );
        return Vec::new();
    }
    let text = match text.strip_prefix(b"\xef\xbb\xbf") {
        None => text,
        Some(rest) => {
            report.error(
                start,
                "byte-order-mark",
                "the file starts with a byte order mark, which keepalived takes for a part of \
                 the first keyword",
                "save the file as UTF-8 without a byte order mark",
            );
            rest
        }
    };
    let decoded = String::from_utf8_lossy(text);
    let mut lines: Vec<Line> =
        decoded.split('\n').zip(1..).map(|(t, n)| line(file, t, n)).collect();
    if lines.last().is_some_and(Line::is_empty) {
        lines.pop();
    }
    if std::str::from_utf8(text).is_err() {
        let pos = find(&lines, char::REPLACEMENT_CHARACTER).unwrap_or(start);
        report.error(pos, "not-utf-8", "bytes that are no UTF-8 text", "save the file as UTF-8");
    }
    if let Some(pos) = find(&lines, '\0') {
        report.error(
            pos,
            "nul-byte",
            "a NUL byte; keepalived drops the rest of such a line",
            "remove it, or check that this is a text file",
        );
    }
    lines
}

/// Line ends are LF or CR LF.
fn line(file: u16, text: &str, number: u32) -> Line {
    let cell = |(ch, column)| Cell { ch, pos: Pos { file, line: number, column } };
    let cells = text.trim_end_matches('\r').chars().zip(1..).map(cell).collect();
    Line::new(Pos { file, line: number, column: 1 }, cells)
}

fn find(lines: &[Line], wanted: char) -> Option<Pos> {
    lines.iter().flat_map(|line| &line.cells).find(|cell| cell.ch == wanted).map(|cell| cell.pos)
}
