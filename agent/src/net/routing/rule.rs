//! Virtual rules as netlink messages. Pure.

use super::route::MARK;
use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleHeader, RuleMessage};
use std::net::IpAddr;
use vipfleet_model::routing::VirtualRule;

/// A rule as the kernel compares it: no prefix that holds everything, every mark with its mask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Selector {
    pub(super) ipv4: bool,
    pub(super) rule: VirtualRule,
}

/// The selector of a rule as it is written.
pub(super) fn key(rule: &VirtualRule, ipv4: bool) -> super::Key {
    let some = |net: Option<IpNet>| net.filter(|net| net.prefix_len() > 0);
    // The kernel compares every bit of a mark without a mask, except that 0 is then any.
    let mark = rule.fwmark.unwrap_or(0);
    let mask = rule.fwmask.unwrap_or(if mark == 0 { 0 } else { u32::MAX });
    let (fwmark, fwmask) = marked(mark, mask);
    let (from, to) = (some(rule.from), some(rule.to));
    let rule = VirtualRule { from, to, fwmark, fwmask, ..rule.clone() };
    super::Key::Rule(Selector { ipv4, rule })
}

fn marked(mark: u32, mask: u32) -> (Option<u32>, Option<u32>) {
    if mark == 0 && mask == 0 { (None, None) } else { (Some(mark), Some(mask)) }
}

/// The message that adds the rule, and the one that removes it.
pub(super) fn message(selector: &Selector) -> RuleMessage {
    let rule = &selector.rule;
    let length = |net: Option<IpNet>| net.map_or(0, |net| net.prefix_len());
    let mut message = RuleMessage::default();
    message.header = RuleHeader {
        family: if selector.ipv4 { AddressFamily::Inet } else { AddressFamily::Inet6 },
        dst_len: length(rule.to),
        src_len: length(rule.from),
        // What does not fit goes by the attribute alone.
        table: u8::try_from(rule.table).unwrap_or(0),
        action: RuleAction::ToTable,
        ..RuleHeader::default()
    };
    let attributes = &mut message.attributes;
    attributes.extend(rule.from.map(|net| RuleAttribute::Source(net.addr())));
    attributes.extend(rule.to.map(|net| RuleAttribute::Destination(net.addr())));
    attributes.extend(rule.iif.clone().map(RuleAttribute::Iifname));
    attributes.extend(rule.oif.clone().map(RuleAttribute::Oifname));
    attributes.extend(rule.fwmark.map(RuleAttribute::FwMark));
    attributes.extend(rule.fwmask.map(RuleAttribute::FwMask));
    attributes.push(RuleAttribute::Table(rule.table));
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.push(RuleAttribute::Protocol(MARK));
    message
}

/// The request for a dump of the rules of one family.
pub(super) fn dump(family: AddressFamily) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family;
    message
}

/// Whose a rule is, by its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    Us,
    Somebody,
    /// A kernel before 4.17 keeps no mark.
    Untold,
}

/// What a rule of the kernel is; `None` for one that no definition can ask for.
pub(super) fn read(message: &RuleMessage) -> Option<(Selector, Maker)> {
    let header = &message.header;
    let ipv4 = match header.family {
        AddressFamily::Inet => true,
        AddressFamily::Inet6 => false,
        _ => return None,
    };
    let strange = header.action != RuleAction::ToTable
        || header.tos != 0
        || header.flags.contains(RuleFlags::Invert);
    if strange {
        return None;
    }
    let mut rule = VirtualRule::new(header.table.into(), 0);
    let (mut mark, mut mask, mut maker) = (0, 0, Maker::Untold);
    let net = |address: &IpAddr, length| IpNet::new(*address, length).ok();
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Source(address) => rule.from = net(address, header.src_len),
            RuleAttribute::Destination(address) => rule.to = net(address, header.dst_len),
            RuleAttribute::Iifname(name) => rule.iif = Some(name.clone()),
            RuleAttribute::Oifname(name) => rule.oif = Some(name.clone()),
            RuleAttribute::FwMark(number) => mark = *number,
            RuleAttribute::FwMask(number) => mask = *number,
            RuleAttribute::Table(number) => rule.table = *number,
            RuleAttribute::Priority(number) => rule.priority = *number,
            RuleAttribute::Protocol(protocol) if *protocol == MARK => maker = Maker::Us,
            RuleAttribute::Protocol(_) => maker = Maker::Somebody,
            // Said of every rule; all ones is "none".
            RuleAttribute::SuppressPrefixLen(u32::MAX) | RuleAttribute::L3MDev(false) => {}
            RuleAttribute::Other(_) => {}
            _ => return None,
        }
    }
    (rule.fwmark, rule.fwmask) = marked(mark, mask);
    Some((Selector { ipv4, rule }, maker))
}

#[cfg(test)]
mod tests {
    use super::super::Key;
    use super::*;

    fn selector(rule: &VirtualRule, ipv4: bool) -> Selector {
        match key(rule, ipv4) {
            Key::Rule(selector) => selector,
            Key::Route(_) => unreachable!(),
        }
    }

    #[test]
    fn what_is_asked_for_is_what_is_found_again() {
        let rules = [
            VirtualRule { from: Some("10.0.0.0/8".parse().unwrap()), ..VirtualRule::new(9, 5) },
            VirtualRule {
                to: Some("192.0.2.1/32".parse().unwrap()),
                ..VirtualRule::new(70_000, 5)
            },
            VirtualRule { iif: Some("eth0".into()), fwmark: Some(7), ..VirtualRule::new(9, 5) },
            VirtualRule { oif: Some("eth0".into()), fwmask: Some(8), ..VirtualRule::new(9, 5) },
        ];
        for rule in rules {
            let wanted = selector(&rule, true);
            assert_eq!(read(&message(&wanted)), Some((wanted, Maker::Us)), "{rule}");
        }
    }

    #[test]
    fn rules_that_the_kernel_takes_for_one_have_one_selector() {
        let rule = VirtualRule { iif: Some("eth0".into()), ..VirtualRule::new(9, 5) };
        let everywhere = VirtualRule { from: Some("0.0.0.0/0".parse().unwrap()), ..rule.clone() };
        let unmarked = VirtualRule { fwmark: Some(0), ..rule.clone() };
        assert_eq!(selector(&rule, true), selector(&everywhere, true));
        assert_eq!(selector(&rule, true), selector(&unmarked, true));
        let mark = VirtualRule { fwmark: Some(7), ..rule.clone() };
        let masked = VirtualRule { fwmask: Some(u32::MAX), ..mark.clone() };
        assert_eq!(selector(&mark, true), selector(&masked, true));
        assert_ne!(selector(&rule, true), selector(&rule, false));
    }

    #[test]
    fn rules_that_do_more_than_a_definition_can_say_are_nobodys() {
        let rule = VirtualRule { iif: Some("eth0".into()), ..VirtualRule::new(9, 5) };
        let plain = message(&selector(&rule, true));
        let mut inverted = plain.clone();
        inverted.header.flags = RuleFlags::Invert;
        let mut jump = plain.clone();
        jump.header.action = RuleAction::Goto;
        let mut narrow = plain;
        narrow.attributes.push(RuleAttribute::SuppressPrefixLen(0));
        for message in [inverted, jump, narrow] {
            assert_eq!(read(&message), None);
        }
    }
}
