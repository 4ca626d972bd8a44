//! `vrrp_instance`. Settings at keepalived's own defaults are not written, except for those that
//! a reader looks for.

use super::check::Checks;
use super::desk::{self, Desk, Rounding};
use super::page::Page;
use super::program::Programs;
use super::track::{self, Tracker};
use super::{hook, routing, word};
use crate::address::{Scope, VirtualAddress};
use crate::assignment::{AssignedInstance, PASSWORD_BYTES};
use crate::finding::Place;
use crate::instance::{Authentication, Checksum, Garp, Takeover, Transport};
use crate::secret::Secret;
use crate::span::Span;
use std::time::Duration;

const OWNER: u8 = 255;
const PREEMPT_DELAY: Rounding =
    Rounding { step: Duration::from_micros(1), most: Duration::from_secs(1_000) };
const GARP: Rounding = Rounding { step: Duration::from_secs(1), most: Duration::from_secs(4294) };
/// keepalived takes more; an import does not.
const REFRESH: Rounding =
    Rounding { step: Duration::from_secs(1), most: Duration::from_secs(86_400) };

/// Whether the instance is in a sync group, which tracks for it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    Alone,
    InGroup,
}

/// Writes one instance; its checks are on the page already.
pub(super) fn write(
    instance: &AssignedInstance,
    grouping: Grouping,
    checks: &Checks,
    page: &mut Page,
    programs: &mut Programs<'_>,
    desk: &mut Desk,
) {
    beyond_keepalived(instance, desk);
    let interface = desk.word(&at(instance, "spec.members"), "interface", &instance.interface);
    page.open(format!("vrrp_instance {}", instance.name));
    // Only the owner begins as MASTER, as with us (RFC 9568 §6.4.1).
    page.line(if instance.priority == OWNER { "state MASTER" } else { "state BACKUP" });
    page.line(format!("interface {interface}"));
    virtual_mac(instance, page);
    page.line(format!("virtual_router_id {}", instance.virtual_router_id));
    page.line(format!("priority {}", priority(instance, desk)));
    page.line(format!("version {}", instance.version));
    page.line(format!("advert_int {}", word::seconds(instance.advert_interval.0)));
    preemption(instance, page, desk);
    if instance.down_adverts != 3 {
        page.line(format!("down_timer_adverts {}", instance.down_adverts));
    }
    garp(instance, page, desk);
    authentication(instance, page, desk);
    transport(instance, page, desk);
    addresses(instance, "virtual_ipaddress", &instance.virtual_addresses, page, desk);
    let excluded = &instance.excluded_addresses;
    addresses(instance, "virtual_ipaddress_excluded", excluded, page, desk);
    routing::write(instance, page, desk);
    if grouping == Grouping::Alone {
        track::write(&Tracker::of_instance(instance), checks, page, desk);
    }
    hook::write(|path| at(instance, path), &instance.notify, page, programs, desk);
    page.close();
}

fn at(instance: &AssignedInstance, path: &str) -> Place {
    desk::instance(&instance.name, path)
}

/// What only vipfleet does.
fn beyond_keepalived(instance: &AssignedInstance, desk: &mut Desk) {
    let weighted = instance.track.iter().any(|track| track.weight != 0);
    if instance.takeover == Takeover::Fast && !instance.preempt && weighted {
        let message = "keepalived knows no fast takeover: with nopreempt, weights have no effect";
        let remedy = "track with weight 0 while keepalived serves a member";
        desk.warning("nopreempt-weights", at(instance, "spec.takeover"), message, remedy);
    }
    if instance.recover_delay != Span::from_secs(3) {
        let message = "keepalived has no recover delay: a recovered check counts at once";
        let remedy = "give the check a higher rise";
        desk.warning("no-effect", at(instance, "spec.recoverDelay"), message, remedy);
    }
    if instance.election_only.is_some() {
        let message = "keepalived 2.2.7 has no election without addresses";
        let remedy = "give the instance an address";
        desk.inexpressible(at(instance, "spec.electionOnly"), message, remedy);
    }
    if instance.checksum == Checksum::Message && instance.version == 3 {
        let message = "keepalived sends and takes checksums with the pseudo-header only: it and a \
                       member that does not would both be master";
        let remedy = "write checksum: pseudo-header; every member of ours takes both";
        desk.error("not-in-keepalived", at(instance, "spec.checksum"), message, remedy);
    }
}

