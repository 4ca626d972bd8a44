//! A finding as a piece of the file with a mark under the place.

use super::source::NamedText;
use crate::finding::{Finding, Place, Severity};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// `finding` as text, without colours, with the lines it is about taken from `texts` (those of
/// [`super::HostConfig::texts`], of all hosts). Passwords in those lines are not shown.
pub fn render(finding: &Finding, texts: &[NamedText]) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let places = std::iter::once(&finding.place).chain(&finding.related);
    let excerpts: Vec<Excerpt> = places.filter_map(|place| Excerpt::of(place, texts)).collect();
    if excerpts.is_empty() {
        return finding.to_string();
    }
    let snippets = excerpts.iter().enumerate().map(|(index, excerpt)| {
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        Snippet::source(excerpt.line.as_str())
            .line_start(excerpt.number)
            .path(excerpt.file.as_str())
            .annotation(kind.span(excerpt.begin..excerpt.end))
    });
    let group = level
        .primary_title(finding.message.as_str())
        .id(finding.rule.as_str())
        .elements(snippets)
        .element(Level::HELP.message(finding.remedy.as_str()));
    Renderer::plain().render(&[group])
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
    fn of(place: &Place, texts: &[NamedText]) -> Option<Self> {
        let file = place.file.clone()?;
        let number = usize::try_from(place.line?).ok()?;
        let text = texts.iter().find(|text| text.name == file)?;
        let bytes = text.text.split(|byte| *byte == b'\n').nth(number.checked_sub(1)?)?;
        let line = redacted(&String::from_utf8_lossy(bytes));
        let column = usize::try_from(place.column.unwrap_or(1)).ok()?.saturating_sub(1);
        let begin = line.char_indices().nth(column).map_or(line.len(), |(index, _)| index);
        let rest = &line[begin..];
        let length = rest.find(|ch: char| ch.is_whitespace() || ch == '{').unwrap_or(rest.len());
        let end = begin + length.max(usize::from(!rest.is_empty()));
        let end = (end..=line.len()).find(|end| line.is_char_boundary(*end)).unwrap_or(begin);
        Some(Self { file, number, line, begin, end })
    }
}

/// What follows `auth_pass` is nobody's business on a screen, misspelt or not.
fn redacted(line: &str) -> String {
    let line: String =
        line.trim_end().chars().map(|ch| if ch.is_control() { ' ' } else { ch }).collect();
    let Some(begin) = line.find("auth_p") else { return line };
    let value = line[begin..].find(char::is_whitespace).map_or(line.len(), |gap| begin + gap);
    format!("{} {}", &line[..value], crate::secret::REDACTED)
}
