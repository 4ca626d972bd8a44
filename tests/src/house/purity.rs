//! `vrrp` and `model` read no clock, no file and no socket: equal inputs give equal outputs. Their
//! unit tests may.

use super::Finding;
use super::paths::paths;
use super::tokens::tokens_outside_tests;
use super::tree::SourceFile;

const PURE: &[&str] = &["vrrp/src/", "model/src/"];

/// Beginnings of paths that reach the world.
const IMPURE: &[&[&str]] = &[
    &["Instant", "now"],
    &["SystemTime", "now"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
    &["std", "fs"],
    &["std", "thread"],
    &["std", "process"],
    &["std", "env"],
    &["std", "os"],
    &["std", "net", "TcpStream"],
    &["std", "net", "TcpListener"],
    &["std", "net", "UdpSocket"],
    &["std", "io", "stdin"],
    &["std", "io", "stdout"],
    &["std", "io", "stderr"],
];

/// Checks one file.
pub fn check(file: &SourceFile) -> Vec<Finding> {
    let pure = PURE.iter().any(|place| file.path.starts_with(place));
    if !pure || !file.is_rust() || file.is_test() {
        return Vec::new();
    }
    let tokens = tokens_outside_tests(&file.text);
    paths(&tokens)
        .into_iter()
        .filter(|path| IMPURE.iter().any(|impure| path.segments.starts_with(impure)))
        .map(|path| {
            let what = format!("`{}` in a pure crate", path.segments.join("::"));
            let remedy = "let the caller pass in what it read: the time, the text, the bytes";
            Finding::in_file(file, path.line, "purity", what, remedy)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<String> {
        check(&SourceFile::new(path, text)).into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn a_clock_a_file_and_a_socket_are_found_however_they_are_named() {
        for text in [
            "let now = Instant::now();",
            "let now = std::time::SystemTime::now();",
            "use std::{collections::BTreeMap, fs};",
            "use std::net::{IpAddr, UdpSocket};",
        ] {
            assert_eq!(places("vrrp/src/router.rs", text), ["vrrp/src/router.rs:1"], "{text}");
        }
    }

    #[test]
    fn addresses_durations_and_own_types_are_pure() {
        let text = "use std::net::IpAddr; use std::time::Duration; use crate::time::Instant;";
        assert!(places("vrrp/src/router.rs", text).is_empty());
    }

    #[test]
    fn tests_and_other_crates_may_read_the_world() {
        let text = "#[cfg(test)] mod tests { use std::fs; }";
        assert!(places("model/src/a.rs", text).is_empty());
        assert!(places("model/src/a/tests.rs", "use std::fs;").is_empty());
        assert!(places("agent/src/a.rs", "use std::fs;").is_empty());
    }
}