/// What an operator adds by hand is a part of it: keepalived reads it from files only. The owner's
/// is what it is.
fn priority(instance: &AssignedInstance, desk: &mut Desk) -> u8 {
    let AssignedInstance { priority, priority_offset: offset, .. } = *instance;
    if offset == 0 || priority == OWNER {
        return priority;
    }
    let sum = (i32::from(priority) + i32::from(offset)).clamp(1, i32::from(OWNER) - 1);
    let sum = u8::try_from(sum).unwrap_or(priority);
    let message = format!("priority {priority} and its offset of {offset} are written as {sum}");
    let remedy = "nothing to do, or export again once the offset is 0";
    desk.warning("approximated", at(instance, "spec.members"), message, remedy);
    sum
}

fn preemption(instance: &AssignedInstance, page: &mut Page, desk: &mut Desk) {
    let delay = instance.preempt_delay;
    if instance.priority == OWNER {
        if !instance.preempt || !delay.is_zero() {
            let message = "an owner (priority 255) preempts at once in any case";
            let remedy = "nothing to do; preempt and preemptDelay are for the other members";
            desk.warning("no-effect", at(instance, "spec.preempt"), message, remedy);
        }
        return;
    }
    if !instance.preempt {
        page.line("nopreempt");
        if !delay.is_zero() {
            let message = "preemptDelay has no effect while preempt is false: not written";
            let place = at(instance, "spec.preemptDelay");
            desk.warning("no-effect", place, message, "leave it out");
        }
    } else if !delay.is_zero() {
        let delay = desk.rounded(at(instance, "spec.preemptDelay"), delay, PREEMPT_DELAY);
        page.line(format!("preempt_delay {}", word::seconds(delay)));
    }
}

fn garp(instance: &AssignedInstance, page: &mut Page, desk: &mut Desk) {
    let Garp { repeat, delay, refresh, ref interfaces } = instance.garp;
    let standard = Garp::default();
    if delay != standard.delay {
        let delay = desk.rounded(at(instance, "spec.garp.delay"), delay, GARP);
        page.line(format!("garp_master_delay {}", delay.as_secs()));
    }
    if repeat != standard.repeat {
        page.line(format!("garp_master_repeat {repeat}"));
    }
    if refresh != standard.refresh {
        let refresh = desk.rounded(at(instance, "spec.garp.refresh"), refresh, REFRESH);
        page.line(format!("garp_master_refresh {}", refresh.as_secs()));
    }
    if !interfaces.is_empty() {
        let place = at(instance, "spec.garp.interfaces");
        let message = "keepalived announces on the interface of an address only";
        desk.warning("no-effect", place, message, "leave it out");
    }
}

fn authentication(instance: &AssignedInstance, page: &mut Page, desk: &mut Desk) {
    let password = match &instance.authentication {
        Authentication::None => return,
        Authentication::Pass { password } => password,
        Authentication::Hmac(_) => {
            let place = at(instance, "spec.authentication");
            let message = "signed adverts need keepalived 2.4.1: what is written is for 2.2.7";
            let remedy = "leave authentication out, or make the member one of vipfleet's";
            return desk.error("not-expressible", place, message, remedy);
        }
    };
    let place = at(instance, "spec.authentication.password");
    if password.is_redacted() {
        let message = "the password is not known here";
        desk.error("redacted", place, message, "export with the secrets revealed");
        return;
    }
    let Some(clear) = on_the_wire(password) else {
        let message = "the eighth byte of the password is in the middle of a character";
        desk.error("bad-word", place, message, "shorten it to eight bytes on all members");
        return;
    };
    if clear.len() < password.reveal().len() {
        let message = "only the first eight bytes of the password are written: no others count";
        desk.warning("password-cut", place.clone(), message, "shorten it to eight bytes");
    }
    let clear = desk.word(&place, "the password", clear);
    page.block("authentication", ["auth_type PASS".to_owned(), format!("auth_pass {clear}")]);
}

