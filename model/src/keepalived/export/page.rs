//! Lines and blocks, indented.

use std::fmt::Display;

const INDENT: &str = "    ";

#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    depth: usize,
}

impl Page {
    pub(super) fn line(&mut self, text: impl Display) {
        self.text.push_str(&INDENT.repeat(self.depth));
        self.text.push_str(&text.to_string());
        self.text.push('\n');
    }

    /// A line that says nothing to keepalived. A backslash at its end would take in the next
    /// line, and whatever is no plain character has no place in it.
    pub(super) fn comment(&mut self, text: &str) {
        let plain = |ch: char| if ch.is_control() || ch == '\\' { '_' } else { ch };
        self.line(format!("# {}", text.chars().map(plain).collect::<String>()));
    }

    /// Begins a block; one on its own has an empty line before it.
    pub(super) fn open(&mut self, title: impl Display) {
        if self.depth == 0 {
            self.text.push('\n');
        }
        self.line(format!("{title} {{"));
        self.depth += 1;
    }

    pub(super) fn close(&mut self) {
        debug_assert!(self.depth > 0, "a block that was never opened");
        self.depth = self.depth.saturating_sub(1);
        self.line("}");
    }

    /// A whole block.
    pub(super) fn block<T: Display>(
        &mut self,
        title: impl Display,
        lines: impl IntoIterator<Item = T>,
    ) {
        self.open(title);
        lines.into_iter().for_each(|line| self.line(line));
        self.close();
    }

    pub(super) fn finish(self) -> String {
        debug_assert_eq!(self.depth, 0, "an open block");
        self.text
    }
}
