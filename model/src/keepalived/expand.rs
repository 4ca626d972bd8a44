//! From files to lines and braces, one by one: comments gone, conditions decided, definitions
//! replaced, sequences run through, includes read. A brace outside double quotes stands alone
//! wherever it is written.

use super::cell::{Line, Pos};
use super::condition::{Decided, decide};
use super::define::{self, Definitions, MAX_LINE_BYTES, Unreplaced};
use super::include::{self, Checks};
use super::lexeme::{bare, words};
use super::report::Report;
use super::sequence::{self, Sequence};
use super::source::{self, IncludeRequest, NamedText, Sources};
use super::tree::Tree;
use super::{Limits, Options};

/// Files open at once, which is also how deep includes nest.
const MAX_OPEN_FILES: usize = 16;
/// Sources of lines stacked up: files, sequences, multi-line definitions, rests of lines.
const MAX_FRAMES: usize = 256;

/// What the grammar is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Line(Line),
    Open(Pos),
    Close(Pos),
}

/// Where the next line comes from.
#[derive(Debug)]
enum Frame {
    File { file: u16, lines: source::Lines, outer_checks: Checks },
    Lines(std::vec::IntoIter<Line>),
    Sequence(Sequence),
}

struct Expansion<'a> {
    sources: &'a dyn Sources,
    config_id: Option<&'a str>,
    report: &'a mut Report,
    definitions: Definitions,
    checks: Checks,
    frames: Vec<Frame>,
    tree: &'a mut Tree,
    limits: Limits,
    files: u32,
    lines: u32,
    conditional: Option<Pos>,
}

/// Expands the first file and whatever it includes, and grows `tree` by it.
pub(super) fn expand(
    file_name: &str,
    text: &[u8],
    sources: &dyn Sources,
    options: &Options,
    report: &mut Report,
    tree: &mut Tree,
) {
    let mut expansion = Expansion {
        sources,
        config_id: options.config_id.as_deref(),
        report,
        definitions: Definitions::default(),
        checks: Checks::default(),
        frames: Vec::new(),
        tree,
        limits: options.limits,
        files: 0,
        lines: 0,
        conditional: None,
    };
    expansion.predefine();
    expansion.open(NamedText { name: file_name.to_owned(), text: text.to_owned() });
    expansion.run();
}

