//! Writes what one node runs as a keepalived.conf that means the same to keepalived 2.2.7: the
//! way back, and the file of a host that keepalived goes on serving. Called by `vipctl export`.
//!
//! A straight walk: the node's definitions → its assignment (by [`crate::placement`], as for an
//! agent) → checks, each above its use → sync groups → instances. What keepalived says otherwise
//! or not at all is a finding, never lost in silence. [`super::import()`] of the files of all
//! members gives the definitions again, unless a finding says otherwise; instances of a group come
//! back tracking what all of them do.

mod check;
mod desk;
mod hook;
mod instance;
mod page;
mod program;
mod routing;
mod sync_group;
mod track;
mod word;

use super::define::MAX_LINE_BYTES;
use crate::assignment::AssignedInstance;
use crate::definition::{Definition, Definitions};
use crate::finding::{Findings, Place};
use crate::instance::Instance;
use crate::name::Name;
use crate::node::NodeFacts;
use crate::placement::place_node;
use crate::validate::validate;
use check::Checks;
use desk::{Desk, Rounding};
use instance::Grouping;
use page::Page;
use program::Programs;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What the caller knows and the definitions do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Directory of the programs that definitions name: the agent's exec dir.
    pub exec_dir: Option<String>,
    /// Who runs programs that name no user. Without it root, with a warning.
    pub script_user: Option<String>,
    /// For the comment at the top.
    pub origin: Option<Origin>,
    /// What to do with a check or a hook that keepalived has no word for.
    pub inexpressible: Inexpressible,
}

/// Where the definitions come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Id of the fleet.
    pub fleet: String,
    /// Revision of the definitions.
    pub revision: u64,
}

/// What to do with what keepalived cannot do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inexpressible {
    /// An error each, and no file.
    #[default]
    Refuse,
    /// A warning each, and the file without it.
    LeaveOut,
}

/// `vrrp_startup_delay` of keepalived: milliseconds, at most 32 bits of microseconds.
const STARTUP_DELAY: Rounding =
    Rounding { step: Duration::from_millis(1), most: Duration::from_secs(4294) };

/// The keepalived.conf of `node`, with warnings; errors alone when there can be none. Equal
/// inputs give equal text. Passwords are in it in clear.
pub fn export(
    definitions: &Definitions,
    facts: &BTreeMap<Name, NodeFacts>,
    node: &Name,
    options: &ExportOptions,
) -> Result<(String, Findings), Findings> {
    let mut desk = Desk::new(options.inexpressible);
    let host = Place { document: Some(format!("node {node}")), ..Place::default() };
    let own = own(definitions, node);
    if own.instances().next().is_none() {
        let message = format!("no instance has {node} as a member");
        desk.error("not-a-member", host, message, "name a node as the instances' members do");
        return Err(desk.findings);
    }
    unsound(&own, facts, &mut desk);
    let assignment = place_node(&own, facts, node);
    let mut programs = Programs::new(options, host.clone());
    let mut body = Page::default();
    let mut checks = Checks::default();
    for check in &assignment.checks {
        checks.write(check, &mut body, &mut programs, &mut desk);
    }
    let instances = &assignment.instances;
    for group in &assignment.sync_groups {
        sync_group::write(group, instances, &checks, &mut body, &mut programs, &mut desk);
    }
    let grouped: BTreeSet<&Name> =
        assignment.sync_groups.iter().flat_map(|group| &group.instances).collect();
    for instance in instances {
        let grouping =
            if grouped.contains(&instance.name) { Grouping::InGroup } else { Grouping::Alone };
        instance::write(instance, grouping, &checks, &mut body, &mut programs, &mut desk);
    }
    let startup_delay = startup_delay(instances, &mut desk);
    let mut page = Page::default();
    header(&mut page, node, options.origin.as_ref());
    page.open("global_defs");
    page.line(format!("router_id {node}"));
    if !startup_delay.is_zero() {
        page.line(format!("vrrp_startup_delay {}", word::seconds(startup_delay)));
    }
    programs.globals(&mut page, &mut desk);
    page.close();
    let text = page.finish() + &body.finish();
    if text.lines().any(|line| line.len() > MAX_LINE_BYTES) {
        let message = format!("a line is longer than the {MAX_LINE_BYTES} bytes keepalived reads");
        desk.error("line-too-long", host, message, "put long arguments into the program itself");
    }
    match desk.findings.has_errors() {
        true => Err(desk.findings),
        false => Ok((text, desk.findings)),
    }
}

/// The instances that `node` is a member of, with the checks they track and their groups. A host
/// that keepalived serves is written like one of ours.
fn own(definitions: &Definitions, node: &Name) -> Definitions {
    let mut own = Vec::new();
    let mut tracked = BTreeSet::new();
    for (name, instance) in definitions.instances() {
        if instance.member(node).is_none() {
            continue;
        }
        let mut spec = Box::new(Instance::clone(instance));
        for member in &mut spec.members {
            member.external &= member.node != *node;
            tracked.extend(member.track.iter().map(|track| track.check.clone()));
        }
        tracked.extend(spec.track.iter().map(|track| track.check.clone()));
        own.push(Definition::Instance { name: name.clone(), spec });
    }
    // With whatever else they name: that an instance of a group is not here is for validation.
    let here = |name: &Name| definitions.instance(name).is_some_and(|it| it.member(node).is_some());
    for (name, group) in definitions.sync_groups() {
        if group.instances.iter().any(here) {
            own.push(Definition::SyncGroup { name: name.clone(), spec: group.clone() });
        }
    }
    for name in tracked {
        if let Some(spec) = definitions.check(&name).cloned() {
            own.push(Definition::Check { name, spec });
        }
    }
    own.into_iter().collect()
}

/// What a store would refuse is not written either.
fn unsound(own: &Definitions, facts: &BTreeMap<Name, NodeFacts>, desk: &mut Desk) {
    for finding in validate(own, facts, &BTreeSet::new()) {
        desk.push(finding);
    }
}

/// One for the whole host: the longest.
fn startup_delay(instances: &[AssignedInstance], desk: &mut Desk) -> Duration {
    let longest = instances.iter().max_by_key(|instance| instance.startup_delay);
    let Some(longest) = longest.filter(|longest| !longest.startup_delay.is_zero()) else {
        return Duration::ZERO;
    };
    for instance in instances.iter().filter(|it| it.startup_delay != longest.startup_delay) {
        let message = format!(
            "{} becomes {}: keepalived has one startup delay for all instances of a host",
            instance.startup_delay, longest.startup_delay
        );
        let remedy = format!("nothing to do, or write that of {} everywhere", longest.name);
        let place = desk::instance(&instance.name, "spec.startupDelay");
        desk.warning("approximated", place, message, remedy);
    }
    let place = desk::instance(&longest.name, "spec.startupDelay");
    desk.rounded(place, longest.startup_delay, STARTUP_DELAY)
}

fn header(page: &mut Page, node: &Name, origin: Option<&Origin>) {
    page.comment(&format!("keepalived.conf of node {node}, written by vipfleet"));
    if let Some(Origin { fleet, revision }) = origin {
        page.comment(&format!("from revision {revision} of fleet {fleet}"));
    }
    page.comment("Change the definitions and export again: what is edited here is lost then.");
}
