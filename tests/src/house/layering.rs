//! Who may depend on whom among the crates. Test dependencies are free.

use super::Finding;
use super::metadata::{Metadata, Package};

/// What our crates may name of each other. A crate that is not listed may name all.
const INTERNAL: &[(&str, &[&str])] = &[
    ("vipfleet-vrrp", &[]),
    ("vipfleet-model", &["vipfleet-vrrp"]),
    ("vipfleet-proto", &["vipfleet-model"]),
    ("vipfleet-server", &["vipfleet-model", "vipfleet-proto"]),
    ("vipctl", &["vipfleet-model", "vipfleet-proto"]),
    ("vipfleet-agent", &["vipfleet-vrrp", "vipfleet-model", "vipfleet-proto"]),
];

const PURE: &[&str] = &["vipfleet-vrrp", "vipfleet-model"];

/// What a pure crate must not be built from, however it comes in. A trailing `*` is any ending.
const WORLDLY: &[&str] = &[
    "tokio*",
    "tonic*",
    "prost*",
    "hyper*",
    "axum*",
    "tower*",
    "mio",
    "async-*",
    "futures*",
    "etcd-client",
    "redb",
    "rtnetlink",
    "netlink-*",
    "socket2",
    "nix",
    "rustix",
    "jiff",
    "time",
    "chrono",
    "rand",
    "getrandom",
    "tracing*",
    "log",
];

/// The same, but only when named directly: hashing crates ask libc for processor features.
const WORLDLY_WHEN_NAMED: &[&str] = &["libc"];

/// Crates that only some of ours may name directly.
const CONFINED: &[(&str, &[&str])] = &[
    ("rtnetlink", &["vipfleet-agent", "vipfleet-tests"]),
    ("netlink-*", &["vipfleet-agent", "vipfleet-tests"]),
    ("socket2", &["vipfleet-agent", "vipfleet-tests", "vipfleet-bench"]),
    ("nix", &["vipfleet-agent", "vipfleet-tests", "vipfleet-bench"]),
    ("etcd-client", &["vipfleet-server", "vipfleet-swarm"]),
    ("redb", &["vipfleet-server"]),
];

const RULE: &str = "layering";

/// Checks every member of the workspace.
pub fn check(metadata: &Metadata) -> Vec<Finding> {
    metadata
        .members()
        .flat_map(|member| {
            let mut findings = check_internal(metadata, member);
            findings.extend(check_confined(metadata, member));
            findings.extend(check_pure(metadata, member));
            findings
        })
        .collect()
}

fn check_internal(metadata: &Metadata, member: &Package) -> Vec<Finding> {
    let Some((_, allowed)) = INTERNAL.iter().find(|(name, _)| *name == member.name) else {
        return Vec::new();
    };
    let ours = |package: &&Package| metadata.workspace_members.contains(&package.id);
    metadata
        .direct(&member.id)
        .into_iter()
        .filter(ours)
        .filter(|dependency| !allowed.contains(&dependency.name.as_str()))
        .map(|dependency| {
            let what = format!("{} depends on {}", member.name, dependency.name);
            finding(member, what, format!("it may depend on our crates {allowed:?} alone"))
        })
        .collect()
}

fn check_confined(metadata: &Metadata, member: &Package) -> Vec<Finding> {
    let mut findings = Vec::new();
    for dependency in metadata.direct(&member.id) {
        for (pattern, allowed) in CONFINED {
            if matches(pattern, &dependency.name) && !allowed.contains(&member.name.as_str()) {
                let what = format!("{} depends on {}", member.name, dependency.name);
                findings.push(finding(member, what, format!("only {allowed:?} may")));
            }
        }
    }
    findings
}

fn check_pure(metadata: &Metadata, member: &Package) -> Vec<Finding> {
    if !PURE.contains(&member.name.as_str()) {
        return Vec::new();
    }
    metadata
        .transitive(member)
        .into_iter()
        .filter(|(name, chain)| {
            WORLDLY.iter().any(|pattern| matches(pattern, name))
                || (chain.len() == 1 && WORLDLY_WHEN_NAMED.contains(name))
        })
        .map(|(_, chain)| {
            let what = format!("{} is built from {}", member.name, chain.join(" from "));
            let remedy = "a pure crate does no IO and reads no clock: move the caller outwards";
            finding(member, what, remedy.to_owned())
        })
        .collect()
}

fn finding(member: &Package, what: String, remedy: String) -> Finding {
    Finding { place: member.manifest_path.clone(), rule: RULE, what, remedy }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::super::metadata::fixture::workspace;
    use super::*;

    fn whats(edges: &[(&str, &str, Option<&str>)]) -> Vec<String> {
        check(&workspace(edges)).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn the_drawn_arrows_are_allowed() {
        let edges = [
            ("vipfleet-model", "vipfleet-vrrp", None),
            ("vipfleet-agent", "vipfleet-vrrp", None),
            ("vipfleet-agent", "socket2", None),
            ("vipfleet-server", "etcd-client", None),
            ("vipfleet-server", "tokio", None),
            ("vipfleet-tests", "nix", None),
        ];
        assert!(whats(&edges).is_empty());
    }

    #[test]
    fn an_arrow_the_other_way_is_found() {
        let edges = [("vipfleet-vrrp", "vipfleet-model", None)];
        assert_eq!(whats(&edges), ["vipfleet-vrrp depends on vipfleet-model"]);
        let edges = [("vipctl", "vipfleet-vrrp", None)];
        assert_eq!(whats(&edges), ["vipctl depends on vipfleet-vrrp"]);
        let edges = [("vipfleet-agent", "vipfleet-server", None)];
        assert_eq!(whats(&edges).len(), 1);
    }

    #[test]
    fn a_runtime_that_sneaks_into_a_pure_crate_is_found_with_its_chain() {
        let edges = [("vipfleet-model", "serde-x", None), ("serde-x", "tokio-util", None)];
        assert_eq!(whats(&edges), ["vipfleet-model is built from serde-x from tokio-util"]);
        let edges = [("vipfleet-vrrp", "cc-x", Some("build")), ("cc-x", "mio", None)];
        assert_eq!(whats(&edges).len(), 1);
    }

    #[test]
    fn libc_is_found_in_a_pure_crate_only_when_it_names_it() {
        assert!(whats(&[("vipfleet-model", "sha-x", None), ("sha-x", "libc", None)]).is_empty());
        assert_eq!(whats(&[("vipfleet-model", "libc", None)]).len(), 1);
    }

    #[test]
    fn tests_of_a_pure_crate_may_use_anything() {
        assert!(whats(&[("vipfleet-vrrp", "tokio", Some("dev"))]).is_empty());
    }

    #[test]
    fn netlink_stays_in_the_agent_and_etcd_in_the_server() {
        let edges = [("vipfleet-server", "netlink-sys", None), ("vipctl", "etcd-client", None)];
        assert_eq!(whats(&edges).len(), 2);
    }
}