impl Expansion<'_> {
    /// keepalived.conf(5), "Pre-defined definitions".
    fn predefine(&mut self) {
        let start = Pos { file: 0, line: 1, column: 1 };
        self.definitions.set_default("_HASH", "#", start);
        self.definitions.set_default("_BANG", "!", start);
        if let Some(id) = self.config_id {
            self.definitions.set_default("_INSTANCE", id, start);
        }
    }

    fn run(&mut self) {
        while let Some(line) = self.next_line() {
            self.lines += 1;
            if self.lines > self.limits.lines || self.frames.len() > MAX_FRAMES {
                self.report.error(
                    line.start,
                    "too-much-text",
                    format!(
                        "sequences and includes make more than {} lines of this",
                        self.limits.lines
                    ),
                    "shorten the sequences, or split the file",
                );
                return;
            }
            self.process(line);
        }
        if let (Some(pos), None) = (self.conditional, self.config_id) {
            self.report.warning(
                pos,
                "no-config-id",
                "lines for certain hosts (@id) are dropped, since no config id is given",
                "name the host that the file is read for",
            );
        }
    }

    /// The next line, without its comment; multi-line definitions are taken out on the way.
    fn next_line(&mut self) -> Option<Line> {
        loop {
            match self.frames.last_mut()? {
                Frame::Lines(lines) => {
                    if let Some(line) = lines.next() {
                        return Some(line);
                    }
                    self.frames.pop();
                }
                Frame::Sequence(sequence) => {
                    let Some(values) = sequence.values.next() else {
                        self.frames.pop();
                        continue;
                    };
                    let text = sequence.text.clone();
                    for (name, value) in sequence.variables.iter().zip(values) {
                        let value = Line::generated(&value, text.start);
                        self.definitions.set(name.clone(), value);
                    }
                    return Some(text);
                }
                Frame::File { lines, outer_checks, .. } => {
                    if let Some(line) = lines.next() {
                        return Some(self.strip(&line).0);
                    }
                    self.checks = *outer_checks;
                    self.frames.pop();
                    self.define_directory();
                }
            }
        }
    }

    /// A physical line without its comment, and whether a `\` continues it.
    fn strip(&mut self, line: &Line) -> (Line, bool) {
        if line.bytes() > MAX_LINE_BYTES {
            self.report.error(
                line.start,
                "line-too-long",
                format!("the line has more than {MAX_LINE_BYTES} bytes; keepalived cuts it in two"),
                "break it up",
            );
            return (Line::new(line.start, Vec::new()), false);
        }
        let stripped = bare(line);
        if let Some(pos) = stripped.open_quote {
            self.report.error(pos, "open-quote", "the quote is not closed", "close it with a '\"'");
        }
        let mut kept = stripped.line;
        if stripped.continued && define::defined(&kept).is_none() && !self.is_condition(&kept) {
            let pos = line.cells.last().map_or(line.start, |cell| cell.pos);
            self.report.warning(
                pos,
                "stray-backslash",
                "a '\\' at the end of a line continues definitions ($NAME=) only",
                "remove it",
            );
        }
        if stripped.continued {
            kept = self.collect(kept);
        }
        (kept, stripped.continued)
    }

    fn is_condition(&self, line: &Line) -> bool {
        line.first() == Some('@')
    }

    /// Reads the further lines of the multi-line definition that `line` begins, and defines it.
    /// What is left of the line is nothing, or the line itself when it defines nothing.
    fn collect(&mut self, line: Line) -> Line {
        let mut head = line.clone();
        let mut taken = true;
        if head.first() == Some('@') {
            match decide(&head, self.config_id) {
                Decided::Taken(rest) => head = rest,
                Decided::Dropped => {
                    // Only the first line is dropped; those that follow stand for themselves.
                    taken = false;
                    self.conditional.get_or_insert(line.start);
                }
            }
        }
        let Some((name, begin)) = define::defined(&head) else {
            return line;
        };
        if !taken {
            return Line::new(line.start, Vec::new());
        }
        let mut parts = vec![head.tail(begin)];
        while let Some(Frame::File { lines, .. }) = self.frames.last_mut() {
            let Some(next) = lines.next() else { break };
            let stripped = bare(&next);
            let continued = stripped.continued;
            parts.push(stripped.line);
            if !continued {
                break;
            }
        }
        self.definitions.set_lines(name, head.start, parts);
        Line::new(line.start, Vec::new())
    }

    fn process(&mut self, line: Line) {
        let mut line = line;
        loop {
            match line.first() {
                None => return,
                Some('@') => {
                    self.conditional.get_or_insert(line.start);
                    match decide(&line, self.config_id) {
                        Decided::Taken(rest) => line = rest,
                        Decided::Dropped => return,
                    }
                }
                Some('~') if sequence::begins(&line) => return self.begin_sequence(&line),
                _ => {}
            }
            if let Some((name, begin)) = define::defined(&line) {
                return self.definitions.set(name, line.tail(begin));
            }
            let replaced = match self.definitions.replace(&line) {
                Ok(replaced) => replaced,
                Err(problem) => return self.complain(&problem),
            };
            if !replaced.following.is_empty() {
                self.frames.push(Frame::Lines(replaced.following.into_iter()));
            }
            line = replaced.line;
            if !replaced.changed || !matches!(line.first(), Some('@' | '~' | '$')) {
                break;
            }
        }
        // keepalived's processes read a copy that its first pass has written, so that a `\#`
        // unescaped in that pass and a `${_HASH}` begin a comment in the second.
        let again = bare(&line).line;
        if again.cells.len() < line.cells.len() && !line.text().ends_with('\\') {
            let pos = line.cells[again.cells.len()].pos;
            self.report.warning(
                pos,
                "escaped-comment",
                "outside double quotes keepalived takes this for a comment, escaped or not",
                "put the word in double quotes",
            );
            line = again;
        }
        match include::recognise(&line, self.checks) {
            Some(include) => self.include(&include),
            None => self.emit(line),
        }
    }

    fn begin_sequence(&mut self, line: &Line) {
        let read = sequence::parameters(line)
            .ok_or_else(|| "its parameters are not in parentheses".to_owned())
            .and_then(|(inside, close)| {
                let inside = self.definitions.replace(&inside).map_err(|_| "it is endless")?.line;
                sequence::read(line, &inside, close)
            });
        match read {
            Ok(sequence) => self.frames.push(Frame::Sequence(sequence)),
            Err(reason) => self.report.error(
                line.start,
                "bad-sequence",
                format!("the sequence cannot be read: {reason}"),
                "write ~SEQ(var, start, step, end) or ~LST(var, value, …)",
            ),
        }
    }

    fn complain(&mut self, problem: &Unreplaced) {
        match problem {
            Unreplaced::Endless(pos) => self.report.error(
                *pos,
                "endless-definition",
                "the definition refers to itself; keepalived hangs here",
                "break the circle",
            ),
            Unreplaced::TooLong(pos) => self.report.error(
                *pos,
                "line-too-long",
                format!("with its definitions the line has more than {MAX_LINE_BYTES} bytes"),
                "break it up, or use a multi-line definition",
            ),
            Unreplaced::Random(pos) => self.report.error(
                *pos,
                "random-definition",
                "${_RANDOM} gives another value at every reading, which is not reproduced",
                "write the value",
            ),
        }
    }

    fn include(&mut self, wanted: &include::Include) {
        let open = self.frames.iter().filter(|frame| matches!(frame, Frame::File { .. })).count();
        if open >= MAX_OPEN_FILES || self.files >= self.limits.files {
            return self.report.error(
                wanted.pos,
                "include-depth",
                format!(
                    "includes nest deeper than {MAX_OPEN_FILES} files, or there are more than \
                     {} files",
                    self.limits.files
                ),
                "check for a file that includes itself",
            );
        }
        let from = self.report.file_name(self.current_file()).to_owned();
        let request = IncludeRequest { pattern: &wanted.pattern, from: &from };
        let answer = self.sources.include(&request);
        include::judge(wanted, &answer, self.report);
        for text in answer.texts.into_iter().rev() {
            self.open(text);
        }
    }

    fn open(&mut self, text: NamedText) {
        self.files += 1;
        let bytes = text.text.clone();
        let Some(file) = self.report.add_file(text) else {
            return;
        };
        let lines = source::Lines::new(file, &bytes, self.report);
        self.frames.push(Frame::File { file, lines, outer_checks: self.checks });
        self.define_directory();
    }

    fn current_file(&self) -> u16 {
        let file = |frame: &Frame| match frame {
            Frame::File { file, .. } => Some(*file),
            Frame::Lines(_) | Frame::Sequence(_) => None,
        };
        self.frames.iter().rev().find_map(file).unwrap_or(0)
    }

    /// `${_PWD}` is the directory of the file being read.
    fn define_directory(&mut self) {
        let file = self.current_file();
        let name = self.report.file_name(file);
        let directory = name.rsplit_once('/').map_or(".", |(directory, _)| directory).to_owned();
        self.definitions.set_default("_PWD", &directory, Pos { file, line: 1, column: 1 });
    }

    /// Emits `line` up to its first brace outside double quotes, that brace, and queues the rest:
    /// it may be a condition, a definition or a sequence of its own.
    fn emit(&mut self, line: Line) {
        let Some(brace) = first_brace(&line) else {
            self.note_include_check(&line);
            return self.tree.take(Token::Line(line), self.report);
        };
        let before = line.part(0, brace);
        if !before.is_empty() {
            self.tree.take(Token::Line(before), self.report);
        }
        let pos = line.cells[brace].pos;
        let open = line.at(brace) == Some('{');
        let token = if open { Token::Open(pos) } else { Token::Close(pos) };
        self.tree.take(token, self.report);
        let rest = line.tail(brace + 1);
        if !rest.is_empty() {
            self.frames.push(Frame::Lines(vec![rest].into_iter()));
        }
    }

    fn note_include_check(&mut self, line: &Line) {
        let words = words(line);
        if words.first().is_some_and(|word| word.text == "include_check") {
            let options = words[1..].iter().map(|word| word.text.as_str());
            if let Err(unknown) = self.checks.apply(options) {
                let message = format!("include_check has no option {unknown:?}");
                let remedy = "use readable, match, wildcard_match or brace_match";
                self.report.error(line.start, "bad-value", message, remedy);
            }
        }
    }
}

fn first_brace(line: &Line) -> Option<usize> {
    let mut index = 0;
    while let Some(ch) = line.at(index) {
        match ch {
            '{' | '}' => return Some(index),
            '"' => index += line.span(index + 1, |ch| ch != '"') + 1,
            _ => {}
        }
        index += 1;
    }
    None
}
