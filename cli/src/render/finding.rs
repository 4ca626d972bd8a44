//! Findings with a piece of the file and a mark under the place. Passwords in those lines are
//! covered.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::collections::HashMap;
use vipfleet_model::{Finding, Findings, Place, Severity};

/// Texts that findings point into, by the name that findings call them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts(HashMap<String, Vec<String>>);

impl Texts {
    pub(crate) fn add(&mut self, name: impl Into<String>, text: &str) {
        self.0.insert(name.into(), text.lines().map(str::to_owned).collect());
    }
}

/// Every finding, errors last, and how many there are of each; empty without findings.
pub(crate) fn findings(findings: &Findings, texts: &Texts) -> String {
    let mut sorted = findings.iter().collect::<Vec<_>>();
    sorted.sort_by_key(|finding| finding.severity);
    let mut text = sorted.iter().map(|it| finding(it, texts) + "\n\n").collect::<String>();
    if findings.0.len() > 1 {
        text.push_str(&count(findings));
    }
    text
}

/// `2 errors, 1 warning`.
pub(crate) fn count(findings: &Findings) -> String {
    let count = |severity| findings.iter().filter(|it| it.severity == severity).count();
    let words = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        many => Some(format!("{many} {word}s")),
    };
    let errors = words(count(Severity::Error), "error");
    let warnings = words(count(Severity::Warning), "warning");
    let both = errors.into_iter().chain(warnings).collect::<Vec<_>>();
    if both.is_empty() { String::new() } else { both.join(", ") + "\n" }
}

fn finding(finding: &Finding, texts: &Texts) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let about = subject(&finding.place);
    let title = if about.is_empty() {
        finding.message.clone()
    } else {
        format!("{about}: {}", finding.message)
    };
    let places = std::iter::once(&finding.place).chain(&finding.related);
    let excerpts = places.filter_map(|place| Excerpt::of(place, texts)).collect::<Vec<_>>();
    let snippets = excerpts.iter().enumerate().map(|(index, excerpt)| {
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        Snippet::source(excerpt.line.as_str())
            .line_start(excerpt.number)
            .path(excerpt.file.as_str())
            .annotation(kind.span(excerpt.begin..excerpt.end))
    });
    let known = |place: &&Place| Excerpt::of(place, texts).is_none();
    let unknown = finding.related.iter().filter(known).map(|it| format!("see {it}"));
    let unknown = unknown.collect::<Vec<_>>();
    let group = level
        .primary_title(title.as_str())
        .id(finding.rule.as_str())
        .elements(snippets)
        .elements(unknown.iter().map(|it| Level::NOTE.message(it.as_str())))
        .element(Level::HELP.message(finding.remedy.as_str()));
    Renderer::styled().render(&[group])
}

/// Document and path; the file too where its text is not at hand.
fn subject(place: &Place) -> String {
    let parts = place.document.iter().chain(&place.path).map(String::as_str);
    parts.collect::<Vec<_>>().join(" ")
}

/// One line of a file, and the byte range of the word in it that is meant.
struct Excerpt {
    file: String,
    number: usize,
    line: String,
    begin: usize,
    end: usize,
}

impl Excerpt {
    fn of(place: &Place, texts: &Texts) -> Option<Self> {
        let file = place.file.clone()?;
        let number = usize::try_from(place.line?).ok()?;
        let line = texts.0.get(&file)?.get(number.checked_sub(1)?)?;
        let line = covered(line);
        let column = usize::try_from(place.column.unwrap_or(1)).ok()?.saturating_sub(1);
        let begin = line.char_indices().nth(column).map_or(line.len(), |(index, _)| index);
        let rest = &line[begin..];
        let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '[' | ']' | ',' | ':');
        let length = rest.find(ends).unwrap_or(rest.len());
        let first = rest.chars().next().map_or(0, char::len_utf8);
        Some(Self { file, number, end: begin + length.max(first), line, begin })
    }
}

/// The line with what follows `password:` or `auth_pass` covered character by character, and
/// control characters blank.
fn covered(line: &str) -> String {
    let mut shown: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for word in ["password", "auth_pass"] {
        let Some(at) = line.find(word) else { continue };
        let start = line[..at].chars().count() + word.chars().count();
        let before = |c: &&char| matches!(c, '"' | '\'' | ':' | ' ');
        let value = start + shown[start..].iter().take_while(before).count();
        let quote = shown[start..value].iter().rev().find(|c| matches!(c, '"' | '\'')).copied();
        let ends = |c: char| match (quote, word) {
            // The quote may be that of a key in JSON: then the value is no text.
            (Some(quote), _) if shown[value - 1] == quote => c == quote,
            (_, "auth_pass") => false,
            _ => matches!(c, ',' | '}'),
        };
        let length = shown[value..].iter().take_while(|c| !ends(**c)).count();
        shown[value..value + length].fill('*');
    }
    shown.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::list::testing::unstyled;
    use vipfleet_model::document;

    #[test]
    fn a_finding_shows_the_line_and_covers_the_password_in_it() {
        let text = "kind: Instance\nname: VI_1\nspec:\n  virtualRouterId: 51\n  \
                    virtualAddresses: [192.0.2.10]\n  \
                    authentication: {type: pass, password: \"geheim\", realm: x}\n  members: []\n";
        let parsed = document::parse(text, Some("fleet.yaml"));
        let mut texts = Texts::default();
        texts.add("fleet.yaml", text);
        let shown = unstyled(&findings(&parsed.findings, &texts));
        assert!(!shown.contains("geheim"), "{shown}");
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_finding_about_the_stored_fleet_names_its_document() {
        let place = Place { document: Some("Instance VI_1".into()), ..Place::default() };
        let finding = Finding::warning("one-member", place, "only lb1", "add a second member");
        insta::assert_snapshot!(unstyled(&findings(&Findings(vec![finding]), &Texts::default())));
    }

    #[test]
    fn passwords_are_covered_in_every_notation() {
        for (line, shown) in [
            ("  auth_pass 11,1 # old", "  auth_pass **********"),
            ("{password: \"a,}b\", x: 1}", "{password: \"****\", x: 1}"),
            ("{password: ab, x: 1}", "{password: **, x: 1}"),
            ("\"password\": \"ab\"", "\"password\": \"**\""),
            ("password:", "password:"),
        ] {
            assert_eq!(covered(line), shown);
        }
    }
}
