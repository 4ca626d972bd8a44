//! How long files and lines may be.

use super::Finding;
use super::tree::SourceFile;

const MOST_LINES: usize = 500;
const MOST_LINES_OF_TESTS: usize = 700;
const MOST_COLUMNS: usize = 100;
/// Kinds whose lines are broken by hand. Manifests and prose are not among them.
const NARROW: &[&str] = &[".rs", ".proto", ".sh", "Makefile", "/run"];

/// Checks one file.
pub fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !NARROW.iter().any(|kind| file.path.ends_with(kind)) {
        return findings;
    }
    let most = if file.is_test() { MOST_LINES_OF_TESTS } else { MOST_LINES };
    let lines = file.text.lines().count();
    if lines > most {
        let what = format!("{lines} lines, at most {most} are allowed");
        let remedy = "split it: a file is about one thing";
        findings.push(Finding::in_file(file, most + 1, "file-length", what, remedy));
    }
    for (index, line) in file.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > MOST_COLUMNS && !is_unbreakable(file, line) {
            let what = format!("{columns} columns, at most {MOST_COLUMNS} are allowed");
            findings.push(Finding::in_file(file, index + 1, "columns", what, "break the line"));
        }
    }
    findings
}

/// A link cannot be broken, nor what a test expects a person to read: findings are one line each.
fn is_unbreakable(file: &SourceFile, line: &str) -> bool {
    let start = line.trim_start();
    let finding = start.starts_with("error: ") || start.starts_with("warning: ");
    line.contains("https://") || (file.is_test() && (finding || line.contains('"')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_501_lines_is_too_long_unless_it_is_a_test() {
        let long = "x\n".repeat(501);
        assert_eq!(check(&SourceFile::new("vrrp/src/a.rs", &long)).len(), 1);
        assert_eq!(check(&SourceFile::new("vrrp/tests/a.rs", &long)), []);
        assert_eq!(check(&SourceFile::new("vrrp/src/a.rs", &"x\n".repeat(500))), []);
        assert_eq!(check(&SourceFile::new("vrrp/tests/a.rs", &"x\n".repeat(701))).len(), 1);
    }

    #[test]
    fn columns_are_characters_and_links_may_be_longer() {
        let place = |text: &str| {
            check(&SourceFile::new("a/src/b.rs", text)).into_iter().map(|f| f.place).next()
        };
        assert_eq!(place(&format!("\n{}", "ü".repeat(101))), Some("a/src/b.rs:2".to_owned()));
        assert_eq!(place(&"ü".repeat(100)), None);
        assert_eq!(place(&format!("// https://{}", "x".repeat(120))), None);
    }

    #[test]
    fn an_expected_finding_of_a_test_may_be_wide() {
        let wide = format!("assert_snapshot!(it, @\"error: {}\");", "x".repeat(100));
        assert_eq!(check(&SourceFile::new("a/tests/b.rs", &wide)), []);
        assert_eq!(check(&SourceFile::new("a/src/b.rs", &wide)).len(), 1);
    }

    #[test]
    fn prose_and_manifests_may_be_wide() {
        let wide = "x".repeat(200);
        assert_eq!(check(&SourceFile::new("docs/a.md", &wide)), []);
        assert_eq!(check(&SourceFile::new("Cargo.toml", &wide)), []);
    }
}
