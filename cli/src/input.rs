//! Definitions from files, directories and standard input: one input, every finding located.

use crate::exit::Failure;
use crate::render::finding::Texts;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use vipfleet_model::document::{self, MAX_BYTES, Parsed};
use vipfleet_model::{Definition, Findings};

const STDIN: &str = "standard input";

/// What was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    pub(crate) parsed: Parsed,
    pub(crate) texts: Texts,
}

impl Input {
    /// Reads every file; a directory stands for its .yaml, .yml and .json files, by name.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut texts = Vec::new();
        for path in paths {
            if path == Path::new("-") {
                texts.push((STDIN.to_owned(), standard_input()?));
            } else if path.is_dir() {
                for file in files_of(path)? {
                    texts.push(file_text(&file)?);
                }
            } else {
                texts.push(file_text(path)?);
            }
        }
        let input = Self::of(texts);
        if input.parsed.definitions.is_empty() && input.parsed.findings.is_empty() {
            let name = |path: &PathBuf| match path.as_os_str().to_str() {
                Some("-") => STDIN.to_owned(),
                _ => path.display().to_string(),
            };
            let failure = Failure::refused("there is no definition in the input");
            let causes = paths.iter().map(name).collect();
            let remedy = "did the command that should have written it fail?";
            return Err(Failure { causes, ..failure }.remedy(remedy));
        }
        Ok(input)
    }

    /// Texts with the names that findings call them by.
    pub(crate) fn of(texts: Vec<(String, String)>) -> Self {
        let parsed = texts.iter().map(|(name, text)| document::parse(text, Some(name)));
        let parsed = Parsed::merge(parsed);
        let mut kept = Texts::default();
        for (name, text) in texts {
            kept.add(name, &text);
        }
        Self { parsed, texts: kept }
    }

    pub(crate) fn definitions(&self) -> Vec<Definition> {
        self.parsed.definitions.iter().map(|placed| placed.value.clone()).collect()
    }

    /// Everything that can be said without the fleet.
    pub(crate) fn judge(&self) -> Findings {
        self.parsed.judge()
    }

    /// Fills in file, line and column.
    pub(crate) fn locate(&self, mut findings: Findings) -> Findings {
        document::locate(&mut findings, &self.parsed.definitions);
        findings
    }
}

fn standard_input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    // One byte more than is taken, so that the parser says that it is too long.
    let most = MAX_BYTES as u64 + 1;
    let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
    read.map_err(|cause| Failure::usage("cannot read standard input").because(cause.to_string()))?;
    text_of(STDIN, bytes)
}

fn file_text(path: &Path) -> Result<(String, String), Failure> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|cause| unreadable(path, &cause))?;
    let text = text_of(&name, bytes)?;
    Ok((name, text))
}

fn text_of(name: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|cause| {
        let at = cause.utf8_error().valid_up_to();
        let line = cause.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure::refused(format!("{name}:{line}: this is not UTF-8 text"))
            .remedy("save it as UTF-8, or check that it is the right file")
    })
}

pub(crate) fn unreadable(path: &Path, cause: &std::io::Error) -> Failure {
    let cause = cause.to_string();
    let cause = cause.split(" (os error").next().unwrap_or_default().to_lowercase();
    Failure::usage(format!("cannot read {}", path.display()))
        .because(cause)
        .remedy("check the path and its permissions")
}

fn files_of(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(directory).map_err(|cause| unreadable(directory, &cause))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|cause| unreadable(directory, &cause))?.path();
        let extension = path.extension().and_then(|it| it.to_str());
        if matches!(extension, Some("yaml" | "yml" | "json")) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
