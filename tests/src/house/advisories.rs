//! Versions with known advisories, from a list in the tree.

use anyhow::{Context, ensure};

use super::Finding;
use super::metadata::Metadata;

/// One line of the list.
#[derive(Debug, Clone)]
pub struct Advisory {
    package: String,
    affected: Vec<Range>,
    id: String,
    what: String,
}

/// Comparisons that all have to hold.
type Range = Vec<(Comparison, Version)>;

/// Major, minor, patch, and whether it is a release: a pre-release comes before its release.
type Version = (u64, u64, u64, bool);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Below,
    AtLeast,
    Exactly,
    Any,
}

/// Reads the list.
///
/// # Errors
/// At the first line that is not `crate | affected | advisory | what`.
pub fn parse(list: &str) -> anyhow::Result<Vec<Advisory>> {
    list.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|(index, line)| {
            parse_line(line).with_context(|| format!("advisories.txt:{}: `{line}`", index + 1))
        })
        .collect()
}

/// Checks every package that the lock file can bring in.
pub fn check(metadata: &Metadata, list: &[Advisory]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let Some(version) = parse_version(&package.version) else {
            continue;
        };
        for advisory in list.iter().filter(|advisory| advisory.package == package.name) {
            if advisory.affected.iter().any(|range| is_within(version, range)) {
                findings.push(Finding {
                    place: format!("Cargo.lock: {} {}", package.name, package.version),
                    rule: "advisory",
                    what: format!("{}: {}", advisory.id, advisory.what),
                    remedy: format!("cargo update -p {}, or replace it", package.name),
                });
            }
        }
    }
    findings
}

fn parse_line(line: &str) -> anyhow::Result<Advisory> {
    let fields: Vec<&str> = line.split('|').map(str::trim).collect();
    ensure!(fields.len() == 4, "four fields are needed, {} are there", fields.len());
    let affected = fields[1].split(';').map(parse_range).collect::<anyhow::Result<_>>()?;
    let [package, _, id, what] = [fields[0], fields[1], fields[2], fields[3]].map(str::to_owned);
    Ok(Advisory { package, affected, id, what })
}

fn parse_range(text: &str) -> anyhow::Result<Range> {
    text.split(',')
        .map(|comparator| {
            let comparator = comparator.trim();
            if comparator == "*" {
                return Ok((Comparison::Any, (0, 0, 0, true)));
            }
            let kinds =
                [(">=", Comparison::AtLeast), ("<", Comparison::Below), ("=", Comparison::Exactly)];
            kinds
                .iter()
                .find_map(|(sign, kind)| {
                    Some((*kind, parse_version(comparator.strip_prefix(sign)?)?))
                })
                .with_context(|| format!("`{comparator}` is not >=V, <V, =V or *"))
        })
        .collect()
}

fn parse_version(text: &str) -> Option<Version> {
    let (text, _) = text.split_once('+').unwrap_or((text, ""));
    let (numbers, is_release) =
        text.split_once('-').map_or((text, true), |(numbers, _)| (numbers, false));
    let mut numbers = numbers.split('.').map(|number| number.parse().ok());
    let version = (numbers.next()??, numbers.next()??, numbers.next()??, is_release);
    numbers.next().is_none().then_some(version)
}

fn is_within(version: Version, range: &Range) -> bool {
    range.iter().all(|(comparison, bound)| match comparison {
        Comparison::Below => version < *bound,
        Comparison::AtLeast => version >= *bound,
        Comparison::Exactly => version == *bound,
        Comparison::Any => true,
    })
}

#[cfg(test)]
mod tests {
    use super::super::metadata::fixture::{package, workspace};
    use super::*;

    const LIST: &str =
        "# comment\n\nh2 | >=0.3.0,<0.3.26; >=0.4.0,<0.4.4 | A-1 | flood\nx | * | A-2 | gone\n";

    fn found(name: &str, version: &str) -> usize {
        let mut metadata = workspace(&[]);
        metadata.packages.push(package(name, version, Some("MIT")));
        check(&metadata, &parse(LIST).unwrap()).len()
    }

    #[test]
    fn affected_versions_are_found_and_patched_ones_are_not() {
        for (name, version, findings) in [
            ("h2", "0.3.25", 1),
            ("h2", "0.3.26", 0),
            ("h2", "0.4.3", 1),
            ("h2", "0.4.4-rc.1", 1),
            ("h2", "0.4.4", 0),
            ("h2", "0.2.7", 0),
            ("x", "9.9.9+spec", 1),
            ("y", "0.0.1", 0),
        ] {
            assert_eq!(found(name, version), findings, "{name} {version}");
        }
    }

    #[test]
    fn a_broken_line_is_refused_with_its_number() {
        for line in ["h2 | <0.4 | A-1 | x", "h2 | <0.4.4 | A-1", "h2 | about 1.0.0 | A | x"] {
            let error = parse(&format!("# list\n{line}")).unwrap_err();
            assert!(error.to_string().starts_with("advisories.txt:2"), "{error:#}");
        }
    }

    #[test]
    fn the_list_in_the_tree_can_be_read() {
        assert!(parse(include_str!("../../house/advisories.txt")).unwrap().len() > 20);
    }
}
