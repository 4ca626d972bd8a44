//! `@id text` and `@^id text`: lines for some hosts only.

use super::cell::{Line, is_blank};

/// What a condition makes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decided {
    /// The rest of the line counts.
    Taken(Line),
    /// The line is for another host, or there is nothing after the id.
    Dropped,
}

/// Decides a line that begins with `@`. Without an id of our own nothing matches, so that only
/// `@^` lines are taken.
pub(super) fn decide(line: &Line, config_id: Option<&str>) -> Decided {
    let negated = line.at(1) == Some('^');
    let begin = if negated { 2 } else { 1 };
    let length = line.span(begin, |ch| !is_blank(ch));
    let id = line.part(begin, (begin + length).min(line.cells.len())).text();
    let matches = config_id == Some(id.as_str());
    let rest = line.tail(begin + length);
    if rest.is_empty() || matches == negated { Decided::Dropped } else { Decided::Taken(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalived::cell::Pos;

    #[test]
    fn a_line_is_taken_when_its_id_is_ours_or_a_negated_one_is_not() {
        let table = [
            ("@a x y", Some("a"), Some("x y")),
            ("@a x", Some("b"), None),
            ("@a x", None, None),
            ("@^a x", Some("a"), None),
            ("@^a x", Some("b"), Some("x")),
            ("@^a x", None, Some("x")),
            ("@a", Some("a"), None),
            ("@ x", Some("a"), None),
        ];
        for (text, id, expected) in table {
            let decided = decide(&Line::generated(text, Pos::default()), id);
            let taken = match decided {
                Decided::Taken(line) => Some(line.text()),
                Decided::Dropped => None,
            };
            assert_eq!(taken.as_deref(), expected, "{text} as {id:?}");
        }
    }
}
