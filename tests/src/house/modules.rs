//! Who may name whom inside a crate.

use super::Finding;
use super::paths::{module_of, paths, within_crate};
use super::tokens::tokens;
use super::tree::SourceFile;

/// Modules of the agent that only the node loop joins.
const APART: &[&str] = &["net", "checks", "uplink"];

/// Where the server is put together: `lib.rs` and `main.rs`, `serve`, and `api` itself.
const ASSEMBLY: &[&str] = &["", "serve", "api"];

/// Checks one file.
pub fn check(file: &SourceFile) -> Vec<Finding> {
    if let Some(below) = file.path.strip_prefix("agent/src/") {
        return named(file, below, |from, to| {
            (from != to && APART.contains(&from) && APART.contains(&to)).then(|| {
                let what = format!("agent module `{from}` names `{to}`");
                (what, "let the node loop carry it: only it joins net, checks and uplink")
            })
        });
    }
    if let Some(below) = file.path.strip_prefix("server/src/") {
        return named(file, below, |from, to| {
            (to == "api" && !ASSEMBLY.contains(&from)).then(|| {
                let what = format!("server module `{from}` names `api`");
                (what, "turn it round: api calls store and fleet, nothing calls api")
            })
        });
    }
    Vec::new()
}

/// Judges every path of a file by the top module it is in and the top module it leads to.
fn named(
    file: &SourceFile,
    below_src: &str,
    judge: impl Fn(&str, &str) -> Option<(String, &'static str)>,
) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    let module = module_of(below_src);
    let from = module.first().copied().unwrap_or_default();
    let tokens = tokens(&file.text);
    paths(&tokens)
        .iter()
        .filter_map(|path| {
            let target = within_crate(&module, path)?;
            let (what, remedy) = judge(from, target.first()?)?;
            Some(Finding::in_file(file, path.line, "module-layering", what, remedy))
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
    fn net_checks_and_uplink_never_name_each_other() {
        for text in [
            "use crate::checks::Verdict;",
            "use crate::{node, checks::Verdict};",
            "fn f() { super::super::uplink::send() }",
        ] {
            assert_eq!(places("agent/src/net/socket.rs", text), ["agent/src/net/socket.rs:1"]);
        }
        assert_eq!(places("agent/src/uplink.rs", "use super::net::X;").len(), 1);
    }

    #[test]
    fn the_node_loop_joins_them_and_each_may_name_itself() {
        assert!(places("agent/src/node.rs", "use crate::{net::A, checks::B};").is_empty());
        assert!(places("agent/src/net/socket.rs", "use crate::net::A; use super::B;").is_empty());
        assert!(places("agent/src/checks/tcp.rs", "use std::net::IpAddr;").is_empty());
    }

    #[test]
    fn nothing_names_api_but_what_puts_the_server_together() {
        assert_eq!(places("server/src/fleet/owners.rs", "use crate::api::Control;").len(), 1);
        assert!(places("server/src/main.rs", "use crate::api::Control;").is_empty());
        assert!(places("server/src/serve.rs", "use crate::api::Control;").is_empty());
        assert!(places("server/src/api/watch.rs", "use super::Control;").is_empty());
    }
}
