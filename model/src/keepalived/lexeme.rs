//! Comments and words. keepalived has two ways to split a line: the plain one, in which a `"`
//! at the start of a word opens a quoted word, and the shell-like one of script lines, with both
//! kinds of quotes inside words and escapes.

use super::cell::{Cell, Line, Pos, is_blank};

/// A word and the place of its first character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) pos: Pos,
}

/// What is left of a line when its comment is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bare {
    pub(super) line: Line,
    /// A `\` ended the line: the definition goes on.
    pub(super) continued: bool,
    /// Where a `"` was opened that the line does not close.
    pub(super) open_quote: Option<Pos>,
}

/// Removes the comment and the blanks at both ends. `#` and `!` begin a comment anywhere outside
/// double quotes, also in the middle of a word.
pub(super) fn bare(line: &Line) -> Bare {
    let mut kept: Vec<Cell> = Vec::with_capacity(line.cells.len());
    let mut quote: Option<Pos> = None;
    let mut in_comment = false;
    let mut continued = false;
    let mut cells = line.cells.iter().peekable();
    while let Some(cell) = cells.next() {
        match cell.ch {
            '\\' => {
                let Some(next) = cells.next() else {
                    continued = true;
                    break;
                };
                if in_comment {
                    continue;
                }
                if quote.is_some() || !matches!(next.ch, '#' | '!') {
                    kept.push(*cell);
                }
                kept.push(*next);
                continue;
            }
            '"' if !in_comment => quote = if quote.is_some() { None } else { Some(cell.pos) },
            '#' | '!' if quote.is_none() => in_comment = true,
            _ => {}
        }
        if !in_comment {
            kept.push(*cell);
        }
    }
    let line = Line::new(line.start, kept).tail(0);
    Bare { line, continued, open_quote: quote }
}

/// Splits as keepalived splits ordinary lines. An unclosed quote takes the rest.
pub(super) fn words(line: &Line) -> Vec<Word> {
    let mut words = Vec::new();
    let mut index = line.span(0, is_blank);
    while let Some(first) = line.cells.get(index) {
        let quoted = first.ch == '"';
        let begin = index + usize::from(quoted);
        let length = if quoted {
            line.span(begin, |ch| ch != '"')
        } else {
            line.span(begin, |ch| !is_blank(ch) && ch != '"')
        };
        let text = line.cells[begin..begin + length].iter().map(|cell| cell.ch).collect();
        words.push(Word { text, pos: first.pos });
        index = begin + length + usize::from(quoted);
        index += line.span(index, is_blank);
    }
    words.shrink_to_fit();
    words
}

/// Why a script line cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsplit {
    /// The quote at this place is not closed.
    OpenQuote(char, Pos),
    /// The line ends in a `\`.
    LoneEscape(Pos),
}

/// Splits as keepalived splits script lines.
pub(super) fn shell_words(line: &Line) -> Result<Vec<Word>, Unsplit> {
    let cells = &line.cells;
    let mut words = Vec::new();
    let mut index = line.span(0, is_blank);
    while index < cells.len() {
        let pos = cells[index].pos;
        let mut text = String::new();
        let mut quote: Option<(char, Pos)> = None;
        while let Some(cell) = cells.get(index) {
            match (cell.ch, quote) {
                ('\\', _) => {
                    let (ch, next) =
                        escape(line, index + 1).ok_or(Unsplit::LoneEscape(cell.pos))?;
                    text.push(ch);
                    index = next;
                    continue;
                }
                (ch, Some((open, _))) if ch == open => quote = None,
                (ch @ ('"' | '\''), None) => quote = Some((ch, cell.pos)),
                (ch, None) if is_blank(ch) => break,
                (ch, _) => text.push(ch),
            }
            index += 1;
        }
        if let Some((open, at)) = quote {
            return Err(Unsplit::OpenQuote(open, at));
        }
        words.push(Word { text, pos });
        index += line.span(index, is_blank);
    }
    Ok(words)
}

/// The character that the escape at `index` (after the `\`) stands for, and where it ends.
fn escape(line: &Line, index: usize) -> Option<(char, usize)> {
    let first = line.at(index)?;
    let digits = |from: usize, most: usize, radix: u32| {
        let length = line.span(from, |ch| ch.is_digit(radix)).min(most);
        let value = line.cells[from..from + length]
            .iter()
            .fold(0u32, |sum, cell| (sum * radix + cell.ch.to_digit(radix).unwrap_or(0)) & 0xff);
        (char::from_u32(value).unwrap_or('\0'), from + length)
    };
    Some(match first {
        'x' if line.at(index + 1).is_some_and(|ch| ch.is_ascii_hexdigit()) => {
            digits(index + 1, usize::MAX, 16)
        }
        'c' if line.at(index + 1).is_some() => {
            let control = line.at(index + 1).map_or(0, |ch| u32::from(ch) & 0x1f);
            (char::from_u32(control).unwrap_or('\0'), index + 2)
        }
        '0'..='7' => digits(index, 3, 8),
        'a' => ('\u{7}', index + 1),
        'b' => ('\u{8}', index + 1),
        'E' => ('\u{1b}', index + 1),
        'f' => ('\u{c}', index + 1),
        'n' => ('\n', index + 1),
        'r' => ('\r', index + 1),
        't' => ('\t', index + 1),
        'v' => ('\u{b}', index + 1),
        other => (other, index + 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line::generated(text, Pos { file: 0, line: 1, column: 1 })
    }

    fn texts(words: Vec<Word>) -> Vec<String> {
        words.into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn a_comment_begins_anywhere_outside_double_quotes() {
        let table = [
            ("priority 100 # high", "priority 100"),
            ("! all of it", ""),
            ("auth_pass a#b", "auth_pass a"),
            ("auth_pass \"a#b!c\" ! x \"", "auth_pass \"a#b!c\""),
            ("a 'b # c'", "a 'b"),
            ("a \\# b", "a # b"),
        ];
        for (written, left) in table {
            assert_eq!(bare(&line(written)).line.text(), left, "{written}");
        }
    }

    #[test]
    fn a_backslash_at_the_end_continues_even_in_a_comment() {
        assert!(bare(&line("$X= \\")).continued);
        assert!(bare(&line("priority 1 # why \\")).continued);
        assert!(!bare(&line("priority 1 \\ ")).continued);
    }

    #[test]
    fn only_a_double_quote_at_the_start_of_a_word_quotes_it_on_ordinary_lines() {
        assert_eq!(texts(words(&line("a \"b c\" d"))), ["a", "b c", "d"]);
        assert_eq!(texts(words(&line("a 'b c'"))), ["a", "'b", "c'"]);
        assert_eq!(texts(words(&line("a\"b\"c"))), ["a", "b", "c"]);
    }

    #[test]
    fn script_lines_have_both_quotes_and_escapes() {
        let split = |text: &str| shell_words(&line(text)).map(texts);
        assert_eq!(split(r#"abcd" efg h jkl "mnop"#).unwrap(), ["abcd efg h jkl mnop"]);
        assert_eq!(split(r"a\ b \x41\101\tz \cA").unwrap(), ["a b", "AA\tz", "\u{1}"]);
        assert!(matches!(split("a 'b"), Err(Unsplit::OpenQuote('\'', _))));
        assert!(matches!(split("a \\"), Err(Unsplit::LoneEscape(_))));
    }
}
