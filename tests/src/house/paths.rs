//! The paths that a Rust file names, `use` groups written out and `super` resolved.

use super::tokens::{Token, is_word};

/// One path as it is written, groups expanded: `use a::{b, c::d}` gives `a::b` and `a::c::d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath<'text> {
    /// Where its last segment is.
    pub line: usize,
    /// Its segments; `*` for a glob.
    pub segments: Vec<&'text str>,
}

/// All paths of two or more segments.
pub fn paths<'text>(tokens: &[Token<'text>]) -> Vec<NamedPath<'text>> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let starts = is_word(tokens[index].text)
            && tokens.get(index + 1).is_some_and(|next| next.text == "::");
        index = if starts { one(tokens, index, &[], &mut found) } else { index + 1 };
    }
    found
}

/// Reads one path or group element from `index`; returns the index behind it.
fn one<'text>(
    tokens: &[Token<'text>],
    mut index: usize,
    prefix: &[&'text str],
    found: &mut Vec<NamedPath<'text>>,
) -> usize {
    let mut segments = prefix.to_vec();
    let mut line = 0;
    while let Some(token) = tokens.get(index) {
        if token.text == "{" && !segments.is_empty() {
            return group(tokens, index + 1, &segments, found);
        }
        if !is_word(token.text) && token.text != "*" {
            break;
        }
        segments.push(token.text);
        line = token.line;
        index += 1;
        let goes_on = tokens.get(index).is_some_and(|next| next.text == "::")
            && tokens
                .get(index + 1)
                .is_some_and(|next| is_word(next.text) || next.text == "{" || next.text == "*");
        if !goes_on {
            break;
        }
        index += 1;
    }
    if segments.len() > 1 && line > 0 {
        found.push(NamedPath { line, segments });
    }
    index
}

fn group<'text>(
    tokens: &[Token<'text>],
    mut index: usize,
    prefix: &[&'text str],
    found: &mut Vec<NamedPath<'text>>,
) -> usize {
    while let Some(token) = tokens.get(index) {
        match token.text {
            "}" => return index + 1,
            // `a as b` renames; the name that matters is the first.
            "as" => index += 2,
            text if is_word(text) || text == "*" => index = one(tokens, index, prefix, found),
            _ => index += 1,
        }
    }
    index
}

/// The module path of a file below `src`: `net/socket.rs` is `net::socket`, `net/mod.rs` is `net`.
pub fn module_of(path_below_src: &str) -> Vec<&str> {
    let stem = path_below_src.trim_end_matches(".rs");
    let mut segments: Vec<&str> = stem.split('/').collect();
    if matches!(segments.last(), Some(&("mod" | "lib" | "main"))) {
        segments.pop();
    }
    segments
}

/// The path from the crate's root, when `path` starts with `crate`, `self` or `super`.
pub fn within_crate<'text>(
    module: &[&'text str],
    path: &NamedPath<'text>,
) -> Option<Vec<&'text str>> {
    let (mut base, mut rest) = match path.segments.split_first()? {
        (&"crate", rest) => (Vec::new(), rest),
        (&"self", rest) => (module.to_vec(), rest),
        (&"super", _) => (module.to_vec(), &path.segments[..]),
        _ => return None,
    };
    while let Some((&"super", deeper)) = rest.split_first() {
        base.pop();
        rest = deeper;
    }
    base.extend(rest);
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn written(text: &str) -> Vec<String> {
        paths(&tokens(text)).iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn groups_are_written_out() {
        let text = "use a::{b, c::{d as x, e}, self, *}; fn f() { g::h(); i; j::<K>() }";
        assert_eq!(written(text), ["a::b", "a::c::d", "a::c::e", "a::self", "a::*", "g::h"]);
    }

    #[test]
    fn supers_climb_from_the_module_of_the_file() {
        let text = "super::a; super::super::b; crate::c; self::d; other::e";
        let module = module_of("net/socket.rs");
        let tokens = tokens(text);
        let resolved: Vec<_> = paths(&tokens)
            .iter()
            .map(|path| within_crate(&module, path).map(|path| path.join("::")))
            .collect();
        let expected = [Some("net::a"), Some("b"), Some("c"), Some("net::socket::d"), None];
        assert_eq!(resolved, expected.map(|path| path.map(str::to_owned)));
    }

    #[test]
    fn module_files_name_their_directory() {
        assert_eq!(module_of("net/mod.rs"), ["net"]);
        assert_eq!(module_of("net.rs"), ["net"]);
        assert!(module_of("lib.rs").is_empty());
    }
}
