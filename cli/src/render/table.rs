//! Tables without lines: aligned columns, the last one wrapped at the terminal's width.

use super::super::output::Look;
use anstyle::{AnsiColor, Style};
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Color, ContentArrangement, Row};
use vipfleet_model::ownership::Health;
use vipfleet_model::report::{CheckStatus, InstanceState};

/// How a piece of text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Warn,
    Bad,
}

/// A cell; its text may have several lines.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// With another line below what it says.
    pub(crate) fn noting(self, line: String) -> Self {
        let text = if self.text.is_empty() { line } else { format!("{}\n{line}", self.text) };
        Self { text, ..self }
    }
}

impl Tone {
    pub(crate) fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
        }
    }

    pub(crate) fn paint(self, text: &str) -> String {
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

pub(crate) fn cell(tone: Tone, text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone }
}

pub(crate) fn plain(text: impl ToString) -> Cell {
    cell(Tone::Plain, text.to_string())
}

pub(crate) fn faint(text: impl ToString) -> Cell {
    cell(Tone::Faint, text.to_string())
}

/// Rows under column names; every line ends with a newline and none with spaces.
pub(crate) fn table(columns: &[&str], rows: Vec<Vec<Cell>>, look: &Look) -> String {
    render(Some(columns), rows, look)
}

/// Rows alone.
pub(crate) fn rows(rows: Vec<Vec<Cell>>, look: &Look) -> String {
    render(None, rows, look)
}

fn render(columns: Option<&[&str]>, rows: Vec<Vec<Cell>>, look: &Look) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(NOTHING).enforce_styling().style_text_only();
    match look.width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    if let Some(columns) = columns {
        let header = |name: &&str| comfy_table::Cell::new(name).add_attribute(Attribute::Dim);
        table.set_header(columns.iter().map(header));
    }
    table.add_rows(rows.into_iter().map(|row| Row::from(row.into_iter().map(styled))));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn styled(cell: Cell) -> comfy_table::Cell {
    let out = comfy_table::Cell::new_owned(cell.text);
    match cell.tone {
        Tone::Plain => out,
        Tone::Strong => out.add_attribute(Attribute::Bold),
        Tone::Faint => out.add_attribute(Attribute::Dim),
        Tone::Good => out.fg(Color::DarkGreen),
        Tone::Warn => out.fg(Color::DarkYellow),
        Tone::Bad => out.fg(Color::DarkRed).add_attribute(Attribute::Bold),
    }
}

/// `✖ no-owner`: stands out without colour too.
pub(crate) fn health(health: Health) -> Cell {
    let (mark, tone) = match health {
        Health::Ok => ("✔", Tone::Good),
        Health::Degraded => ("▲", Tone::Warn),
        Health::Unknown => ("?", Tone::Warn),
        Health::NoOwner | Health::TwoOwners => ("✖", Tone::Bad),
    };
    cell(tone, format!("{mark} {health}"))
}

pub(crate) fn state_tone(state: InstanceState) -> Tone {
    match state {
        InstanceState::Master => Tone::Good,
        InstanceState::Backup => Tone::Plain,
        InstanceState::Init | InstanceState::Unknown => Tone::Warn,
        InstanceState::Fault => Tone::Bad,
    }
}

pub(crate) fn check_status(status: CheckStatus) -> Cell {
    match status {
        CheckStatus::Up => cell(Tone::Good, "✔ up"),
        CheckStatus::Down => cell(Tone::Bad, "✖ down"),
        CheckStatus::Pending => cell(Tone::Warn, "… pending"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::list::testing::{look, unstyled};

    #[test]
    fn columns_are_aligned_and_no_line_ends_with_spaces() {
        let row = |left: &str, right: &str| vec![cell(Tone::Bad, left), plain(right)];
        let rows = vec![row("lb1", ""), row("a-longer-name", "x\ny")];
        let text = unstyled(&table(&["NAME", "WHY"], rows, &look()));
        assert_eq!(text, "NAME           WHY\nlb1\na-longer-name  x\n               y\n");
    }

    #[test]
    fn the_last_column_is_wrapped_at_the_terminals_width() {
        let rows = vec![vec![plain("lb1"), plain("the process nginx is not running")]];
        let narrow = Look { width: Some(30), ..look() };
        let text = unstyled(&table(&["NODE", "WHY"], rows, &narrow));
        assert!(text.lines().all(|line| line.chars().count() <= 30), "{text}");
        assert!(text.lines().count() == 3, "{text}");
    }
}