/// What goes into adverts: keepalived complains about more.
fn on_the_wire(password: &Secret) -> Option<&str> {
    // The file is of no use without it.
    let clear = password.reveal();
    clear.get(..clear.len().min(PASSWORD_BYTES))
}

/// keepalived sends unicast adverts of such an instance from the interface, if it is told to.
fn virtual_mac(instance: &AssignedInstance, page: &mut Page) {
    if instance.virtual_mac {
        page.line("use_vmac");
        if instance.transport == Transport::Unicast {
            page.line("vmac_xmit_base");
        }
    }
}

/// A source is written only when the operator chose one: both take the interface's first address.
fn transport(instance: &AssignedInstance, page: &mut Page, desk: &mut Desk) {
    let unicast = instance.transport == Transport::Unicast;
    if let Some(source) = instance.source_address {
        page.line(format!("{} {source}", if unicast { "unicast_src_ip" } else { "mcast_src_ip" }));
    }
    if !unicast {
        if instance.members_only {
            let message = "keepalived checks the sender of unicast adverts only: it heeds every \
                           multicast one";
            let remedy = "let the firewall drop protocol 112 from other addresses";
            desk.warning("no-effect", at(instance, "spec.membersOnly"), message, remedy);
        }
        return;
    }
    let mut peers = Vec::new();
    for member in instance.members.iter().filter(|member| !member.this) {
        match (member.address, &member.node) {
            (Some(address), _) => peers.push(address),
            (None, node) => {
                let node = node.as_ref().map(ToString::to_string).unwrap_or_default();
                let message = format!("the address of {node} is not known");
                let remedy = "start its agent, or write the member's address";
                desk.error("unknown-peer", at(instance, "spec.members"), message, remedy);
            }
        }
    }
    if instance.members.len() < 2 {
        let message = "unicast without another member: keepalived would send to the group";
        let remedy = "write transport: multicast, or add a member";
        desk.error("not-in-keepalived", at(instance, "spec.transport"), message, remedy);
    }
    page.block("unicast_peer", peers);
    if instance.members_only {
        page.line("check_unicast_src");
    }
}

fn addresses(
    instance: &AssignedInstance,
    block: &str,
    list: &[VirtualAddress],
    page: &mut Page,
    desk: &mut Desk,
) {
    if list.is_empty() {
        return;
    }
    page.open(block);
    for address in list {
        let line = address_line(&at(instance, "spec.virtualAddresses"), address, desk);
        page.line(line);
    }
    page.close();
}

fn address_line(place: &Place, address: &VirtualAddress, desk: &mut Desk) -> String {
    let mut words = vec![address.to_string()];
    if let Some(broadcast) = address.broadcast {
        words.push(format!("brd {broadcast}"));
    }
    if let Some(dev) = &address.dev {
        words.push(format!("dev {}", desk.word(place, "dev", dev)));
    }
    match address.scope {
        Scope::Global => {}
        scope if address.ip().is_ipv6() => {
            let message = format!("{address}: the kernel derives the scope of IPv6 addresses");
            let remedy = format!("leave scope {} out", scope_name(scope));
            desk.warning("no-effect", place.clone(), message, remedy);
        }
        scope => words.push(format!("scope {}", scope_name(scope))),
    }
    if let Some(label) = &address.label {
        words.push(format!("label {}", desk.word(place, "label", label)));
    }
    // As the agent adds them; keepalived does so by itself for /128 only.
    if address.ip().is_ipv6() && address.address.prefix_len() != address.address.max_prefix_len() {
        words.push("preferred_lft 0".to_owned());
    }
    words.join(" ")
}

pub(super) fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Global => "global",
        Scope::Site => "site",
        Scope::Link => "link",
        Scope::Host => "host",
    }
}
