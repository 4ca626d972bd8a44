//! Just enough of Rust's lexical grammar to tell code from comments and strings.

/// One token of code. Comments, string and character literals, and numbers leave nothing behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'text> {
    /// Where it is, from 1.
    pub line: usize,
    /// An identifier, `::`, or one other character.
    pub text: &'text str,
}

/// The code tokens of a Rust file.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut scanner = Scanner { text, position: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some(token) = scanner.next_token() {
        tokens.push(token);
    }
    tokens
}

/// The same without modules marked `#[cfg(test)]`.
pub fn tokens_outside_tests(text: &str) -> Vec<Token<'_>> {
    let all = tokens(text);
    let mut kept = Vec::new();
    let mut index = 0;
    while index < all.len() {
        if is_sequence(&all[index..], &["#", "[", "cfg", "(", "test", ")", "]", "mod"]) {
            index = end_of_block(&all, index);
        } else {
            kept.push(all[index].clone());
            index += 1;
        }
    }
    kept
}

/// True when `tokens` begin with `texts`.
pub fn is_sequence(tokens: &[Token<'_>], texts: &[&str]) -> bool {
    tokens.len() >= texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.text == *text)
}

/// True for an identifier or keyword.
pub fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Behind the `}` of the first block at or after `start`, or behind a `;` that comes before any.
fn end_of_block(tokens: &[Token<'_>], start: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(start) {
        match token.text {
            ";" if depth == 0 => return index + 1,
            "{" => depth += 1,
            "}" if depth <= 1 => return index + 1,
            "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

struct Scanner<'text> {
    text: &'text str,
    position: usize,
    line: usize,
}

impl<'text> Scanner<'text> {
    fn next_token(&mut self) -> Option<Token<'text>> {
        loop {
            let rest = self.rest();
            let first = rest.chars().next()?;
            if first.is_whitespace() {
                self.advance(first.len_utf8());
            } else if rest.starts_with("//") {
                self.advance(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.advance(block_comment(rest));
            } else if let Some(length) = string_literal(rest).or_else(|| character(rest)) {
                self.advance(length);
            } else if first.is_ascii_digit() {
                self.advance(length_while(rest, |c| c.is_alphanumeric() || c == '_'));
            } else {
                return Some(self.take(token_length(rest, first)));
            }
        }
    }

    fn take(&mut self, length: usize) -> Token<'text> {
        let token = Token { line: self.line, text: &self.rest()[..length] };
        self.advance(length);
        token
    }

    fn rest(&self) -> &'text str {
        &self.text[self.position..]
    }

    fn advance(&mut self, length: usize) {
        let passed = &self.rest()[..length];
        self.line += passed.matches('\n').count();
        self.position += length;
    }
}

fn token_length(rest: &str, first: char) -> usize {
    if rest.starts_with("::") {
        2
    } else if is_word(rest) {
        length_while(rest, |c| c.is_alphanumeric() || c == '_')
    } else {
        first.len_utf8()
    }
}

fn length_while(text: &str, accept: impl Fn(char) -> bool) -> usize {
    text.find(|c| !accept(c)).unwrap_or(text.len())
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut position) = (0, 0);
    while position < text.len() {
        let rest = &text[position..];
        let step = if rest.starts_with("/*") {
            depth += 1;
            2
        } else if rest.starts_with("*/") {
            depth -= 1;
            2
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        position += step;
        if depth == 0 {
            return position;
        }
    }
    text.len()
}

/// The length of a string literal of any kind at the start of `text`.
fn string_literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r"].iter().find(|prefix| {
        text.strip_prefix(**prefix).is_some_and(|rest| {
            let hashes = prefix.ends_with('r');
            rest.starts_with('"') || (hashes && rest.trim_start_matches('#').starts_with('"'))
        })
    });
    let prefix = prefix.copied().unwrap_or_default();
    let body = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = length_while(body, |c| c == '#');
        let inner = &body[hashes + 1..];
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
        return Some(prefix.len() + hashes + 1 + length);
    }
    let inner = body.strip_prefix('"')?;
    Some(prefix.len() + 1 + quoted(inner, '"'))
}

/// The length of a character literal; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let mut characters = inner.chars();
    let first = characters.next()?;
    let is_literal = first == '\\' || characters.next() == Some('\'');
    is_literal.then(|| 1 + quoted(inner, '\''))
}

/// The length up to and with the closing quote, escapes passed over.
fn quoted(inner: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in inner.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    inner.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_strings_characters_and_numbers_leave_nothing() {
        let text = r###"a // b
            /* c /* d */ e */ "f \" g" r#"h " i"# b'j' '\'' 'k' 0x1f 1_000u32 l"###;
        assert_eq!(texts(text), ["a", "b", "l"]);
        assert_eq!(tokens(text)[2].line, 2);
    }

    #[test]
    fn a_lifetime_is_no_character() {
        assert_eq!(texts("fn f<'a>(x: &'a str)")[..6], ["fn", "f", "<", "'", "a", ">"]);
    }

    #[test]
    fn paths_keep_their_separator() {
        assert_eq!(texts("std::fs::read(x)"), ["std", "::", "fs", "::", "read", "(", "x", ")"]);
    }

    #[test]
    fn unfinished_text_does_not_panic() {
        for text in ["\"abc", "r#\"abc", "/* abc", "'", "'\\", "b", "br"] {
            let _ = tokens(text);
        }
    }

    #[test]
    fn test_modules_can_be_left_out() {
        let text = "a; #[cfg(test)] mod tests { fn f() { b } } c; #[cfg(test)] mod d; e";
        let kept: Vec<_> = tokens_outside_tests(text).into_iter().map(|token| token.text).collect();
        assert_eq!(kept, ["a", ";", "c", ";", "e"]);
    }
}
