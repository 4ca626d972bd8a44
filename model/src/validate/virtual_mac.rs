//! What a virtual MAC asks of an instance, and of the network that its hosts are in.

use super::desk::Desk;
use crate::instance::{Family, Instance, Transport};

const PATH: &str = "spec.virtualMac";

/// What fits the least packet of IPv6 (1280 bytes, RFC 8200 §5) beside the headers: an advert with
/// the virtual MAC is one frame.
const MOST_ADDRESSES_V6: usize = 76;

pub(super) fn examine(desk: &mut Desk<'_>, spec: &Instance) {
    if !spec.virtual_mac {
        return;
    }
    if spec.election_only.is_some() {
        let message = "an election without addresses has nothing that answers with a virtual MAC";
        return desk.error("virtual-mac-election", PATH, message, "leave the field out");
    }
    let ipv6 = spec.family() == Some(Family::Ipv6);
    let many = ipv6 && spec.transport == Transport::Multicast;
    if many && spec.virtual_addresses.len() > MOST_ADDRESSES_V6 {
        let message = format!(
            "an advert with {} addresses does not fit into one frame",
            spec.virtual_addresses.len()
        );
        let remedy = format!(
            "keep {MOST_ADDRESSES_V6} or fewer here and list the others in excludedAddresses"
        );
        desk.error("virtual-mac-length", "spec.virtualAddresses", message, remedy);
    }
    let (family, sysctls) = match ipv6 {
        true => (2, ""),
        false => (1, "; agents set arp_ignore=1 and arp_announce=2 on the interface"),
    };
    let message = format!(
        "the addresses answer with 00:00:5e:00:{family:02x}:{:02x}, which moves between switch \
         ports: ports that limit or pin MACs, and hypervisors that drop frames from a MAC they did \
         not give, cut the hosts off; a planned move has no silent grace and may lose \
         packets{sysctls}",
        spec.virtual_router_id
    );
    let remedy = "see that the network lets that MAC move (VMware: allow forged transmits and MAC \
                  changes; port security: two MACs or more), or leave the field out";
    desk.warning("virtual-mac", PATH, message, remedy);
    if spec.transport == Transport::Unicast && spec.garp.refresh.is_zero() {
        let message = "over unicast adverts leave with the interface's own MAC: after some minutes \
                       without an announcement switches forget where the virtual MAC is, and flood";
        let remedy = "write garp: {refresh: 60s}, or transport: multicast";
        desk.warning("virtual-mac-unicast", PATH, message, remedy);
    }
}
