//! What `cargo metadata` says about packages and who depends on whom.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// The packages of a build and the edges between them.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// Every package that the lock file can bring in, on any platform.
    pub packages: Vec<Package>,
    /// Where the workspace is.
    pub workspace_root: String,
    /// Ids of our own packages.
    pub workspace_members: Vec<String>,
    /// Who depends on whom.
    pub resolve: Resolve,
}

/// One package.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// Unique id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SPDX expression.
    pub license: Option<String>,
    /// Path of its Cargo.toml; relative to the workspace for our own.
    pub manifest_path: String,
}

/// The resolved graph.
#[derive(Debug, Clone, Deserialize)]
pub struct Resolve {
    /// One node a package.
    pub nodes: Vec<Node>,
}

/// One package's dependencies.
#[derive(Debug, Clone, Deserialize)]
pub struct Node {
    /// The package.
    pub id: String,
    /// What it depends on.
    pub deps: Vec<Dependency>,
}

/// One edge.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    /// The package depended on.
    pub pkg: String,
    /// In which ways.
    pub dep_kinds: Vec<DependencyKind>,
}

/// One way of depending.
#[derive(Debug, Clone, Deserialize)]
pub struct DependencyKind {
    /// None for a plain dependency, else `dev` or `build`.
    pub kind: Option<String>,
}

impl Metadata {
    /// Asks cargo about the workspace at `root`.
    ///
    /// # Errors
    /// When cargo refuses; its own message is kept.
    pub fn of(root: &Path) -> anyhow::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--manifest-path"])
            .arg(root.join("Cargo.toml"))
            .output()
            .context("run cargo metadata")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata: {}", said.trim());
        let mut metadata: Self =
            serde_json::from_slice(&output.stdout).context("read what cargo metadata printed")?;
        let root = format!("{}/", metadata.workspace_root);
        for package in &mut metadata.packages {
            if let Some(relative) = package.manifest_path.strip_prefix(&root) {
                package.manifest_path = relative.to_owned();
            }
        }
        Ok(metadata)
    }

    /// Our own packages.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// What a package directly depends on, build dependencies included, tests' left out.
    pub fn direct(&self, id: &str) -> Vec<&Package> {
        let node = self.resolve.nodes.iter().find(|node| node.id == id);
        let deps = node.map_or(&[][..], |node| &node.deps);
        deps.iter()
            .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev")))
            .filter_map(|dep| self.packages.iter().find(|package| package.id == dep.pkg))
            .collect()
    }

    /// Everything a package is built from, each with the chain of names that brings it in.
    pub fn transitive(&self, package: &Package) -> BTreeMap<&str, Vec<&str>> {
        let mut chains = BTreeMap::new();
        let mut open = vec![(package.id.as_str(), Vec::new())];
        while let Some((id, chain)) = open.pop() {
            for dependency in self.direct(id) {
                let mut longer = chain.clone();
                longer.push(dependency.name.as_str());
                if !chains.contains_key(dependency.name.as_str()) {
                    chains.insert(dependency.name.as_str(), longer.clone());
                    open.push((&dependency.id, longer));
                }
            }
        }
        chains
    }
}

#[cfg(test)]
pub(super) mod fixture {
    use super::*;

    /// A workspace out of `package -> dependency` lines; a name that starts with `vip` is a member.
    pub(in crate::house) fn workspace(edges: &[(&str, &str, Option<&str>)]) -> Metadata {
        let mut names: Vec<&str> = edges.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        names.sort_unstable();
        names.dedup();
        let nodes = names.iter().map(|name| Node {
            id: (*name).to_owned(),
            deps: edges
                .iter()
                .filter(|(from, ..)| from == name)
                .map(|(_, to, kind)| Dependency {
                    pkg: (*to).to_owned(),
                    dep_kinds: vec![DependencyKind { kind: kind.map(str::to_owned) }],
                })
                .collect(),
        });
        let members = names.iter().filter(|name| name.starts_with("vip"));
        Metadata {
            workspace_root: String::new(),
            workspace_members: members.map(|name| (*name).to_owned()).collect(),
            resolve: Resolve { nodes: nodes.collect() },
            packages: names.iter().map(|name| package(name, "1.0.0", Some("MIT"))).collect(),
        }
    }

    /// One package.
    pub(in crate::house) fn package(name: &str, version: &str, license: Option<&str>) -> Package {
        Package {
            id: name.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            license: license.map(str::to_owned),
            manifest_path: format!("{name}/Cargo.toml"),
        }
    }
}
