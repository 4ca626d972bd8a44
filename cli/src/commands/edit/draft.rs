//! The file that is edited: the text, and above it, when it was refused, why.

use super::editor;
use crate::exit::Failure;
use std::io::Write as _;
use std::path::PathBuf;
use tempfile::NamedTempFile;
use vipfleet_model::{Finding, Findings, Key, Severity};

/// What our own lines begin with; they are taken off when the text is read back.
const MARK: &str = "#|";

/// A text in a file of its own, which only its owner can read.
#[derive(Debug)]
pub(super) struct Draft {
    file: NamedTempFile,
    /// As of the last save, without our lines.
    pub(super) text: String,
    header: String,
}

impl Draft {
    pub(super) fn create(key: &Key, text: &str) -> Result<Self, Failure> {
        let prefix = format!("vipctl-{}-", key.name);
        let file = tempfile::Builder::new().prefix(&prefix).suffix(".yaml").tempfile();
        let file = file.map_err(|cause| {
            Failure::failed("cannot create a file to edit")
                .because(cause.to_string())
                .remedy("TMPDIR says where such files go")
        })?;
        let draft = Self { file, text: text.to_owned(), header: String::new() };
        draft.write()?;
        Ok(draft)
    }

    pub(super) fn name(&self) -> String {
        self.file.path().display().to_string()
    }

    pub(super) fn is_refused(&self) -> bool {
        !self.header.is_empty()
    }

    /// Opens the editor and reads what it leaves.
    pub(super) async fn edit(&mut self) -> Result<(), Failure> {
        editor::open(self.file.path()).await?;
        // Editors that write a new file and rename it leave another one behind our handle.
        let read = std::fs::read_to_string(self.file.path());
        let text = read.map_err(|cause| crate::input::unreadable(self.file.path(), &cause))?;
        self.text = without_header(&text);
        Ok(())
    }

    /// Writes the text back with what is wrong on top.
    pub(super) fn refuse(&mut self, findings: &Findings) -> Result<(), Failure> {
        self.header = header(findings);
        self.write()
    }

    /// Leaves the text in the file, without our lines; hands the text back where that fails.
    pub(super) fn persist(mut self) -> Result<PathBuf, (String, String)> {
        self.header = String::new();
        if let Err(failure) = self.write() {
            return Err((self.text, failure.causes.join("; ")));
        }
        let text = self.text;
        match self.file.keep() {
            Ok((_, path)) => Ok(path),
            Err(cause) => Err((text, cause.error.to_string())),
        }
    }

    fn write(&self) -> Result<(), Failure> {
        let open = std::fs::OpenOptions::new().write(true).truncate(true).open(self.file.path());
        let written = open.and_then(|mut file| {
            file.write_all(self.header.as_bytes())?;
            file.write_all(self.text.as_bytes())
        });
        written.map_err(|cause| {
            let what = format!("cannot write {}", self.file.path().display());
            Failure::failed(what).because(cause.to_string())
        })
    }
}

fn without_header(text: &str) -> String {
    text.split_inclusive('\n').skip_while(|line| line.starts_with(MARK)).collect()
}

/// Lines of the text are counted as they stand below the header.
fn header(findings: &Findings) -> String {
    let tail = [
        "These lines are taken off by themselves. Save it as it is to give up; your text is kept.",
    ];
    let lines = 2 * findings.0.len() + tail.len();
    let mut header = String::new();
    for finding in findings {
        header.push_str(&entry(finding, lines));
    }
    for line in tail {
        header.push_str(&format!("{MARK} {line}\n"));
    }
    header
}

/// Two lines.
fn entry(finding: &Finding, shift: usize) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = &finding.place;
    let line = place.line.and_then(|line| usize::try_from(line).ok());
    let at = line.map(|line| format!("line {}", line + shift));
    let parts = at.into_iter().chain(place.path.clone()).collect::<Vec<_>>().join(", ");
    let parts = if parts.is_empty() { parts } else { format!("{parts}: ") };
    let one_line = |text: &str| text.replace('\n', " ");
    let (message, remedy) = (one_line(&finding.message), one_line(&finding.remedy));
    format!("{MARK} {severity}: {parts}{message}\n{MARK}   help: {remedy}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vipfleet_model::document;

    #[test]
    fn findings_on_top_name_the_line_as_the_editor_counts_it() {
        let text = "kind: Check\nname: nginx\nspec: {proces: {name: nginx}}\n";
        let findings = document::parse(text, None).findings;
        let whole = header(&findings) + text;
        let lines = whole.lines().collect::<Vec<_>>();
        for line in lines.iter().filter(|line| line.starts_with("#| error: line ")) {
            let number = line.split([' ', ',', ':']).nth(4).and_then(|it| it.parse::<usize>().ok());
            assert_eq!(lines[number.unwrap() - 1], "spec: {proces: {name: nginx}}", "{whole}");
        }
        assert_eq!(without_header(&whole), text);
        insta::assert_snapshot!(whole);
    }

    #[test]
    fn comments_of_the_operator_stay() {
        assert_eq!(
            without_header("#| ours\n# theirs\nkind: x\n#| in the text\n"),
            "# theirs\nkind: x\n#| in the text\n"
        );
    }
}
