//! Licences of everything that is built from: each package must offer at least one way to be used
//! under the list.

use super::Finding;
use super::metadata::{Metadata, Package};

/// Permissive licences that fit an Apache-2.0 project.
const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "ISC",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Zlib",
    "0BSD",
    "BSL-1.0",
    "CC0-1.0",
    "NCSA",
    "Unlicense",
    "Unicode-3.0",
    "Unicode-DFS-2016",
];

/// Checks every package that the lock file can bring in, whatever the platform.
pub fn check(metadata: &Metadata) -> Vec<Finding> {
    metadata.packages.iter().filter_map(check_package).collect()
}

fn check_package(package: &Package) -> Option<Finding> {
    let what = match &package.license {
        None => "no licence in its manifest".to_owned(),
        Some(expression) if !is_allowed(expression) => format!("licence `{expression}`"),
        Some(_) => return None,
    };
    Some(Finding {
        place: format!("Cargo.lock: {} {}", package.name, package.version),
        rule: "licence",
        what,
        remedy: "choose another crate, or have the list in tests/src/house/licences.rs extended \
                 by whoever answers for it"
            .to_owned(),
    })
}

/// Evaluates an SPDX expression; `/` is the OR of old manifests. AND binds tighter than OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut position = 0;
    let verdict = any(&words, &mut position);
    verdict && position == words.len()
}

fn any(words: &[&str], position: &mut usize) -> bool {
    let mut verdict = all(words, position);
    while words.get(*position) == Some(&"OR") {
        *position += 1;
        verdict |= all(words, position);
    }
    verdict
}

fn all(words: &[&str], position: &mut usize) -> bool {
    let mut verdict = one(words, position);
    while words.get(*position) == Some(&"AND") {
        *position += 1;
        verdict &= one(words, position);
    }
    verdict
}

fn one(words: &[&str], position: &mut usize) -> bool {
    let Some(word) = words.get(*position) else {
        return false;
    };
    *position += 1;
    if *word == "(" {
        let verdict = any(words, position);
        let closed = words.get(*position) == Some(&")");
        *position += 1;
        return verdict && closed;
    }
    let mut licence = (*word).to_owned();
    if words.get(*position) == Some(&"WITH") {
        let exception = words.get(*position + 1).copied().unwrap_or_default();
        licence = format!("{licence} WITH {exception}");
        *position += 2;
    }
    ALLOWED.contains(&licence.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::metadata::fixture::{package, workspace};
    use super::*;

    #[test]
    fn expressions_are_evaluated() {
        for (expression, allowed) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0-only", false),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("MIT AND (GPL-2.0 OR WTFPL)", false),
            ("GPL-3.0 OR MIT AND BSD-3-Clause", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("GPL-2.0 WITH Classpath-exception-2.0", false),
            ("(MIT", false),
            ("MIT MIT", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(expression), allowed, "{expression}");
        }
    }

    #[test]
    fn a_package_without_a_licence_or_with_a_wrong_one_is_found() {
        let mut metadata = workspace(&[("vipctl", "good", None)]);
        assert!(check(&metadata).is_empty());
        metadata.packages.push(package("copyleft", "1.0.0", Some("AGPL-3.0")));
        metadata.packages.push(package("silent", "1.0.0", None));
        let places: Vec<_> = check(&metadata).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["Cargo.lock: copyleft 1.0.0", "Cargo.lock: silent 1.0.0"]);
    }
}
