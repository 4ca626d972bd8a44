//! What a device of ours is set to. It dies with its settings: nothing is put back.

use crate::net::error::Fault;
use std::fs;
use std::io;
use vipfleet_vrrp::Family;

/// `all` is taken together with the interface's own, and the larger counts.
const REVERSE_PATHS_OF_ALL: &str = "/proc/sys/net/ipv4/conf/all/rp_filter";

/// Prepares a device that is down.
pub(super) fn prepare(device: &str, family: Family) -> Result<(), Fault> {
    let mut settings = vec![
        // Of addresses of its own only: requests for the host's come here, too.
        (4, "arp_ignore", "1"),
        (4, "arp_announce", "2"),
        // What comes to the address goes back over the parent. Loose where strict is everywhere.
        (4, "rp_filter", reverse_paths()),
        (4, "promote_secondaries", "1"),
    ];
    match family {
        Family::Ipv4 => settings.push((6, "disable_ipv6", "1")),
        // No address of its own making, and nobody asked for one.
        Family::Ipv6 => settings.extend([
            (6, "disable_ipv6", "0"),
            (6, "addr_gen_mode", "1"),
            (6, "accept_ra", "0"),
            (6, "router_solicitations", "0"),
            (6, "accept_dad", "0"),
        ]),
    }
    settings.into_iter().try_for_each(|setting| write(device, setting))
}

fn reverse_paths() -> &'static str {
    let all = fs::read_to_string(REVERSE_PATHS_OF_ALL).unwrap_or_default();
    if all.trim() == "0" { "0" } else { "2" }
}

fn write(device: &str, (version, key, value): (u8, &str, &str)) -> Result<(), Fault> {
    let path = format!("/proc/sys/net/ipv{version}/conf/{device}/{key}");
    match fs::write(path, value) {
        // A host without IPv6 has none to switch off.
        Err(error) if error.kind() == io::ErrorKind::NotFound && key == "disable_ipv6" => Ok(()),
        written => written.map_err(|error| {
            let name = format!("net.ipv{version}.conf.{device}.{key}");
            Fault::setting(&name, &error)
        }),
    }
}
