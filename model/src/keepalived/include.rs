//! `include` lines and the checks of `include_check`: which failures are errors.

use super::cell::{Line, Pos, is_blank};
use super::report::Report;
use super::source::Included;

/// What must hold for an include line, `include_check` in keepalived.conf(5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checks {
    readable: Wanted,
    matched: Wanted,
    wildcard: Wanted,
    brace: Wanted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wanted {
    #[default]
    No,
    Yes,
}

/// An include line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Include {
    pub(super) pos: Pos,
    pub(super) pattern: String,
    pub(super) checks: Checks,
}

impl Checks {
    const ALL: Self = Self {
        readable: Wanted::Yes,
        matched: Wanted::Yes,
        wildcard: Wanted::Yes,
        brace: Wanted::Yes,
    };

    /// Applies the words of an `include_check` line; hands back a word it does not know.
    pub(super) fn apply<'a>(
        &mut self,
        options: impl Iterator<Item = &'a str>,
    ) -> Result<(), &'a str> {
        let mut plain = false;
        let mut any = false;
        for option in options {
            any = true;
            let (wanted, name) = match option.split_at_checked(1) {
                Some(("-", name)) => (Wanted::No, name),
                Some(("+", name)) => (Wanted::Yes, name),
                _ => {
                    if !plain {
                        *self = Self::default();
                        plain = true;
                    }
                    (Wanted::Yes, option)
                }
            };
            match name {
                "readable" => self.readable = wanted,
                "match" => self.matched = wanted,
                "wildcard_match" => self.wildcard = wanted,
                "brace_match" => self.brace = wanted,
                _ => return Err(option),
            }
        }
        if !any {
            *self = Self::ALL;
        }
        Ok(())
    }
}

/// Whether `line` includes something; `current` is the level that the file has set.
pub(super) fn recognise(line: &Line, current: Checks) -> Option<Include> {
    let keyword: String =
        line.cells.iter().map(|cell| cell.ch).take_while(|ch| !is_blank(*ch)).collect();
    let yes = Wanted::Yes;
    let checks = match keyword.as_str() {
        "include" => current,
        "includer" => Checks { readable: yes, ..current },
        "includem" => Checks { readable: yes, matched: yes, ..current },
        "includew" => Checks { readable: yes, wildcard: yes, ..current },
        "includeb" => Checks { readable: yes, brace: yes, ..current },
        "includea" => Checks::ALL,
        _ => return None,
    };
    // The whole rest of the line, quotes included: keepalived does not take them off.
    let pattern = line.tail(keyword.chars().count()).text();
    Some(Include { pos: line.start, pattern, checks })
}

/// Complains about an answer as far as the checks want it; the rest are warnings.
pub(super) fn judge(include: &Include, answer: &Included, report: &mut Report) {
    let Include { pos, pattern, checks } = include;
    if pattern.contains('"') && answer.texts.is_empty() {
        let message = format!("keepalived takes the quotes in {pattern} for a part of the name");
        return report.error(*pos, "include-quoted", message, "remove the quotes");
    }
    for (name, reason) in &answer.unreadable {
        let message = format!("{name} cannot be included: {reason}");
        let remedy = "make it a readable, regular file, or remove the include";
        match checks.readable {
            Wanted::Yes => report.error(*pos, "include-unreadable", message, remedy),
            Wanted::No => report.warning(*pos, "include-unreadable", message, remedy),
        }
    }
    if !answer.texts.is_empty() || !answer.unreadable.is_empty() {
        return;
    }
    let wildcard = pattern.contains(['*', '?', '[']);
    let brace = pattern.contains('{');
    let wanted = match (wildcard, brace) {
        (true, _) => checks.wildcard,
        (false, true) => checks.brace,
        (false, false) => checks.matched,
    };
    let message = format!("no file matches {pattern:?}");
    let remedy = "correct the path (relative ones begin at the directory of this file)";
    match wanted {
        Wanted::Yes => report.error(*pos, "include-missing", message, remedy),
        // A pattern for optional files that matches none is what it is for.
        Wanted::No if wildcard => {}
        Wanted::No => report.warning(*pos, "include-missing", message, remedy),
    }
}
