//! Words that have no place in the tree: promises for later, macros of the workshop, names that
//! say nothing, and paths of somebody's machine.

use super::Finding;
use super::tokens::{is_sequence, is_word, tokens};
use super::tree::SourceFile;

/// Split, so that this file does not contain them.
const PROMISES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
const MACROS: &[&str] = &["todo", "unimplemented", "dbg"];
const EMPTY_NAMES: &[&str] =
    &["utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"];
/// Where people keep checkouts. A path counts when it starts there.
const HOMES: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Use", "rs/"),
    concat!("/wo", "rk/"),
    concat!("shared/", "design"),
    concat!("shared/", "seed"),
    concat!("shared/", "vectors"),
];

/// Checks one file.
pub fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        check_line(file, index + 1, line, &mut findings);
    }
    if file.is_rust() {
        check_code(file, &mut findings);
        check_name(file, &mut findings);
    }
    findings
}

fn check_line(file: &SourceFile, number: usize, line: &str, findings: &mut Vec<Finding>) {
    let mut report = |rule, what: String, remedy: &str| {
        findings.push(Finding::in_file(file, number, rule, what, remedy));
    };
    let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    if let Some(word) = words.find(|word| PROMISES.contains(word)) {
        report("promise", format!("`{word}`"), "do it, or leave it out and say so in an issue");
    }
    if let Some(home) = HOMES.iter().find(|home| starts_a_path(line, home)) {
        report("local-path", format!("`{home}` is a path of one machine"), "use a relative path");
    }
    if names_an_issue(line) {
        let remedy = "say what it is about: numbers of a tracker mean nothing in the tree";
        report("issue-number", "the number of an issue".to_owned(), remedy);
    }
}

/// True when `path` stands in `line` where a path can begin, as opposed to inside a longer one.
fn starts_a_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "})/._-$*".contains(c)))
    })
}

fn names_an_issue(line: &str) -> bool {
    let lower = line.to_lowercase();
    lower.match_indices("issue ").any(|(at, matched)| {
        let rest = lower[at + matched.len()..].trim_start_matches('#');
        rest.starts_with(|c: char| c.is_ascii_digit())
    })
}

fn check_code(file: &SourceFile, findings: &mut Vec<Finding>) {
    let tokens = tokens(&file.text);
    for (index, token) in tokens.iter().enumerate() {
        let rest = &tokens[index..];
        let mut report = |rule, what: String, remedy: &str| {
            findings.push(Finding::in_file(file, token.line, rule, what, remedy));
        };
        if MACROS.contains(&token.text) && is_sequence(&rest[1..], &["!"]) {
            report("macro", format!("`{}!`", token.text), "write what it stands for");
        }
        if matches!(token.text, "allow" | "expect") && is_sequence(&rest[1..], &["("]) {
            let listed = rest[2..].iter().take_while(|token| token.text != ")");
            let attribute = index > 0 && matches!(tokens[index - 1].text, "[" | ",");
            if attribute && listed.into_iter().any(|token| token.text == "dead_code") {
                let what = format!("`{}(dead_code)`", token.text);
                report("dead-code", what, "delete the code, or use it");
            }
        }
        if token.text == "mod" && rest.get(1).is_some_and(|name| is_word(name.text)) {
            let name = rest[1].text;
            if EMPTY_NAMES.contains(&name) {
                report("module-name", format!("module `{name}`"), NAME_REMEDY);
            }
        }
    }
}

const NAME_REMEDY: &str = "name it after the one thing it is about";

fn check_name(file: &SourceFile, findings: &mut Vec<Finding>) {
    let mut parts = file.path.trim_end_matches(".rs").split('/');
    if let Some(name) = parts.find(|part| EMPTY_NAMES.contains(part)) {
        let what = format!("`{name}` says nothing");
        findings.push(Finding::in_file(file, 1, "module-name", what, NAME_REMEDY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&SourceFile::new(path, text)).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn promises_are_found_in_every_kind_of_file() {
        for word in PROMISES {
            assert_eq!(rules("a.sh", &format!("# {word}: later")), ["promise"]);
            assert_eq!(rules("a/src/b.rs", &format!("// {word}(me)")), ["promise"]);
        }
        assert!(rules("a.md", "a todolist, mktemp XXXXXX").is_empty());
    }

    #[test]
    fn workshop_macros_are_found_in_code_and_not_in_prose() {
        assert_eq!(rules("a/src/b.rs", "fn f() {\n    todo!()\n}"), ["macro"]);
        assert_eq!(rules("a/src/b.rs", "let x = dbg!(y);"), ["macro"]);
        assert!(rules("a/src/b.rs", "// dbg!(x)\nlet dbg = 1;").is_empty());
    }

    #[test]
    fn silenced_dead_code_is_found() {
        assert_eq!(rules("a/src/b.rs", "#[allow(unused, dead_code)] fn f() {}"), ["dead-code"]);
        assert_eq!(rules("a/src/b.rs", "#![expect(dead_code)]"), ["dead-code"]);
        assert!(rules("a/src/b.rs", "#[allow(unused)] fn dead_code() {}").is_empty());
    }

    #[test]
    fn modules_that_say_nothing_are_found_by_name_and_by_file() {
        assert_eq!(rules("a/src/b.rs", "pub(crate) mod helpers;"), ["module-name"]);
        assert_eq!(rules("a/tests/common/mod.rs", ""), ["module-name"]);
        assert!(rules("a/src/b.rs", "mod helper_process;").is_empty());
    }

    #[test]
    fn paths_of_somebodys_machine_are_found_where_a_path_begins() {
        let home = HOMES[0];
        assert_eq!(rules("a.sh", &format!("cd {home}me/src")), ["local-path"]);
        assert_eq!(rules("a/src/b.rs", &format!("let p = \"{home}me\";")), ["local-path"]);
        assert!(rules("a.sh", &format!("ls /proc/1{}run", HOMES[1])).is_empty());
        assert!(rules("a.sh", &format!("ls $base{home}x")).is_empty());
    }

    #[test]
    fn numbers_of_issues_are_found() {
        assert_eq!(rules("a.md", concat!("see issue", " #12")), ["issue-number"]);
        assert!(rules("a.md", "issue a certificate").is_empty());
    }
}
