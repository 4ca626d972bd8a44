//! The files of the checkout that people write.

use std::fs;
use std::io;
use std::path::Path;

/// Directories that hold no sources of ours.
const SKIPPED: &[&str] = &["target", ".git", "node_modules"];
/// Kinds of files that the rules look at.
const KINDS: &[&str] = &["rs", "proto", "sh", "md", "yaml", "yml", "toml", "service", "conf"];
/// The same, by whole name.
const NAMES: &[&str] = &["Makefile", "run"];

/// One file, read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Relative to the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// A file for the tests of rules.
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Rust source.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Test code by its place: an integration test, or a module file of unit tests.
    pub fn is_test(&self) -> bool {
        let mut parts = self.path.split('/').skip(1);
        parts.any(|part| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs"))
    }
}

/// Reads every file that the rules look at.
pub fn read(root: &Path) -> io::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    walk(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(directory: &Path, prefix: &str, files: &mut Vec<SourceFile>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &path, files)?;
        } else if kind.is_file() && is_looked_at(&name) {
            let bytes = fs::read(entry.path())
                .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
            // A fixture may be broken on purpose.
            let text = String::from_utf8_lossy(&bytes).into_owned();
            files.push(SourceFile { path, text });
        }
    }
    Ok(())
}

fn is_looked_at(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    NAMES.contains(&name) || extension.is_some_and(|extension| KINDS.contains(&extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_known_by_their_place_and_the_laboratory_is_not_one() {
        for (path, is_test) in [
            ("vrrp/tests/scenarios.rs", true),
            ("vrrp/src/router/tests.rs", true),
            ("model/src/merge_tests.rs", true),
            ("tests/tests/interop.rs", true),
            ("tests/src/lab/host.rs", false),
            ("vrrp/src/router.rs", false),
        ] {
            assert_eq!(SourceFile::new(path, "").is_test(), is_test, "{path}");
        }
    }

    #[test]
    fn what_was_built_and_what_is_no_source_is_not_looked_at() {
        let root = tempfile::tempdir().unwrap();
        for path in ["src/a.rs", "target/b.rs", "vectors/c.pcap", ".ci/run", "Makefile"] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let files = read(root.path()).unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".ci/run", "Makefile", "src/a.rs"]);
    }
}
