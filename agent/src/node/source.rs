//! Which address an instance's adverts come from, and why there is none. Pure.

use super::prepared::PreparedInstance;
use crate::net::InterfaceState;
use ipnet::IpNet;
use std::net::IpAddr;
use vipfleet_model::instance::Transport;
use vipfleet_model::node::advert_source;
use vipfleet_vrrp::Family;

/// What the operator named, if the interface has it; else the interface's primary address of IPv4
/// (RFC 9568 §1.7 "Primary IP"), its link-local address of IPv6, or over unicast a global one.
pub(super) fn of(state: &InterfaceState, instance: &PreparedInstance) -> Option<IpAddr> {
    match instance.assigned.source_address {
        Some(named) => state.addresses.iter().map(IpNet::addr).find(|it| *it == named),
        None => {
            let (family, transport) = (instance.config.family, instance.assigned.transport);
            advert_source(&state.addresses, family, transport)
        }
    }
}

/// Why there is none, and what to do about it unless it passes by itself.
pub(super) fn missing(state: &InterfaceState, instance: &PreparedInstance) -> String {
    let (interface, named) = (state.name.as_str(), instance.assigned.source_address);
    let transport = instance.assigned.transport;
    let kind = match (instance.config.family, transport) {
        (Family::Ipv4, _) => return without(interface, named, "IPv4"),
        (Family::Ipv6, Transport::Multicast) => "link-local IPv6",
        (Family::Ipv6, Transport::Unicast) => "global IPv6",
    };
    if state.ipv6.disabled {
        return format!(
            "IPv6 is disabled on {interface}: set net.ipv6.conf.{interface}.disable_ipv6 to 0"
        );
    }
    let would_do = |it: &&IpAddr| match named {
        Some(named) => **it == named,
        None => advert_source(&[IpNet::from(**it)], Family::Ipv6, transport).is_some(),
    };
    if let Some(address) = state.ipv6.tentative.iter().find(would_do) {
        return format!("{address} on {interface} is tentative: duplicate address detection runs");
    }
    if let Some(address) = state.ipv6.duplicate.iter().find(would_do) {
        return format!(
            "{address} on {interface} is a duplicate: another host on the link has it; remove it \
             there, then add it here again"
        );
    }
    without(interface, named, kind)
}

fn without(interface: &str, named: Option<IpAddr>, kind: &str) -> String {
    match named {
        Some(named) => format!("source address {named} is not on {interface}"),
        None => format!("interface {interface} has no {kind} address"),
    }
}
